//! Two nodes walked side by side: which line of the one is which line of the other.
//!
//! Tools sort the fields of what they print, so the structures are compared and not the texts.

use crate::parse::{Field, Node, Value};
use rustc_hash::{FxHashMap, FxHasher};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// How many values are looked at to tell which items of lists are the same, in one text. Beyond that they are
/// matched by their places.
pub(super) const LOOKS: usize = 20_000_000;

/// How many items of a list without a counterpart are compared with each other.
const COMPARED: usize = 64;

/// The fields by which items of lists are known, the likeliest first.
const NAMES: [&str; 7] = ["name", "containerPort", "port", "key", "mountPath", "ip", "cidr"];

/// What is told of two nodes.
pub(super) trait Sink {
    /// A line of the first is a line of the second.
    fn same(&mut self, line: u32, source: u32);
    /// The second has no such value (`None`), or another one. `path`: the keys down to it, `-` for an item of a
    /// list; `line`: of its key.
    fn differs(&mut self, path: &[&str], line: u32, node: &Node, source: Option<&Node>);
}

/// Tells a sink which lines of a node come from which lines of its source. `looks`: how many values may still
/// be looked at, see [`LOOKS`].
pub(super) fn align(node: &Node, source: &Node, looks: &mut usize, sink: &mut dyn Sink) {
    Aligner { sink, looks }.node(node, source, node.start_line, &mut Vec::new());
}

struct Aligner<'s> {
    sink: &'s mut dyn Sink,
    looks: &'s mut usize,
}

impl Aligner<'_> {
    fn node<'n>(&mut self, node: &'n Node, source: &'n Node, line: u32, path: &mut Vec<&'n str>) {
        match (&node.value, &source.value) {
            (Value::Map(fields), Value::Map(others)) => {
                let others = Fields::of(others);
                for field in fields {
                    path.push(&field.key);
                    match others.get(&field.key) {
                        Some(other) if is_scalar(&field.node) => {
                            // What is written stands before what it is called.
                            self.node(&field.node, &other.node, field.line, path);
                            self.sink.same(field.line, other.line);
                        }
                        Some(other) => {
                            self.sink.same(field.line, other.line);
                            self.node(&field.node, &other.node, field.line, path);
                        }
                        None => self.sink.differs(path, field.line, &field.node, None),
                    }
                    path.pop();
                }
            }
            (Value::List(items), Value::List(others)) => {
                let matched = self.matched(items, others);
                path.push("-");
                for (item, other) in items.iter().zip(matched) {
                    match other.and_then(|index| others.get(index)) {
                        Some(other) => {
                            self.sink.same(item.start_line, other.start_line);
                            self.node(item, other, item.start_line, path);
                        }
                        None => self.sink.differs(path, item.start_line, item, None),
                    }
                }
                path.pop();
            }
            _ if same_scalar(node, source) => {
                let lines = node.start_line..=node.end_line;
                let alike = node.end_line - node.start_line == source.end_line - source.start_line;
                for (offset, line) in (0..).zip(lines) {
                    let offset = if alike { offset } else { 0 };
                    self.sink.same(line, source.start_line.saturating_add(offset));
                }
            }
            _ => self.sink.differs(path, line, node, Some(source)),
        }
    }

    /// For each item of a list the index of its counterpart in another: equal ones first, then those that are
    /// called the same, then those that are most alike, then by their places.
    fn matched(&mut self, items: &[Node], others: &[Node]) -> Vec<Option<usize>> {
        let mut matched = vec![None; items.len()];
        let mut free: FxHashMap<u64, VecDeque<usize>> = FxHashMap::default();
        for (index, other) in others.iter().enumerate() {
            let print = fingerprint(other, self.looks);
            free.entry(print).or_default().push_back(index);
        }
        let mut taken = vec![false; others.len()];
        let mut take = |slot: &mut Option<usize>, index: usize| {
            if let Some(taken) = taken.get_mut(index) {
                *taken = true;
            }
            *slot = Some(index);
        };
        for (item, slot) in items.iter().zip(&mut matched) {
            let print = fingerprint(item, self.looks);
            if let Some(index) = free.get_mut(&print).and_then(VecDeque::pop_front) {
                take(slot, index);
            }
        }
        let mut rest: Vec<usize> =
            (0..others.len()).filter(|index| taken.get(*index) == Some(&false)).collect();
        let mut open: Vec<usize> = (0..items.len())
            .filter(|index| matched.get(*index).is_some_and(Option::is_none))
            .collect();
        if rest.len() <= COMPARED && open.len() <= COMPARED {
            for by_name in [true, false] {
                open.retain(|index| {
                    let Some(item) = items.get(*index) else { return false };
                    let best = rest
                        .iter()
                        .enumerate()
                        .filter_map(|(at, other)| {
                            let other = others.get(*other)?;
                            let score = match by_name {
                                true => usize::from(called_the_same(item, other)),
                                false => self.alike(item, other),
                            };
                            Some((score, at))
                        })
                        .filter(|(score, _)| *score > 0)
                        .max_by_key(|(score, at)| (*score, std::cmp::Reverse(*at)));
                    if let (Some((_, at)), Some(slot)) = (best, matched.get_mut(*index)) {
                        *slot = Some(rest.remove(at));
                        return false;
                    }
                    true
                });
            }
        }
        for (index, other) in open.into_iter().zip(rest) {
            let pair = (items.get(index), others.get(other));
            if let ((Some(item), Some(other_node)), Some(slot)) = (pair, matched.get_mut(index))
                && same_shape(item, other_node)
            {
                *slot = Some(other);
            }
        }
        matched
    }

    /// How many scalars two nodes share.
    fn alike(&mut self, node: &Node, other: &Node) -> usize {
        if *self.looks == 0 {
            return 0;
        }
        *self.looks -= 1;
        match (&node.value, &other.value) {
            (Value::Map(fields), Value::Map(others)) => {
                let others = Fields::of(others);
                let pairs =
                    fields.iter().filter_map(|field| Some((field, others.get(&field.key)?)));
                pairs.map(|(field, other)| self.alike(&field.node, &other.node)).sum()
            }
            (Value::List(items), Value::List(others)) => {
                items.iter().zip(others).map(|(item, other)| self.alike(item, other)).sum()
            }
            _ => usize::from(same_scalar(node, other)),
        }
    }
}

fn called_the_same(node: &Node, other: &Node) -> bool {
    let name = NAMES.iter().find_map(|key| node.get(key).map(|name| (key, name)));
    name.is_some_and(|(key, name)| other.get(key).is_some_and(|other| same_scalar(name, other)))
}

fn is_scalar(node: &Node) -> bool {
    !matches!(node.value, Value::Map(_) | Value::List(_))
}

fn same_shape(node: &Node, other: &Node) -> bool {
    std::mem::discriminant(&node.value) == std::mem::discriminant(&other.value)
}

/// The fields of a map by their keys.
pub(super) enum Fields<'n> {
    /// Few enough to look at them all.
    Few(&'n [Field]),
    /// Many.
    Many(FxHashMap<&'n str, &'n Field>),
}

impl<'n> Fields<'n> {
    pub(super) fn of(fields: &'n [Field]) -> Self {
        match fields.len() {
            0..=16 => Self::Few(fields),
            _ => Self::Many(fields.iter().map(|field| (field.key.as_str(), field)).collect()),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'n Field> {
        match self {
            Self::Few(fields) => fields.iter().find(|field| field.key == key),
            Self::Many(fields) => fields.get(key).copied(),
        }
    }
}

/// Do two scalars, or two empty collections, say the same?
pub(super) fn same_scalar(node: &Node, other: &Node) -> bool {
    let empty = |node: &Node| match &node.value {
        Value::Null => true,
        Value::Map(fields) => fields.is_empty(),
        Value::List(items) => items.is_empty(),
        _ => false,
    };
    match (&node.value, &other.value) {
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Number(one), Value::Number(other)) => one == other,
        (Value::Text(one), Value::Text(other)) => one == other,
        _ => empty(node) && empty(other),
    }
}

/// Do two nodes say the same? Nodes with equal contents are equal, and others hardly ever. Nothing is once
/// there are no more looks.
pub(super) fn equal(node: &Node, other: &Node, looks: &mut usize) -> bool {
    let same = fingerprint(node, looks) == fingerprint(other, looks);
    same && *looks > 0
}

/// A number for what a node says, whatever the order of its fields.
fn fingerprint(node: &Node, looks: &mut usize) -> u64 {
    if *looks == 0 {
        return 0;
    }
    *looks -= 1;
    let mut hash = FxHasher::default();
    match &node.value {
        Value::Null => 0_u8.hash(&mut hash),
        Value::Bool(value) => (1_u8, value).hash(&mut hash),
        Value::Number(value) => (2_u8, value).hash(&mut hash),
        Value::Text(value) => (3_u8, value).hash(&mut hash),
        Value::List(items) => {
            4_u8.hash(&mut hash);
            items.iter().for_each(|item| fingerprint(item, looks).hash(&mut hash));
        }
        Value::Map(fields) => {
            let all = fields.iter().fold(5_u64, |all, field| {
                let mut hash = FxHasher::default();
                (&field.key, fingerprint(&field.node, looks)).hash(&mut hash);
                all.wrapping_add(hash.finish())
            });
            all.hash(&mut hash);
        }
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::manifests;

    #[derive(Default)]
    struct Found {
        same: Vec<(u32, u32)>,
        differs: Vec<String>,
    }

    impl Sink for Found {
        fn same(&mut self, line: u32, source: u32) {
            if self.same.last() != Some(&(line, source)) {
                self.same.push((line, source));
            }
        }

        fn differs(&mut self, path: &[&str], line: u32, _: &Node, source: Option<&Node>) {
            let source = source.map(|source| source.start_line);
            self.differs.push(format!("{line} {} {source:?}", path.join(".")));
        }
    }

    fn found(node: &str, source: &str) -> Found {
        let read = |text: &str| manifests(text.as_bytes()).remove(0).unwrap();
        let (node, source) = (read(node), read(source));
        let mut found = Found::default();
        align(&node, &source, &mut LOOKS.clone(), &mut found);
        found
    }

    #[test]
    fn maps_are_matched_by_their_keys() {
        let found = found("a: 1\nb:\n  c: 2\n  d: 3\ne: 5\n", "b: {d: 4,\n c: 2}\na: 1\n");
        assert_eq!(found.same, [(1, 3), (2, 1), (3, 2), (4, 1)]);
        assert_eq!(found.differs, ["4 b.d Some(1)", "5 e None"]);
    }

    #[test]
    fn items_are_matched_by_what_they_say_then_by_name_then_by_likeness_then_by_place() {
        assert_eq!(found("- 1\n- 2\n- 2\n", "- 2\n- 2\n- 1\n").same, [(1, 3), (2, 1), (3, 2)]);
        let named =
            found("- name: a\n  x: 1\n- name: b\n  x: 2\n", "- name: b\n  x: 1\n- name: a\n");
        assert_eq!(named.same, [(1, 3), (3, 1), (4, 2)]);
        assert_eq!(named.differs, ["2 -.x None", "4 -.x Some(2)"]);
        let alike = found("- {x: 1, y: 2}\n- {x: 3, y: 4}\n", "- {x: 3, y: 5}\n- {x: 1, y: 6}\n");
        assert_eq!(alike.same, [(1, 2), (2, 1)]);
        assert_eq!(found("- a\n- b\n", "- c\n").same, [(1, 1)]);
        assert_eq!(found("- a\n- b\n", "- c\n").differs, ["1 - Some(1)", "2 - None"]);
        assert_eq!(found("- a\n", "- {}\n").differs, ["1 - None"]);
    }

    #[test]
    fn long_texts_go_line_by_line() {
        let same = found("a: |\n  x\n  y\n", "\na: |\n  x\n  y\n").same;
        assert_eq!(same, [(2, 3), (3, 4), (1, 2)]);
        assert_eq!(found("a: |\n  x\n  y\n", "a: \"x\\ny\\n\"").same, [(2, 1), (3, 1), (1, 1)]);
    }

    #[test]
    fn a_list_of_a_hundred_thousand_items_is_no_matter() {
        let text =
            |from: u32| (from..from + 100_000).map(|i| format!("- {i}\n")).collect::<String>();
        let same = found(&text(0), &text(50_000)).same;
        assert_eq!(same[50_000], (50_001, 1));
    }
}
