//! Which documents need not be parsed: most bytes of a repository are of kinds that play no part. (Those of
//! them that may be evidence are parsed all the same, but nothing is said of them: see [`super::evidence`].)
//!
//! A document is passed over only if no reading of it, go-yaml's above all, can be an object that
//! plays a part. That is so in either of two cases.
//!
//! **No key can be `kind`.** Kubectl refuses what has no `kind`. A key is a scalar, and the value
//! of a scalar holds the letters `kind` in a row only if the text does, except in two ways: by
//! escapes in double quotes (`\x6b`, or a `\` that joins two lines) and by the tag `!!binary`. Folding
//! and indentation put something between letters or take away what is no letter; aliases and merges
//! repeat what is written elsewhere in the document. So a text that has neither the letters nor one
//! of these ways ([`sniff::can_name_kind`]) is no object, whatever else is in it.
//!
//! **The root is a block map at column 0, and each of its keys is seen.** If the first line that
//! is not blank or a comment starts at column 0 with a plain key and a colon, the root is a block
//! map there, and each of its entries starts with a token at column 0. A column is 0 only right
//! after a line break, and with [`Breaks::Usual`] everybody breaks lines where this module does.
//! So each key of the root is the first thing on some line, and we look at the first byte of each:
//!
//! - A letter, digit, `_` or `/` starts a plain scalar. If that is `kind`, it is a line that we see.
//! - `-` starts an item of a list below a key, or a plain scalar that is not `kind`.
//! - `}` and `]` end something that is open, `#` starts a comment.
//! - With anything else (quotes, `?`, `{`, `&`, `*`, `!`, `<<`, `%`, `...`, a byte order mark) the
//!   document is parsed.
//!
//! Such a line may also stand inside of a quoted string or of a flow collection, which go-yaml lets
//! continue at column 0. It is no key then, so what is seen is more than what there is, never less:
//! if the only line for `kind` has a value that plays no part, then either that is the kind or there
//! is none. Nor may a deeper line follow that could continue the value, and the root may not have
//! `items`: an object with these is a list to kubectl, whatever its kind.

use super::meant;
use super::sniff;
use super::split::{Breaks, Document};
use memchr::memmem;

impl<'a> Document<'a> {
    /// The kind of a document that certainly plays no part, so that it need not be parsed; empty, if it has
    /// none. `None`: it may play a part.
    pub(super) fn passed_over(&self) -> Option<&'a str> {
        if self.text_on_marker {
            return None;
        }
        if memmem::find(self.bytes, b"kind").is_none() {
            // Something with an API version may lack its kind by mistake.
            let no_object = memmem::find(self.bytes, b"apiVersion").is_none()
                && memchr::memchr(0, self.bytes).is_none()
                && !sniff::can_name_kind(self.bytes);
            return no_object.then_some("");
        }
        if Breaks::of(self.bytes) == Breaks::Usual { other_kind(self) } else { None }
    }

    /// True iff the document certainly plays no part.
    #[cfg(test)]
    fn skippable(&self) -> bool {
        self.passed_over().is_some()
    }
}

/// The second case: the root is seen to be a map with one `kind`, which plays no part. That kind.
fn other_kind<'a>(document: &Document<'a>) -> Option<&'a str> {
    let mut in_root = false;
    let mut kind = None;
    let mut may_continue = false;
    for line in document.lines() {
        let Some(first) = line.first() else { continue };
        match first {
            b' ' | b'\t' | b'\r' => {
                if in_root && !may_continue {
                    continue;
                }
                let content = line.trim_ascii_start();
                if !content.is_empty() && !content.starts_with(b"#") {
                    return None;
                }
                continue;
            }
            b'#' => continue,
            b'a'..=b'z' | b'A'..=b'Z' => {
                in_root = in_root || starts_map(line);
            }
            b'0'..=b'9' | b'_' | b'/' | b'-' | b'}' | b']' => {}
            _ => return None,
        }
        if !in_root {
            return None;
        }
        may_continue = false;
        if *first == b'i' && value_of(line, b"items").is_some() {
            return None;
        }
        if *first == b'k'
            && let Some(value) = value_of(line, b"kind")
        {
            if kind.is_some() {
                return None;
            }
            kind = Some(value);
            may_continue = true;
        }
    }
    kind.and_then(plays_no_part)
}

/// Is the line certainly a plain key and a colon?
fn starts_map(line: &[u8]) -> bool {
    let usual =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-');
    let end = line.iter().position(|byte| !usual(byte)).unwrap_or(line.len());
    matches!(line.get(end..), Some([b':'] | [b':', b' ' | b'\r', ..]))
}

/// What follows the colon if the line starts with this key.
fn value_of<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(key)?.trim_ascii_start().strip_prefix(b":")
}

/// The one word that the value is, if it is no kind that plays a part.
fn plays_no_part(value: &[u8]) -> Option<&str> {
    let word = match memmem::find(value, b" #") {
        Some(at) => value.get(..at).unwrap_or(value).trim_ascii(),
        None => value.trim_ascii(),
    };
    let is_word = value.first().is_some_and(u8::is_ascii_whitespace)
        && word.first().is_some_and(u8::is_ascii_alphabetic)
        && word.iter().all(u8::is_ascii_alphanumeric);
    let word = std::str::from_utf8(word).ok().filter(|_| is_word)?;
    (!meant::worth_parsing(word)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::super::doc::{Doc, View};
    use super::super::split::{self, ODD_BREAKS};
    use super::super::yaml;
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};
    use std::cell::Cell;

    fn skipped(text: &str) -> bool {
        split::documents(text.as_bytes()).all(|document| document.skippable())
    }

    #[test]
    fn only_certain_kinds_are_passed_over() {
        for text in [
            "apiVersion: v1\nkind: Service\n",
            "# c\n\n  # d\r\napiVersion: v1\r\nkind: Service # a comment\r\n\r\nspec:\r\n  a: b\r\n",
            "kind: Service\n  # c\nspec: {a: [\n1, kind],\n  b: \"\n x\"\n}\n- kind: x\n",
            "a: b\nkind : Service\nother_items: []\nx: |\n  kind: NetworkPolicy\n  items:\n",
            "replicas: 3\n",
            "replicas: \"\\n \\\\d \\\" \\u00e9\"\nx: !Ref y\nz: a\u{2028}b\n",
        ] {
            assert!(skipped(text), "{text}");
        }
        for text in [
            "kind: NetworkPolicy\n",
            "kind: networkpolicy\n",
            "kind: ServiceList\n",
            "kind: List\n",
            "kind: 'Service'\n",
            "kind: Service\nkind: NetworkPolicy\n",
            "kind: NetworkPolicy\nkind: Service\n",
            "kind: Service\n\"kind\": NetworkPolicy\n",
            "kind: Service\n<<: *x\n",
            "kind: Service\nitems: []\n",
            "kind: Service\n  List\n",
            "kind: Service\n\n # c\n List\n",
            "kind:\n  NetworkPolicy\n",
            "{kind: NetworkPolicy}\n",
            "  kind: NetworkPolicy\n",
            "kind:Service\n",
            "kind: Service {{ x }}\n",
            "kind: Service\n? a\n",
            "kind: Service\n\u{feff}a: b\n",
            "kind: Service\n...\n",
            " a: \"\nkind: Service\n \"\n kind: NetworkPolicy\n",
            "\"a\nkind: Service\n\"\n",
            "a b: c\nkind: Service\n",
            "kind: Service # x\rkind: NetworkPolicy\n",
            "kind: Service # x\u{85}kind: NetworkPolicy\n",
            "kind: Service # x\u{2028}kind: NetworkPolicy\n",
            "\"\\x6bind\": NetworkPolicy\n",
            "\"ki\\u006Ed\": NetworkPolicy\n",
            "\"\\U0000006bin\\x64\": NetworkPolicy\n",
            "? \"ki\\\n  nd\"\n: NetworkPolicy\n",
            "? \"ki\\\u{2028}nd\"\n: NetworkPolicy\n",
            "!!binary a2luZA==: NetworkPolicy\n",
            "{!<tag:yaml.org,2002:bin%61ry> a2luZA==: NetworkPolicy}\n",
            "apiVersion: networking.k8s.io/v1\nspec: {}\n",
            "k\0i\0n\0d\0",
        ] {
            assert!(!skipped(text), "{text:?}");
        }
    }

    /// Lines that are awkward one way or the other.
    const LINES: [&str; 60] = [
        "kind: ConfigMap",
        "kind: ConfigMap",
        "kind: ConfigMap",
        "kind: ConfigMap # c",
        "kind : ConfigMap",
        "kind: NetworkPolicy",
        "kind: networkpolicy",
        "kind:",
        "kind: >-",
        "kind: &k ConfigMap",
        "kind: *k",
        "\"kind\": NetworkPolicy",
        "'kind': NetworkPolicy",
        "\"\\x6bind\": NetworkPolicy",
        "\"\\u006bind\": NetworkPolicy",
        "? kind",
        "? \"ki\\",
        "nd\"",
        ": NetworkPolicy",
        "NetworkPolicy",
        "List",
        "&a kind: NetworkPolicy",
        "!!str kind: NetworkPolicy",
        "!!binary a2luZA==: NetworkPolicy",
        "a: &x kind",
        "*x : NetworkPolicy",
        "<<: {kind: NetworkPolicy}",
        "m: &m {kind: NetworkPolicy}",
        "<<: *m",
        "items: []",
        "items:",
        "- kind: NetworkPolicy",
        "- items: []",
        "b: \"",
        "b: \"x",
        "\"",
        "y\"",
        "c: '",
        "'",
        "c: 'it''s",
        "d: {e: f,",
        "d: {",
        "}",
        "g: [",
        "],",
        "]",
        "h: |",
        "h: >-",
        "i: j",
        "i: j",
        "- k",
        "-",
        "# l",
        "# \"",
        "...",
        "%YAML 1.1",
        "m: # \"",
        "\u{feff}kind: NetworkPolicy",
        "n: o: p",
        "",
    ];

    /// The kind of a document and whether it has `items`, by the full parser.
    fn parsed(text: &str) -> Option<(String, bool)> {
        let doc = yaml::parse_fully(text, 1).ok()?.doc?;
        let root = matches!(doc.view(Doc::ROOT), View::Map);
        let kind = doc.text(Doc::ROOT, "kind").unwrap_or_default().to_string();
        root.then(|| (kind, doc.get(Doc::ROOT, "items").is_some()))
    }

    #[test]
    fn what_is_passed_over_plays_no_part_to_the_full_parser() {
        let breaks = prop::sample::select(vec![
            "\n", "\n", "\n", "\n", "\n", "\n", "\r\n", "\r", "\u{2028}", "\u{85}",
        ]);
        let line = (
            prop::sample::select(vec![0, 0, 0, 0, 0, 1, 2]),
            prop::sample::select(&LINES[..]),
            breaks,
        );
        let (passed_over, decided) = (Cell::new(0), Cell::new(0));
        let config = Config { cases: 100_000, failure_persistence: None, ..Config::default() };
        TestRunner::new(config)
            .run(&(0..3usize, prop::collection::vec(line, 1..9)), |(start, lines)| {
                // Without a plain start hardly any document is passed over or valid.
                let start = ["", "a: b\n", "# c\n\na: b\nkind: ConfigMap\n"].get(start);
                let lines: String = lines
                    .iter()
                    .map(|(indent, line, end)| format!("{}{line}{end}", " ".repeat(*indent)))
                    .collect();
                let text = format!("{}{lines}", start.unwrap_or(&""));
                // As YAML 1.2 breaks lines, and as go-yaml does.
                let readings = [parsed(&text), parsed(&text.replace(ODD_BREAKS, "\n"))];
                let document = split::Document {
                    bytes: text.as_bytes(),
                    first_line: 1,
                    text_on_marker: false,
                };
                let skip = document.skippable();
                for (kind, items) in readings.into_iter().flatten() {
                    let part = meant::worth_parsing(&kind) || (items && !kind.is_empty());
                    prop_assert!(!(skip && part), "{text:?} is {kind:?}");
                    decided.set(decided.get() + usize::from(part));
                    passed_over.set(passed_over.get() + usize::from(skip && kind == "ConfigMap"));
                }
                Ok(())
            })
            .unwrap();
        // Neither answer is rare, so that a wrong one shows.
        assert!(passed_over.get() > 500, "{}", passed_over.get());
        assert!(decided.get() > 500, "{}", decided.get());
    }
}
