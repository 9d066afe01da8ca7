//! One parsed document: an arena of nodes that know their lines.

use super::limits;
use super::scalar::{self, Scalar};
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::cell::Cell;

/// Index of a node in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(u32);

/// A document as a tree. Dropping it never recurses.
#[derive(Debug)]
pub(super) struct Doc<'a> {
    nodes: Vec<Node<'a>>,
    /// The children of all collections, each collection's in one piece; a map's are key, value,
    /// key, value ...
    children: Vec<NodeId>,
    /// How many more nodes reading may visit, so that aliases can't multiply without bound.
    budget: Cell<usize>,
    /// How many more bytes of text reading may copy, for the same reason.
    byte_budget: Cell<usize>,
    /// The same two for what is read aside: see [`Doc::aside`].
    aside: (Cell<usize>, Cell<usize>),
}

#[derive(Debug)]
struct Node<'a> {
    value: Value<'a>,
    start: u32,
    end: u32,
}

#[derive(Debug)]
enum Value<'a> {
    /// To be resolved.
    Plain(Cow<'a, str>),
    /// A string, whatever it looks like.
    Text(Cow<'a, str>),
    Seq(Children),
    /// `simple`: all keys are different strings and none is a merge.
    Map {
        children: Children,
        simple: bool,
    },
    Alias(NodeId),
    /// A collection whose end was not seen yet.
    Open,
}

#[derive(Clone, Copy, Debug)]
struct Children {
    first: u32,
    len: u32,
}

/// What a node holds, aliases followed.
#[derive(Clone, Copy, Debug)]
pub(super) enum View<'d> {
    /// A scalar.
    Scalar(Scalar<'d>),
    /// A list.
    Seq(&'d [NodeId]),
    /// A map; see [`Doc::entries`].
    Map,
}

/// An entry of a map.
#[derive(Clone, Debug)]
pub(super) struct Entry<'d> {
    /// The key as Kubernetes sees it: numbers and booleans become strings.
    pub key: Cow<'d, str>,
    /// The node of the key, for its line.
    pub key_node: NodeId,
    /// The value.
    pub value: NodeId,
}

/// What a map holds: the last of equal keys (M4), merges expanded.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries<'d> {
    /// In the order in which they are written.
    pub entries: Vec<Entry<'d>>,
    /// Keys that are written more than once, with the line of the last.
    pub duplicates: Vec<(Cow<'d, str>, u32)>,
}

/// Why a tree could not be built or walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DocError {
    /// Line of the file, from 1.
    pub line: u32,
    /// What is wrong, without a full stop.
    pub message: String,
}

/// A scalar in the making: see [`Builder::scalar`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// To be resolved.
    Plain,
    /// A string, whatever it looks like.
    Text,
}

/// Builds a document from the events of a parser.
#[derive(Debug, Default)]
pub(super) struct Builder<'a> {
    nodes: Vec<Node<'a>>,
    children: Vec<NodeId>,
    /// Finished children of the collections that are still open.
    pending: Vec<NodeId>,
    /// The open collections, with where their children start in `pending`.
    open: Vec<(NodeId, usize)>,
    /// Bytes of all scalars.
    bytes: usize,
}

impl<'a> Builder<'a> {
    /// Adds a scalar.
    pub(super) fn scalar(
        &mut self,
        text: Cow<'a, str>,
        style: Style,
        (start, end): (u32, u32),
    ) -> Result<NodeId, DocError> {
        self.bytes += text.len();
        let value = match style {
            Style::Plain => Value::Plain(text),
            Style::Text => Value::Text(text),
        };
        let id = self.node(value, start, end)?;
        self.pending.push(id);
        Ok(id)
    }

    /// Adds a reference to a node that was added before.
    pub(super) fn alias(&mut self, target: Option<NodeId>, line: u32) -> Result<(), DocError> {
        let refuse = |message: &str| {
            let message = message.to_string();
            Err(DocError { line, message })
        };
        let Some(target) = target else {
            return refuse("an alias names no anchor");
        };
        if matches!(self.nodes.get(target.0 as usize), Some(Node { value: Value::Open, .. })) {
            return refuse("an anchor contains itself");
        }
        let id = self.node(Value::Alias(target), line, line)?;
        self.pending.push(id);
        Ok(())
    }

    /// Opens a list or a map.
    pub(super) fn open(&mut self, line: u32) -> Result<NodeId, DocError> {
        if self.open.len() >= limits::DEPTH {
            let message = format!(
                "lists and maps are nested more than {} levels deep; split the document",
                limits::DEPTH
            );
            return Err(DocError { line, message });
        }
        let id = self.node(Value::Open, line, line)?;
        self.open.push((id, self.pending.len()));
        Ok(id)
    }

    /// Closes the list or map that was opened last. `end`: the line of its closing bracket; block
    /// collections have none and end with their last child.
    pub(super) fn close(&mut self, map: bool, end: Option<u32>) {
        let Some((id, from)) = self.open.pop() else {
            return;
        };
        let first = self.children.len() as u32;
        self.children.extend(self.pending.drain(from..));
        let len = self.children.len() as u32 - first;
        let children = Children { first, len };
        let last = self
            .children
            .get(first as usize..)
            .and_then(<[_]>::last)
            .and_then(|child| self.nodes.get(child.0 as usize))
            .map(|child| child.end);
        let simple = map && self.simple(children);
        if let Some(node) = self.nodes.get_mut(id.0 as usize) {
            node.end = end.or(last).unwrap_or(node.start).max(node.start);
            node.value = match map {
                true => Value::Map { children, simple },
                false => Value::Seq(children),
            };
        }
        self.pending.push(id);
    }

    /// The finished document; `None` if it is empty.
    pub(super) fn finish(self) -> Option<Doc<'a>> {
        if self.nodes.is_empty() || !self.open.is_empty() {
            return None;
        }
        let nodes = || Cell::new(self.nodes.len() * 8 + limits::ALIASED_NODES);
        let bytes = || Cell::new(self.bytes * 8 + limits::ALIASED_BYTES);
        Some(Doc {
            budget: nodes(),
            byte_budget: bytes(),
            aside: (nodes(), bytes()),
            nodes: self.nodes,
            children: self.children,
        })
    }

    fn node(&mut self, value: Value<'a>, start: u32, end: u32) -> Result<NodeId, DocError> {
        if self.nodes.len() >= limits::NODES {
            return Err(DocError {
                line: start,
                message: format!(
                    "the document has more than {} values; split it into several files",
                    limits::NODES
                ),
            });
        }
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node { value, start, end });
        Ok(id)
    }

    /// Are all keys of a map different strings, and none a merge?
    fn simple(&self, children: Children) -> bool {
        let keys =
            self.children.get(children.first as usize..).unwrap_or_default().iter().step_by(2).map(
                |key| match self.nodes.get(key.0 as usize).map(|n| &n.value) {
                    Some(Value::Text(text)) => Some(text.as_ref()),
                    Some(Value::Plain(text)) if text != "<<" => match scalar::resolve(text) {
                        Scalar::Text(text) => Some(text),
                        _ => None,
                    },
                    _ => None,
                },
            );
        if children.len <= 32 {
            let mut seen = [""; 16];
            for (i, key) in keys.enumerate() {
                let Some(key) = key else { return false };
                if seen.iter().take(i).any(|other| *other == key) {
                    return false;
                }
                if let Some(slot) = seen.get_mut(i) {
                    *slot = key;
                }
            }
            return true;
        }
        let mut seen = FxHashSet::default();
        keys.into_iter().all(|key| key.is_some_and(|key| seen.insert(key)))
    }
}

impl<'a> Doc<'a> {
    /// The node of the whole document.
    pub(super) const ROOT: NodeId = NodeId(0);

    /// First and last line of a node; of the place where an alias is used, not of its target.
    pub(super) fn lines(&self, id: NodeId) -> (u32, u32) {
        self.nodes.get(id.0 as usize).map_or((1, 1), |node| (node.start, node.end))
    }

    /// What a node holds.
    pub(super) fn view(&self, id: NodeId) -> View<'_> {
        match &self.target(id).value {
            Value::Plain(text) => View::Scalar(scalar::resolve(text)),
            Value::Text(text) => View::Scalar(Scalar::Text(text)),
            Value::Seq(children) => View::Seq(self.children(*children)),
            Value::Map { .. } => View::Map,
            Value::Alias(_) | Value::Open => View::Scalar(Scalar::Null),
        }
    }

    /// A scalar as it is written, for messages.
    pub(super) fn written(&self, id: NodeId) -> Option<&str> {
        match &self.target(id).value {
            Value::Plain(text) | Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map; none for anything else.
    pub(super) fn entries(&self, id: NodeId) -> Result<Entries<'_>, DocError> {
        let mut result = Entries::default();
        let Value::Map { children, simple } = &self.target(id).value else {
            return Ok(result);
        };
        let pairs = self.children(*children).chunks_exact(2);
        self.spend(id, pairs.len())?;
        if !simple {
            return self.merged(id);
        }
        result.entries = pairs
            .filter_map(|pair| match pair {
                [key, value] => Some(Entry {
                    key: Cow::Borrowed(self.written(*key).unwrap_or_default()),
                    key_node: *key,
                    value: *value,
                }),
                _ => None,
            })
            .collect();
        Ok(result)
    }

    /// The value of one key of a map, if it has it.
    pub(super) fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.entry(id, key).map(|(_, value)| value)
    }

    /// The nodes of one key of a map and of its value, if it has it.
    pub(super) fn entry(&self, id: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
        let Value::Map { children, simple } = &self.target(id).value else {
            return None;
        };
        if !simple {
            let entries = self.merged(id).ok()?.entries;
            return entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| (entry.key_node, entry.value));
        }
        self.children(*children).chunks_exact(2).find_map(|pair| match pair {
            [k, value] if self.written(*k) == Some(key) => Some((*k, *value)),
            _ => None,
        })
    }

    /// All values that are written for a key of a map, also those that a later one replaces.
    pub(super) fn values<'d>(
        &'d self,
        id: NodeId,
        key: &'d str,
    ) -> impl Iterator<Item = NodeId> + 'd {
        let children = match &self.target(id).value {
            Value::Map { children, .. } => self.children(*children),
            _ => &[],
        };
        children.chunks_exact(2).filter_map(move |pair| match pair {
            [k, value] if self.written(*k) == Some(key) => Some(*value),
            _ => None,
        })
    }

    /// The string that a key of a map has as value, if it is one.
    pub(super) fn text(&self, id: NodeId, key: &str) -> Option<&str> {
        match self.view(self.get(id, key)?) {
            View::Scalar(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; none for anything else.
    pub(super) fn items(&self, id: NodeId) -> &[NodeId] {
        match self.view(id) {
            View::Seq(items) => items,
            _ => &[],
        }
    }

    /// An identity of what a node holds, wherever it stands and however it is laid out.
    pub(super) fn digest(&self, id: NodeId) -> u128 {
        let mut hash = Sha256::new();
        self.hash_into(id, &mut hash, true);
        crate::tree::shorten(&hash.finalize())
    }

    /// Nodes stand in the order of the text, so what is inside a node follows it in one piece.
    fn hash_into(&self, id: NodeId, hash: &mut Sha256, follow: bool) {
        let mut last = id;
        while let Some(Value::Seq(children) | Value::Map { children, .. }) =
            self.nodes.get(last.0 as usize).map(|node| &node.value)
            && let Some(child) = self.children(*children).last()
        {
            last = *child;
        }
        let inside = self.nodes.get(id.0 as usize..=last.0 as usize).unwrap_or_default();
        for node in inside {
            let (mark, text) = match &node.value {
                Value::Plain(text) => (b'p', text.as_ref()),
                Value::Text(text) => (b't', text.as_ref()),
                Value::Seq(_) => (b's', ""),
                Value::Map { .. } => (b'm', ""),
                Value::Alias(target) => {
                    // Aliases inside of aliases are not followed: that bounds the work.
                    if follow && self.spend(*target, 100).is_ok() {
                        self.hash_into(*target, hash, false);
                    }
                    (b'a', "")
                }
                Value::Open => (b'o', ""),
            };
            let length = match &node.value {
                Value::Seq(children) | Value::Map { children, .. } => children.len as usize,
                _ => text.len(),
            };
            hash.update([mark]);
            hash.update(length.to_be_bytes());
            if follow || self.spend_bytes(id, text.len()).is_ok() {
                hash.update(text);
            }
        }
    }

    /// Reads something with a budget of its own, so that all else is read as if this had not been.
    pub(super) fn aside<T>(&self, read: impl FnOnce() -> T) -> T {
        let swap = || {
            self.budget.swap(&self.aside.0);
            self.byte_budget.swap(&self.aside.1);
        };
        swap();
        let result = read();
        swap();
        result
    }

    /// How many keys a map has, or items a list, as they are written.
    pub(super) fn size(&self, id: NodeId) -> usize {
        match &self.target(id).value {
            Value::Map { children, .. } => children.len as usize / 2,
            Value::Seq(children) => children.len as usize,
            _ => 0,
        }
    }

    /// Counts visited nodes against the budget.
    pub(super) fn spend(&self, id: NodeId, nodes: usize) -> Result<(), DocError> {
        self.take_from(&self.budget, id, nodes + 1)
    }

    /// Counts bytes of text that are copied against their budget.
    pub(super) fn spend_bytes(&self, id: NodeId, bytes: usize) -> Result<(), DocError> {
        self.take_from(&self.byte_budget, id, bytes)
    }

    fn take_from(&self, budget: &Cell<usize>, id: NodeId, amount: usize) -> Result<(), DocError> {
        match budget.get().checked_sub(amount) {
            Some(rest) => {
                budget.set(rest);
                Ok(())
            }
            None => Err(DocError {
                line: self.lines(id).0,
                message: "aliases and merges repeat too much; write the values out".into(),
            }),
        }
    }

    fn target(&self, id: NodeId) -> &Node<'a> {
        const MISSING: Node<'static> = Node { value: Value::Open, start: 1, end: 1 };
        let mut node = self.nodes.get(id.0 as usize);
        while let Some(Value::Alias(target)) = node.map(|node| &node.value) {
            // A target always stands before its alias, so this ends.
            node = self.nodes.get(target.0 as usize);
        }
        node.unwrap_or(const { &MISSING })
    }

    fn children(&self, children: Children) -> &[NodeId] {
        let first = children.first as usize;
        self.children.get(first..first + children.len as usize).unwrap_or_default()
    }

    /// The entries of a map with merges, equal keys or keys that are no strings. As in go-yaml a
    /// later entry wins over an earlier one, also where one of them is merged; of the maps of one
    /// merge the first wins.
    fn merged(&self, id: NodeId) -> Result<Entries<'_>, DocError> {
        let mut result = Entries::default();
        let Value::Map { children, .. } = &self.target(id).value else {
            return Ok(result);
        };
        let mut index: FxHashMap<Cow<'_, str>, usize> = FxHashMap::default();
        let mut written: FxHashSet<Cow<'_, str>> = FxHashSet::default();
        for pair in self.children(*children).chunks_exact(2) {
            let [key_node, value] = *pair else { continue };
            let merge = matches!(&self.target(key_node).value, Value::Plain(text) if text == "<<");
            let new = match merge {
                true => self.merge(value)?,
                false => vec![Entry { key: self.key(key_node)?, key_node, value }],
            };
            for entry in new {
                if !merge && !written.insert(entry.key.clone()) {
                    let line = self.lines(key_node).0;
                    result.duplicates.push((entry.key.clone(), line));
                }
                let at = *index.entry(entry.key.clone()).or_insert(result.entries.len());
                match result.entries.get_mut(at) {
                    Some(earlier) => *earlier = entry,
                    None => result.entries.push(entry),
                }
            }
        }
        Ok(result)
    }

    /// The entries that `<<` with this value brings; those that count come last.
    fn merge(&self, value: NodeId) -> Result<Vec<Entry<'_>>, DocError> {
        let sources = match self.view(value) {
            View::Seq(items) => items,
            View::Map => &[value][..],
            View::Scalar(_) => {
                return Err(DocError {
                    line: self.lines(value).0,
                    message: "`<<` must be followed by a map or a list of maps".into(),
                });
            }
        };
        let mut entries = Vec::new();
        for source in sources.iter().rev() {
            entries.extend(self.entries(*source)?.entries);
        }
        Ok(entries)
    }

    /// A key as a string, as sigs.k8s.io/yaml converts it.
    fn key(&self, id: NodeId) -> Result<Cow<'_, str>, DocError> {
        let refuse = |what: &str| {
            Err(DocError {
                line: self.lines(id).0,
                message: format!("{what} can't be a key; write a string"),
            })
        };
        match self.view(id) {
            View::Scalar(Scalar::Text(text)) => Ok(Cow::Borrowed(text)),
            View::Scalar(Scalar::Bool(value)) => Ok(value.to_string().into()),
            View::Scalar(Scalar::Int(value)) => Ok(value.to_string().into()),
            View::Scalar(Scalar::Unsigned(value)) => Ok(value.to_string().into()),
            View::Scalar(Scalar::Float(value)) => Ok(value.to_string().into()),
            View::Scalar(Scalar::Null) => refuse("`null`"),
            View::Seq(_) => refuse("a list"),
            View::Map => refuse("a map (`{{ ... }}` looks like a template)"),
        }
    }
}
