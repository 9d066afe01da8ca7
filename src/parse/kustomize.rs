//! Kustomizations: what they would change of the files below them, which are read as they stand.

use super::doc::{Doc, NodeId, View};
use super::file::digest;
use super::scalar::Scalar;
use super::{Affects, Problem, kinds, sniff, yaml};
use crate::tree::Tree;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One kustomization file, summed up.
#[derive(Debug, Default)]
pub(super) struct Kustomization {
    /// The line of the first field that changes something, or 1.
    line: u32,
    /// It is a component, which other kustomizations may include.
    component: bool,
    /// The namespace that it sets.
    namespace: Option<String>,
    /// What else it does to flows, in words.
    changes: BTreeSet<&'static str>,
    /// Labels for the objects themselves, which count on namespaces only.
    object_labels: bool,
    /// Its patches.
    patches: Vec<Patch>,
    /// Files and directories that it builds on, as written.
    resources: Vec<String>,
    /// Files that are no manifests, although they may look like some.
    other_files: Vec<String>,
}

/// A patch: a file, or text in place.
#[derive(Debug)]
struct Patch {
    source: PatchSource,
    /// The kind that it is for, where the kustomization says so.
    kind: Option<String>,
}

#[derive(Debug)]
enum PatchSource {
    File(String),
    Text(String),
}

/// True iff a file is a kustomization by its name.
pub(super) fn is_kustomization(path: &str) -> bool {
    matches!(name(path), "kustomization.yaml" | "kustomization.yml")
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// Reads a kustomization. A broken one is `None`; it is reported as any broken file.
pub(super) fn read(text: &str) -> Option<Kustomization> {
    let doc = yaml::parse(text, 1).ok()?.doc?;
    let mut found = Kustomization {
        component: doc.text(Doc::ROOT, "kind") == Some("Component"),
        ..Kustomization::default()
    };
    for entry in doc.entries(Doc::ROOT).ok()?.entries {
        let before = found.weight();
        found.field(&doc, &entry.key, entry.value);
        if found.line == 0 && found.weight() != before {
            found.line = doc.lines(entry.key_node).0;
        }
    }
    found.line = found.line.max(1);
    Some(found)
}

impl Kustomization {
    fn weight(&self) -> usize {
        usize::from(self.namespace.is_some()) + self.changes.len() + self.patches.len()
    }

    fn field(&mut self, doc: &Doc<'_>, key: &str, value: NodeId) {
        if empty(doc, value) {
            return;
        }
        match key {
            "namespace" => self.namespace = doc.written(value).map(str::to_string),
            "resources" | "bases" | "components" => {
                for item in doc.items(value) {
                    let Some(path) = doc.written(*item) else {
                        continue;
                    };
                    match remote(path) {
                        true => drop(self.changes.insert("adds remote resources")),
                        false => self.resources.push(path.to_string()),
                    }
                }
            }
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
            "patches" | "patchesJson6902" => {
                for item in doc.items(value) {
                    let target = doc.get(*item, "target");
                    let kind = target.and_then(|target| doc.text(target, "kind"));
                    let text = |key| doc.text(*item, key).map(str::to_string);
                    let source = text("path")
                        .map(PatchSource::File)
                        .or_else(|| text("patch").map(PatchSource::Text));
                    self.patches.extend(
                        source.map(|source| Patch { source, kind: kind.map(str::to_string) }),
                    );
                }
            }
            "patchesStrategicMerge" => {
                for item in doc.items(value) {
                    let Some(text) = doc.written(*item).map(str::to_string) else {
                        continue;
                    };
                    self.patches.push(Patch {
                        source: match text.contains('\n') {
                            true => PatchSource::Text(text),
                            false => PatchSource::File(text),
                        },
                        kind: None,
                    });
                }
            }
            "replacements" | "vars" => drop(self.changes.insert("copies values between objects")),
            "transformers" | "generators" => {
                self.changes.insert("runs transformers or generators");
                self.other(doc, value);
            }
            "helmCharts" | "helmChartInflationGenerator" => {
                self.changes.insert("renders Helm charts");
            }
            "configurations" | "crds" | "validators" => self.other(doc, value),
            _ => {}
        }
    }

    fn other(&mut self, doc: &Doc<'_>, list: NodeId) {
        let paths = doc.items(list).iter().filter_map(|item| doc.written(*item));
        self.other_files.extend(paths.map(str::to_string));
    }

    /// The files that are patches and the like, and so no manifests of their own. `path`: that of
    /// the kustomization.
    pub(super) fn not_manifests(&self, path: &str) -> BTreeSet<String> {
        let patches = self.patches.iter().filter_map(|patch| match &patch.source {
            PatchSource::File(file) => Some(file),
            PatchSource::Text(_) => None,
        });
        let mut files: BTreeSet<_> =
            patches.chain(&self.other_files).filter_map(|file| resolve(path, file)).collect();
        for resource in &self.resources {
            if let Some(resource) = resolve(path, resource) {
                files.remove(&resource);
            }
        }
        files
    }

    /// What reading the files as they stand misses; `None` if nothing that flows depend on.
    ///
    /// `below`: the namespaces of all policies and workloads of files under a path, with those of
    /// declared namespaces, which have none, as `None`.
    pub(super) fn problem(
        &self,
        path: &Arc<str>,
        tree: &Tree,
        below: impl Fn(&str) -> BTreeSet<Option<Arc<str>>>,
    ) -> Option<Problem> {
        let own = directory(path);
        let mut objects = below(own);
        let mut elsewhere = self.changes.contains("adds remote resources")
            || self.changes.contains("renders Helm charts");
        let mut does = Vec::new();
        for resource in &self.resources {
            match resolve(path, resource) {
                Some(resource) => objects.extend(below(&resource)),
                None => elsewhere = true,
            }
        }
        if elsewhere && self.changes.is_empty() {
            does.push("adds files from outside of the snapshot".into());
        }
        if objects.is_empty() && !elsewhere {
            return None;
        }
        if let Some(namespace) = &self.namespace {
            let as_it_stands = objects.iter().flatten().all(|written| **written == **namespace);
            if !as_it_stands {
                does.push(format!("sets the namespace `{namespace}`"));
            }
        }
        does.extend(self.changes.iter().map(|change| change.to_string()));
        if self.object_labels && objects.contains(&None) {
            does.push("sets labels of namespaces".into());
        }
        let file_text = |file: &str| {
            resolve(path, file).and_then(|file| tree.files.get(file.as_str()).cloned())
        };
        let matters = self.patches.iter().any(|patch| match &patch.source {
            PatchSource::Text(text) => patch_matters(patch.kind.as_deref(), text.as_bytes()),
            PatchSource::File(file) => file_text(file)
                .is_none_or(|content| patch_matters(patch.kind.as_deref(), content.bytes())),
        });
        if matters {
            does.push("patches objects".into());
        }
        if self.component {
            does.push("is a component that counts only where it is included".into());
        }
        if does.is_empty() {
            return None;
        }
        let mut identity = Vec::new();
        if let Some(content) = tree.files.get(path) {
            identity.extend_from_slice(content.bytes());
        }
        for patch in &self.patches {
            if let PatchSource::File(file) = &patch.source
                && let Some(content) = file_text(file)
            {
                identity.extend_from_slice(&digest(content.bytes()).to_be_bytes());
            }
        }
        let shown = match own {
            "" => ".",
            own => own,
        };
        Some(Problem {
            file: path.clone(),
            line: Some(self.line),
            kind: Some("Kustomization".into()),
            name: None,
            reason: format!(
                "the kustomization was not applied, the files below it were read as they stand; it \
                 {}. Review the output of `kubectl kustomize {shown}` instead",
                list(&does)
            ),
            affects: Affects::Anything,
            identity: digest(&identity),
        })
    }
}

/// Could a patch change what policies look at? Most set images, resources or replicas.
fn patch_matters(kind: Option<&str>, text: &[u8]) -> bool {
    let irrelevant = |kind: &str| {
        kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !kinds::worth_parsing(kind)
    };
    if kind.is_some_and(irrelevant) || (sniff::manifest(text) && !sniff::relevant(text)) {
        return false;
    }
    const WORDS: [&[u8]; 10] = [
        b"labels",
        b"hostNetwork",
        b"ports",
        b"containerPort",
        b"$patch",
        b"/namespace",
        b"NetworkPolicy",
        b"remove",
        b"ownerReferences",
        b"replicas",
    ];
    WORDS.iter().any(|word| memchr::memmem::find(text, word).is_some())
}

/// A path that is written in a kustomization, from the root of the tree. `None`: it leaves the
/// tree.
fn resolve(kustomization: &str, path: &str) -> Option<String> {
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
fn list(parts: &[String]) -> String {
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

    #[test]
    fn patches_of_images_do_not_matter() {
        let patch = |text: &str| patch_matters(None, text.as_bytes());
        assert!(!patch("kind: Deployment\nspec: {template: {spec: {image: x}}}"));
        assert!(!patch("kind: Ingress\nmetadata: {labels: {a: b}}"));
        assert!(patch("kind: Deployment\nmetadata: {labels: {a: b}}"));
        assert!(patch("- {op: add, path: /spec/template/metadata/labels/a, value: b}"));
        assert!(!patch_matters(Some("Service"), b"- {op: remove, path: /spec/ports/0}"));
    }
}
