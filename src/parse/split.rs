//! A YAML file -> its documents, as kubectl splits it.
//!
//! Kubectl splits at bytes, before anything is decoded: only `\n` ends a line, and a line that
//! starts with `---` is a marker. Inside a document go-yaml then knows more line breaks, see
//! [`Breaks`].

use memchr::memmem;

/// One document of a file, not parsed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Document<'a> {
    /// Its bytes, without the `---` line before it; if there is text on that line, from that text on.
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
    // What is left, its first line, and the length of the text on the marker before it.
    let mut rest = Some((bytes, 1, 0));
    std::iter::from_fn(move || {
        let (bytes, first_line, on_marker) = rest?;
        let end = on_marker + marker(bytes.get(on_marker..).unwrap_or_default());
        let document = Document {
            bytes: bytes.get(..end).unwrap_or(bytes),
            first_line,
            text_on_marker: on_marker > 0,
        };
        rest = bytes.get(end..).filter(|tail| !tail.is_empty()).map(|tail| {
            let length = memchr::memchr(b'\n', tail).map_or(tail.len(), |at| at + 1);
            let line = first_line + newlines(document.bytes);
            let after_dashes = tail.get(3..).unwrap_or_default();
            let text = tail.get(3..length).unwrap_or_default();
            match text.trim_ascii_start().first() {
                None | Some(b'#') => (tail.get(length..).unwrap_or_default(), line + 1, 0),
                Some(_) => (after_dashes, line, text.len()),
            }
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
            && Breaks::of(self.bytes) == Breaks::Usual
    }

    /// Its lines, as `\n` ends them.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.split(|byte| *byte == b'\n')
    }

    /// The line of the file on which the byte at this offset stands.
    pub(super) fn line_at(&self, offset: usize) -> u32 {
        self.first_line + newlines(self.bytes.get(..offset).unwrap_or(self.bytes))
    }
}

/// The line breaks of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breaks {
    /// `\n` and `\r\n` only: everybody sees the same lines.
    Usual,
    /// Also a lone `\r`, which ends a line in every version of YAML.
    Return,
    /// Also one of [`ODD_BREAKS`], first at this offset: it ends a line in YAML 1.1 and so for
    /// kubectl, even inside a comment, but not in YAML 1.2.
    Odd(usize),
    /// There are NUL bytes, as in UTF-16 and UTF-32, so the bytes don't show the lines.
    Nul,
}

/// What ends a line in YAML 1.1 only: next line, line separator and paragraph separator.
pub(super) const ODD_BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

impl Breaks {
    /// The line breaks of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        if memchr::memchr(0, bytes).is_some() {
            return Breaks::Nul;
        }
        let odd = match bytes.is_ascii() {
            true => None,
            false => [&b"\xc2\x85"[..], b"\xe2\x80\xa8", b"\xe2\x80\xa9"]
                .iter()
                .filter_map(|odd| memmem::find(bytes, odd))
                .min(),
        };
        if let Some(at) = odd {
            return Breaks::Odd(at);
        }
        let lone = |at: usize| bytes.get(at + 1) != Some(&b'\n');
        match memchr::memchr_iter(b'\r', bytes).any(lone) {
            true => Breaks::Return,
            false => Breaks::Usual,
        }
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
    fn text_on_a_marker_line_is_noticed_and_kept() {
        let flags: Vec<_> = documents(b"--- {a: b}\n---\nc: d\n---foo\n")
            .map(|document| document.text_on_marker)
            .collect();
        assert_eq!(flags, [true, false, true]);
        assert_eq!(
            split("a: 1\n--- {b: 2}\n------\nc: 3\n--- d"),
            [(1, "a: 1\n"), (2, " {b: 2}\n"), (3, "---\nc: 3\n"), (5, " d")]
        );
    }

    #[test]
    fn a_comment_ends_where_go_yaml_ends_it() {
        for text in ["# c\ra: 1", "# c\u{85}a: 1\n", "# c\u{2028}a: 1\n", "# c\u{2029}a: 1", "#\0a"]
        {
            assert_eq!(split(text).len(), 1, "{text:?}");
        }
        assert_eq!(split("# c\r\n# é\n\t\r\n"), []);
    }

    #[test]
    fn breaks_are_told_apart() {
        let table = [
            ("a\r\nb\n", Breaks::Usual),
            ("é\u{a0}\u{200b}\n", Breaks::Usual),
            ("a\rb", Breaks::Return),
            ("a\r", Breaks::Return),
            ("é\u{2029}\u{85}", Breaks::Odd(2)),
            ("a\r\u{85}", Breaks::Odd(2)),
            ("a\0\u{85}", Breaks::Nul),
        ];
        for (text, breaks) in table {
            assert_eq!(Breaks::of(text.as_bytes()), breaks, "{text:?}");
        }
    }
}
