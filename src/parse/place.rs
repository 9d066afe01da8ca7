//! A typed value and the text it came from, walked side by side: where a field stands.

use super::de::Fault;
use super::doc::{Doc, NodeId};
use crate::model::Origin;
use std::fmt;
use std::sync::Arc;

/// A field of an object, written or not.
#[derive(Clone, Copy)]
pub(super) struct Place<'d, 'p> {
    doc: &'d Doc<'d>,
    /// The node of the value; of the nearest written parent where the field is not written.
    node: NodeId,
    /// The node of the key, for the first line of a section.
    key_node: Option<NodeId>,
    written: bool,
    step: Step<'p>,
    parent: Option<&'p Place<'d, 'p>>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl<'d, 'p> Place<'d, 'p> {
    /// A whole object.
    pub(super) fn root(doc: &'d Doc<'d>, node: NodeId) -> Self {
        Self { doc, node, key_node: None, written: true, step: Step::Root, parent: None }
    }

    /// Is it there, whatever its value?
    pub(super) fn written(&self) -> bool {
        self.written
    }

    /// A field of a map.
    pub(super) fn key<'q>(&'q self, key: &'q str) -> Place<'d, 'q>
    where
        'p: 'q,
    {
        let found = self.doc.entry(self.node, key).filter(|_| self.written);
        Place {
            doc: self.doc,
            node: found.map_or(self.node, |(_, value)| value),
            key_node: found.map(|(key, _)| key),
            written: found.is_some(),
            step: Step::Key(key),
            parent: Some(self),
        }
    }

    /// An item of a list.
    pub(super) fn index<'q>(&'q self, index: usize) -> Place<'d, 'q>
    where
        'p: 'q,
    {
        let found = self.doc.items(self.node).get(index).filter(|_| self.written);
        Place {
            doc: self.doc,
            node: found.copied().unwrap_or(self.node),
            key_node: None,
            written: found.is_some(),
            step: Step::Index(index),
            parent: Some(self),
        }
    }

    /// The value's node, if it is written.
    pub(super) fn node(&self) -> Option<NodeId> {
        self.written.then_some(self.node)
    }

    /// The lines from the key (if there is one) to the end of the value.
    pub(super) fn origin(&self, file: &Arc<str>) -> Origin {
        let (start, end) = self.doc.lines(self.node);
        let start = self.key_node.map_or(start, |key| self.doc.lines(key).0.min(start));
        // An alias' key may stand after its target.
        Origin { file: file.clone(), start_line: start, end_line: end.max(start) }
    }

    /// What is wrong here.
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { line: self.doc.lines(self.node).0, path: self.to_string(), message: message.into() }
    }
}

/// The path of the field, for example `spec.ingress[0].from`.
impl fmt::Display for Place<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_root = self.parent.is_none_or(|parent| matches!(parent.step, Step::Root));
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Key(key) if at_root => f.write_str(key),
            Step::Key(key) => write!(f, ".{key}"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}
