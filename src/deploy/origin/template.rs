//! A template of a chart, taken apart: what each of its lines prints, and in which blocks it stands.
//!
//! It is not executed. What trimming does to the space around actions plays no part, as lines are compared
//! without it.

use std::collections::BTreeMap;

/// Blocks around a line that are looked at.
const DEPTH: usize = 50;

/// How long a condition is kept.
const LENGTH: usize = 2_000;

/// A file of templates.
#[derive(Debug, Default)]
pub(super) struct Template {
    /// Its lines.
    pub(super) lines: Vec<Line>,
    /// Its blocks and their branches, each after those around it.
    pub(super) blocks: Vec<Block>,
    /// The blocks that define templates, by name.
    pub(super) defines: BTreeMap<String, usize>,
    /// The variables that are set, in their order.
    pub(super) assignments: Vec<Assignment>,
}

/// `$name := value`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The line, from 0.
    pub(super) line: usize,
    /// The block around it.
    pub(super) block: Option<usize>,
    /// What is set, without `$`.
    pub(super) name: String,
    /// To what.
    pub(super) value: String,
}

/// What a line prints.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The parts, without space at either end.
    pub(super) pieces: Vec<Piece>,
    /// The spaces before them.
    pub(super) indent: usize,
    /// The innermost block around the first part.
    pub(super) block: Option<usize>,
}

/// A part of what a line prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text as it stands.
    Text(String),
    /// What an action makes.
    Action(String),
}

/// A branch of an action with a body.
#[derive(Debug)]
pub(super) struct Block {
    /// What it does.
    pub(super) kind: Kind,
    /// What it says behind its name; of `else`, what all branches before it say.
    pub(super) head: String,
    /// The block around it.
    pub(super) parent: Option<usize>,
    /// The line of the action that opens it.
    pub(super) first: usize,
    /// The line of the one that closes it.
    pub(super) last: usize,
    /// The line of the `end` of its last branch.
    pub(super) end: usize,
    /// The definition that it is part of, or is.
    owner: Option<usize>,
    /// The branch before it.
    branch_of: Option<usize>,
}

/// What the action of a block does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `if`, and `else` of anything.
    If,
    /// `with`.
    With,
    /// `range`.
    Range,
    /// `define`.
    Define,
    /// `block`, which defines a template and prints it.
    Block,
}

impl Template {
    /// Takes a text apart. What is no template is taken for text.
    pub(super) fn read(text: &str) -> Self {
        let mut reader = Reader::default();
        reader.template.lines.push(Line::default());
        let mut rest = text;
        while let Some((before, action, after)) = next_action(rest) {
            reader.text(before);
            reader.action(action);
            rest = after;
        }
        reader.text(rest);
        reader.finish()
    }

    /// The blocks around a line that prints something, the innermost first.
    pub(super) fn around(&self, line: usize) -> impl Iterator<Item = (usize, &Block)> {
        self.outwards(self.lines.get(line).and_then(|line| line.block))
    }

    /// A block and those around it.
    pub(super) fn outwards(&self, block: Option<usize>) -> impl Iterator<Item = (usize, &Block)> {
        let get = |index: usize| self.blocks.get(index).map(|block| (index, block));
        let outer = move |(_, block): &(usize, &Block)| block.parent.and_then(get);
        std::iter::successors(block.and_then(get), outer).take(DEPTH)
    }

    /// The definition that a line is part of.
    pub(super) fn owner(&self, line: usize) -> Option<usize> {
        let block = self.lines.get(line).and_then(|line| line.block);
        block.and_then(|block| self.blocks.get(block)).and_then(|block| block.owner)
    }
}

impl Line {
    /// The actions that print something of it.
    pub(super) fn actions(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Action(text) => Some(text.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// All of it is printed by actions.
    pub(super) fn is_printed(&self) -> bool {
        !self.pieces.is_empty() && self.actions().count() == self.pieces.len()
    }

    /// It ends with an action that can print several lines.
    pub(super) fn goes_on(&self) -> bool {
        const LONG: [&str; 6] = ["toYaml", "include", "indent", "template", "tpl", "range"];
        match self.pieces.last() {
            Some(Piece::Action(text)) => LONG.iter().any(|name| text.contains(name)),
            _ => false,
        }
    }

    /// How far what an action prints is indented, where it says so.
    pub(super) fn indents(&self) -> Option<usize> {
        let Some(Piece::Action(text)) = self.pieces.last() else { return None };
        let (_, number) = text.rsplit_once("indent ")?;
        let number = number.trim_start();
        let digits = number.find(|char: char| !char.is_ascii_digit()).unwrap_or(number.len());
        number.get(..digits)?.parse().ok()
    }

    /// It starts a document.
    pub(super) fn is_marker(&self) -> bool {
        matches!(self.pieces.first(), Some(Piece::Text(text)) if text.starts_with("---"))
            && self.indent == 0
    }
}

/// An action without the marks that trim the space around it.
fn without_trims(action: &str) -> &str {
    let action = action.strip_prefix('-').unwrap_or(action);
    action.strip_suffix('-').unwrap_or(action).trim()
}

/// The text before the first action, the action without its braces, and the rest.
fn next_action(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let bytes = rest.as_bytes();
    if without_trims(rest).starts_with("/*") {
        let end = rest.find("*/")?;
        let close = end + rest.get(end..)?.find("}}")?;
        return Some((before, rest.get(..close)?, rest.get(close + 2..)?));
    }
    let mut at = 0;
    let mut quote = None;
    while let Some(byte) = bytes.get(at) {
        match (quote, byte) {
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => {
                return Some((before, rest.get(..at)?, rest.get(at + 2..)?));
            }
            (None, b'"' | b'`') => quote = Some(*byte),
            (Some(b'"'), b'\\') => at += 1,
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
        at += 1;
    }
    None
}

#[derive(Default)]
struct Reader {
    template: Template,
    /// The open branches.
    open: Vec<usize>,
    /// What the current line prints, with the innermost block around each part.
    pieces: Vec<(Piece, Option<usize>)>,
}

impl Reader {
    fn line(&self) -> usize {
        self.template.lines.len() - 1
    }

    fn text(&mut self, text: &str) {
        let mut lines = text.split('\n');
        let first = lines.next().unwrap_or_default();
        self.push(Piece::Text(first.to_string()));
        for line in lines {
            self.end_line();
            self.push(Piece::Text(line.to_string()));
        }
    }

    fn push(&mut self, piece: Piece) {
        let block = self.open.last().copied();
        match (&piece, self.pieces.last_mut()) {
            (Piece::Text(text), _) if text.is_empty() => {}
            (Piece::Text(text), Some((Piece::Text(last), own))) if *own == block => {
                last.push_str(text);
            }
            _ => self.pieces.push((piece, block)),
        }
    }

    /// Puts the parts of a line together.
    fn end_line(&mut self) {
        let line = self.line();
        let pieces = std::mem::take(&mut self.pieces);
        let mut found = Line::default();
        let inline = |block: &Option<usize>| {
            let block = block.and_then(|block| self.template.blocks.get(block))?;
            (block.first == line && block.last == line && block.kind != Kind::Define)
                .then(|| block.head.clone())
        };
        for (piece, block) in &pieces {
            let piece = match (inline(block), piece) {
                (Some(head), Piece::Text(_)) => Piece::Action(head),
                (_, piece) => piece.clone(),
            };
            let blank = matches!(&piece, Piece::Text(text) if text.trim().is_empty());
            if found.pieces.is_empty() {
                if let Piece::Text(text) = &piece {
                    found.indent += text.len() - text.trim_start().len();
                }
                if blank {
                    continue;
                }
                found.block = *block;
            }
            found.pieces.push(piece);
        }
        if let Some(Piece::Text(text)) = found.pieces.first_mut() {
            *text = text.trim_start().to_string();
        }
        while let Some(Piece::Text(text)) = found.pieces.last_mut() {
            *text = text.trim_end().to_string();
            if !text.is_empty() {
                break;
            }
            found.pieces.pop();
        }
        if let Some(slot) = self.template.lines.last_mut() {
            *slot = found;
        }
        self.template.lines.push(Line::default());
    }

    fn action(&mut self, text: &str) {
        let action = without_trims(text);
        let (word, head) = action.split_once(char::is_whitespace).unwrap_or((action, ""));
        let kind = match word {
            "if" => Some(Kind::If),
            "with" => Some(Kind::With),
            "range" => Some(Kind::Range),
            "define" => Some(Kind::Define),
            "block" => Some(Kind::Block),
            _ => None,
        };
        match (word, kind) {
            (_, Some(kind)) => self.open(kind, head.trim(), None),
            ("else", _) => {
                let before = self.close(false);
                let earlier = before.and_then(|index| self.template.blocks.get(index));
                let earlier = earlier.map(|block| block.head.clone());
                let earlier = earlier.filter(|head| head.len() < LENGTH).unwrap_or_default();
                let head = head.trim();
                let (kind, head) = match head.split_once(char::is_whitespace) {
                    Some(("with", head)) => (Kind::With, head.to_string()),
                    Some(("if", head)) => (Kind::If, format!("{head} | {earlier}")),
                    _ => (Kind::If, earlier),
                };
                self.open(kind, &head, before);
            }
            ("end", _) => drop(self.close(true)),
            ("" | "break" | "continue", _) => {}
            (comment, _) if comment.starts_with("/*") => {}
            _ => match assignment(action) {
                Some((name, value)) => {
                    let (line, block) = (self.line(), self.open.last().copied());
                    let (name, value) = (name.to_string(), value.to_string());
                    let assignment = Assignment { line, block, name, value };
                    self.template.assignments.push(assignment);
                }
                None => self.push(Piece::Action(action.to_string())),
            },
        }
        text.matches('\n').for_each(|_| self.end_line());
    }

    fn open(&mut self, kind: Kind, head: &str, branch_of: Option<usize>) {
        let line = self.line();
        let parent = match branch_of {
            Some(other) => self.template.blocks.get(other).and_then(|block| block.parent),
            None => self.open.last().copied(),
        };
        let index = self.template.blocks.len();
        if matches!(kind, Kind::Define | Kind::Block)
            && let Some(name) = head.split('"').nth(1)
        {
            self.template.defines.insert(name.to_string(), index);
        }
        let outer = parent.and_then(|parent| self.template.blocks.get(parent));
        let owner = match kind {
            Kind::Define => Some(index),
            _ => outer.and_then(|block| block.owner),
        };
        let (head, first, last, end) = (head.to_string(), line, line, line);
        let block = Block { kind, head, parent, first, last, end, owner, branch_of };
        self.template.blocks.push(block);
        self.open.push(index);
    }

    /// Closes the open branch; `end`: and those before it.
    fn close(&mut self, end: bool) -> Option<usize> {
        let line = self.line();
        let index = self.open.pop()?;
        let block = self.template.blocks.get_mut(index)?;
        block.last = line;
        block.end = line;
        let mut before = block.branch_of.filter(|_| end);
        while let Some(block) = before.and_then(|index| self.template.blocks.get_mut(index)) {
            block.end = line;
            before = block.branch_of;
        }
        Some(index)
    }

    fn finish(mut self) -> Template {
        while self.close(true).is_some() {}
        self.end_line();
        self.template.lines.pop();
        self.template
    }
}

/// `$name := value`, which prints nothing.
fn assignment(action: &str) -> Option<(&str, &str)> {
    let rest = action.strip_prefix('$')?;
    let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_')?;
    let value = rest.get(end..)?.trim_start();
    let value = value.strip_prefix(":=").or_else(|| value.strip_prefix('='))?;
    Some((rest.get(..end)?, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &Line) -> String {
        let parts = line.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Action(text) => format!("<{text}>"),
        });
        parts.collect()
    }

    #[test]
    fn lines_print_text_and_what_actions_make() {
        let text = "a: {{ .Values.a | quote }} # x\n  {{- if .Values.b }}\n  b: {{ if $x }}1{{ else }}2{{ end }}\n  {{- else if \"}}\" }}\n  c\n  {{- end }}\n{{/* no {{ text }} */}}\n{{- $y := 1 -}}\n{{- range $k, $v := .Values.c }}\n- {{ toYaml $v | nindent 4 }}\n{{- end }}\n---\nz {{ unfinished";
        let template = Template::read(text);
        let lines: Vec<_> = template.lines.iter().map(shown).collect();
        assert_eq!(
            lines,
            [
                "a: <.Values.a | quote> # x",
                "",
                "b: <$x><$x>",
                "",
                "c",
                "",
                "",
                "",
                "",
                "- <toYaml $v | nindent 4>",
                "",
                "---",
                "z {{ unfinished"
            ]
        );
        let blocks: Vec<_> = template
            .blocks
            .iter()
            .map(|b| (b.kind, b.head.as_str(), b.first, b.last, b.end))
            .collect();
        assert_eq!(
            blocks,
            [
                (Kind::If, ".Values.b", 1, 3, 5),
                (Kind::If, "$x", 2, 2, 2),
                (Kind::If, "$x", 2, 2, 2),
                (Kind::If, "\"}}\" | .Values.b", 3, 5, 5),
                (Kind::Range, "$k, $v := .Values.c", 8, 10, 10),
            ]
        );
        let assignment = Assignment { line: 7, block: None, name: "y".into(), value: "1".into() };
        assert_eq!(template.assignments, [assignment]);
        assert_eq!(template.around(2).map(|(index, _)| index).collect::<Vec<_>>(), [0]);
        let long = &template.lines[9];
        assert!(long.goes_on() && !long.is_printed() && long.indents() == Some(4));
        assert!(template.lines[11].is_marker());
    }

    #[test]
    fn definitions_have_their_lines() {
        let text =
            "{{ define \"a\" }}x{{ end }}\n{{- define \"b\" -}}\ny: {{ . }}\n{{- end }}\nz\n";
        let template = Template::read(text);
        assert_eq!(
            template.defines.iter().collect::<Vec<_>>(),
            [(&"a".into(), &0), (&"b".into(), &1)]
        );
        let owners: Vec<_> = (0..5).map(|line| template.owner(line)).collect();
        assert_eq!(owners, [Some(0), None, Some(1), None, None]);
        assert_eq!(shown(&template.lines[0]), "x");
    }

    #[test]
    fn lines_keep_their_numbers_whatever_is_open() {
        for text in ["{{ if x\n}}\na", "{{/*\n*/}}\na", "{{ end }}\n{{ else }}\na", "{{ `\n` }}\na"]
        {
            let template = Template::read(text);
            let line = text.lines().position(|line| line == "a").unwrap();
            assert_eq!(shown(&template.lines[line]), "a", "{text}");
            assert_eq!(template.lines.len(), text.split('\n').count(), "{text}");
        }
    }
}
