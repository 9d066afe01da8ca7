//! What a document that can't be parsed, or needs rendering, seems to be.

use super::meant;
use memchr::memmem;

/// True iff the text names a kind somewhere, as every manifest does.
pub(super) fn manifest(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| {
        let start = line
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t' | b'-' | b'"' | b'\'' | b'{'))
            .unwrap_or_default();
        let rest = line.get(start..).unwrap_or_default();
        rest.strip_prefix(b"kind").and_then(key_value).is_some()
    })
}

/// False only if no key of the document can be `kind`, however it is spelt: see [`super::skip`].
pub(super) fn can_name_kind(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"kind").is_some() || escapes_letters(bytes) || may_be_binary(bytes)
}

/// True iff the document, which could not be parsed, can hold an object that plays a part: a
/// kind that plays a part is named, or one that can't be made out.
pub fn relevant(bytes: &[u8]) -> bool {
    // UTF-16 and UTF-32, whose letters can't be told without decoding them.
    let wide = memchr::memchr(0, bytes).is_some()
        || bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff");
    wide || escapes_letters(bytes)
        || may_be_binary(bytes)
        || memmem::find_iter(bytes, b"kind").any(|at| {
            let after = bytes.get(at + 4..).unwrap_or_default();
            match key_value(after) {
                Some(value) => value_plays_a_part(value),
                // `*a : NetworkPolicy` is a key that an anchor spells elsewhere.
                None => memmem::find(bytes, b"*").is_some() && has_alias_key(bytes),
            }
        })
}

/// What follows the colon if a key ends here.
fn key_value(after: &[u8]) -> Option<&[u8]> {
    let after = match after.first() {
        Some(b'"' | b'\'') => after.get(1..).unwrap_or_default(),
        _ => after,
    };
    let after = after.trim_ascii_start();
    // A comment may stand between `? kind` and its colon; say that it can't be told.
    match after.first()? {
        b'#' => Some(after),
        _ => after.strip_prefix(b":"),
    }
}

/// False only if the value is one plain word that is no kind which plays a part.
fn value_plays_a_part(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    let value = match value.first() {
        Some(b'"' | b'\'') => value.get(1..).unwrap_or_default(),
        _ => value,
    };
    let end = value.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(value.len());
    let word = String::from_utf8_lossy(value.get(..end).unwrap_or_default());
    let ends = match value.get(end) {
        None => true,
        Some(byte) => byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b',' | b'}'),
    };
    !ends || word.is_empty() || meant::worth_parsing(&word)
}

/// Is there `*word :`?
fn has_alias_key(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'*', bytes).any(|at| {
        let after = bytes.get(at + 1..).unwrap_or_default();
        let end = after.iter().position(u8::is_ascii_whitespace);
        end.and_then(|end| after.get(end..))
            .is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"))
    })
}

/// Is there an escape that stands for a letter of `kind`, or that joins two lines?
fn escapes_letters(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let after = rest.get(at + 1..).unwrap_or_default();
        let digits = match after.first() {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(b'\n' | b'\r' | 0xc2 | 0xe2) if joins(bytes, bytes.len() - after.len()) => {
                return true;
            }
            _ => 0,
        };
        let code = after.get(1..1 + digits).and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(code) = code.and_then(|digits| u32::from_str_radix(digits, 16).ok())
            && digits > 0
            && char::from_u32(code).is_some_and(|letter| "kind".contains(letter))
        {
            return true;
        }
        // Both readings of `\\\\x6b` are looked at: what is a string is not known here.
        rest = after;
    }
    false
}

/// Could a `\` before this offset, at the end of a line, join two letters of `kind`? Shells continue
/// lines in the same way.
fn joins(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(2).and_then(|at| bytes.get(at));
    let after = bytes.get(at..).unwrap_or_default();
    let next = after.iter().find(|byte| byte.is_ascii_graphic());
    next == Some(&b'\\')
        || matches!(
            (before, next),
            (Some(b'k'), Some(b'i')) | (Some(b'i'), Some(b'n')) | (Some(b'n'), Some(b'd'))
        )
}

/// Is there a tag that is, or may be, `!!binary`?
fn may_be_binary(bytes: &[u8]) -> bool {
    let mut directives = None;
    memchr::memchr_iter(b'!', bytes).any(|at| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let starts = before.is_none_or(|byte| {
            byte.is_ascii_whitespace() || matches!(byte, b'{' | b'[' | b',') || !byte.is_ascii()
        });
        if !starts {
            return false;
        }
        let tag = bytes.get(at..).unwrap_or_default();
        let end = tag.iter().position(u8::is_ascii_whitespace).unwrap_or(tag.len());
        let tag = tag.get(..end).unwrap_or_default();
        memmem::find(tag, b"binary").is_some()
            || memchr::memchr(b'%', tag).is_some()
            || *directives.get_or_insert_with(|| memmem::find(bytes, b"%TAG").is_some())
    })
}

/// True iff there seems to be a comment as JavaScript has them.
pub(super) fn json_comment(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"//").is_some() || memmem::find(bytes, b"/*").is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_can_play_a_part_is_told() {
        for text in [
            "kind: NetworkPolicy",
            "kind: networkpolicy",
            "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"x",
            "{apiVersion: v1, 'kind' : 'Pod'",
            "kind: PodList",
            "kind: {{ .Values.kind }}",
            "kind: Service{{ x }}",
            "kind:",
            "kind: &a Service",
            "? kind\n: Pod",
            "? kind # c\n: Pod",
            "a: &a kind\n*a : Pod",
            "{\"\\u006bind\": \"Service\"",
            "\"\\x6bind\": \"Service\"",
            "? \"ki\\\n nd\"\n: Service",
            "? \"k\\\r\n\t i\\\u{2028} nd\"\n: Service",
            "? \"kin\\\n\\\n d\"\n: Service",
            "!!binary a2luZA==: Service",
            "{!<tag:yaml.org,2002:bin%61ry> a2luZA==: Service",
            "%TAG !e! tag:yaml.org,2002:bin\r---\r!e!ary a2luZA==: Service",
            "k\0i\0n\0d\0",
        ] {
            assert!(relevant(text.as_bytes()), "{text:?}");
            assert!(can_name_kind(text.as_bytes()) || text.contains('\0'), "{text:?}");
        }
        for text in [
            "kind: Service\nx: [",
            "{\"kind\": \"Service\", \"x\": {kind: ConfigMap}",
            "# this kind of thing\n* a b: c",
            "kind: Service # c",
            "path: \"C:\\users\\\\x\\n\" !important [! a",
            "!Ref x",
            "run: |\n  make \\\n    all",
            "",
        ] {
            assert!(!relevant(text.as_bytes()), "{text:?}");
        }
    }
}
