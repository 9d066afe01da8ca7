//! Objects that stand in a tree more than once (M6): two environments side by side, a rendered
//! copy, or a mistake. Silent while they mean the same.

use super::built::Built;
use super::file::FileRead;
use super::kustomize::directory;
use super::{Affects, Problem, Sort};
use crate::model::{Namespace, Origin, Policy, PolicyId, Workload};
use crate::tree::digest;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// What differs, gathered by pairs of files and namespace: copies of a whole environment are one
/// matter, not one for each object.
#[derive(Default)]
pub(super) struct Twice(BTreeMap<Key, Group>);

/// The file that was read last, the other file, and the namespace.
type Key = (Arc<str>, Arc<str>, Arc<str>);

struct Group {
    kind: String,
    name: String,
    line: u32,
    first_line: u32,
    count: usize,
    /// What the objects mean.
    meanings: String,
}

impl Twice {
    /// Two policies of one identity; the second is the one that is kept.
    pub(super) fn policy(&mut self, first: &Policy, last: &Policy) {
        let namespace = last.id.namespace.clone().unwrap_or_default();
        let meanings = [meaning(first), meaning(last)];
        let origins = (&first.origin, &last.origin);
        self.add("NetworkPolicy", last.id.to_string(), namespace, origins, meanings);
    }

    /// Two workloads of one identity; the second is the one that is kept.
    pub(super) fn workload(&mut self, first: &Workload, last: &Workload) {
        let meaning = |workload: &Workload| {
            let Workload { labels, ports, host_network, node_address, addresses, .. } = workload;
            format!("{:?}", (labels, ports, host_network, node_address, addresses))
        };
        let name = format!("{}/{}", last.id.namespace, last.id.name);
        let namespace = last.id.namespace.clone();
        let origins = (&first.origin, &last.origin);
        self.add(&last.id.kind, name, namespace, origins, [meaning(first), meaning(last)]);
    }

    /// Two namespaces of one name; the second is the one that is kept.
    pub(super) fn namespace(&mut self, first: &Namespace, last: &Namespace) {
        let meanings = [format!("{:?}", first.labels), format!("{:?}", last.labels)];
        let origins = (&first.origin, &last.origin);
        self.add("Namespace", last.name.to_string(), last.name.clone(), origins, meanings);
    }

    fn add(
        &mut self,
        kind: &str,
        name: String,
        namespace: Arc<str>,
        (first, last): (&Origin, &Origin),
        meanings: [String; 2],
    ) {
        let [one, other] = &meanings;
        if one == other {
            return;
        }
        let group = self
            .0
            .entry((last.file.clone(), first.file.clone(), namespace))
            .or_insert_with(|| Group {
                kind: kind.to_string(),
                name: name.clone(),
                line: last.start_line,
                first_line: first.start_line,
                count: 0,
                meanings: String::new(),
            });
        group.count += 1;
        for text in [kind, &name, one, other] {
            group.meanings.push_str(text);
            group.meanings.push('\n');
        }
    }

    /// One problem for each group.
    pub(super) fn problems(self) -> impl Iterator<Item = Problem> {
        self.0.into_iter().map(|((file, first_file, namespace), group)| {
            const ADVICE: &str = "review one copy at a time, or keep only one";
            let Group { name, first_line, .. } = &group;
            let reason = match group.count {
                1 => format!(
                    "`{name}` stands in {first_file}:{first_line} too, and differs; this one was \
                     read, {ADVICE}"
                ),
                n => format!(
                    "`{name}` and {} more objects stand in {first_file} too, and differ; those of \
                     this file were read, {ADVICE}",
                    n - 1
                ),
            };
            Problem {
                file,
                line: Some(group.line),
                kind: Some(group.kind),
                name: Some(group.name),
                reason,
                affects: Affects::Namespace(namespace),
                identity: digest(group.meanings.as_bytes()),
                sort: Sort::Twice,
            }
        })
    }
}

/// Policies that stood in several files, and now in fewer: if those are environments, one of them lost its
/// copy, although the other one keeps the object here. Problems of the side before the change.
pub(super) fn lost<'a>(before: &Built<'a>, after: &Built<'_>) -> Vec<Problem> {
    // Usually there is none, which is seen without a list of all.
    let mut first: FxHashMap<&PolicyId, &Arc<str>> = FxHashMap::default();
    let again = |(path, file): (_, &'a FileRead)| {
        file.policies
            .iter()
            .any(|policy| first.insert(&policy.id, path).is_some_and(|known| known != path))
    };
    if !before.all().any(again) {
        return Vec::new();
    }
    let copies = |side: &Built<'_>| {
        let mut found = BTreeMap::<PolicyId, BTreeMap<Arc<str>, Arc<Policy>>>::new();
        for (path, file) in side.all() {
            for policy in &file.policies {
                let files = found.entry(policy.id.clone()).or_default();
                files.insert(path.clone(), policy.clone());
            }
        }
        found
    };
    let mut several = copies(before);
    several.retain(|_, files| files.len() > 1);
    if several.is_empty() {
        return Vec::new();
    }
    let left = copies(after);
    let mut groups = BTreeMap::<(Arc<str>, Arc<str>), Vec<(Arc<Policy>, Arc<str>)>>::new();
    for (id, files) in several {
        let Some(left) = left.get(&id).filter(|left| left.len() < files.len()) else { continue };
        let Some(kept) = left.values().next() else { continue };
        let gone = files.iter().filter(|(file, _)| !left.contains_key(*file));
        for (file, policy) in gone.take(files.len() - left.len()) {
            if !gone_with_its_pods(before, after, directory(file)) {
                let namespace = id.namespace.clone().unwrap_or_default();
                let group = groups.entry((file.clone(), namespace)).or_default();
                group.push((policy.clone(), kept.origin.file.clone()));
            }
        }
    }
    let problem = |((_, namespace), group): (_, Vec<(Arc<Policy>, Arc<str>)>)| {
        let (first, kept) = group.first()?;
        let more = match group.len() {
            1 => String::new(),
            n => format!(" and {} more policies", n - 1),
        };
        let names: String = group.iter().map(|(policy, _)| format!("{}\n", policy.id)).collect();
        Some(Problem {
            file: first.origin.file.clone(),
            line: Some(first.origin.start_line),
            kind: Some("NetworkPolicy".into()),
            name: Some(first.id.to_string()),
            reason: format!(
                "this copy of `{}`{more} was deleted, the one in {kept} stays; if they belong to \
                 environments of their own, one of them lost it: compare each environment alone",
                first.id
            ),
            affects: Affects::Namespace(namespace),
            identity: digest(names.as_bytes()),
            sort: Sort::Other,
        })
    };
    groups.into_iter().filter_map(problem).collect()
}

/// Is all of a directory gone, workloads included? Then nothing is left that could be reached.
fn gone_with_its_pods(before: &Built<'_>, after: &Built<'_>, directory: &str) -> bool {
    let had_pods = before.at(directory).any(|(_, file)| !file.workloads.is_empty());
    had_pods && !after.at(directory).any(|(_, file)| file.relevant > 0)
}

/// What a policy says, wherever it stands.
fn meaning(policy: &Policy) -> String {
    let mut text = format!("{:?} {:?} {}", policy.subject, policy.tier, policy.priority);
    for section in [&policy.ingress, &policy.egress] {
        text.push_str(if section.is_some() { "\nsection" } else { "\nno section" });
        for rule in section.iter().flat_map(|section| &section.rules) {
            let peers = rule.peers.iter().flatten().map(|peer| &peer.kind);
            let ports = rule.ports.iter().flatten().map(|port| (port.protocol, &port.ports));
            let (peers, ports): (Vec<_>, Vec<_>) = (peers.collect(), ports.collect());
            let _ = write!(text, "\n{:?} {peers:?} {ports:?}", rule.action);
        }
    }
    text
}
