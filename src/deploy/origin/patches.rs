//! Kustomizations as far as they change objects: their patches, and which objects those are laid over.

use super::align::{equal, same_scalar};
use super::merge::{self, Removed, Work};
use super::paths::{directory, join, within};
use super::select::Identity;
use super::sources::{Sources, inside};
use super::written::Written;
use crate::parse::{Field, Node, Value};
use crate::tree::is_kustomization;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The names of kustomizations.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A kustomization, or the configuration of one transformer in a file of its own.
pub(super) struct Kustomization {
    /// What it says.
    pub(super) node: Node,
    /// Its directory, as seen from the directory that was built.
    pub(super) directory: String,
}

/// A patch: one item of a kustomization.
pub(super) struct Patch {
    target: Option<Node>,
    bodies: Vec<Node>,
}

/// The files of a build. Their paths here are those that kustomize writes: from the directory that was built.
pub(super) struct Files<'a> {
    pub(super) sources: Sources<'a>,
    /// The root of the tree.
    root: String,
    /// The kustomization that was built, which is none of the tree.
    wrapper: Rc<Kustomization>,
    known: BTreeMap<String, Option<Rc<Kustomization>>>,
    patches: BTreeMap<(String, String), Rc<Vec<Patch>>>,
}

impl<'a> Files<'a> {
    pub(super) fn new(sources: Sources<'a>, root: &str, written: Written) -> Self {
        let wrapper = Rc::new(Kustomization { node: written.wrapper, directory: String::new() });
        let (mut known, patches) = (BTreeMap::new(), BTreeMap::new());
        if let Some((path, node)) = written.own {
            let directory = directory(&path).to_string();
            known.insert(path, Some(Rc::new(Kustomization { node, directory })));
        }
        Self { sources, root: join("", root), wrapper, known, patches }
    }

    /// The kustomization that was built.
    pub(super) fn wrapper(&self) -> Rc<Kustomization> {
        self.wrapper.clone()
    }

    /// The path of a file from the root of the tree; `None`: it is not in there.
    pub(super) fn in_tree<'p>(&self, path: &'p str) -> Option<&'p str> {
        within(path, &self.root)
    }

    /// The objects of a file.
    pub(super) fn documents(&mut self, path: &str) -> Option<Rc<Vec<Node>>> {
        let path = within(path, &self.root)?;
        self.sources.documents(path)
    }

    /// The number of a line of a file.
    pub(super) fn number(&mut self, path: &str, line: u32) -> Option<u32> {
        let path = within(path, &self.root)?;
        self.sources.number(path, line)
    }

    /// The kustomization in a file.
    pub(super) fn kustomization(&mut self, path: &str) -> Option<Rc<Kustomization>> {
        if !path.contains('/') && is_kustomization(path) {
            return Some(self.wrapper.clone());
        }
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        let node = self.documents(path).and_then(|documents| documents.first().cloned());
        let directory = directory(path).to_string();
        let found = node.map(|node| Rc::new(Kustomization { node, directory }));
        self.known.insert(path.to_string(), found.clone());
        found
    }

    /// The path of the kustomization in a directory.
    pub(super) fn kustomization_in(&mut self, directory: &str) -> Option<String> {
        let paths = NAMES.map(|name| join(directory, name));
        let is_there = |path: &String| {
            self.known.get(path).is_some_and(Option::is_some) || self.number(path, 1).is_some()
        };
        paths.into_iter().find(is_there)
    }

    /// The patches that a step of the build lays over objects: `kind` of the kustomization in a file.
    pub(super) fn patches(&mut self, path: &str, kind: &str) -> Rc<Vec<Patch>> {
        let key = (path.to_string(), kind.to_string());
        if let Some(known) = self.patches.get(&key) {
            return known.clone();
        }
        let found = self.kustomization(path).map(|own| self.read_patches(&own, kind));
        let found = Rc::new(found.unwrap_or_default());
        self.patches.insert(key, found.clone());
        found
    }

    fn read_patches(&mut self, own: &Kustomization, kind: &str) -> Vec<Patch> {
        let field = match kind {
            "PatchStrategicMergeTransformer" => "patchesStrategicMerge",
            "PatchJson6902Transformer" => "patchesJson6902",
            "PatchTransformer" => "patches",
            _ => return Vec::new(),
        };
        // In a file of its own a transformer is what an item of the list is in a kustomization.
        let items = match own.node.get(field) {
            Some(list) => list.items(),
            None if own.node.text_at(&["kind"]) == Some(kind) => std::slice::from_ref(&own.node),
            None => &[],
        };
        let patches = items.iter().map(|item| {
            let of_file = |files: &mut Self, path: &str| {
                let documents = files.documents(&join(&own.directory, path));
                documents.map(|documents| documents.to_vec()).unwrap_or_default()
            };
            let text = ["patch", "jsonOp"].iter().find_map(|key| item.get(key));
            let bodies = match (item.text(), text, item.text_at(&["path"])) {
                // A path, or the patch itself.
                (Some(path), ..) if !path.contains('\n') && !path.contains(':') => {
                    of_file(self, path)
                }
                (Some(_), ..) => inside(item),
                (None, Some(text), _) => inside(text),
                (None, None, Some(path)) => of_file(self, path),
                (None, None, None) => Vec::new(),
            };
            Patch { target: item.get("target").cloned(), bodies }
        });
        patches.collect()
    }
}

impl Patch {
    /// Lays the patch over an object, if it is about that. `built`: what became of the object at last;
    /// `work`: what may still be done.
    pub(super) fn lay_over(
        &self,
        object: &mut Node,
        built: &Node,
        identity: &Identity,
        removed: &mut Removed,
        work: &mut Work,
    ) {
        let chosen = self.target.as_ref().map(|target| {
            let both = [&*object, built];
            let maps = |key: &str| -> Vec<&Node> {
                both.iter().filter_map(|node| node.at(&["metadata", key])).collect()
            };
            identity.is_chosen_by(target, &maps("labels"), &maps("annotations"))
        });
        for body in &self.bodies {
            let applies = match chosen {
                Some(Some(chosen)) => chosen,
                // Its traces tell.
                Some(None) => shows(built, body, work),
                None => identity.is_named_by(body),
            };
            match body.value {
                Value::List(_) if applies => merge::json(object, body, removed, work),
                Value::Map(_) if applies => merge::strategic(object, body, removed, work),
                _ => {}
            }
        }
    }
}

/// Does an object show what a patch would have done to it?
fn shows(built: &Node, patch: &Node, work: &mut Work) -> bool {
    match &patch.value {
        Value::List(operations) => {
            let mut written = operations.iter().filter_map(|operation| operation.get("value"));
            written.clone().next().is_some() && written.all(|value| holds(built, value, work))
        }
        _ => patch.fields().iter().all(|field| {
            matches!(field.key.as_str(), "apiVersion" | "kind") || shows_field(built, field, work)
        }),
    }
}

fn shows_field(built: &Node, field: &Field, work: &mut Work) -> bool {
    if field.key.starts_with('$') || field.key == "name" {
        return true;
    }
    let Some(own) = built.get(&field.key) else { return field.node.value == Value::Null };
    match &field.node.value {
        Value::Map(fields) => fields.iter().all(|field| shows_field(own, field, work)),
        Value::List(items) => {
            items.iter().all(|item| own.items().iter().any(|own| equal(own, item, &mut work.looks)))
        }
        _ => same_scalar(own, &field.node),
    }
}

/// Is a value somewhere in a node?
fn holds(node: &Node, value: &Node, work: &mut Work) -> bool {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        if std::mem::discriminant(&node.value) == std::mem::discriminant(&value.value)
            && equal(node, value, &mut work.looks)
        {
            return true;
        }
        open.extend(node.items());
        open.extend(node.fields().iter().map(|field| &field.node));
    }
    false
}
