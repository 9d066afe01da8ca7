//! Why a selector of pods matches nobody, and how sure that is.

use super::Snapshot;
use crate::model::{NamespaceMatch, PeerKind, Policy, Selector, Workload};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Why no known pod is matched, surest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nobody {
    /// Every pod that is matched runs on the host network, where selectors don't see it.
    OnHostNetwork,
    /// Every pod of these namespaces is known.
    Closed,
    /// The pods run in these other namespaces, whose names are in order.
    Elsewhere(Vec<Arc<str>>),
    /// Nothing is known of such pods, and there may be some.
    Unknown,
}

/// Labels that controllers give to pods, so that no template shows them.
const GIVEN: [&str; 6] = [
    "job-name",
    "batch.kubernetes.io/job-name",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
];

/// Why a selector of a policy, of its subject or of a peer, matches no pod. `None`: it matches one, or it means
/// every pod, or nothing is known of the namespaces that it looks in: no workload of theirs is, or something that is
/// not in the manifests makes pods there.
pub fn nobody(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    namespaces: &NamespaceMatch,
    pods: &Selector,
) -> Option<Nobody> {
    let given = |key: &str| GIVEN.contains(&key);
    if pods.is_everything() || pods.requirements().iter().any(|one| given(&one.key)) {
        return None;
    }
    let targets = match namespaces {
        NamespaceMatch::Name(name) => vec![name.clone()],
        NamespaceMatch::Labels(_) => {
            let (namespaces, pods) = (namespaces.clone(), Selector::default());
            snapshot.matched(&PeerKind::Pods { namespaces, pods }).namespaces
        }
    };
    let known = targets.iter().flat_map(|target| snapshot.workloads_in(target));
    let mut inside = known.filter(|workload| pods.matches(&workload.labels)).peekable();
    if inside.peek().is_some() {
        return inside.all(|workload| workload.host_network).then_some(Nobody::OnHostNetwork);
    }
    let inhabited = |name: &Arc<str>| !snapshot.workloads_in(name).is_empty();
    let other_pods = |target: &Arc<str>| snapshot.deployed_elsewhere(target);
    let unknown = !targets.iter().any(inhabited) || targets.iter().any(other_pods);
    let closed = targets.iter().all(|target| snapshot.closed(target));
    // Looking at every workload there is costs more than all the rest.
    if unknown && !closed {
        return None;
    }
    let outside = snapshot.anywhere(pods);
    let placed = |workload: &&Arc<Workload>| workload.placed;
    if targets.is_empty() {
        return None;
    }
    let all_placed = policy.written.namespace && outside.iter().all(placed);
    if all_placed && closed {
        return Some(Nobody::Closed);
    }
    if unknown {
        return None;
    }
    let elsewhere: BTreeSet<Arc<str>> =
        outside.iter().map(|workload| workload.id.namespace.clone()).collect();
    // A policy that stands in each of several namespaces alike is not meant for those of one of them.
    let copied = |namespace: &Arc<str>| {
        let there = snapshot.policies_in(namespace);
        there.iter().any(|other| other.id.name == policy.id.name)
    };
    let own = matches!(namespaces, NamespaceMatch::Name(_));
    let sure = all_placed && own && !elsewhere.is_empty() && !elsewhere.iter().any(copied);
    match sure {
        true => Some(Nobody::Elsewhere(elsewhere.into_iter().collect())),
        false => Some(Nobody::Unknown),
    }
}
