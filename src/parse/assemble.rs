//! The files of one side -> its [`crate::model::Cluster`]: one object for each identity, owners followed.

use super::built::Built;
use super::evidence::{self, Mentioned};
use super::file::FileRead;
use super::twice::Twice;
use super::workload::Draft;
use super::{Affects, Parsed, Problem, Sort, helm};
use crate::model::{Namespace, Policy, PolicyId, Workload, WorkloadId};
use crate::tree::Tree;
use crate::tree::digest;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

/// Puts the files of a side together. `files`: what was read of the files of the tree, in order.
pub(super) fn assemble(tree: &Tree, files: &[Arc<FileRead>], built: &Built<'_>) -> Parsed {
    let mut parsed = Parsed::default();
    let paths = || tree.files.keys();
    parsed.problems = helm::problems(tree, paths().zip(files.iter().map(Arc::as_ref)));
    parsed.problems.extend(built.problems());
    parsed.problems.extend(tree.problems.iter().cloned());
    let mut policies: Latest<PolicyId, Arc<Policy>> = Latest::default();
    let mut drafts: Latest<WorkloadId, Draft> = Latest::default();
    let mut twice = Twice::default();
    let namespaces: &mut BTreeMap<Arc<str>, Arc<Namespace>> = &mut parsed.cluster.namespaces;
    for (path, file) in paths().zip(files) {
        parsed.documents += file.documents;
        if built.is_no_manifest(path) {
            continue;
        }
        parsed.relevant += file.relevant;
        parsed.problems.extend(file.problems.iter().cloned());
        // Of several objects of one identity the last one is kept.
        for policy in &file.policies {
            if let Some(other) = policies.insert(&policy.id, policy) {
                twice.policy(other, policy);
            }
        }
        for namespace in &file.namespaces {
            if let Some(other) = namespaces.insert(namespace.name.clone(), namespace.clone()) {
                twice.namespace(&other, namespace);
            }
        }
        for draft in &file.workloads {
            if let Some(other) = drafts.insert(&draft.workload.id, draft) {
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
            sort: Sort::Other,
        });
    }
    parsed.cluster.policies = policies.in_order().into_iter().cloned().collect();
    let drafts = drafts.in_order();
    let mentioned: Mentioned<'_> = drafts
        .iter()
        .filter_map(|draft| Some((&draft.workload.id, draft.mentions.as_ref()?)))
        .collect();
    parsed.cluster.workloads = follow_owners(&drafts);
    let read = built.all().map(|(_, file)| file);
    let read: Vec<_> = read.collect();
    parsed.cluster.evidence =
        evidence::resolve(read.iter().copied(), &mentioned, &parsed.cluster.workloads);
    parsed.problems.sort();
    parsed.problems.dedup();
    parsed
}

/// Of several things of one identity the one that came last.
struct Latest<'f, K, V> {
    /// In the order of files, which is nearly that of identities.
    all: Vec<(&'f K, &'f V)>,
    /// Where each is.
    places: FxHashMap<&'f K, usize>,
}

impl<K, V> Default for Latest<'_, K, V> {
    fn default() -> Self {
        Self { all: Vec::new(), places: FxHashMap::default() }
    }
}

impl<'f, K: Hash + Ord, V> Latest<'f, K, V> {
    /// Gives the one that it takes the place of.
    fn insert(&mut self, id: &'f K, thing: &'f V) -> Option<&'f V> {
        let place = *self.places.entry(id).or_insert(self.all.len());
        match self.all.get_mut(place) {
            Some((_, known)) => Some(std::mem::replace(known, thing)),
            None => {
                self.all.push((id, thing));
                None
            }
        }
    }

    /// In the order of their identities.
    fn in_order(mut self) -> Vec<&'f V> {
        self.all.sort_by_key(|(id, _)| *id);
        self.all.into_iter().map(|(_, thing)| thing).collect()
    }
}

/// Replaces pods and controllers that have an owner by workloads that are named after the topmost
/// one. Pods say best what runs; without any, the owner's own template does, and without that the
/// templates of the controllers between.
pub(super) fn follow_owners(drafts: &[&Draft]) -> Vec<Arc<Workload>> {
    if drafts.iter().all(|draft| draft.owner.is_none()) {
        return drafts.iter().map(|draft| draft.workload.clone()).collect();
    }
    type Key = (Arc<str>, Box<str>, Box<str>);
    let key = |draft: &Draft| -> Key {
        let id = &draft.workload.id;
        (id.namespace.clone(), id.kind.clone(), id.name.clone())
    };
    let by_key: FxHashMap<Key, &Draft> = drafts.iter().map(|draft| (key(draft), *draft)).collect();
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
    for draft in drafts {
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
