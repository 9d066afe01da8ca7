//! YAML text -> [`Doc`], by the events of granit-parser.
//!
//! Granit is not the fastest event parser, but like go-yaml it takes under-indented
//! continuations of quoted strings, which real manifests have.

use super::doc::{Builder, Doc, DocError, NodeId, Style};
use super::{block, limits};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag};

/// A parsed document.
#[derive(Debug)]
pub(super) struct Parsed<'a> {
    /// Its tree; `None`: there is nothing but comments.
    pub doc: Option<Doc<'a>>,
    /// The line of text after `...`, which kubectl ignores.
    pub trailing: Option<u32>,
}

/// Parses one document. `first_line`: the line of the file on which the text starts.
pub(super) fn parse(text: &str, first_line: u32) -> Result<Parsed<'_>, DocError> {
    match block::parse(text, first_line) {
        Some(doc) => Ok(Parsed { doc: Some(doc), trailing: None }),
        None => parse_fully(text, first_line),
    }
}

/// Parses one document of whatever shape.
pub(super) fn parse_fully(text: &str, first_line: u32) -> Result<Parsed<'_>, DocError> {
    let mut parsing = Parsing {
        text,
        first_line,
        builder: Builder::default(),
        anchors: Vec::new(),
        styles: Vec::new(),
    };
    let options = granit_parser::options! {
        flow_nesting_limit: limits::DEPTH,
        block_nesting_limit: limits::DEPTH,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut trailing = None;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| parsing.explain(&error))?;
        if event == Event::DocumentEnd {
            trailing = match parser.next_event() {
                Some(Ok((Event::StreamEnd, _))) | None => None,
                Some(Ok((_, span))) => Some(parsing.line(span.start.line())),
                Some(Err(error)) => Some(parsing.line(error.marker().line())),
            };
            break;
        }
        parsing.take(event, &span)?;
    }
    Ok(Parsed { doc: parsing.builder.finish(), trailing })
}

struct Parsing<'a> {
    text: &'a str,
    first_line: u32,
    builder: Builder<'a>,
    /// The node of each anchor, by the parser's number for it.
    anchors: Vec<Option<NodeId>>,
    /// The styles of the open collections.
    styles: Vec<StructureStyle>,
}

impl<'a> Parsing<'a> {
    fn take(&mut self, event: Event<'a>, span: &Span) -> Result<(), DocError> {
        let start = self.line(span.start.line());
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                let end = self.line(self.last_line(span));
                if tag.as_deref().is_some_and(is_binary) {
                    let message =
                        "`!!binary` hides what a value says; write the value itself".into();
                    return Err(DocError { line: start, message });
                }
                let style = scalar_style(style, tag.as_deref());
                // The parser calls a value that is not written `~`, also under `!!str`.
                let value = if span.is_empty() { "".into() } else { value };
                let id = self.builder.scalar(value, style, (start, end))?;
                self.define(anchor, id);
            }
            Event::Alias(anchor) => {
                let target = self.anchors.get(anchor).copied().flatten();
                self.builder.alias(target, start)?;
            }
            Event::SequenceStart(style, anchor, _) | Event::MappingStart(style, anchor, _) => {
                let id = self.builder.open(start)?;
                self.styles.push(style);
                self.define(anchor, id);
            }
            Event::SequenceEnd => self.close(false, span),
            Event::MappingEnd => self.close(true, span),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, map: bool, span: &Span) {
        let end = match self.styles.pop() {
            Some(StructureStyle::Flow) => Some(self.line(span.end.line())),
            _ => None,
        };
        self.builder.close(map, end);
    }

    fn define(&mut self, anchor: usize, node: NodeId) {
        // Ids count from 1; 0 is no anchor.
        if anchor == 0 {
            return;
        }
        if self.anchors.len() <= anchor {
            self.anchors.resize(anchor + 1, None);
        }
        if let Some(slot) = self.anchors.get_mut(anchor) {
            *slot = Some(node);
        }
    }

    /// A line of the file from a line of the document; both count from 1.
    fn line(&self, line: usize) -> u32 {
        u32::try_from(line.max(1)).unwrap_or(u32::MAX).saturating_add(self.first_line - 1)
    }

    /// The last line of a scalar's text. A block scalar's span ends where the next token starts.
    fn last_line(&self, span: &Span) -> usize {
        let (start, end) = (span.start.line(), span.end.line());
        if start == end {
            return end;
        }
        let text = span.slice(self.text).unwrap_or_default();
        start + memchr::memchr_iter(b'\n', text.trim_end().as_bytes()).count()
    }

    fn explain(&self, error: &ScanError) -> DocError {
        let line = self.line(error.marker().line());
        let message = match error.kind() {
            ErrorKind::RecursionLimitExceeded => format!(
                "lists and maps are nested more than {} levels deep; split the document",
                limits::DEPTH
            ),
            _ => format!("it is not valid YAML: {}", error.info()),
        };
        DocError { line, message }
    }
}

/// Is the tag `!!binary`, however it is spelt? Kubectl decodes its value, also in a key. A tag with
/// `%` may spell anything.
fn is_binary(tag: &Tag) -> bool {
    let (prefix, suffix) = tag.parts();
    let has_percent = prefix.contains('%') || suffix.contains('%');
    has_percent || tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() == Some("binary")
}

/// Quoted and block scalars are strings, and so is everything with a tag but numbers, booleans
/// and null.
fn scalar_style(style: ScalarStyle, tag: Option<&Tag>) -> Style {
    match (style, tag.map(Tag::core_suffix)) {
        (ScalarStyle::Plain, None) | (_, Some(Some("int" | "float" | "bool" | "null"))) => {
            Style::Plain
        }
        _ => Style::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::doc::View;

    fn doc(text: &str) -> Doc<'_> {
        parse(text, 1).unwrap().doc.unwrap()
    }

    fn lines(doc: &Doc<'_>, path: &[&str]) -> (u32, u32) {
        let node =
            path.iter().fold(Doc::ROOT, |node, key| match (doc.view(node), key.parse::<usize>()) {
                (View::Seq(items), Ok(i)) => items[i],
                _ => doc.get(node, key).unwrap(),
            });
        doc.lines(node)
    }

    #[test]
    fn nodes_know_their_lines() {
        let text = "a:\n- b: 1\n  c: |\n    x\n\n    y\n\n# comment\n- d: [1,\n  2\n  ]\n  e: >-\n   z\n\nf: 'q\n  r'\n\n";
        let doc = doc(text);
        assert_eq!(lines(&doc, &[]), (1, 16));
        assert_eq!(lines(&doc, &["a"]), (2, 13));
        assert_eq!(lines(&doc, &["a", "0"]), (2, 6));
        assert_eq!(lines(&doc, &["a", "0", "c"]).1, 6);
        assert_eq!(lines(&doc, &["a", "1"]), (9, 13));
        assert_eq!(lines(&doc, &["a", "1", "d"]), (9, 11));
        assert_eq!(lines(&doc, &["f"]), (15, 16));
        let empty = parse("a:\n-\n\n- b\nc:\n\nd: e\n", 1).unwrap().doc.unwrap();
        assert_eq!(lines(&empty, &["a", "0"]), (2, 2));
        assert_eq!(lines(&empty, &["a", "1"]), (4, 4));
        assert_eq!(lines(&empty, &["c"]), (5, 5));
        let shifted = parse("a: 1", 7).unwrap().doc.unwrap();
        assert_eq!(lines(&shifted, &["a"]), (7, 7));
    }

    #[test]
    fn deep_nesting_is_an_error_not_a_crash() {
        for text in [
            "[".repeat(20_000),
            "- ".repeat(20_000),
            "{a: ".repeat(20_000),
            (0..20_000).map(|i| " ".repeat(i) + "a:\n").take(400).collect(),
        ] {
            let error = parse(&text, 1).unwrap_err();
            assert!(error.message.contains("levels deep"), "{}", error.message);
        }
    }

    #[test]
    fn merges_and_equal_keys() {
        let text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  b: 5\n  <<: [*x, *y]\n  d: 6\n  d: 7\nw: *x\n";
        let doc = doc(text);
        let z = doc.get(Doc::ROOT, "z").unwrap();
        let entries = doc.entries(z).unwrap();
        let pairs: Vec<_> = entries
            .entries
            .iter()
            .map(|e| (e.key.as_ref(), doc.written(e.value).unwrap()))
            .collect();
        assert_eq!(pairs, [("b", "2"), ("c", "4"), ("a", "1"), ("d", "7")]);
        assert_eq!(entries.duplicates, [("d".into(), 7)]);
        assert_eq!(
            doc.written(doc.get(Doc::ROOT, "w").and_then(|w| doc.get(w, "a")).unwrap()),
            Some("1")
        );
        assert_eq!(lines(&doc, &["w"]), (8, 8));
    }

    #[test]
    fn an_alias_bomb_is_an_error() {
        let mut text = String::from("a0: &a0 {k: v}\n");
        for i in 1..60 {
            text += &format!("a{i}: &a{i} {{<<: [*a{0}, *a{0}], k{i}: v}}\n", i - 1);
        }
        let doc = doc(&text);
        let last = doc.get(Doc::ROOT, "a59").unwrap();
        assert!(doc.entries(last).unwrap_err().message.contains("aliases"));
        assert!(parse("a: &a [*a]", 1).unwrap_err().message.contains("itself"));
    }

    #[test]
    fn only_the_first_document_counts_after_an_end_marker() {
        assert_eq!(parse("a: 1\n...\n", 1).unwrap().trailing, None);
        assert_eq!(parse("a: 1\n...\nb: 2\n", 5).unwrap().trailing, Some(7));
        assert!(parse("# nothing\n", 1).unwrap().doc.is_none());
    }
}
