//! Random changes of a cluster: what it shares with the original is the same `Arc`.

use super::generate::{self, world};
use super::layout;
use netpol_review::model::{
    Cluster, ContainerPort, Direction, Labels, Namespace, Peer, Policy, PortMatch, Rule, Section,
    Selector, Workload,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Two clusters of which the second is a changed copy of the first.
#[derive(Clone, Debug)]
pub struct Pair {
    pub before: Cluster,
    pub after: Cluster,
    /// What was done to `before`, in order, for messages.
    #[allow(dead_code, reason = "printed when a test fails")]
    pub edits: Vec<Edit>,
}

/// A cluster and one to three edits of it.
pub fn pair() -> impl Strategy<Value = Pair> {
    (world(), vec(edit(), 1..=3)).prop_map(|(before, edits)| Pair {
        after: edits.iter().fold(before.clone(), |cluster, edit| edit.apply(&cluster)),
        before,
        edits,
    })
}

/// One edit that a person could make. An [`Index`] picks the object; where there is none to pick,
/// nothing changes.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Adds the policy, or replaces the one of its name.
    PutPolicy(Policy),
    DeletePolicy(Index),
    SetSubject(Index, Selector),
    /// Moves a direction into or out of `policyTypes`; what was written there stays written (N4).
    ToggleDirection(Index, Direction),
    AddRule(Index, Direction, Rule),
    ReplaceRule(Index, Direction, Index, Rule),
    DeleteRule(Index, Direction, Index),
    AddPeer(Index, Direction, Index, Peer),
    /// Deleting the last peer leaves any peer (N6).
    DeletePeer(Index, Direction, Index, Index),
    AddPort(Index, Direction, Index, PortMatch),
    /// Deleting the last port leaves all ports (N7).
    DeletePort(Index, Direction, Index, Index),
    /// Adds the workload, or replaces the one of its name.
    PutWorkload(Workload),
    DeleteWorkload(Index),
    SetLabels(Index, Labels),
    SetPorts(Index, BTreeSet<ContainerPort>),
    SetAddresses(Index, BTreeSet<IpAddr>),
    ToggleHostNetwork(Index),
    /// Declares the namespace with these labels, or takes its manifest away.
    SetNamespace(&'static str, Option<Labels>),
}

/// Any edit, those of policies twice as often as those of workloads and namespaces.
pub fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<Index>;
    let direction = || select(&Direction::BOTH[..]);
    let policies = prop_oneof![
        generate::policy().prop_map(Edit::PutPolicy),
        index().prop_map(Edit::DeletePolicy),
        (index(), generate::pod_selector()).prop_map(|(p, s)| Edit::SetSubject(p, s)),
        (index(), direction()).prop_map(|(p, d)| Edit::ToggleDirection(p, d)),
        (index(), direction(), generate::rule()).prop_map(|(p, d, r)| Edit::AddRule(p, d, r)),
        (index(), direction(), index(), generate::rule())
            .prop_map(|(p, d, i, r)| Edit::ReplaceRule(p, d, i, r)),
        (index(), direction(), index()).prop_map(|(p, d, i)| Edit::DeleteRule(p, d, i)),
        (index(), direction(), index(), generate::peer())
            .prop_map(|(p, d, i, peer)| Edit::AddPeer(p, d, i, peer)),
        (index(), direction(), index(), index())
            .prop_map(|(p, d, i, j)| Edit::DeletePeer(p, d, i, j)),
        (index(), direction(), index(), generate::port())
            .prop_map(|(p, d, i, port)| Edit::AddPort(p, d, i, port)),
        (index(), direction(), index(), index())
            .prop_map(|(p, d, i, j)| Edit::DeletePort(p, d, i, j)),
    ];
    let others = prop_oneof![
        generate::workload().prop_map(Edit::PutWorkload),
        index().prop_map(Edit::DeleteWorkload),
        (index(), generate::pod_labels()).prop_map(|(w, l)| Edit::SetLabels(w, l)),
        (index(), generate::container_ports()).prop_map(|(w, p)| Edit::SetPorts(w, p)),
        (index(), generate::workload())
            .prop_map(|(w, other)| Edit::SetAddresses(w, other.addresses)),
        index().prop_map(Edit::ToggleHostNetwork),
        (generate::namespace_name(), option::of(generate::namespace_labels()))
            .prop_map(|(name, labels)| Edit::SetNamespace(name, labels)),
    ];
    prop_oneof![2 => policies, 1 => others]
}

impl Edit {
    /// The edited cluster. Objects that are not edited stay the same `Arc`.
    pub fn apply(&self, cluster: &Cluster) -> Cluster {
        let mut namespaces = cluster.namespaces.clone();
        let mut workloads = cluster.workloads.clone();
        let mut policies = cluster.policies.clone();
        match self {
            Edit::PutPolicy(policy) => policies.push(layout::policy(policy.clone())),
            Edit::DeletePolicy(index) => remove(&mut policies, index),
            Edit::SetSubject(index, selector) => {
                edit_policy(&mut policies, index, |p| p.subject.pods = selector.clone());
            }
            Edit::ToggleDirection(index, direction) => {
                edit_policy(&mut policies, index, |policy| toggle(policy, *direction));
            }
            Edit::AddRule(index, direction, rule) => {
                edit_rules(&mut policies, index, *direction, |rules| rules.push(rule.clone()));
            }
            Edit::ReplaceRule(index, direction, which, rule) => {
                edit_rule(&mut policies, index, *direction, which, |r| *r = rule.clone());
            }
            Edit::DeleteRule(index, direction, which) => {
                edit_rules(&mut policies, index, *direction, |rules| remove(rules, which));
            }
            Edit::AddPeer(index, direction, which, peer) => {
                edit_rule(&mut policies, index, *direction, which, |rule| {
                    rule.peers.get_or_insert_default().push(peer.clone());
                });
            }
            Edit::DeletePeer(index, direction, which, peer) => {
                edit_rule(&mut policies, index, *direction, which, |rule| {
                    remove_from(&mut rule.peers, peer);
                });
            }
            Edit::AddPort(index, direction, which, port) => {
                edit_rule(&mut policies, index, *direction, which, |rule| {
                    rule.ports.get_or_insert_default().push(port.clone());
                });
            }
            Edit::DeletePort(index, direction, which, port) => {
                edit_rule(&mut policies, index, *direction, which, |rule| {
                    remove_from(&mut rule.ports, port);
                });
            }
            Edit::PutWorkload(workload) => workloads.push(layout::workload(workload.clone())),
            Edit::DeleteWorkload(index) => remove(&mut workloads, index),
            Edit::SetLabels(index, labels) => {
                edit_workload(&mut workloads, index, |w| w.labels = labels.clone());
            }
            Edit::SetPorts(index, ports) => {
                edit_workload(&mut workloads, index, |w| w.ports = ports.clone());
            }
            Edit::SetAddresses(index, addresses) => {
                // Only the manifest of a bare pod can hold addresses.
                edit_workload(&mut workloads, index, |workload| {
                    if workload.single {
                        workload.addresses = addresses.clone();
                    }
                });
            }
            Edit::ToggleHostNetwork(index) => {
                edit_workload(&mut workloads, index, |w| {
                    w.host_network = !w.host_network;
                    w.node_address = w.host_network;
                });
            }
            Edit::SetNamespace(name, labels) => {
                let _: Option<Arc<Namespace>> = match labels {
                    Some(labels) => {
                        let namespace = layout::namespace(name, labels.clone());
                        namespaces.insert((*name).into(), namespace)
                    }
                    None => namespaces.remove(*name),
                };
            }
        }
        layout::cluster(namespaces.into_values(), workloads, policies)
    }
}

fn remove<T>(items: &mut Vec<T>, index: &Index) {
    if !items.is_empty() {
        items.remove(index.index(items.len()));
    }
}

/// Deletes one entry of a list that means "all" when it is absent and is never empty.
fn remove_from<T>(items: &mut Option<Vec<T>>, index: &Index) {
    if let Some(items) = items {
        remove(items, index);
    }
    if items.as_ref().is_some_and(Vec::is_empty) {
        *items = None;
    }
}

fn edit_policy(policies: &mut [Arc<Policy>], index: &Index, edit: impl FnOnce(&mut Policy)) {
    if !policies.is_empty() {
        let policy = index.get_mut(policies);
        let mut edited = Policy::clone(policy);
        edit(&mut edited);
        *policy = layout::policy(edited);
    }
}

fn edit_workload(workloads: &mut [Arc<Workload>], index: &Index, edit: impl FnOnce(&mut Workload)) {
    if !workloads.is_empty() {
        let workload = index.get_mut(workloads);
        let mut edited = Workload::clone(workload);
        edit(&mut edited);
        *workload = layout::workload(edited);
    }
}

fn edit_rules(
    policies: &mut [Arc<Policy>],
    index: &Index,
    direction: Direction,
    edit: impl FnOnce(&mut Vec<Rule>),
) {
    edit_policy(policies, index, |policy| {
        if let Some(section) = section_mut(policy, direction) {
            edit(&mut section.rules);
        }
    });
}

fn edit_rule(
    policies: &mut [Arc<Policy>],
    index: &Index,
    direction: Direction,
    which: &Index,
    edit: impl FnOnce(&mut Rule),
) {
    edit_rules(policies, index, direction, |rules| {
        if !rules.is_empty() {
            edit(which.get_mut(rules));
        }
    });
}

fn section_mut(policy: &mut Policy, direction: Direction) -> Option<&mut Section> {
    match direction {
        Direction::Ingress => policy.ingress.as_mut(),
        Direction::Egress => policy.egress.as_mut(),
    }
}

/// A policy keeps at least one direction: without any, `policyTypes` would be defaulted (N3).
fn toggle(policy: &mut Policy, direction: Direction) {
    let lives = policy.section(direction).is_some();
    let both = policy.ingress.is_some() && policy.egress.is_some();
    if lives && !both {
        return;
    }
    let slot = match direction {
        Direction::Ingress => &mut policy.ingress,
        Direction::Egress => &mut policy.egress,
    };
    match slot.take() {
        Some(section) => policy.dead.push((direction, section)),
        None => {
            let dead = policy.dead.iter().position(|(d, _)| *d == direction);
            *slot = Some(match dead {
                Some(position) => policy.dead.remove(position).1,
                None => Section { rules: vec![], origin: layout::origin("", 1, 1) },
            });
        }
    }
}
