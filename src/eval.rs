//! One concrete flow, yes or no and why: the executable specification.
//!
//! It is written to be read beside the documentation of Kubernetes, not to be fast, and shares no
//! algorithm with the symbolic engine, which tests compare with it flow by flow.
//!
//! What it knows: isolation and rules (N1-N9), selectors (S1-S8), ports (P1-P5), external addresses
//! (X1, X2, I1, I2), both ends (B1), and the order of tiers. Replies need no rule (B2) and so are no
//! flows of their own. What it chooses where Kubernetes leaves a choice:
//!
//! * an `ipBlock` matches a pod iff an address of the pod is known and lies in it (I3, U1);
//! * policies neither select pods on the host network nor match them as peers by labels; rules without
//!   peers and `ipBlock`s do match them, and as they are nodes to a policy, no port name resolves on
//!   them (B5, U2);
//! * a port name that a pod gives to several numbers means all of them (U4);
//! * whether a NetworkPolicy switches off the baseline tier is decided for each direction (U5).
//!
//! Left out: protocols that policies can't name (P6), traffic with the pod's own node (B4), translation
//! of addresses on the way (B6), and connections that exist already (B7).
//!
//! That a pod can always reach itself (B3) is for the caller to know: two equal pods are two replicas.

use crate::model::{
    Action, Cluster, ContainerPort, Direction, IpBlock, Labels, NamespaceMatch, PeerKind,
    PortMatch, Ports, Protocol, Rule, Subject, Tier, Workload,
};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// One end of a flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// A pod, declared or not.
    Pod(Pod),
    /// An address that is no pod's. Policies never bind this end (X2).
    External(IpAddr),
}

/// A pod as policies see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pod {
    /// Name of its namespace.
    pub namespace: Arc<str>,
    /// Labels of its namespace, with the one that holds the name (S7).
    pub namespace_labels: Labels,
    /// Its own labels.
    pub labels: Labels,
    /// The ports that its containers declare, for named ports (P3).
    pub ports: BTreeSet<ContainerPort>,
    /// It uses the node's network (B5).
    pub host_network: bool,
    /// Its addresses; empty if unknown, and then no `ipBlock` matches it (U1).
    pub addresses: BTreeSet<IpAddr>,
}

/// A connection that somebody tries to open.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a> {
    /// Who opens it.
    pub from: &'a End,
    /// Who is to accept it.
    pub to: &'a End,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its destination port, 1 to 65535, on the destination pod itself (B8).
    pub port: u16,
}

/// The answer for one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// True iff both ends allow the flow (B1).
    pub allowed: bool,
    /// What the source's policies say.
    pub egress: Side,
    /// What the destination's policies say.
    pub ingress: Side,
}

/// What the policies of one end say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// False for external ends: no policy binds them (X2).
    pub applies: bool,
    /// True iff this end allows the flow.
    pub allowed: bool,
    /// The NetworkPolicies that isolate this end in this direction (N1), as indexes into
    /// [`Cluster::policies`].
    pub isolated_by: Vec<usize>,
    /// The rules that allow the flow, each as index of the policy and index in its section. Empty if
    /// the flow is forbidden, or allowed because nothing speaks against it.
    pub by: Vec<(usize, usize)>,
}

/// Decides one flow.
pub fn evaluate(cluster: &Cluster, flow: &Flow) -> Decision {
    let egress = side(cluster, flow, Direction::Egress);
    let ingress = side(cluster, flow, Direction::Ingress);
    Decision {
        allowed: egress.allowed && ingress.allowed, // B1
        egress,
        ingress,
    }
}

impl Pod {
    /// The pod of a declared workload.
    pub fn of_workload(cluster: &Cluster, workload: &Workload) -> Pod {
        Pod {
            namespace: workload.id.namespace.clone(),
            namespace_labels: cluster.namespace_labels(&workload.id.namespace),
            labels: workload.labels.clone(),
            ports: workload.ports.clone(),
            host_network: workload.host_network,
            addresses: workload.addresses.clone(),
        }
    }
}

/// One end: the tiers in their order, until one of them decides (A1, C1).
fn side(cluster: &Cluster, flow: &Flow, direction: Direction) -> Side {
    let (end, peer) = match direction {
        Direction::Egress => (flow.from, flow.to),
        Direction::Ingress => (flow.to, flow.from),
    };
    let mut side = Side {
        applies: true,
        allowed: true, // A7, and N1 where no policy isolates.
        isolated_by: Vec::new(),
        by: Vec::new(),
    };
    let End::Pod(pod) = end else {
        side.applies = false; // X2
        return side;
    };
    let applying: Vec<Applying> = cluster
        .policies
        .iter()
        .enumerate()
        .filter(|(_, policy)| selects(&policy.subject, pod))
        .filter_map(|(index, policy)| {
            let section = policy.section(direction)?;
            Some(Applying {
                index,
                tier: policy.tier,
                priority: policy.priority,
                rules: &section.rules,
            })
        })
        .collect();
    side.isolated_by = applying
        .iter()
        .filter(|policy| policy.tier == Tier::NetworkPolicy) // N1, N5; A5: not the other tiers
        .map(|policy| policy.index)
        .collect();

    let matches = |rule: &Rule| rule_matches(rule, peer, flow);
    match first_match(&applying, Tier::Admin, matches) {
        Some((Action::Allow, rule)) => side.by = vec![rule], // A4: final
        Some((Action::Deny, _)) => side.allowed = false,     // A4: final
        Some((Action::Pass, _)) | None if !side.isolated_by.is_empty() => {
            side.by = all_that_allow(&applying, matches); // N9
            side.allowed = !side.by.is_empty(); // A6: final for isolated pods
        }
        Some((Action::Pass, _)) | None => match first_match(&applying, Tier::Baseline, matches) {
            Some((Action::Allow, rule)) => side.by = vec![rule],
            Some((Action::Deny, _)) => side.allowed = false,
            Some((Action::Pass, _)) | None => {} // C2, A7: allowed
        },
    }
    side
}

/// A policy that selects the pod and speaks of the direction, with its rules for it.
struct Applying<'a> {
    index: usize,
    tier: Tier,
    priority: u32,
    rules: &'a [Rule],
}

/// What the first matching rule of an ordered tier does, by priority and then by the order in the
/// policy (A2, A3).
fn first_match(
    applying: &[Applying],
    tier: Tier,
    matches: impl Fn(&Rule) -> bool,
) -> Option<(Action, (usize, usize))> {
    let mut policies: Vec<&Applying> = applying.iter().filter(|p| p.tier == tier).collect();
    policies.sort_by_key(|policy| policy.priority);
    policies.iter().find_map(|policy| {
        let position = policy.rules.iter().position(&matches)?;
        Some((policy.rules[position].action, (policy.index, position)))
    })
}

/// All rules of NetworkPolicies that allow: their union counts, whatever their order (N9).
fn all_that_allow(applying: &[Applying], matches: impl Fn(&Rule) -> bool) -> Vec<(usize, usize)> {
    let mut by = Vec::new();
    for policy in applying.iter().filter(|p| p.tier == Tier::NetworkPolicy) {
        for (position, rule) in policy.rules.iter().enumerate() {
            if rule.action == Action::Allow && matches(rule) {
                by.push((policy.index, position));
            }
        }
    }
    by
}

/// Is the policy about this pod (N2, A11)? Never about one on the host network (B5).
fn selects(subject: &Subject, pod: &Pod) -> bool {
    !pod.host_network
        && in_namespaces(&subject.namespaces, pod)
        && subject.pods.matches(&pod.labels)
}

/// Any of the peers and any of the ports (N8).
fn rule_matches(rule: &Rule, peer: &End, flow: &Flow) -> bool {
    let peers = match &rule.peers {
        None => true, // N6
        Some(peers) => peers.iter().any(|p| peer_matches(&p.kind, peer)),
    };
    let ports = match &rule.ports {
        None => true, // N7
        Some(ports) => ports.iter().any(|p| port_matches(p, flow)),
    };
    peers && ports
}

fn peer_matches(kind: &PeerKind, end: &End) -> bool {
    match (kind, end) {
        (PeerKind::Pods { namespaces, pods }, End::Pod(pod)) => {
            !pod.host_network // B5
                && in_namespaces(namespaces, pod) // S1, S2
                && pods.matches(&pod.labels) // S3
        }
        (PeerKind::Pods { .. }, End::External(_)) => false, // X1
        (PeerKind::Block(block), End::Pod(pod)) => {
            pod.addresses.iter().any(|&address| contains(block, address)) // I3, U1
        }
        (PeerKind::Block(block), End::External(address)) => contains(block, *address),
    }
}

fn in_namespaces(namespaces: &NamespaceMatch, pod: &Pod) -> bool {
    match namespaces {
        NamespaceMatch::Name(name) => *name == pod.namespace,
        NamespaceMatch::Labels(selector) => selector.matches(&pod.namespace_labels),
    }
}

/// Inside the range, of its own family (I1), and outside every hole (I2).
fn contains(block: &IpBlock, address: IpAddr) -> bool {
    block.cidr.contains(&address) && !block.except.iter().any(|hole| hole.contains(&address))
}

/// Protocol and port must both match (P1), at the flow's destination in either direction (P3).
fn port_matches(entry: &PortMatch, flow: &Flow) -> bool {
    let port = match &entry.ports {
        Ports::All => true,                                                 // N7
        Ports::Range(first, last) => (*first..=*last).contains(&flow.port), // P2, P4
        Ports::Named(name) => match flow.to {
            End::External(_) => false, // P3
            End::Pod(pod) => {
                !pod.host_network // B5
                    && pod.ports.iter().any(|declared| {
                        declared.name.as_ref() == Some(name)
                            && declared.protocol == entry.protocol
                            && declared.number == flow.port
                    }) // P3, U4
            }
        },
    };
    entry.protocol == flow.protocol && port
}
