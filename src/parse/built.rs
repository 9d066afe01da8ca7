//! The kustomizations of a side together: what each builds on, what reading that as it stands misses,
//! and what a change takes from one or gives to it without touching the files themselves.

use super::file::FileRead;
use super::kustomize::{Kustomization, directory, list, resolve};
use super::{Affects, Problem, Sort};
use crate::tree::Tree;
use crate::tree::digest;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The kustomizations of a side, with its files.
pub(super) struct Built<'a> {
    tree: &'a Tree,
    paths: Vec<&'a Arc<str>>,
    files: &'a [Arc<FileRead>],
    /// By their directory.
    kustomizations: BTreeMap<&'a str, (&'a Arc<str>, &'a Kustomization)>,
    /// The files that are patches and the like, and so no manifests of their own.
    not_manifests: BTreeSet<String>,
}

impl<'a> Built<'a> {
    /// `files`: what was read of the files of the tree, in order.
    pub(super) fn of(tree: &'a Tree, files: &'a [Arc<FileRead>]) -> Self {
        let paths: Vec<&Arc<str>> = tree.files.keys().collect();
        let kustomizations: BTreeMap<_, _> = paths
            .iter()
            .zip(files)
            .filter_map(|(path, file)| {
                Some((directory(path), (*path, file.kustomization.as_ref()?)))
            })
            .collect();
        let all = || kustomizations.values();
        let mut not_manifests: BTreeSet<String> =
            all().flat_map(|(path, kustomization)| kustomization.not_manifests(path)).collect();
        for target in all().flat_map(|(path, kustomization)| kustomization.targets(path)).flatten()
        {
            not_manifests.remove(&target);
        }
        Self { tree, paths, files, kustomizations, not_manifests }
    }

    /// Is a file a patch or the like, and so no manifest of its own?
    pub(super) fn is_no_manifest(&self, path: &str) -> bool {
        self.not_manifests.contains(path)
    }

    /// What reading files as they stand misses, one problem for each kustomization that matters.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let one =
            |(path, kustomization): &(&Arc<str>, &Kustomization)| self.problem(path, kustomization);
        self.kustomizations.values().filter_map(one).collect()
    }

    /// The files that are manifests of their own.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a Arc<str>, &'a FileRead)> {
        self.at("").filter(|(path, _)| !self.is_no_manifest(path))
    }

    /// The files at a path or below it, which may be the root.
    pub(super) fn at(&self, root: &str) -> impl Iterator<Item = (&'a Arc<str>, &'a FileRead)> {
        let prefix = match root {
            "" => String::new(),
            root => format!("{root}/"),
        };
        // Paths are sorted, so what has a prefix stands together; the file itself may not.
        let first = self.paths.partition_point(|path| ***path < *prefix);
        let exact = self.paths.binary_search_by(|path| (***path).cmp(root)).ok();
        let end = self.paths.get(first..).unwrap_or_default();
        let end = first + end.partition_point(|path| path.starts_with(&prefix));
        exact
            .into_iter()
            .chain(first..end)
            .filter_map(|index| Some((*self.paths.get(index)?, self.files.get(index)?.as_ref())))
    }

    /// The paths that kustomizations name.
    fn targets(&self) -> BTreeSet<String> {
        let all = self.kustomizations.values();
        all.flat_map(|(path, kustomization)| kustomization.targets(path).flatten()).collect()
    }

    /// Is a file one that a kustomization builds on, by its name or by that of a directory around it that
    /// has no kustomization of its own?
    fn is_built(&self, targets: &BTreeSet<String>, path: &str) -> bool {
        let mut at = path;
        while !at.is_empty() {
            if targets.contains(at) && !self.kustomizations.contains_key(at) {
                return true;
            }
            at = directory(at);
        }
        false
    }

    /// The paths that hold what a path stands for: it, and all that kustomizations at it or below it
    /// build on in turn.
    fn closure(&self, root: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![root.to_string()];
        while let Some(root) = open.pop() {
            for (path, file) in self.at(&root) {
                let targets = file.kustomization.iter().flat_map(|built| built.targets(path));
                let inside = |target: &String| {
                    let rest = target.strip_prefix(&*root);
                    root.is_empty()
                        || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                open.extend(
                    targets.flatten().filter(|target| !inside(target) && !reached.contains(target)),
                );
            }
            reached.insert(root);
        }
        reached
    }

    /// The manifests that a path stands for.
    fn manifests(&self, root: &str) -> Vec<(&'a Arc<str>, &'a FileRead)> {
        let reached = self.closure(root);
        let found = reached.iter().flat_map(|root| self.at(root));
        found.filter(|(path, _)| !self.is_no_manifest(path)).collect()
    }

    /// Does a path hold something that plays a part?
    fn plays_a_part(&self, root: &str) -> bool {
        let reached = self.closure(root);
        reached.iter().flat_map(|root| self.at(root)).any(|(path, file)| {
            (file.relevant > 0 && !self.is_no_manifest(path))
                || file.helm.relevant > 0
                || file.kustomization.as_ref().is_some_and(|kustomization| {
                    kustomization.component && self.problem(path, kustomization).is_some()
                        || kustomization.brings_more()
                })
        })
    }

    fn problem(&self, path: &Arc<str>, kustomization: &Kustomization) -> Option<Problem> {
        let own = directory(path);
        let mut elsewhere = kustomization.brings_more();
        let mut does = Vec::new();
        let mut missing = Vec::new();
        for target in kustomization.targets(path) {
            match target {
                None => elsewhere = true,
                Some(target) if self.at(&target).next().is_none() => missing.push(target),
                Some(_) => {}
            }
        }
        let manifests = self.manifests(own);
        // The namespaces of all objects; those of declared namespaces, which have none, as `None`.
        let objects: BTreeSet<Option<Arc<str>>> = manifests
            .iter()
            .flat_map(|(_, file)| {
                let policies = file.policies.iter().map(|policy| policy.id.namespace.clone());
                let workloads = file.workloads.iter();
                let workloads = workloads.map(|draft| Some(draft.workload.id.namespace.clone()));
                let namespaces = file.namespaces.iter().map(|_| None);
                policies.chain(workloads).chain(namespaces)
            })
            .collect();
        if elsewhere && kustomization.changes.is_empty() {
            does.push("adds files from outside of the snapshot".into());
        }
        // What a component without objects acts on stands where it is included.
        let none = manifests.iter().all(|(_, file)| file.relevant == 0);
        let anywhere = kustomization.component && none;
        if none && !elsewhere && !anywhere && missing.is_empty() {
            return None;
        }
        if let Some(namespace) = &kustomization.namespace {
            let mut written = objects.iter().flatten();
            let unread = objects.is_empty() && (anywhere || !none);
            let as_it_stands = !unread && written.all(|written| **written == **namespace);
            if !as_it_stands {
                does.push(format!("sets the namespace `{namespace}`"));
            }
        }
        does.extend(kustomization.changes.iter().map(|change| change.to_string()));
        if kustomization.object_labels && (anywhere || objects.contains(&None)) {
            does.push("sets labels of namespaces".into());
        }
        let bytes = |file: &str| {
            let file = resolve(path, file)?;
            self.tree.files.get(file.as_str()).map(|content| content.bytes())
        };
        let patches: Vec<_> =
            kustomization.patches.iter().filter_map(|patch| patch.identity(bytes)).collect();
        if !patches.is_empty() {
            does.push("patches objects".into());
        }
        if kustomization.component && (!anywhere || !does.is_empty()) {
            does.push("is a component that counts only where it is included".into());
        }
        let affects = match does.is_empty() || (anywhere && !elsewhere) {
            false => Affects::Anything,
            true => Affects::Perhaps,
        };
        if !missing.is_empty() {
            let names = missing.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>();
            does.push(format!("builds on {}, which is not in this snapshot", list(&names)));
        }
        if does.is_empty() {
            return None;
        }
        let mut identity = kustomization.identity.clone();
        identity.extend(patches.iter().flatten().flat_map(|digest| digest.to_be_bytes()));
        identity.extend(missing.iter().flat_map(|path| path.bytes()));
        let outside =
            kustomization.resources.iter().filter(|resource| resolve(path, resource).is_none());
        identity.extend(outside.flat_map(|resource| resource.bytes()));
        let inputs = kustomization.other_files.iter().chain(&kustomization.inputs);
        let inputs = inputs
            .filter_map(|file| resolve(path, file))
            .flat_map(|file| self.at(&file).collect::<Vec<_>>());
        let inputs: Vec<_> = match kustomization.copies() {
            true => inputs.chain(self.manifests(own)).collect(),
            false => inputs.collect(),
        };
        for (path, _) in inputs {
            if let Some(content) = self.tree.files.get(path) {
                identity.extend_from_slice(&digest(content.bytes()).to_be_bytes());
            }
        }
        Some(Problem {
            line: Some(kustomization.line),
            reason: format!(
                "the kustomization was not applied, the files below it were read as they stand; it \
                 {}. Review the output of `kubectl kustomize {}` instead",
                list(&does),
                shown(own)
            ),
            affects,
            identity: digest(&identity),
            ..about(path)
        })
    }
}

/// What a change takes from kustomizations or gives to them, of files that are there on both sides: they
/// were read as if they were applied on both. Problems of either side.
pub(super) fn regrouped(before: &Built<'_>, after: &Built<'_>) -> [Vec<Problem>; 2] {
    let directories: BTreeSet<&str> =
        before.kustomizations.keys().chain(after.kustomizations.keys()).copied().collect();
    let mut problems = [Vec::new(), Vec::new()];
    let [gone, here] = &mut problems;
    for own in directories {
        let (old, new) = (before.kustomizations.get(own), after.kustomizations.get(own));
        let targets = |side: Option<&(&Arc<str>, &Kustomization)>| -> BTreeSet<String> {
            let found = side.map(|(path, kustomization)| kustomization.targets(path).flatten());
            found.into_iter().flatten().collect()
        };
        let (had, has) = (targets(old), targets(new));
        let both = |target: &&String| before.plays_a_part(target) && after.plays_a_part(target);
        let (path, line, left, joined): (_, _, Vec<_>, Vec<_>) = match (old, new) {
            (Some(_), Some((path, kustomization))) => {
                let left = had.difference(&has).filter(both).cloned().collect();
                let joined = has.difference(&had).filter(both).cloned().collect();
                (*path, Some(kustomization.resources_line), left, joined)
            }
            // Another one may build on the same files.
            (Some((path, _)), None) => {
                let still = after.targets();
                (*path, None, had.difference(&still).filter(both).cloned().collect(), vec![])
            }
            // What stood there was applied as it is.
            (None, Some((path, kustomization))) => {
                let left = after.at(own).map(|(path, _)| path.to_string());
                let left = left.filter(|path| directory(path) == own && !has.contains(path));
                let left = left.filter(|path| both(&path)).collect();
                (*path, Some(kustomization.resources_line), left, vec![])
            }
            (None, None) => continue,
        };
        let said = [
            (left, "no longer builds on", "may be gone from the cluster"),
            (joined, "now builds on", "may be new to the cluster"),
        ];
        for (paths, does, means) in said.into_iter().filter(|(paths, ..)| !paths.is_empty()) {
            let names = paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>();
            let side = if new.is_some() { &mut *here } else { &mut *gone };
            side.push(Problem {
                line,
                reason: format!(
                    "the kustomization {does} {}, read on both sides as if applied: what is in it \
                     {means}. Compare the output of `kubectl kustomize {}` before and after",
                    list(&names),
                    shown(own)
                ),
                affects: Affects::Anything,
                identity: digest(format!("{does} {names:?}").as_bytes()),
                ..about(path)
            });
        }
    }
    problems
}

/// Policies that a kustomization built on, and that now stand in a file on which none builds. Problems of
/// the side after the change.
pub(super) fn moved_out(before: &Built<'_>, after: &Built<'_>) -> Vec<Problem> {
    if before.kustomizations.is_empty() {
        return Vec::new();
    }
    let (old, new) = (before.targets(), after.targets());
    let mut built = BTreeSet::new();
    for (path, file) in before.all().filter(|(path, _)| before.is_built(&old, path)) {
        built.extend(file.policies.iter().map(|policy| policy.id.clone()));
        // What stays where it was is a matter of its kustomization: see `regrouped`.
        if let Ok(index) = after.paths.binary_search(&path)
            && let Some(file) = after.files.get(index)
        {
            for policy in &file.policies {
                built.remove(&policy.id);
            }
        }
    }
    let mut placed = BTreeSet::new();
    let mut out = BTreeMap::new();
    for (path, file) in after.all() {
        let is_built = after.is_built(&new, path);
        for policy in file.policies.iter().filter(|policy| built.contains(&policy.id)) {
            if is_built {
                placed.insert(policy.id.clone());
            } else {
                out.insert(policy.id.clone(), &policy.origin);
            }
        }
    }
    out.retain(|id, _| !placed.contains(id));
    out.into_iter()
        .map(|(id, origin)| Problem {
            line: Some(origin.start_line),
            kind: Some("NetworkPolicy".into()),
            name: Some(id.to_string()),
            reason: "a kustomization built on the policy's file, and none builds on this one: it may be \
                     gone from the cluster. Add the file to the `resources` of one, or delete it"
                .into(),
            identity: digest(id.to_string().as_bytes()),
            ..about(&origin.file)
        })
        .collect()
}

/// A problem of a kustomization, of which nothing else is said yet.
fn about(path: &Arc<str>) -> Problem {
    Problem {
        file: path.clone(),
        line: None,
        kind: Some("Kustomization".into()),
        name: None,
        reason: String::new(),
        affects: Affects::Anything,
        identity: 0,
        sort: Sort::Other,
    }
}

fn shown(directory: &str) -> &str {
    if directory.is_empty() { "." } else { directory }
}
