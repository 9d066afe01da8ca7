//! Objects that live elsewhere, as a cluster lists them: what of them counts on each side.
//!
//! What the repository says of an object beats the inventory. On the side before, that is what the
//! repository has there. After the change it is what the repository has on either side: what it had
//! and has no more is deleted, and must not live on through an inventory that was taken earlier. What
//! it has only after the change it takes over, and that is compared with what was there.

use super::built::Built;
use super::doc::{Doc, NodeId};
use super::file::{FileRead, Reader};
use super::twice::Twice;
use super::workload::Draft;
use super::{Affects, Parsed, Problem, Sort, assemble, limits};
use crate::model::{Namespace, Origin, Policy, PolicyId, Workload, WorkloadId};
use crate::tree::digest;
use crate::tree::{InventoryFile, Tree};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The annotation of a list that says when it was taken, as RFC 3339 has it.
pub const TAKEN: &str = "netpol-review/taken";

/// The annotation of a list that names the resources that could not be read, between commas.
pub const UNREAD: &str = "netpol-review/unread";

/// Resources that hold no policies.
const DECLARED: [&str; 11] = [
    "namespaces",
    "pods",
    "deployments",
    "replicasets",
    "statefulsets",
    "daemonsets",
    "replicationcontrollers",
    "jobs",
    "cronjobs",
    "rollouts",
    "deploymentconfigs",
];

/// How many owners are followed: they can't form rings in a cluster, but they can in a file.
const OWNERS: usize = 16;

/// A file of an inventory, and how much of it counts on a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryRead {
    /// Its name.
    pub file: Arc<str>,
    /// The day on which it was taken (UTC), where it says so.
    pub taken: Option<NaiveDate>,
    /// Workloads, owners followed.
    pub workloads: usize,
    /// Namespaces.
    pub namespaces: usize,
    /// Policies.
    pub policies: usize,
}

/// What a list says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// See [`TAKEN`]. Of several the earliest.
    pub taken: Option<NaiveDate>,
    /// See [`UNREAD`]: the line, and the resource.
    pub unread: Vec<(u32, String)>,
}

/// The inventory of a comparison: that of either side, which is the same unless somebody made a mistake.
pub(super) fn files<'a>(before: &'a Tree, after: &'a Tree) -> Vec<&'a InventoryFile> {
    let mut files: Vec<&InventoryFile> = Vec::new();
    for file in before.inventory.iter().chain(&after.inventory) {
        let same =
            |other: &&InventoryFile| other.name == file.name && other.content.same(&file.content);
        if !files.iter().any(same) {
            files.push(file);
        }
    }
    files
}

/// Adds an inventory to the sides, each with its repository. `files`: what was read of each.
pub(super) fn add(
    sides: [(&mut Parsed, &Built<'_>); 2],
    files: &[(&InventoryFile, Arc<FileRead>)],
) {
    let [(parsed_before, before), (parsed_after, after)] = sides;
    let objects = Objects::of(files);
    let had = Claims::of(before);
    let has = had.clone().and(Claims::of(after));
    let mut problems = objects.problems.clone();
    // What the repository has and can't be read either, its own entry tells.
    let told: BTreeSet<_> =
        parsed_before.problems.iter().chain(&parsed_after.problems).filter_map(what).collect();
    problems.retain(|problem| what(problem).is_none_or(|what| !told.contains(&what)));
    let edited = files.iter().filter(|(file, _)| file.edited).map(|(file, _)| edited(file));
    parsed_after.problems.extend(edited);
    let counted = objects.counted(&had);
    // Most often the repository has the same objects on both sides.
    let counted_after = match had == has {
        true => counted.clone(),
        false => objects.counted(&has),
    };
    for (parsed, counted) in [(parsed_before, counted), (parsed_after, counted_after)] {
        parsed.problems.extend(problems.iter().cloned());
        parsed.inventory = files.iter().map(|(file, read)| counted.of(file, read)).collect();
        let cluster = &mut parsed.cluster;
        cluster.policies.extend(counted.policies);
        cluster.policies.sort_by(|one, other| one.id.cmp(&other.id));
        cluster.workloads.extend(counted.workloads);
        cluster.workloads.sort_by(|one, other| one.id.cmp(&other.id));
        for namespace in counted.namespaces {
            cluster.namespaces.insert(namespace.name.clone(), namespace);
        }
    }
}

/// What a problem says, and of which object; `None`: of none.
fn what(problem: &Problem) -> Option<(Option<String>, String, String)> {
    Some((problem.kind.clone(), problem.name.clone()?, problem.reason.clone()))
}

/// The objects of a repository's side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Claims {
    policies: BTreeSet<PolicyId>,
    namespaces: BTreeSet<Arc<str>>,
    /// Workloads and their owners, whether or not those are objects of the repository.
    workloads: BTreeSet<WorkloadId>,
}

impl Claims {
    fn of(side: &Built<'_>) -> Self {
        let mut claims = Self::default();
        for (_, file) in side.all() {
            claims.policies.extend(file.policies.iter().map(|policy| policy.id.clone()));
            claims.namespaces.extend(file.namespaces.iter().map(|found| found.name.clone()));
            claims.workloads.extend(file.without_pods.iter().cloned());
            for draft in &file.workloads {
                claims.workloads.extend(owner(draft));
                claims.workloads.insert(draft.workload.id.clone());
            }
        }
        claims
    }

    fn and(mut self, other: Self) -> Self {
        self.policies.extend(other.policies);
        self.namespaces.extend(other.namespaces);
        self.workloads.extend(other.workloads);
        self
    }
}

/// The identity of what owns a workload.
fn owner(draft: &Draft) -> Option<WorkloadId> {
    let (kind, name) = draft.owner.clone()?;
    Some(WorkloadId { namespace: draft.workload.id.namespace.clone(), name, kind })
}

/// All files of an inventory together: one object for each identity.
#[derive(Default)]
struct Objects {
    policies: BTreeMap<PolicyId, Arc<Policy>>,
    namespaces: BTreeMap<Arc<str>, Arc<Namespace>>,
    workloads: BTreeMap<WorkloadId, Draft>,
    problems: Vec<Problem>,
}

impl Objects {
    fn of(files: &[(&InventoryFile, Arc<FileRead>)]) -> Self {
        let mut all = Self::default();
        let mut twice = Twice::default();
        for (file, read) in files {
            all.problems.extend(read.problems.iter().cloned());
            all.problems.extend(read.facts.unread.iter().map(|unread| not_in_it(file, unread)));
            all.problems.extend(empty(file, read));
            for policy in &read.policies {
                if let Some(other) = all.policies.insert(policy.id.clone(), policy.clone()) {
                    twice.policy(&other, policy);
                }
            }
            for found in &read.namespaces {
                if let Some(other) = all.namespaces.insert(found.name.clone(), found.clone()) {
                    twice.namespace(&other, found);
                }
            }
            for draft in &read.workloads {
                let id = draft.workload.id.clone();
                if let Some(other) = all.workloads.insert(id, draft.clone()) {
                    twice.workload(&other.workload, &draft.workload);
                }
            }
        }
        all.problems.extend(twice.problems());
        all
    }

    /// What counts beside a repository with these objects.
    fn counted(&self, claims: &Claims) -> Counted {
        let elsewhere = |id: &WorkloadId| !claims.workloads.contains(id);
        let drafts =
            self.workloads.values().filter(|draft| self.line(draft).all(|id| elsewhere(&id)));
        let policies = self.policies.values();
        let namespaces = self.namespaces.values();
        Counted {
            policies: policies
                .filter(|found| !claims.policies.contains(&found.id))
                .cloned()
                .collect(),
            namespaces: namespaces
                .filter(|found| !claims.namespaces.contains(&found.name))
                .cloned()
                .collect(),
            workloads: assemble::follow_owners(&drafts.collect::<Vec<_>>()),
        }
    }

    /// A workload, its owner, the owner of that ...
    fn line(&self, draft: &Draft) -> impl Iterator<Item = WorkloadId> {
        let first = draft.workload.id.clone();
        let next = |id: &WorkloadId| self.workloads.get(id).and_then(owner);
        std::iter::successors(Some(first), next).take(OWNERS)
    }
}

/// What of an inventory counts on a side.
#[derive(Clone)]
struct Counted {
    policies: Vec<Arc<Policy>>,
    namespaces: Vec<Arc<Namespace>>,
    workloads: Vec<Arc<Workload>>,
}

impl Counted {
    /// How much of it comes from one file.
    fn of(&self, file: &InventoryFile, read: &FileRead) -> InventoryRead {
        let here = |origin: &Origin| origin.file == file.name;
        InventoryRead {
            file: file.name.clone(),
            taken: read.facts.taken,
            workloads: self.workloads.iter().filter(|found| here(&found.origin)).count(),
            namespaces: self.namespaces.iter().filter(|found| here(&found.origin)).count(),
            policies: self.policies.iter().filter(|found| here(&found.origin)).count(),
        }
    }
}

/// A problem of a file of an inventory as a whole.
fn about(file: &InventoryFile, reason: String, affects: Affects) -> Problem {
    let identity = digest(reason.as_bytes());
    Problem {
        file: file.name.clone(),
        line: None,
        kind: None,
        name: None,
        reason,
        affects,
        identity,
        sort: Sort::Other,
    }
}

/// An inventory without anything is one that could not be taken, and not a cluster without anything.
fn empty(file: &InventoryFile, read: &FileRead) -> Option<Problem> {
    let said = read.problems.iter().any(|problem| problem.affects == Affects::Anything);
    (read.relevant == 0 && !said).then(|| {
        let reason = "the inventory holds no workload, namespace or policy; take it again with \
                      `netpol-review snapshot`, or leave it out";
        about(file, reason.into(), Affects::Anything)
    })
}

/// What a snapshot could not read. Pods and namespaces that are not declared are reckoned with; policies
/// that nobody knows of are not.
fn not_in_it(file: &InventoryFile, (line, resource): &(u32, String)) -> Problem {
    let reason = format!(
        "`{resource}` could not be read when the inventory was taken; take it again with the right to \
         list them"
    );
    let declared = resource.split('.').next().is_some_and(|name| DECLARED.contains(&name));
    let affects = if declared { Affects::Nothing } else { Affects::Anything };
    Problem { line: Some(*line), ..about(file, reason, affects) }
}

fn edited(file: &InventoryFile) -> Problem {
    let reason = "the change edits the inventory; what it held before counts until it is merged";
    about(file, reason.into(), Affects::Nothing)
}

impl Reader<'_> {
    /// Notes what a list says of itself.
    pub(super) fn facts(&mut self, doc: &Doc<'_>, list: NodeId) {
        let annotations = doc.get(list, "metadata").and_then(|node| doc.get(node, "annotations"));
        let Some(annotations) = annotations else { return };
        let facts = &mut self.read.facts;
        let taken =
            doc.text(annotations, TAKEN).and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let taken = taken.map(|taken| taken.with_timezone(&Utc).date_naive());
        facts.taken = facts.taken.into_iter().chain(taken).min();
        let Some(unread) = doc.text(annotations, UNREAD) else { return };
        let line = doc.get(annotations, UNREAD).map_or(1, |node| doc.lines(node).0);
        let names = unread.split(',').map(str::trim).filter(|name| !name.is_empty());
        facts.unread.extend(names.take(limits::NOTES).map(|name| (line, name.to_string())));
    }
}
