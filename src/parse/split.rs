//! A YAML file -> its documents, and which of them can matter.
//!
//! Most bytes of a repository are of kinds that play no part. A document is passed over unparsed
//! only where its kind is certain from one plain line at column 0 (see [`Document::skippable`]).

use super::kinds;
use memchr::memmem;

/// One document of a file, not parsed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Document<'a> {
    /// Its bytes, without the `---` line before it.
    pub bytes: &'a [u8],
    /// The line of the file on which the first of these bytes stands, from 1.
    pub first_line: u32,
    /// There was text on the `---` line, other than a comment; kubectl refuses that.
    pub text_on_marker: bool,
}

/// Splits a file at the lines that start with `---`. That is sound: at column 0 it is a marker
/// even inside a block scalar.
pub(super) fn documents(bytes: &[u8]) -> impl Iterator<Item = Document<'_>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut rest = Some((bytes, 1));
    let mut text_on_marker = false;
    std::iter::from_fn(move || {
        let (bytes, first_line) = rest?;
        let end = marker(bytes);
        let document =
            Document { bytes: bytes.get(..end).unwrap_or(bytes), first_line, text_on_marker };
        rest = bytes.get(end..).filter(|tail| !tail.is_empty()).map(|tail| {
            let (line, after) = match memchr::memchr(b'\n', tail) {
                Some(at) => tail.split_at(at + 1),
                None => (tail, &[][..]),
            };
            let text = line.get(3..).unwrap_or_default().trim_ascii();
            text_on_marker = !text.is_empty() && !text.starts_with(b"#");
            (after, first_line + newlines(document.bytes) + 1)
        });
        Some(document)
    })
    .filter(|document| document.text_on_marker || !document.is_blank())
}

/// Where the first line that starts with `---` begins, or the end.
fn marker(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"---") {
        return 0;
    }
    memmem::find(bytes, b"\n---").map_or(bytes.len(), |at| at + 1)
}

fn newlines(bytes: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', bytes).count()).unwrap_or(u32::MAX)
}

impl<'a> Document<'a> {
    /// Nothing but white space and comments.
    fn is_blank(&self) -> bool {
        self.lines().map(<[u8]>::trim_ascii).all(|line| line.is_empty() || line.starts_with(b"#"))
    }

    fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.split(|byte| *byte == b'\n')
    }

    /// True iff the document certainly plays no part, so that it need not be parsed: it can't be
    /// an object at all, or exactly one line at column 0 is `kind: Word` with a word that is no
    /// relevant kind and no list, and nothing else at column 0 could hold another `kind`.
    pub(super) fn skippable(&self) -> bool {
        if self.text_on_marker {
            return false;
        }
        if memmem::find(self.bytes, b"kind").is_none() {
            // The key could only be spelt with escapes in double quotes, which nobody does.
            return true;
        }
        let mut kind = None;
        for line in self.lines() {
            match line.first() {
                Some(b'"' | b'\'' | b'?' | b'{' | b'[' | b'&' | b'*' | b'!' | b'<' | b'%') => {
                    return false;
                }
                Some(b'k') => {
                    let Some(value) = line.strip_prefix(b"kind") else {
                        continue;
                    };
                    let Some(value) = value.trim_ascii_start().strip_prefix(b":") else {
                        continue;
                    };
                    if kind.is_some() {
                        return false;
                    }
                    kind = Some(value);
                }
                _ => {}
            }
        }
        kind.is_some_and(|value| {
            let value = match memmem::find(value, b" #") {
                Some(at) => value.get(..at).unwrap_or(value),
                None => value,
            };
            let word = value.trim_ascii();
            value.first().is_some_and(u8::is_ascii_whitespace)
                && word.first().is_some_and(u8::is_ascii_alphabetic)
                && word.iter().all(u8::is_ascii_alphanumeric)
                && std::str::from_utf8(word).is_ok_and(|word| !kinds::worth_parsing(word))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(u32, &str)> {
        documents(text.as_bytes())
            .map(|d| (d.first_line, std::str::from_utf8(d.bytes).unwrap()))
            .collect()
    }

    #[test]
    fn documents_are_split_at_markers_with_their_lines() {
        assert_eq!(split("a: 1\n---\nb: 2\n"), [(1, "a: 1\n"), (3, "b: 2\n")]);
        assert_eq!(split("---\na: 1\n--- # c\r\nb: 2"), [(2, "a: 1\n"), (4, "b: 2")]);
        assert_eq!(split("# c\n---\n\n---\na: |\n  ---\n  x\n"), [(5, "a: |\n  ---\n  x\n")]);
        assert_eq!(split("\u{feff}a: 1\n---"), [(1, "a: 1\n")]);
        assert_eq!(split(""), []);
    }

    #[test]
    fn text_on_a_marker_line_is_noticed() {
        let flags: Vec<_> = documents(b"--- {a: b}\n---\nc: d\n---foo\n")
            .map(|document| document.text_on_marker)
            .collect();
        assert_eq!(flags, [true, false, true]);
    }

    #[test]
    fn only_certain_kinds_are_passed_over() {
        let skippable = |text: &str| documents(text.as_bytes()).all(|d| d.skippable());
        assert!(skippable("apiVersion: v1\nkind: Service\n"));
        assert!(skippable("kind: Service # a comment\r\n"));
        assert!(skippable("replicas: 3\n"));
        assert!(!skippable("kind: NetworkPolicy\n"));
        assert!(!skippable("kind: ServiceList\n"));
        assert!(!skippable("kind: List\n"));
        assert!(!skippable("kind: 'Service'\n"));
        assert!(!skippable("kind: Service\nkind: NetworkPolicy\n"));
        assert!(!skippable("kind: Service\n\"kind\": NetworkPolicy\n"));
        assert!(!skippable("kind: Service\n<<: *x\n"));
        assert!(!skippable("kind:\n  NetworkPolicy\n"));
        assert!(!skippable("{kind: NetworkPolicy}\n"));
        assert!(!skippable("  kind: NetworkPolicy\n"));
        assert!(!skippable("kind:Service\n"));
        assert!(!skippable("kind: Service {{ x }}\n"));
    }
}
