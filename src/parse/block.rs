//! A fast path for the YAML that most manifests are written in: block maps and lists of one-line
//! scalars. A tenth of the work of a full parser, which otherwise is most of a run.
//!
//! It reads a document only if it is sure of every line, and gives exactly the tree of
//! [`super::yaml`] then (tested against it); anything else is left to that parser.

use super::doc::{Builder, Doc, Style};
use std::borrow::Cow;

/// Parses a document of simple shape. `None`: it is not, or it is not valid.
pub(super) fn parse(text: &str, first_line: u32) -> Option<Doc<'_>> {
    if !text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)) {
        return None;
    }
    let mut block = Block {
        builder: Builder::default(),
        frames: Vec::new(),
        state: State::Open { indent: None, line: first_line },
    };
    for (line, text) in (first_line..).zip(text.split('\n')) {
        let content = text.trim_start_matches(' ');
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if text.starts_with("...") || text.starts_with('%') {
            return None;
        }
        block.line(text.len() - content.len(), content, line)?;
    }
    block.finish()
}

struct Block<'a> {
    builder: Builder<'a>,
    /// The open collections, outermost first.
    frames: Vec<Frame>,
    state: State,
}

/// An open list or map.
#[derive(Clone, Copy)]
struct Frame {
    map: bool,
    /// The column of its keys or dashes.
    indent: usize,
}

/// What the lines so far leave open.
enum State {
    /// A key or dash at this column (`None`: the document) waits for its value.
    Open { indent: Option<usize>, line: u32 },
    /// A scalar ended, which deeper lines would continue.
    Scalar { indent: usize },
}

impl<'a> Block<'a> {
    fn line(&mut self, indent: usize, content: &'a str, line: u32) -> Option<()> {
        match self.state {
            State::Open { indent: parent, .. } if parent.is_none_or(|parent| indent > parent) => {
                return self.open(indent, content, line);
            }
            State::Open { indent: Some(parent), .. }
                if indent == parent
                    && is_dash(content)
                    && self.frames.last().is_some_and(|frame| frame.map) =>
            {
                // A list may stand at the column of its key.
                return self.open(indent, content, line);
            }
            State::Open { line, .. } => self.scalar("", Style::Plain, line)?,
            State::Scalar { indent: parent } if indent > parent => return None,
            State::Scalar { .. } => {}
        }
        while let Some(frame) = self.frames.last()
            && (frame.indent > indent
                || (frame.indent == indent && !frame.map && !is_dash(content)))
        {
            self.builder.close(frame.map, None);
            self.frames.pop();
        }
        let frame = *self.frames.last()?;
        if frame.indent != indent || frame.map == is_dash(content) {
            return None;
        }
        match frame.map {
            true => self.entry(indent, content, line),
            false => self.item(indent, content, line),
        }
    }

    /// Opens the list or map whose first entry this is.
    fn open(&mut self, indent: usize, content: &'a str, line: u32) -> Option<()> {
        let map = !is_dash(content);
        if map {
            key(content)?;
        }
        self.builder.open(line).ok()?;
        self.frames.push(Frame { map, indent });
        match map {
            true => self.entry(indent, content, line),
            false => self.item(indent, content, line),
        }
    }

    /// `- ...`
    fn item(&mut self, indent: usize, content: &'a str, line: u32) -> Option<()> {
        let after = content.strip_prefix('-')?;
        let rest = after.trim_start_matches(' ');
        if rest.is_empty() || rest.starts_with('#') {
            self.state = State::Open { indent: Some(indent), line };
            return Some(());
        }
        if is_dash(rest) || key(rest).is_some() {
            return self.open(indent + 1 + after.len() - rest.len(), rest, line);
        }
        self.value(indent, rest, line)
    }

    /// `key: ...`
    fn entry(&mut self, indent: usize, content: &'a str, line: u32) -> Option<()> {
        let (key, rest) = key(content)?;
        self.builder.scalar(Cow::Borrowed(key), Style::Plain, (line, line)).ok()?;
        let rest = rest.trim_start_matches(' ');
        if rest.is_empty() || rest.starts_with('#') {
            self.state = State::Open { indent: Some(indent), line };
            return Some(());
        }
        self.value(indent, rest, line)
    }

    /// A value on one line.
    fn value(&mut self, indent: usize, text: &'a str, line: u32) -> Option<()> {
        match text.bytes().next()? {
            quote @ (b'"' | b'\'') => {
                let inside = text.get(1..)?;
                let end = memchr::memchr(quote, inside.as_bytes())?;
                let (inside, rest) = (inside.get(..end)?, inside.get(end + 1..)?);
                if !is_end(rest) || (quote == b'"' && inside.contains('\\')) {
                    return None;
                }
                self.scalar(inside, Style::Text, line)?;
            }
            b'{' if is_end(text.strip_prefix("{}")?) => {
                self.builder.open(line).ok()?;
                self.builder.close(true, Some(line));
            }
            b'[' => self.flow_list(text, line)?,
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'/'
            | b'.'
            | b'_'
            | b'-'
            | b'+'
            | b'~'
            | b'$'
            | b'(' => {
                let plain = match text.find(" #") {
                    Some(at) => text.get(..at)?,
                    None => text,
                };
                let plain = plain.trim_end_matches(' ');
                if is_dash(plain) || plain.ends_with(':') || plain.contains(": ") {
                    return None;
                }
                self.scalar(plain, Style::Plain, line)?;
            }
            _ => return None,
        }
        self.state = State::Scalar { indent };
        Some(())
    }

    /// `[]`, or a list of words: `[a, 'b c', "d"]`.
    fn flow_list(&mut self, text: &'a str, line: u32) -> Option<()> {
        let mut rest = text.strip_prefix('[')?.trim_start_matches(' ');
        self.builder.open(line).ok()?;
        while !rest.starts_with(']') {
            let after = match rest.bytes().next()? {
                quote @ (b'"' | b'\'') => {
                    let inside = rest.get(1..)?;
                    let end = memchr::memchr(quote, inside.as_bytes())?;
                    let word = inside.get(..end)?;
                    if quote == b'"' && word.contains('\\') {
                        return None;
                    }
                    self.scalar(word, Style::Text, line)?;
                    inside.get(end + 1..)?
                }
                byte if byte.is_ascii_alphanumeric() => {
                    let (word, after) = rest.split_at(rest.bytes().position(|b| !is_usual(b))?);
                    self.scalar(word, Style::Plain, line)?;
                    after
                }
                _ => return None,
            };
            rest = after.trim_start_matches(' ');
            if let Some(next) = rest.strip_prefix(',') {
                rest = next.trim_start_matches(' ');
                // A comma at the end is fine, but rare.
                if rest.starts_with(']') {
                    return None;
                }
            } else if !rest.starts_with(']') {
                return None;
            }
        }
        self.builder.close(false, Some(line));
        is_end(rest.get(1..)?).then_some(())
    }

    fn scalar(&mut self, text: &'a str, style: Style, line: u32) -> Option<()> {
        self.builder.scalar(Cow::Borrowed(text), style, (line, line)).ok().map(drop)
    }

    fn finish(mut self) -> Option<Doc<'a>> {
        match self.state {
            State::Open { indent: Some(_), line } => self.scalar("", Style::Plain, line)?,
            State::Open { indent: None, .. } => return None,
            State::Scalar { .. } => {}
        }
        while let Some(frame) = self.frames.pop() {
            self.builder.close(frame.map, None);
        }
        self.builder.finish()
    }
}

/// Does the text start with a dash that marks a list's item?
fn is_dash(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// Is there nothing but a comment after a value?
fn is_end(rest: &str) -> bool {
    let text = rest.trim_start_matches(' ');
    text.is_empty() || (text.starts_with('#') && text.len() < rest.len())
}

/// A character that means nothing else anywhere inside an unquoted word.
fn is_usual(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-')
}

/// An unquoted key of the usual letters, and what follows its colon.
fn key(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !is_usual(byte))?;
    let (key, rest) = text.split_at(end);
    let rest = rest.strip_prefix(':')?;
    let first = key.bytes().next()?;
    let usual = first.is_ascii_alphanumeric() && key.len() <= 256;
    (usual && (rest.is_empty() || rest.starts_with(' '))).then_some((key, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::yaml;
    use proptest::prelude::*;

    /// The two parsers give the same tree wherever this one gives any.
    fn compare(text: &str) -> bool {
        let Some(doc) = parse(text, 3) else { return false };
        let full = yaml::parse_fully(text, 3);
        let expected = full.expect("the full parser takes it").doc.expect("a document");
        assert_eq!(format!("{doc:?}"), format!("{expected:?}"), "{text}");
        true
    }

    #[test]
    fn usual_manifests_are_read() {
        for text in [
            "a: b\n",
            "# x\n\napiVersion: v1\nkind: X # y\nmetadata:\n  name: 'a b'\n  labels: {}\nspec:\n",
            "a:\n- b: 1\n  c:\n  - d\n  - \"e\" # f\n-\n- - g\n  - h:\nb: []\n\n",
            "  a:\n    - x: y\n      z:\n        - 1\n  b: --flag=x:y -z\n",
            "- a\n-  b: c\n   d: e\n- --port=80\n",
            "a: http://x/y#z\nb: {}  # c",
            "a: [b, 'c d',\"e\" ] # f\n",
            "- [1,null]\n- [ ]\n",
        ] {
            assert!(compare(text), "{text}");
        }
    }

    #[test]
    fn everything_else_is_left_to_the_full_parser() {
        for text in [
            "",
            "a",
            "a: |\n  b\n",
            "a: &x b\n",
            "a: *x\n",
            "a: !t b\n",
            "a: [b: c]\n",
            "a: [b,]\n",
            "a: [b\n",
            "a: [[b]]\n",
            "a: ['b' c]\n",
            "a: {b: c}\n",
            "a: 'it''s'\n",
            "a: \"\\n\"\n",
            "a: b\n  c\n",
            "a:\n  b\n",
            "a: b: c\n",
            "a:\tb\n",
            "a: b\r\n",
            "\u{e9}: b\n",
            "<<: x\n",
            "a: b\n...\n",
            "? a\n",
            "a: b\n c: d\n",
            "a:\n  b: c\n d: e\n",
            "- a\nb: c\n",
            "a: 'b\n  c'\n",
            "a: %x\n",
            "a: \"b\"c\n",
            "a: {}x\n",
            "a:\n  - b\n- c\n",
            "%YAML 1.2\n",
        ] {
            assert!(parse(text, 1).is_none(), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn both_parsers_agree(lines in prop::collection::vec((0..5usize, prop::sample::select(vec![
            "a:", "b: c", "d: 1", "- e", "-", "- f: g", "- h:", "- - i", "# j", "", "k: {}", "l: []", "m: 'n'",
            "o: \"p\" # q", "- r s", "t: u:v", "- -w", "x: - y", "-  z: 1", "a: ~", "- {}", "a: b #c", "a: b # c ", "- ", "a: ",
            "a : b", "- a : b", "...", "-a: b", "a.b/c-d_e: f", "---", "1: 2", "a:b", "a: -", "a: [b, c]", "- [1,2-3]", "a: [b:c]", "a: ['b', \"c\"]", "a: [b,c d]", "a: [-]", "a: [b#c]", "a: [b]#c", "a: [b] # c", "- a:", "a: ---", ". : x", "a: .",
        ])), 0..9)) {
            let lines: Vec<_> = lines.iter().map(|(indent, text)| " ".repeat(*indent) + text).collect();
            compare(&lines.join("\n"));
        }
    }
}
