//! Kustomizations: what one would change of the files that it builds on, which are read as they stand.

use super::doc::{Doc, NodeId, View};
use super::patch::{self, Target};
use super::scalar::Scalar;
use super::yaml;
use crate::tree::digest;
use std::collections::BTreeSet;

/// One kustomization file, summed up.
#[derive(Debug, Default)]
pub(super) struct Kustomization {
    /// The line of the first field that changes something, or 1.
    pub(super) line: u32,
    /// The line of the first field that names what it builds on, or 1.
    pub(super) resources_line: u32,
    /// It is a component, which other kustomizations may include.
    pub(super) component: bool,
    /// The namespace that it sets.
    pub(super) namespace: Option<String>,
    /// What else it does to flows, in words.
    pub(super) changes: BTreeSet<&'static str>,
    /// Labels for the objects themselves, which count on namespaces only.
    pub(super) object_labels: bool,
    /// Its patches.
    pub(super) patches: Vec<Patch>,
    /// Files and directories that it builds on, as written; those elsewhere are among the changes.
    pub(super) resources: Vec<String>,
    /// Files that are no manifests, although they may look like some.
    pub(super) other_files: Vec<String>,
    /// Files and directories that it reads in other ways: values of a chart, for example.
    pub(super) inputs: Vec<String>,
    /// What its fields say, but for those that play no part and those above that name files.
    pub(super) identity: Vec<u8>,
}

/// A patch: a file, or text in place.
#[derive(Debug)]
pub(super) struct Patch {
    source: PatchSource,
    target: Option<Target>,
    /// Kustomize's options let it change kinds and names.
    options: bool,
    /// What the kustomization says of it.
    identity: u128,
}

#[derive(Debug)]
enum PatchSource {
    File(String),
    Text(String),
}

/// The directory of a path; "" is the root.
pub fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// Reads a kustomization; a broken one is `None`.
pub(super) fn read(text: &str) -> Option<Kustomization> {
    let Some(doc) = yaml::parse(text, 1).ok()?.doc else {
        return Some(Kustomization::default());
    };
    let mut found = Kustomization {
        component: doc.text(Doc::ROOT, "kind") == Some("Component"),
        ..Kustomization::default()
    };
    if !matches!(doc.view(Doc::ROOT), View::Map) {
        return None;
    }
    for entry in doc.entries(Doc::ROOT).ok()?.entries {
        let (before, resources) = (found.weight(), found.resources.len());
        found.field(&doc, &entry.key, entry.value);
        let line = doc.lines(entry.key_node).0;
        if found.line == 0 && found.weight() != before {
            found.line = line;
        }
        if found.resources_line == 0 && found.resources.len() != resources {
            found.resources_line = line;
        }
    }
    found.line = found.line.max(1);
    found.resources_line = found.resources_line.max(1);
    Some(found)
}

impl Kustomization {
    fn weight(&self) -> usize {
        usize::from(self.namespace.is_some())
            + usize::from(self.object_labels)
            + self.changes.len()
            + self.patches.len()
    }

    fn field(&mut self, doc: &Doc<'_>, key: &str, value: NodeId) {
        if empty(doc, value) {
            return;
        }
        match key {
            // What it is, and what sets images, replicas, annotations, names and new ConfigMaps.
            "apiVersion" | "kind" | "metadata" | "images" | "imageTags" | "replicas"
            | "commonAnnotations" | "namePrefix" | "nameSuffix" | "configMapGenerator"
            | "secretGenerator" | "generatorOptions" | "buildMetadata" | "sortOptions"
            | "openapi" => return,
            "resources" | "bases" | "components" => return self.resources(doc, value),
            "patches" | "patchesJson6902" => {
                self.patches.extend(doc.items(value).iter().filter_map(|item| patch(doc, *item)));
                return;
            }
            "patchesStrategicMerge" => {
                for item in doc.items(value) {
                    let Some(text) = doc.written(*item).map(str::to_string) else {
                        continue;
                    };
                    let source = match text.contains('\n') || text.starts_with('{') {
                        true => PatchSource::Text(text),
                        false => PatchSource::File(text),
                    };
                    let identity = doc.digest(*item);
                    self.patches.push(Patch { source, target: None, options: false, identity });
                }
                return;
            }
            _ => {}
        }
        self.say(key, doc.digest(value));
        match key {
            "namespace" => self.namespace = doc.written(value).map(str::to_string),
            "commonLabels" => drop(self.changes.insert("sets labels")),
            "labels" => {
                for item in doc.items(value) {
                    let on = |key| {
                        doc.get(*item, key).is_some_and(|flag| {
                            matches!(doc.view(flag), View::Scalar(Scalar::Bool(true)))
                        })
                    };
                    match on("includeSelectors") || on("includeTemplates") {
                        true => drop(self.changes.insert("sets labels")),
                        false => self.object_labels = true,
                    }
                }
            }
            "replacements" => {
                self.other(doc, value);
                if doc.items(value).iter().any(|item| replacement_matters(doc, *item)) {
                    self.changes.insert(COPIES);
                }
            }
            "vars" => drop(self.changes.insert(COPIES)),
            "transformers" | "generators" => {
                self.changes.insert("runs transformers or generators");
                self.other(doc, value);
            }
            "helmCharts" | "helmChartInflationGenerator" | "helmGlobals" => {
                self.changes.insert(CHARTS);
                self.inputs.push("charts".into());
                for chart in doc.items(value) {
                    self.inputs.extend(doc.text(*chart, "valuesFile").map(str::to_string));
                    let more = doc.get(*chart, "additionalValuesFiles");
                    let more = more.into_iter().flat_map(|more| doc.items(more));
                    self.inputs
                        .extend(more.filter_map(|file| doc.written(*file)).map(str::to_string));
                }
            }
            "configurations" | "crds" | "validators" => self.other(doc, value),
            _ => drop(self.changes.insert("has fields that are not known here")),
        }
    }

    fn say(&mut self, key: &str, digest: u128) {
        self.identity.extend_from_slice(key.as_bytes());
        self.identity.extend_from_slice(&digest.to_be_bytes());
    }

    fn resources(&mut self, doc: &Doc<'_>, list: NodeId) {
        for item in doc.items(list) {
            let Some(path) = doc.written(*item) else {
                continue;
            };
            if remote(path) {
                self.changes.insert(REMOTE);
                self.say("remote", doc.digest(*item));
            } else {
                self.resources.push(path.to_string());
            }
        }
    }

    fn other(&mut self, doc: &Doc<'_>, list: NodeId) {
        for item in doc.items(list) {
            let path = doc.written(*item).or_else(|| doc.text(*item, "path"));
            self.other_files.extend(path.map(str::to_string));
        }
    }

    /// Does it bring objects that the snapshot does not hold?
    pub(super) fn brings_more(&self) -> bool {
        self.changes.contains(REMOTE) || self.changes.contains(CHARTS)
    }

    /// Does what it makes of an object depend on other objects?
    pub(super) fn copies(&self) -> bool {
        self.changes.contains(COPIES)
    }

    /// The paths of what it builds on, from the root of the tree; `None` for what is outside of it.
    /// `path`: that of the kustomization.
    pub(super) fn targets(&self, path: &str) -> impl Iterator<Item = Option<String>> {
        self.resources.iter().map(move |resource| resolve(path, resource))
    }

    /// The files that are patches and the like.
    pub(super) fn not_manifests(&self, path: &str) -> impl Iterator<Item = String> {
        let patches = self.patches.iter().filter_map(|patch| match &patch.source {
            PatchSource::File(file) => Some(file),
            PatchSource::Text(_) => None,
        });
        patches.chain(&self.other_files).filter_map(move |file| resolve(path, file))
    }
}

const REMOTE: &str = "adds remote resources";
const CHARTS: &str = "renders Helm charts";
const COPIES: &str = "copies values between objects";

impl Patch {
    /// What identifies the patch, if it could change a flow. `read`: the bytes of a file that is named
    /// in the kustomization; `None` where they are not known.
    pub(super) fn identity<'t>(
        &self,
        read: impl Fn(&str) -> Option<&'t [u8]>,
    ) -> Option<[u128; 2]> {
        let text = match &self.source {
            PatchSource::Text(text) => Some(text.as_bytes()),
            PatchSource::File(file) => read(file),
        };
        let target = self.target.as_ref();
        let matters = match text {
            Some(text) => self.options || patch::matters(target, text),
            None => {
                !target.and_then(|target| target.kind.as_deref()).is_some_and(patch::plays_no_part)
            }
        };
        matters.then(|| [self.identity, text.map_or(0, digest)])
    }
}

/// An item of `patches`.
fn patch(doc: &Doc<'_>, item: NodeId) -> Option<Patch> {
    let text = |key| doc.text(item, key).map(str::to_string);
    let target = doc.get(item, "target").map(|target| Target {
        kind: doc.text(target, "kind").filter(|kind| !kind.is_empty()).map(str::to_string),
    });
    Some(Patch {
        source: text("path")
            .map(PatchSource::File)
            .or_else(|| text("patch").map(PatchSource::Text))?,
        target,
        options: doc.get(item, "options").is_some(),
        identity: doc.digest(item),
    })
}

/// An item of `replacements`: could it write into an object that plays a part? One in a file could.
fn replacement_matters(doc: &Doc<'_>, item: NodeId) -> bool {
    let targets = doc.get(item, "targets").map(|targets| doc.items(targets)).unwrap_or_default();
    targets.is_empty()
        || targets.iter().any(|target| {
            let kind = doc.get(*target, "select").and_then(|select| doc.text(select, "kind"));
            !kind.is_some_and(patch::plays_no_part)
        })
}

/// A path that is written in a kustomization, from the root of the tree. `None`: it leaves the
/// tree.
pub fn resolve(kustomization: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = match directory(kustomization) {
        "" => vec![],
        directory => directory.split('/').collect(),
    };
    for part in path.trim().split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn remote(path: &str) -> bool {
    path.contains("://")
        || path.contains("?ref=")
        || path.starts_with("github.com")
        || path.starts_with("git@")
        || path.starts_with("git::")
}

fn empty(doc: &Doc<'_>, node: NodeId) -> bool {
    match doc.view(node) {
        View::Scalar(scalar) => matches!(scalar, Scalar::Null | Scalar::Text("")),
        View::Seq(items) => items.is_empty(),
        View::Map => doc.entries(node).is_ok_and(|map| map.entries.is_empty()),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(parts: &[String]) -> String {
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_resolve_inside_the_tree() {
        let from = "a/b/kustomization.yaml";
        assert_eq!(resolve(from, "x.yaml").as_deref(), Some("a/b/x.yaml"));
        assert_eq!(resolve(from, "./../c/").as_deref(), Some("a/c"));
        assert_eq!(resolve(from, "../..").as_deref(), Some(""));
        assert_eq!(resolve(from, "../../.."), None);
    }
}
