//! A node of an object that is read leniently: what is not as it should be is not there.

use super::super::doc::{Doc, NodeId, View};
use super::super::scalar::Scalar;
use crate::model::{Labels, Origin};
use std::borrow::Cow;
use std::sync::Arc;

/// A value, with the key before it if it has one. Whatever is visited is counted, so aliases that repeat
/// much lead to values that are not there.
#[derive(Clone, Copy)]
pub(in super::super) struct At<'d> {
    pub(in super::super) doc: &'d Doc<'d>,
    pub(in super::super) node: NodeId,
    key: Option<NodeId>,
}

impl<'d> At<'d> {
    /// A whole object, or an item of a list.
    pub(in super::super) fn new(doc: &'d Doc<'d>, node: NodeId) -> Self {
        Self { doc, node, key: None }
    }

    /// The value of a key, unless it is null.
    pub(super) fn get(self, key: &str) -> Option<Self> {
        self.doc.spend(self.node, self.doc.size(self.node)).ok()?;
        let (key, node) = self.doc.entry(self.node, key)?;
        let null = matches!(self.doc.view(node), View::Scalar(Scalar::Null));
        (!null).then_some(Self { doc: self.doc, node, key: Some(key) })
    }

    /// The value of a key in a map in a map ...
    pub(super) fn path(self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self, |at, key| at.get(key))
    }

    /// The string that this is.
    pub(super) fn string(self) -> Option<&'d str> {
        match self.doc.view(self.node) {
            View::Scalar(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The string that a key has as value, if it is one and not empty.
    pub(super) fn text(self, key: &str) -> Option<&'d str> {
        self.get(key)?.string().filter(|text| !text.is_empty())
    }

    /// The integer that this is.
    pub(super) fn integer(self) -> Option<i64> {
        match self.doc.view(self.node) {
            View::Scalar(Scalar::Int(number)) => Some(number),
            _ => None,
        }
    }

    /// The port number that this is.
    pub(super) fn number(self) -> Option<u16> {
        self.integer().and_then(|number| u16::try_from(number).ok()).filter(|number| *number > 0)
    }

    /// Is the value of a key `true`?
    pub(super) fn is_true(self, key: &str) -> bool {
        let value = self.get(key).map(|at| self.doc.view(at.node));
        matches!(value, Some(View::Scalar(Scalar::Bool(true))))
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(self) -> impl Iterator<Item = Self> + 'd {
        let items = self.doc.items(self.node);
        let affordable = self.doc.spend(self.node, items.len()).is_ok();
        let items = if affordable { items } else { &[] };
        items.iter().map(move |node| Self::new(self.doc, *node))
    }

    /// The items of the list that a key has as value.
    pub(super) fn list(self, key: &str) -> impl Iterator<Item = Self> + 'd {
        self.get(key).into_iter().flat_map(Self::items)
    }

    /// The entries of a map; none of anything else.
    pub(super) fn entries(self) -> impl Iterator<Item = (Cow<'d, str>, Self)> {
        let entries = self.doc.entries(self.node).unwrap_or_default().entries;
        let doc = self.doc;
        entries.into_iter().map(move |entry| {
            (entry.key, Self { doc, node: entry.value, key: Some(entry.key_node) })
        })
    }

    /// The labels that a key has as value. `None`: they are no map of strings.
    pub(super) fn labels(self, key: &str) -> Option<Labels> {
        let Some(labels) = self.get(key) else { return Some(Labels::new()) };
        if !matches!(labels.doc.view(labels.node), View::Map) {
            return None;
        }
        let label = |(key, value): (Cow<'_, str>, Self)| {
            let value = value.string()?;
            labels.copy(key.len() + value.len()).then(|| (key.into(), value.into()))
        };
        labels.entries().map(label).collect()
    }

    /// May so many bytes of text be looked at or copied?
    pub(super) fn copy(self, bytes: usize) -> bool {
        self.doc.spend_bytes(self.node, bytes).is_ok()
    }

    /// The lines from the key (if there is one) to the end of the value.
    pub(super) fn origin(self, file: &Arc<str>) -> Origin {
        let (start, end) = self.doc.lines(self.node);
        let start = self.key.map_or(start, |key| self.doc.lines(key).0.min(start));
        Origin { file: file.clone(), start_line: start, end_line: end.max(start) }
    }
}
