//! The kustomizations that are built and that nobody wrote as they are: the one around the directory's own, and
//! that one as a deployer edits it, or makes it.

use super::kustomize::Wrapped;
use super::paths::join;
use super::sources::Sources;
use crate::deploy::inputs::{beside, kustomization};
use crate::deploy::overlay::{applied, made};
use crate::model::Origin;
use crate::parse::{Node, Value, manifests};
use std::collections::BTreeMap;

/// Kustomizations that stand in no file as they are built.
pub(super) struct Written {
    /// The one around the directory's.
    pub(super) wrapper: Node,
    /// The directory's own and its path, as seen from the wrapper. Its lines are those of its file, and those of
    /// the Application, say, for what that set.
    pub(super) own: Option<(String, Node)>,
}

/// What is written for a build.
pub(super) fn of(wrapped: &Wrapped<'_>, sources: &mut Sources<'_>) -> Written {
    let Origin { file, start_line, .. } = wrapped.origin;
    let line = sources.number(file, *start_line).unwrap_or(0);
    let documents = sources.documents(file).unwrap_or_default();
    let deciding =
        documents.iter().filter(|node| (node.start_line..=node.end_line).contains(&line));
    let mut stated = Stated::default();
    deciding.for_each(|node| stated.gather("", node));
    let wrapper = manifests(wrapped.kustomization).into_iter().flatten().next();
    let mut wrapper = wrapper.unwrap_or_else(|| Node::on_line(&serde_json::Value::Null, line));
    stated.place(&mut wrapper, "", line);
    let directory = wrapped.directory;
    let (path, own) = match kustomization(directory, sources.files()) {
        Some(path) => {
            let own = sources.documents(&path).and_then(|documents| documents.first().cloned());
            (path, own.filter(|_| !wrapped.overlay.fields.is_empty()))
        }
        None => {
            let mut made = made(directory, sources.files());
            stated.place(&mut made, "", line);
            (beside(directory, "kustomization.yaml"), Some(made))
        }
    };
    let mut fields = wrapped.overlay.written(directory);
    stated.place(&mut fields, "", line);
    let own = own.map(|own| (join(wrapped.root, &path), applied(&own, &fields)));
    Written { wrapper, own }
}

/// The texts of an object and where they stand.
#[derive(Default)]
struct Stated<'n> {
    /// Those of one key.
    keyed: BTreeMap<(&'n str, &'n str), (u32, u32)>,
    /// All; `None`: on several lines.
    any: BTreeMap<&'n str, Option<(u32, u32)>>,
}

impl<'n> Stated<'n> {
    fn gather(&mut self, key: &'n str, node: &'n Node) {
        let lines = (node.start_line, node.end_line);
        if let Some(text) = node.text() {
            self.keyed.entry((key, text)).or_insert(lines);
            let any = self.any.entry(text).or_insert(Some(lines));
            *any = any.filter(|any| *any == lines);
        }
        node.items().iter().for_each(|item| self.gather(key, item));
        for field in node.fields() {
            match field.key.as_str() {
                // What is laid over stands here, and what else has the same key and text does not count.
                "kustomize" => {
                    let mut inner = Self::default();
                    inner.gather("", &field.node);
                    self.keyed.extend(inner.keyed);
                    self.any.extend(inner.any);
                }
                "targetNamespace" => {
                    let Some(text) = field.node.text() else { continue };
                    self.keyed.insert(("namespace", text), (field.line, field.node.end_line));
                }
                key => self.gather(key, &field.node),
            }
        }
    }

    /// Gives a node the lines of the same texts, and what else is in it that of the object. `None`: no text of it
    /// is stated.
    fn place(&self, node: &mut Node, key: &str, line: u32) -> Option<(u32, u32)> {
        let own = node.text().and_then(|text| {
            self.keyed.get(&(key, text)).copied().or_else(|| self.any.get(text).copied().flatten())
        });
        let mut found = own;
        let mut widen = |lines: Option<(u32, u32)>| {
            found = match (found, lines) {
                (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
                (one, other) => one.or(other),
            };
        };
        match &mut node.value {
            Value::List(items) => {
                items.iter_mut().for_each(|item| widen(self.place(item, key, line)));
            }
            Value::Map(fields) => {
                for field in fields {
                    widen(self.place(&mut field.node, &field.key, line));
                    field.line = field.node.start_line;
                }
            }
            _ => {}
        }
        (node.start_line, node.end_line) = found.unwrap_or((line, line));
        found
    }
}
