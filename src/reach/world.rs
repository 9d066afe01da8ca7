//! The domain of a comparison: what the slots of both ends stand for, on both sides.

use crate::model::{
    Cluster, Labels, NAMESPACE_NAME_LABEL, NamespaceMatch, Operator, PeerKind, Policy, Workload,
    WorkloadId,
};
use crate::set::address::AddressSpace;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
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
    /// Slots of the workloads that do not exist, or look different to policies, on one side.
    pub changed_workloads: Vec<u32>,
    /// Indexes of the namespaces whose labels, as far as known, differ between the sides.
    pub changed_namespaces: Vec<usize>,
    /// Policies that are not one object on both sides.
    pub changed_policies: Vec<Versions<'a, Policy>>,
    by_name: BTreeMap<Arc<str>, usize>,
    clusters: PerSide<&'a Cluster>,
}

impl<'a> World<'a> {
    /// Lays out the domain for two sides.
    pub fn new(before: &'a Cluster, after: &'a Cluster) -> Self {
        let clusters = PerSide { before, after };
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut blocks: BTreeSet<IpNet> = BTreeSet::new();
        for cluster in [before, after] {
            names.extend(cluster.namespaces.keys().cloned());
            names.extend(cluster.workloads.iter().map(|w| w.id.namespace.clone()));
            for policy in &cluster.policies {
                mentions(policy, &mut names, &mut blocks);
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
            changed_workloads: Vec::new(),
            changed_namespaces: Vec::new(),
            changed_policies: join(&before.policies, &after.policies, |policy| &policy.id)
                .filter(|pair| !matches!(pair, (Some(a), Some(b)) if Arc::ptr_eq(a, b)))
                .collect(),
            by_name,
            clusters,
        };
        world.note_exceptions();
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
fn join<'a, T, K: Ord + 'a>(
    before: &'a [Arc<T>],
    after: &'a [Arc<T>],
    key: impl Fn(&'a T) -> &'a K + Copy,
) -> impl Iterator<Item = Versions<'a, T>> {
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    std::iter::from_fn(move || match (before.peek(), after.peek()) {
        (None, None) => None,
        (Some(_), None) => Some((before.next(), None)),
        (None, Some(_)) => Some((None, after.next())),
        (Some(a), Some(b)) => Some(match key(a).cmp(key(b)) {
            std::cmp::Ordering::Less => (before.next(), None),
            std::cmp::Ordering::Greater => (None, after.next()),
            std::cmp::Ordering::Equal => (before.next(), after.next()),
        }),
    })
}
