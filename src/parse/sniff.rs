//! What a document that can't be parsed, or needs rendering, seems to be.

use super::kinds;
use memchr::memmem;

/// True iff the text names a kind somewhere, as every manifest does.
pub(super) fn manifest(bytes: &[u8]) -> bool {
    words(bytes).next().is_some()
}

/// True iff a kind that plays a part is named, or one that only rendering tells.
pub(super) fn relevant(bytes: &[u8]) -> bool {
    words(bytes).any(|word| {
        let word = String::from_utf8_lossy(word);
        kinds::worth_parsing(&word) || !word.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// True iff there is an action of a Helm template.
pub(super) fn helm(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"{{").is_some()
}

/// True iff a Helm template is defined, which others may use.
pub(super) fn defines(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"define").is_some()
}

/// True iff all that the document holds seems to come from other templates: it is no map of its own, and
/// some action writes what is named there. Nothing tells then what it renders to.
pub(super) fn wholly_templated(bytes: &[u8]) -> bool {
    if !helm(bytes) && memmem::find(bytes, b"{%").is_none() || manifest(bytes) {
        return false;
    }
    let writes = |line: &[u8]| {
        let line = line.trim_ascii_start();
        let action = line.strip_prefix(b"{{").or_else(|| line.strip_prefix(b"{%"));
        action.is_some_and(|action| {
            let action = action.strip_prefix(b"-").unwrap_or(action).trim_ascii_start();
            const WORDS: [&[u8]; 5] = [b"include ", b"template ", b"tpl ", b"toYaml", b".Files."];
            !action.starts_with(b"/*")
                && !action.starts_with(b"define ")
                && WORDS.iter().any(|word| memmem::find(action, word).is_some())
        })
    };
    let lines = || bytes.split(|byte| *byte == b'\n');
    let key =
        |line: &[u8]| line.first().is_some_and(u8::is_ascii_alphanumeric) && line.contains(&b':');
    lines().any(writes) && !lines().any(key)
}

/// What a file is that does not show what it holds: encrypted, packed, or kept elsewhere.
pub(super) fn sealed(bytes: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 8] = [
        (
            b"version https://git-lfs.github.com/spec/",
            "a pointer of Git LFS; fetch the file with `git lfs pull` and compare directories",
        ),
        (b"\0GITCRYPT\0", "encrypted by git-crypt; unlock the repository and compare directories"),
        (b"$ANSIBLE_VAULT;", "encrypted by ansible-vault; decrypt it and compare directories"),
        (b"age-encryption.org/v1", "encrypted by age; decrypt it and compare directories"),
        (
            b"-----BEGIN AGE ENCRYPTED FILE-----",
            "encrypted by age; decrypt it and compare directories",
        ),
        (b"-----BEGIN PGP MESSAGE-----", "encrypted by PGP; decrypt it and compare directories"),
        (b"\x1f\x8b", "packed by gzip; unpack it"),
        (b"PK\x03\x04", "a ZIP archive; unpack it"),
    ];
    STARTS.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, what)| *what)
}

/// True iff there is a directive of ytt, at the start of a line or behind a value.
pub(super) fn ytt(bytes: &[u8]) -> bool {
    memmem::find_iter(bytes, b"#@").any(|at| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        before.is_none_or(u8::is_ascii_whitespace)
    })
}

/// True iff the text has a placeholder of some template language.
pub(super) fn placeholder(text: &str) -> bool {
    ["{{", "${", "$("].iter().any(|start| text.contains(start))
}

/// The template language that a document seems to be written in.
pub(super) fn template(bytes: &[u8]) -> Option<&'static str> {
    if helm(bytes) {
        Some("a template with `{{ ... }}`")
    } else if ytt(bytes) {
        Some("a ytt template")
    } else if memmem::find(bytes, b"${").is_some() {
        Some("a template with `${...}`")
    } else {
        None
    }
}

/// The values of all `kind:` lines, at any indentation.
fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let start = line
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t' | b'-' | b'"' | b'\'' | b'{'))?;
        let rest = line.get(start..)?.strip_prefix(b"kind")?;
        let rest = rest.strip_prefix(b"\"").unwrap_or(rest).trim_ascii_start();
        let value = rest.strip_prefix(b":")?.trim_ascii();
        let value = value.strip_suffix(b",").unwrap_or(value);
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        Some(value.strip_suffix(b"\"").unwrap_or(value))
    })
}
