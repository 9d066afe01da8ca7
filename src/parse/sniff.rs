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
