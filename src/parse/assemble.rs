//! The files of one side -> its [`crate::model::Cluster`]: one object for each identity, owners followed.

use super::file::{FileRead, digest};
use super::twice::Twice;
use super::workload::Draft;
use super::{Affects, Parsed, Problem, helm};
use crate::model::{Namespace, Policy, Workload};
use crate::tree::Tree;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Puts the files of a side together. `files`: what was read of the files of the tree, in order.
pub(super) fn assemble(tree: &Tree, files: &[Arc<FileRead>]) -> Parsed {
    let mut parsed = Parsed::default();
    let paths: Vec<&Arc<str>> = tree.files.keys().collect();
    parsed.problems =
        helm::problems(tree, paths.iter().copied().zip(files.iter().map(Arc::as_ref)));
    let not_manifests = kustomizations(tree, &paths, files, &mut parsed.problems);
    let mut policies: BTreeMap<_, Arc<Policy>> = BTreeMap::new();
    let mut drafts: BTreeMap<_, Draft> = BTreeMap::new();
    let mut twice = Twice::default();
    let namespaces: &mut BTreeMap<Arc<str>, Arc<Namespace>> = &mut parsed.cluster.namespaces;
    for (path, file) in paths.iter().zip(files) {
        parsed.documents += file.documents;
        if not_manifests.contains(&***path) {
            continue;
        }
        parsed.relevant += file.relevant;
        parsed.problems.extend(file.problems.iter().cloned());
        // Of several objects of one identity the last one is kept.
        for policy in &file.policies {
            if let Some(other) = policies.insert(policy.id.clone(), policy.clone()) {
                twice.policy(&other, policy);
            }
        }
        for namespace in &file.namespaces {
            if let Some(other) = namespaces.insert(namespace.name.clone(), namespace.clone()) {
                twice.namespace(&other, namespace);
            }
        }
        for draft in &file.workloads {
            let id = draft.workload.id.clone();
            if let Some(other) = drafts.insert(id, draft.clone()) {
                twice.workload(&other.workload, &draft.workload);
            }
        }
    }
    parsed.problems.extend(twice.problems());
    for skipped in &tree.skipped {
        parsed.problems.push(Problem {
            file: skipped.path.as_str().into(),
            line: None,
            kind: None,
            name: None,
            reason: format!("the file was not read: {}", skipped.reason),
            affects: Affects::Anything,
            identity: digest(skipped.identity.as_bytes()),
        });
    }
    parsed.cluster.policies = policies.into_values().collect();
    parsed.cluster.workloads = follow_owners(drafts.into_values().collect());
    parsed.problems.sort();
    parsed.problems.dedup();
    parsed
}

/// Reports the kustomizations that matter. Returns the files that are their patches and the like.
fn kustomizations(
    tree: &Tree,
    paths: &[&Arc<str>],
    files: &[Arc<FileRead>],
    problems: &mut Vec<Problem>,
) -> BTreeSet<String> {
    let found = paths
        .iter()
        .zip(files)
        .filter_map(|(path, file)| Some((*path, file.kustomization.as_ref()?)));
    let not_manifests: BTreeSet<String> =
        found.clone().flat_map(|(path, kustomization)| kustomization.not_manifests(path)).collect();
    // The namespaces of what stands in a file or below a directory.
    let below = |root: &str| {
        let prefix = match root {
            "" => String::new(),
            root => format!("{root}/"),
        };
        // Paths are sorted, so what has a prefix stands together; the file itself may not.
        let first = paths.partition_point(|path| ***path < *prefix);
        let exact = paths.binary_search_by(|path| (***path).cmp(root)).ok();
        let inside = paths.iter().zip(files).skip(first);
        let inside = inside.take_while(|(path, _)| path.starts_with(&prefix));
        exact
            .and_then(|at| Some((paths.get(at)?, files.get(at)?)))
            .into_iter()
            .chain(inside)
            .filter(|(path, _)| !not_manifests.contains(&****path))
            .flat_map(|(_, file)| {
                let policies = file.policies.iter().map(|policy| policy.id.namespace.clone());
                let workloads = file.workloads.iter();
                let workloads = workloads.map(|draft| Some(draft.workload.id.namespace.clone()));
                let namespaces = file.namespaces.iter().map(|_| None);
                policies.chain(workloads).chain(namespaces)
            })
            .collect::<BTreeSet<Option<Arc<str>>>>()
    };
    for (path, kustomization) in found {
        problems.extend(kustomization.problem(path, tree, below));
    }
    not_manifests
}

/// Replaces pods and controllers that have an owner by workloads that are named after the topmost
/// one. Pods say best what runs; without any, the owner's own template does, and without that the
/// templates of the controllers between.
fn follow_owners(drafts: Vec<Draft>) -> Vec<Arc<Workload>> {
    if drafts.iter().all(|draft| draft.owner.is_none()) {
        return drafts.into_iter().map(|draft| draft.workload).collect();
    }
    type Key = (Arc<str>, Box<str>, Box<str>);
    let key = |draft: &Draft| -> Key {
        let id = &draft.workload.id;
        (id.namespace.clone(), id.kind.clone(), id.name.clone())
    };
    let by_key: FxHashMap<Key, &Draft> = drafts.iter().map(|draft| (key(draft), draft)).collect();
    let top = |draft: &Draft| {
        let mut at = key(draft);
        let mut owner = draft.owner.clone();
        // Owners can't form rings in a cluster, but they can in a file.
        for _ in 0..16 {
            let Some((kind, name)) = owner else { break };
            at = (at.0, kind, name);
            owner = by_key.get(&at).and_then(|owner| owner.owner.clone());
        }
        at
    };
    let mut groups: BTreeMap<Key, Vec<&Draft>> = BTreeMap::new();
    for draft in &drafts {
        groups.entry(top(draft)).or_default().push(draft);
    }
    let mut workloads: Vec<_> =
        groups.into_iter().flat_map(|(key, members)| group(&key, members)).collect();
    workloads.sort_by(|one, other| one.id.cmp(&other.id));
    workloads
}

/// The workloads of one topmost owner.
fn group(
    (namespace, kind, name): &(Arc<str>, Box<str>, Box<str>),
    members: Vec<&Draft>,
) -> Vec<Arc<Workload>> {
    let is_pod = |draft: &&&Draft| &*draft.workload.id.kind == "Pod";
    let mut chosen: Vec<&Draft> = members.iter().filter(is_pod).copied().collect();
    if chosen.is_empty() {
        chosen.extend(members.iter().find(|draft| draft.owner.is_none()).copied());
    }
    if chosen.is_empty() {
        // Old ReplicaSets of a Deployment stay behind without replicas.
        chosen.extend(members.iter().filter(|draft| !draft.no_replicas).copied());
    }
    if let [only] = chosen.as_slice()
        && only.owner.is_none()
    {
        return vec![only.workload.clone()];
    }
    // In order of the pods' names, which are the members' order.
    let mut index = BTreeMap::new();
    let mut different: Vec<(Workload, usize)> = Vec::new();
    for draft in chosen {
        let Workload { labels, ports, host_network, node_address, addresses, .. } =
            &*draft.workload;
        let key = (labels, ports, host_network, node_address, addresses);
        let at = *index.entry(key).or_insert(different.len());
        match different.get_mut(at) {
            Some((_, count)) => *count += 1,
            None => different.push(((*draft.workload).clone(), 1)),
        }
    }
    let several = different.len() > 1;
    different
        .into_iter()
        .enumerate()
        .map(|(i, (mut workload, count))| {
            // A pod that stands apart by its address is one pod; others may be scaled.
            workload.single = several && count == 1 && !workload.addresses.is_empty();
            workload.id.namespace = namespace.clone();
            workload.id.kind = kind.clone();
            workload.id.name = match several {
                true => format!("{name}#{}", i + 1).into(),
                false => name.clone(),
            };
            Arc::new(workload)
        })
        .collect()
}
