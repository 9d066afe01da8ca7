//! The files that lines can come from, their lines numbered through: one number is a line of a file.
//!
//! So a [`Node`] whose parts come from several files is a node like any other.

use super::Origins;
use super::touched::Touched;
use crate::parse::{Field, Node, Value, manifests};
use crate::tree::{Content, Files, Source};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Bytes of all files that are looked into.
const BYTES: usize = 64 << 20;

/// Sources that are kept of one line of built text.
const CANDIDATES: usize = 8;

/// The files of one side, and those of the other to tell what the change touches.
pub(super) struct Sources<'a> {
    here: &'a dyn Files,
    there: &'a dyn Files,
    /// In the order of the numbers of their lines.
    files: Vec<File>,
    known: BTreeMap<Arc<str>, Option<usize>>,
    bytes_left: usize,
}

struct File {
    path: Arc<str>,
    content: Content,
    /// The number of line 0, which no file has.
    start: u32,
    documents: Option<Rc<Vec<Node>>>,
    touched: OnceCell<Touched>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(here: &'a dyn Files, there: &'a dyn Files) -> Self {
        let (files, known) = (Vec::new(), BTreeMap::new());
        Self { here, there, files, known, bytes_left: BYTES }
    }

    /// The files of this side.
    pub(super) fn files(&self) -> &'a dyn Files {
        self.here
    }

    /// The bytes of a file and the number of its line 0.
    pub(super) fn read(&mut self, path: &str) -> Option<(Content, u32)> {
        let index = self.index(path)?;
        self.files.get(index).map(|file| (file.content.clone(), file.start))
    }

    /// The number of a line of a file.
    pub(super) fn number(&mut self, path: &str, line: u32) -> Option<u32> {
        self.read(path).map(|(_, start)| start.saturating_add(line))
    }

    /// The objects of a file, those of lists one by one. What can't be read is left out.
    pub(super) fn documents(&mut self, path: &str) -> Option<Rc<Vec<Node>>> {
        let index = self.index(path)?;
        let file = self.files.get_mut(index)?;
        if let Some(documents) = &file.documents {
            return Some(documents.clone());
        }
        let mut objects = Vec::new();
        for mut node in manifests(file.content.bytes()).into_iter().flatten() {
            renumber(&mut node, &|line| file.start.saturating_add(line));
            flatten(node, &mut objects);
        }
        let documents = Rc::new(objects);
        file.documents = Some(documents.clone());
        Some(documents)
    }

    /// The paths of the files below a directory.
    pub(super) fn below(&self, directory: &str) -> Vec<Arc<str>> {
        self.here.below(directory)
    }

    /// Does the change touch a line?
    pub(super) fn touched(&self, number: u32) -> bool {
        let Some((index, line)) = self.place(number) else { return false };
        self.files.get(index).is_some_and(|file| {
            let touched = || {
                let there = self.there.read(&file.path);
                // One line stands for all of an archive.
                if file.path.ends_with(".tgz") {
                    let same = there.is_some_and(|there| there.same(&file.content));
                    return if same { Touched::Nothing } else { Touched::Everything };
                }
                Touched::of(file.content.bytes(), there.as_ref().map(Content::bytes))
            };
            file.touched.get_or_init(touched).line(line)
        })
    }

    /// The path of the file that a line is in.
    pub(super) fn path(&self, number: u32) -> Option<&Arc<str>> {
        self.place(number).and_then(|(index, _)| self.files.get(index)).map(|file| &file.path)
    }

    /// What was marked, as everybody else sees it.
    pub(super) fn origins(&self, marks: Marks) -> Origins {
        let mut origins = Origins::default();
        let mut indexes = BTreeMap::new();
        for marked in marks.0 {
            let mut sources = Vec::with_capacity(marked.len());
            for number in marked {
                let Some((index, line)) = self.place(number) else { continue };
                let Some(file) = self.files.get(index) else { continue };
                let file = *indexes.entry(index).or_insert_with(|| {
                    origins.files.push(file.path.clone());
                    origins.files.len() as u32 - 1
                });
                sources.push(Source { file, line, changed: self.touched(number) });
            }
            origins.lines.push(sources);
        }
        origins
    }

    fn place(&self, number: u32) -> Option<(usize, u32)> {
        let index = self.files.partition_point(|file| file.start < number).checked_sub(1)?;
        self.files.get(index).map(|file| (index, number - file.start))
    }

    fn index(&mut self, path: &str) -> Option<usize> {
        if let Some(known) = self.known.get(path) {
            return *known;
        }
        let found = self.here.read(path).and_then(|content| {
            self.bytes_left = self.bytes_left.checked_sub(content.bytes().len())?;
            let start = self.files.last().map_or(0, |file| {
                let lines = memchr::memchr_iter(b'\n', file.content.bytes()).count() + 2;
                file.start.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX))
            });
            let (path, touched) = (Arc::from(path), OnceCell::new());
            self.files.push(File { path, content, start, documents: None, touched });
            Some(self.files.len() - 1)
        });
        self.known.insert(path.into(), found);
        found
    }
}

/// For each line of built text the numbers of those it may have come from, the likeliest first.
pub(super) struct Marks(Vec<Vec<u32>>);

impl Marks {
    /// For a text of so many lines.
    pub(super) fn new(lines: usize) -> Self {
        Self(vec![Vec::new(); lines])
    }

    /// How many lines the text has.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A line, from 1, may have come from a line of this number as well.
    pub(super) fn add(&mut self, line: u32, number: u32) {
        if let Some(marked) = self.0.get_mut((line as usize).wrapping_sub(1))
            && marked.len() < CANDIDATES
            && !marked.contains(&number)
        {
            marked.push(number);
        }
    }

    /// What a line was said to have come from.
    pub(super) fn of(&self, line: u32) -> &[u32] {
        self.0.get((line as usize).wrapping_sub(1)).map_or(&[], Vec::as_slice)
    }

    /// Leaves out lines of the text, by index from 0.
    pub(super) fn retain(&mut self, keep: &[bool]) {
        let mut keep = keep.iter();
        self.0.retain(|_| keep.next().copied().unwrap_or(true));
    }
}

/// Changes all lines of a node.
pub(super) fn renumber(node: &mut Node, to: &dyn Fn(u32) -> u32) {
    (node.start_line, node.end_line) = (to(node.start_line), to(node.end_line));
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| renumber(item, to)),
        Value::Map(fields) => {
            for Field { line, node, .. } in fields {
                *line = to(*line);
                renumber(node, to);
            }
        }
        _ => {}
    }
}

/// The documents in a text inside a document, with the lines on which they stand.
pub(super) fn inside(text: &Node) -> Vec<Node> {
    let Some(content) = text.text() else { return Vec::new() };
    let (start, end) = (text.start_line, text.end_line);
    // A block scalar is said to begin where its text does. What is quoted has no lines of its own.
    let blank = content.len() - content.trim_start_matches('\n').len();
    let blank = u32::try_from(blank).unwrap_or(u32::MAX).saturating_add(1);
    let to = move |line: u32| start.saturating_add(line.saturating_sub(blank)).min(end);
    let mut documents: Vec<Node> = manifests(content.as_bytes()).into_iter().flatten().collect();
    documents.iter_mut().for_each(|document| renumber(document, &to));
    documents
}

/// An object, or those of a list.
fn flatten(node: Node, into: &mut Vec<Node>) {
    let list = node.text_at(&["kind"]).is_some_and(|kind| kind.ends_with("List"));
    if !list || node.get("items").is_none() {
        into.push(node);
        return;
    }
    let Value::Map(fields) = node.value else { return };
    for field in fields {
        if let ("items", Value::List(items)) = (field.key.as_str(), field.node.value) {
            into.extend(items);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    #[test]
    fn lines_are_numbered_through_and_found_again() {
        let here = Tree::from_texts("", [("a", "x: 1\ny: 2\n"), ("b", "z:\n- 3"), ("c", "x: 1")]);
        let there = Tree::from_texts("", [("a", "x: 1\ny: 3\n"), ("b", "z:\n- 3")]);
        let mut sources = Sources::new(&here, &there);
        let mut marks = Marks::new(4);
        for (line, path, of) in [(1, "a", 2), (2, "b", 1), (2, "a", 1), (3, "c", 1)] {
            marks.add(line, sources.number(path, of).unwrap());
            marks.add(line, sources.number(path, of).unwrap());
        }
        assert!(sources.number("d", 1).is_none());
        let origins = sources.origins(marks);
        assert_eq!(origins.files, ["a".into(), "b".into(), "c".into()]);
        let source = |file, line, changed| Source { file, line, changed };
        assert_eq!(
            origins.lines,
            [
                vec![source(0, 2, true)],
                vec![source(1, 1, false), source(0, 1, false)],
                vec![source(2, 1, true)],
                vec![]
            ]
        );
    }

    #[test]
    fn objects_of_lists_stand_alone() {
        let text = "kind: List\nitems:\n- {kind: A}\n- kind: B\n---\nkind: C\n";
        let here = Tree::from_texts("", [("a", text)]);
        let documents = Sources::new(&here, &here).documents("a").unwrap();
        let found: Vec<_> =
            documents.iter().map(|node| (node.start_line, node.text_at(&["kind"]))).collect();
        assert_eq!(found, [(3, Some("A")), (4, Some("B")), (6, Some("C"))]);
    }

    #[test]
    fn text_inside_a_document_knows_its_lines() {
        let lines = |text: &str| {
            let document = manifests(text.as_bytes()).remove(0).unwrap();
            inside(document.get("p").unwrap())
                .remove(0)
                .items()
                .iter()
                .map(|item| item.start_line)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines("a: 1\np: |-\n  - 1\n  - 2\n"), [3, 4]);
        assert_eq!(lines("p: |\n\n  - 1\n\n  - 2\n\n\nq: 1"), [3, 5]);
        assert_eq!(lines("p: '[1, 2]'"), [1, 1]);
        assert_eq!(lines("p: \"- 1\\n- 2\""), [1, 1]);
    }
}
