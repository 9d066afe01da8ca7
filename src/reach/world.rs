//! The domain of a comparison: what the slots of both ends stand for, on both sides.

use crate::config::Config;
use crate::model::{
    Cluster, Labels, NAMESPACE_NAME_LABEL, NamespaceMatch, Operator, PeerKind, Policy, Selector,
    Workload, WorkloadId,
};
use crate::set::address::AddressSpace;
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// A side of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What was.
    Before,
    /// What will be.
    After,
}

impl Side {
    /// The other side.
    pub fn other(self) -> Side {
        match self {
            Side::Before => Side::After,
            Side::After => Side::Before,
        }
    }
}

/// A value per side.
#[derive(Clone, Debug, Default)]
pub struct PerSide<T> {
    before: T,
    after: T,
}

impl<T> PerSide<T> {
    /// The value of one side.
    pub fn on(&self, side: Side) -> &T {
        match side {
            Side::Before => &self.before,
            Side::After => &self.after,
        }
    }

    fn on_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Before => &mut self.before,
            Side::After => &mut self.after,
        }
    }
}

/// One identity as it is before and after; at least one is there.
pub type Versions<'a, T> = (Option<&'a Arc<T>>, Option<&'a Arc<T>>);

/// Who an end of a flow can be. Slots are numbered: workloads first, namespace by namespace, then
/// the undeclared pods of each known namespace, then those of all others, then everything outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// A declared workload, by its index in [`World::workloads`].
    Workload(usize),
    /// Pods that are not declared, in a known namespace, by its index in [`World::namespaces`].
    Undeclared(usize),
    /// Pods that are not declared, in a namespace that nothing names.
    Elsewhere,
    /// An address outside the cluster.
    External,
}

/// A declared workload: one identity with a point of its own on each side.
#[derive(Clone, Debug)]
pub struct WorkloadSlot<'a> {
    /// Who it is.
    pub id: &'a WorkloadId,
    /// Its namespace, an index in [`World::namespaces`].
    pub namespace: usize,
    /// What it is on each side; `None` where it does not exist.
    pub on: PerSide<Option<&'a Arc<Workload>>>,
}

/// A namespace that a manifest, a workload, a policy or a selector names.
#[derive(Clone, Debug)]
pub struct NamespaceSlot<'a> {
    /// Its name.
    pub name: Arc<str>,
    /// Its labels as far as known; the name label always (S7).
    pub labels: PerSide<Labels>,
    /// Does it have a manifest? Otherwise undeclared pods in it leave its other labels free.
    pub declared: PerSide<bool>,
    /// Its workloads: the first slot and the one after the last.
    pub workloads: (u32, u32),
    /// False iff each of its workloads exists on that side and selectors can match it.
    pub irregular: PerSide<bool>,
    /// The policies in it.
    pub policies: PerSide<Vec<&'a Arc<Policy>>>,
}

/// Where a pod of unknown address can have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<IpNet>);

impl Ranges {
    /// Anywhere: nothing is known of it.
    pub fn is_anywhere(&self) -> bool {
        self.0.is_empty()
    }

    /// The blocks; empty for anywhere.
    pub fn blocks(&self) -> &[IpNet] {
        &self.0
    }

    /// Can the address be one of these?
    pub fn hold(&self, address: IpAddr) -> bool {
        self.is_anywhere() || self.0.iter().any(|block| block.contains(&address))
    }

    /// What an address outside the ranges stands for: the first one inside. So every value of an address
    /// field is an address that a pod can have, and no set has to be cut to those that are.
    pub fn stand_in(&self) -> Option<IpAddr> {
        self.0.first().map(IpNet::network)
    }
}

/// The common domain of both sides.
#[derive(Debug)]
pub struct World<'a> {
    /// All that is declared, by slot.
    pub workloads: Vec<WorkloadSlot<'a>>,
    /// All known namespaces, by index, those with equal labels together.
    pub namespaces: Vec<NamespaceSlot<'a>>,
    /// The values of the address fields.
    pub addresses: AddressSpace,
    /// Slots of the workloads that do not exist on a side.
    pub missing: PerSide<Vec<u32>>,
    /// Slots of bare pods: they have no second replica to talk to (B3).
    pub alone: PerSide<Vec<u32>>,
    /// Slots of the workloads whose addresses are known.
    pub addressed: PerSide<Vec<u32>>,
    /// Slots of the workloads with another choice of addresses than [`World::pod_ranges`]: those with
    /// addresses of nodes, and those that have them on one side only, which can be anywhere.
    pub elsewhere_addressed: Vec<(u32, Ranges)>,
    /// Where pods of unknown address have it.
    pub pod_ranges: Ranges,
    /// Slots of the workloads that do not exist, or look different to policies, on one side.
    pub changed_workloads: Vec<u32>,
    /// Indexes of the namespaces whose labels, as far as known, differ between the sides.
    pub changed_namespaces: Vec<usize>,
    /// Policies that are not one object on both sides.
    pub changed_policies: Vec<Versions<'a, Policy>>,
    by_name: BTreeMap<Arc<str>, usize>,
    /// The namespaces with a manifest that has a label, by index, in order.
    by_label: PerSide<ByLabel<'a>>,
    /// The namespaces without a manifest, by index, in order.
    without_manifest: PerSide<Vec<usize>>,
    clusters: PerSide<&'a Cluster>,
}

type ByLabel<'a> = FxHashMap<(&'a str, &'a str), Vec<usize>>;

impl<'a> World<'a> {
    /// Lays out the domain for two sides of a cluster of which nothing is known.
    pub fn new(before: &'a Cluster, after: &'a Cluster) -> Self {
        Self::of(before, after, &Config::default())
    }

    /// Lays out the domain for two sides, with what is known of the addresses in the cluster.
    pub fn of(before: &'a Cluster, after: &'a Cluster, config: &Config) -> Self {
        let clusters = PerSide { before, after };
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut blocks: BTreeSet<IpNet> =
            config.pod_ranges.iter().chain(&config.node_ranges).copied().collect();
        blocks.extend(config.guardrails.iter().flat_map(|guardrail| guardrail.blocks()));
        for cluster in [before, after] {
            names.extend(cluster.namespaces.keys().cloned());
            // Those of one namespace stand together.
            for some in cluster.workloads.chunk_by(|a, b| a.id.namespace == b.id.namespace) {
                names.extend(some.first().map(|workload| workload.id.namespace.clone()));
            }
        }
        for pair in join(&before.policies, &after.policies, |policy| &policy.id) {
            match pair {
                (Some(a), Some(b)) if Arc::ptr_eq(a, b) => mentions(a, &mut names, &mut blocks),
                (a, b) => a
                    .into_iter()
                    .chain(b)
                    .for_each(|policy| mentions(policy, &mut names, &mut blocks)),
            }
        }
        let mut namespaces: Vec<NamespaceSlot> = names
            .into_iter()
            .map(|name| NamespaceSlot {
                labels: PerSide {
                    before: before.namespace_labels(&name),
                    after: after.namespace_labels(&name),
                },
                declared: PerSide {
                    before: before.namespaces.contains_key(&name),
                    after: after.namespaces.contains_key(&name),
                },
                name,
                workloads: (0, 0),
                irregular: PerSide::default(),
                policies: PerSide::default(),
            })
            .collect();
        namespaces.sort_by_cached_key(|namespace| {
            let mut labels = namespace.labels.after.clone();
            labels.remove(NAMESPACE_NAME_LABEL);
            (labels, namespace.name.clone())
        });
        let by_name: BTreeMap<Arc<str>, usize> =
            namespaces.iter().enumerate().map(|(i, n)| (n.name.clone(), i)).collect();
        for side in [Side::Before, Side::After] {
            for policy in &clusters.on(side).policies {
                if let Some(index) = policy.id.namespace.as_ref().and_then(|n| by_name.get(n))
                    && let Some(namespace) = namespaces.get_mut(*index)
                {
                    namespace.policies.on_mut(side).push(policy);
                }
            }
        }
        let workloads = lay_out(&clusters, &mut namespaces, &by_name);
        let mut world = Self {
            workloads,
            namespaces,
            addresses: AddressSpace::new(&blocks),
            missing: PerSide::default(),
            alone: PerSide::default(),
            addressed: PerSide::default(),
            elsewhere_addressed: Vec::new(),
            pod_ranges: Ranges(config.pod_ranges.clone()),
            changed_workloads: Vec::new(),
            changed_namespaces: Vec::new(),
            changed_policies: join(&before.policies, &after.policies, |policy| &policy.id)
                .filter(|pair| !matches!(pair, (Some(a), Some(b)) if Arc::ptr_eq(a, b)))
                .collect(),
            by_name,
            by_label: PerSide::default(),
            without_manifest: PerSide::default(),
            clusters,
        };
        world.note_labels();
        world.note_exceptions();
        world.note_addresses(&config.node_ranges);
        world.note_changes();
        world
    }

    fn note_changes(&mut self) {
        let changed = |workload: &WorkloadSlot| match (workload.on.before, workload.on.after) {
            (Some(a), Some(b)) => !Arc::ptr_eq(a, b) && !a.same_to_policies(b),
            _ => true,
        };
        let workloads = self.workloads.iter().enumerate();
        self.changed_workloads =
            workloads.filter(|(_, w)| changed(w)).map(|(slot, _)| slot as u32).collect();
        let changed = |namespace: &NamespaceSlot| {
            namespace.labels.before != namespace.labels.after
                || namespace.declared.before != namespace.declared.after
        };
        let namespaces = self.namespaces.iter().enumerate();
        self.changed_namespaces =
            namespaces.filter(|(_, n)| changed(n)).map(|(index, _)| index).collect();
    }

    /// Lets a selector find its namespaces without asking each of them.
    fn note_labels(&mut self) {
        for side in [Side::Before, Side::After] {
            let manifests = &self.clusters.on(side).namespaces;
            for (index, namespace) in self.namespaces.iter().enumerate() {
                let Some(manifest) = manifests.get(&namespace.name) else {
                    self.without_manifest.on_mut(side).push(index);
                    continue;
                };
                for (key, value) in &manifest.labels {
                    self.by_label.on_mut(side).entry((key, value)).or_default().push(index);
                }
            }
        }
    }

    /// The known namespaces, by index and in order, of which a selector can match one on a side: no
    /// other does, whatever the labels of those without a manifest are.
    pub fn namespaces_for(&self, side: Side, selector: &Selector) -> Vec<usize> {
        let by_label = self.by_label.on(side);
        let listed = selector.requirements().iter().filter_map(|requirement| {
            let Operator::In(values) = &requirement.operator else { return None };
            let of = |value| match &*requirement.key {
                NAMESPACE_NAME_LABEL => self.by_name.get(value).map(std::slice::from_ref),
                key => by_label.get(&(key, value)).map(Vec::as_slice),
            };
            Some(values.iter().filter_map(|value| of(value)).collect::<Vec<_>>())
        });
        let count = |lists: &Vec<&[usize]>| lists.iter().map(|list| list.len()).sum::<usize>();
        match listed.min_by_key(count) {
            None => (0..self.namespaces.len()).collect(),
            Some(lists) => {
                let mut indexes = lists.concat();
                indexes.extend(self.without_manifest.on(side));
                indexes.sort_unstable();
                indexes.dedup();
                indexes
            }
        }
    }

    /// Lists the few workloads that need a word of their own in every analysis.
    fn note_exceptions(&mut self) {
        for (slot, workload) in self.workloads.iter().enumerate() {
            let slot = slot as u32;
            for side in [Side::Before, Side::After] {
                match workload.on.on(side) {
                    None => self.missing.on_mut(side).push(slot),
                    Some(workload) => {
                        if workload.single {
                            self.alone.on_mut(side).push(slot);
                        }
                        if !workload.addresses.is_empty() {
                            self.addressed.on_mut(side).push(slot);
                        }
                    }
                }
            }
        }
    }

    fn note_addresses(&mut self, node_ranges: &[IpNet]) {
        for (slot, workload) in self.workloads.iter().enumerate() {
            let sides = [workload.on.before, workload.on.after];
            let mut of_node = sides.into_iter().flatten().map(|workload| workload.node_address);
            let ranges = match (of_node.next(), of_node.next()) {
                (Some(false), None | Some(false)) | (None, _) => continue,
                (Some(true), None | Some(true)) => Ranges(node_ranges.to_vec()),
                // One address on both sides is in neither's ranges alone.
                (Some(_), Some(_)) => Ranges::default(),
            };
            self.elsewhere_addressed.push((slot as u32, ranges));
        }
    }

    /// Where the pods of a slot have their address, if it is not known.
    pub fn ranges(&self, slot: u32) -> &Ranges {
        let found = self.elsewhere_addressed.binary_search_by_key(&slot, |(slot, _)| *slot);
        let exception = found.ok().and_then(|index| self.elsewhere_addressed.get(index));
        exception.map_or(&self.pod_ranges, |(_, ranges)| ranges)
    }

    /// One side as it was read.
    pub fn cluster(&self, side: Side) -> &'a Cluster {
        self.clusters.on(side)
    }

    /// The index of a namespace.
    pub fn namespace(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// What a slot number stands for.
    pub fn slot(&self, number: u32) -> Slot {
        let (number, workloads) = (number as usize, self.workloads.len());
        if number < workloads {
            Slot::Workload(number)
        } else if number < workloads + self.namespaces.len() {
            Slot::Undeclared(number - workloads)
        } else if number == workloads + self.namespaces.len() {
            Slot::Elsewhere
        } else {
            Slot::External
        }
    }

    /// The number of the slot of undeclared pods in a known namespace.
    pub fn undeclared(&self, namespace: usize) -> u32 {
        (self.workloads.len() + namespace) as u32
    }

    /// The number of the slot of undeclared pods in all other namespaces.
    pub fn elsewhere(&self) -> u32 {
        self.undeclared(self.namespaces.len())
    }

    /// The slot of everything outside, as an interval: the rest of the field.
    pub fn external(&self) -> (u32, u32) {
        (self.elsewhere() + 1, u32::MAX)
    }
}

/// Namespaces and address blocks that a policy names.
fn mentions(policy: &Policy, names: &mut BTreeSet<Arc<str>>, blocks: &mut BTreeSet<IpNet>) {
    let mut of = |namespaces: &NamespaceMatch| match namespaces {
        NamespaceMatch::Name(name) => {
            if !names.contains(name) {
                names.insert(name.clone());
            }
        }
        NamespaceMatch::Labels(selector) => {
            for requirement in selector.requirements() {
                if let Operator::In(values) | Operator::NotIn(values) = &requirement.operator
                    && &*requirement.key == NAMESPACE_NAME_LABEL
                {
                    for value in values.iter().filter(|value| !value.is_empty()) {
                        if !names.contains(&**value) {
                            names.insert(Arc::from(&**value));
                        }
                    }
                }
            }
        }
    };
    of(&policy.subject.namespaces);
    let sections = [&policy.ingress, &policy.egress];
    let rules = sections.into_iter().flatten().flat_map(|section| &section.rules);
    for peer in rules.flat_map(|rule| rule.peers.iter().flatten()) {
        match &peer.kind {
            PeerKind::Pods { namespaces, .. } => of(namespaces),
            PeerKind::Block(block) => {
                blocks.insert(block.cidr);
                blocks.extend(&block.except);
            }
        }
    }
}

/// Gives every workload its slot, namespace by namespace.
fn lay_out<'a>(
    clusters: &PerSide<&'a Cluster>,
    namespaces: &mut [NamespaceSlot],
    by_name: &BTreeMap<Arc<str>, usize>,
) -> Vec<WorkloadSlot<'a>> {
    let pairs = join(&clusters.before.workloads, &clusters.after.workloads, |w| &w.id);
    let mut workloads: Vec<WorkloadSlot> = pairs
        .filter_map(|(before, after)| {
            let id = &after.or(before)?.id;
            let namespace = *by_name.get(&id.namespace)?;
            Some(WorkloadSlot { id, namespace, on: PerSide { before, after } })
        })
        .collect();
    // Stable: within a namespace the order of identities stays.
    workloads.sort_by_key(|workload| workload.namespace);
    for (slot, workload) in workloads.iter().enumerate() {
        let slot = slot as u32;
        let Some(namespace) = namespaces.get_mut(workload.namespace) else {
            continue;
        };
        let (first, end) = namespace.workloads;
        namespace.workloads = if first == end { (slot, slot + 1) } else { (first, slot + 1) };
        for side in [Side::Before, Side::After] {
            if workload.on.on(side).is_none_or(|w| w.host_network) {
                *namespace.irregular.on_mut(side) = true;
            }
        }
    }
    workloads
}

/// Joins two lists that are sorted by an identity.
pub(crate) fn join<'a, T, K: Ord + 'a>(
    before: &'a [Arc<T>],
    after: &'a [Arc<T>],
    key: impl Fn(&'a T) -> K + Copy,
) -> impl Iterator<Item = Versions<'a, T>> {
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    std::iter::from_fn(move || match (before.peek(), after.peek()) {
        (None, None) => None,
        (Some(_), None) => Some((before.next(), None)),
        (None, Some(_)) => Some((None, after.next())),
        (Some(a), Some(b)) if Arc::ptr_eq(a, b) => Some((before.next(), after.next())),
        (Some(a), Some(b)) => Some(match key(a).cmp(&key(b)) {
            std::cmp::Ordering::Less => (before.next(), None),
            std::cmp::Ordering::Greater => (None, after.next()),
            std::cmp::Ordering::Equal => (before.next(), after.next()),
        }),
    })
}
