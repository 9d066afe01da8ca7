//! Objects with the lines on which they would stand.

use netpol_review::model::{
    Cluster, Direction, Labels, Namespace, NamespaceMatch, Origin, PeerKind, Policy, PolicyId,
    PolicyKind, Section, Selector, Subject, Tier, Workload,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stands in a generated peer for "the policy's own namespace", until [`policy`] knows which.
pub const OWN: &str = "@own";

/// Lines of a file.
pub fn origin(file: &str, start_line: u32, end_line: u32) -> Origin {
    Origin { file: file.into(), start_line, end_line }
}

/// A namespace with its manifest.
pub fn namespace(name: &str, labels: Labels) -> Arc<Namespace> {
    Arc::new(Namespace {
        name: name.into(),
        labels,
        origin: origin(&format!("namespaces/{name}.yaml"), 1, 9),
    })
}

/// The same workload on lines of its own.
pub fn workload(mut workload: Workload) -> Arc<Workload> {
    let file = format!("workloads/{}.yaml", workload.id);
    workload.origin = origin(&file, 1, 30);
    workload.labels_origin = origin(&file, 10, 14);
    Arc::new(workload)
}

/// A policy without rules.
pub fn empty_policy(namespace: &str, name: &str, pods: Selector) -> Policy {
    Policy {
        id: PolicyId {
            namespace: Some(namespace.into()),
            name: name.into(),
            kind: PolicyKind::NetworkPolicy,
        },
        tier: Tier::NetworkPolicy,
        priority: 0,
        subject: Subject { namespaces: NamespaceMatch::Name(namespace.into()), pods },
        ingress: None,
        egress: None,
        origin: origin("", 1, 1),
        subject_origin: origin("", 1, 1),
        directions_origin: origin("", 1, 1),
        dead: vec![],
    }
}

/// The same policy with distinct lines for each of its parts, and [`OWN`] peers resolved.
pub fn policy(mut policy: Policy) -> Arc<Policy> {
    let own = policy.id.namespace.clone().expect("a NetworkPolicy has a namespace");
    let file = format!("policies/{own}-{}.yaml", policy.id.name);
    policy.origin = origin(&file, 1, 999);
    policy.subject_origin = origin(&file, 10, 19);
    policy.directions_origin = origin(&file, 20, 29);
    for direction in Direction::BOTH {
        let start = match direction {
            Direction::Ingress => 100,
            Direction::Egress => 500,
        };
        let living = match direction {
            Direction::Ingress => &mut policy.ingress,
            Direction::Egress => &mut policy.egress,
        };
        let dead = policy.dead.iter_mut().filter(|(d, _)| *d == direction);
        for section in living.iter_mut().chain(dead.map(|(_, section)| section)) {
            lay_out_section(section, &own, &file, start);
        }
    }
    Arc::new(policy)
}

fn lay_out_section(section: &mut Section, own: &Arc<str>, file: &str, start: u32) {
    section.origin = origin(file, start, start + 399);
    for (rule, first) in section.rules.iter_mut().zip((start + 1..).step_by(20)) {
        rule.origin = origin(file, first, first + 19);
        for (peer, line) in rule.peers.iter_mut().flatten().zip(first + 1..) {
            peer.origin = origin(file, line, line);
            if let PeerKind::Pods { namespaces, .. } = &mut peer.kind
                && *namespaces == NamespaceMatch::Name(OWN.into())
            {
                *namespaces = NamespaceMatch::Name(own.clone());
            }
        }
        for (port, line) in rule.ports.iter_mut().flatten().zip(first + 10..) {
            port.origin = origin(file, line, line);
        }
    }
}

/// A cluster of these objects; of two with one identity the last counts (M6).
pub fn cluster(
    namespaces: impl IntoIterator<Item = Arc<Namespace>>,
    workloads: impl IntoIterator<Item = Arc<Workload>>,
    policies: impl IntoIterator<Item = Arc<Policy>>,
) -> Cluster {
    let workloads: BTreeMap<_, _> = workloads.into_iter().map(|w| (w.id.clone(), w)).collect();
    let policies: BTreeMap<_, _> = policies.into_iter().map(|p| (p.id.clone(), p)).collect();
    Cluster {
        namespaces: namespaces.into_iter().map(|n| (n.name.clone(), n)).collect(),
        workloads: workloads.into_values().collect(),
        policies: policies.into_values().collect(),
        ..Cluster::default()
    }
}
