//! One side, as rules ask about it.

use super::Scope;
use super::confirm::{self, Shown, Shows};
use super::grants::{self, Grant};
use crate::config::Config;
use crate::model::{
    Cluster, Direction, NamespaceMatch, Operator, PeerKind, Policy, PolicyId, PortMatch, Ports,
    Protocol, Rule, Section, Selector, Service, Workload,
};
use crate::reach::{Encoder, NamespaceSlot, Reading, Side, World};
use crate::set::{OverBudget, Set};
use crate::tree::{Problem, Tree};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::{OnceCell, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// One side of a comparison, or the only one.
pub struct Snapshot<'s, 'w, 'a> {
    /// Both sides.
    pub world: &'w World<'a>,
    /// Which one this is.
    pub side: Side,
    /// What is known of the cluster, and what is set for rules.
    pub config: &'s Config,
    /// What it was read from.
    pub read: Read<'s>,
    scope: &'s Scope,
    engine: &'s Engine<'w, 'a>,
    asked: OnceCell<Vec<&'a Policy>>,
    grants: RefCell<Granting<'a>>,
    labelled: RefCell<BTreeMap<Box<str>, Labelled<'a>>>,
    values: RefCell<FxHashMap<Box<str>, FxHashSet<&'a str>>>,
}

/// The symbolic engine over both sides of a comparison, made when it is first asked.
pub type Engine<'w, 'a> = OnceCell<RefCell<Encoder<'w, 'a>>>;

/// What the model of a side was read from.
#[derive(Clone, Copy, Debug)]
pub struct Read<'s> {
    /// The files.
    pub tree: &'s Tree,
    /// What of them was not understood.
    pub problems: &'s [Problem],
    /// What of the other side was not understood; nothing where there is none.
    pub others: &'s [Problem],
}

/// What rules admit, by the index of their namespace and their direction.
type Granting<'a> = FxHashMap<(usize, Direction), Rc<[Grant<'a>]>>;

/// The declared workloads with a label of some key, by its value.
type Labelled<'a> = BTreeMap<&'a str, Vec<&'a Arc<Workload>>>;

/// The declared workloads that a peer matches.
#[derive(Clone, Debug, Default)]
pub struct Matched<'a> {
    /// In the order of their namespaces.
    pub workloads: Vec<&'a Arc<Workload>>,
    /// The known namespaces that it looks in, by name.
    pub namespaces: Vec<Arc<str>>,
}

impl<'s, 'w, 'a> Snapshot<'s, 'w, 'a> {
    /// A side, of which only what lies in the scope is asked about.
    pub fn new(
        world: &'w World<'a>,
        side: Side,
        config: &'s Config,
        scope: &'s Scope,
        engine: &'s Engine<'w, 'a>,
        read: Read<'s>,
    ) -> Self {
        Self {
            world,
            side,
            config,
            read,
            scope,
            engine,
            asked: OnceCell::new(),
            grants: RefCell::default(),
            labelled: RefCell::default(),
            values: RefCell::default(),
        }
    }

    /// An example out of these flows, for a finding of this side. Nobody is shown those of the side before, so there are
    /// none.
    pub fn example(
        &self,
        encoder: &mut Encoder<'_, '_>,
        flows: Set,
        shows: Shows,
    ) -> Result<Shown, OverBudget> {
        match self.side {
            Side::Before => Ok(Shown::Nothing),
            Side::After => confirm::example(encoder, self.side, flows, shows),
        }
    }

    /// All objects of this side.
    pub fn cluster(&self) -> &'a Cluster {
        self.world.cluster(self.side)
    }

    /// The symbolic engine over both sides.
    pub fn encoder(&self) -> RefMut<'_, Encoder<'w, 'a>> {
        let new = || {
            let budget = self.config.node_budget;
            RefCell::new(Encoder::new(self.world, Reading::KnownAddresses, budget))
        };
        self.engine.get_or_init(new).borrow_mut()
    }

    /// The namespaces to ask about, each with its index in [`World::namespaces`].
    pub fn namespaces(&self) -> impl Iterator<Item = (usize, &'w NamespaceSlot<'a>)> {
        let all = self.world.namespaces.iter().enumerate();
        all.filter(|(index, _)| self.scope.namespace(*index))
    }

    /// Is this namespace to be asked about, be there anything in it or not?
    pub fn asked(&self, namespace: &str) -> bool {
        self.scope.named(self.world, namespace)
    }

    /// The policies to ask about, by namespace and name.
    pub fn policies(&self) -> impl Iterator<Item = &'a Policy> {
        let asked = self.asked.get_or_init(|| {
            let all = self.world.namespaces.iter().enumerate();
            let policies = all.flat_map(|(index, namespace)| {
                let policies = namespace.policies.on(self.side).iter();
                policies
                    .filter(move |policy| self.scope.policy(self.world, self.side, index, policy))
            });
            policies.map(|policy| &***policy).collect()
        });
        asked.iter().copied()
    }

    /// The rules of a policy that take effect, by direction, each with its position in its section.
    pub fn rules(policy: &Policy) -> impl Iterator<Item = (Direction, usize, &Rule)> {
        Direction::BOTH.into_iter().flat_map(move |direction| {
            let rules = policy.section(direction).map(|section: &Section| section.rules.iter());
            let rules = rules.into_iter().flatten().enumerate();
            rules.map(move |(position, rule)| (direction, position, rule))
        })
    }

    /// Is there a policy of this identity?
    pub fn has_policy(&self, id: &PolicyId) -> bool {
        self.policies_in(id.namespace.as_deref().unwrap_or_default())
            .iter()
            .any(|policy| policy.id == *id)
    }

    /// All policies of a namespace, in scope or not.
    pub fn policies_in(&self, namespace: &str) -> &[&'a Arc<Policy>] {
        let slot = self.world.namespace(namespace).and_then(|i| self.world.namespaces.get(i));
        slot.map_or(&[], |slot| slot.policies.on(self.side))
    }

    /// What the rules of a namespace admit at their own end in a direction, in the order of its policies. It is found
    /// out once for all rules of the catalogue.
    pub fn grants(
        &self,
        namespace: &str,
        direction: Direction,
    ) -> Result<Rc<[Grant<'a>]>, OverBudget> {
        let Some(index) = self.world.namespace(namespace) else { return Ok(Rc::default()) };
        if let Some(known) = self.grants.borrow().get(&(index, direction)) {
            return Ok(known.clone());
        }
        let policies = self.policies_in(namespace);
        let grants = grants::grants(&mut self.encoder(), self.side, direction, policies)?;
        let grants: Rc<[Grant<'a>]> = grants.into();
        self.grants.borrow_mut().insert((index, direction), grants.clone());
        Ok(grants)
    }

    /// The policies that isolate a declared workload in a direction (N1).
    pub fn isolating(
        &self,
        direction: Direction,
        workload: &Workload,
    ) -> impl Iterator<Item = &'a Policy> {
        let policies = self.policies_in(&workload.id.namespace).iter();
        let isolates = policies.filter(move |policy| {
            policy.section(direction).is_some() && policy.subject.pods.matches(&workload.labels)
        });
        isolates.map(|policy| &***policy)
    }

    /// The declared workloads of a namespace.
    pub fn workloads_in(&self, namespace: &str) -> Vec<&'a Arc<Workload>> {
        let slot = self.world.namespace(namespace).and_then(|i| self.world.namespaces.get(i));
        slot.map(|slot| self.workloads_of(slot)).unwrap_or_default()
    }

    /// The declared workloads of a namespace that exist on this side.
    pub fn workloads_of(&self, namespace: &NamespaceSlot<'a>) -> Vec<&'a Arc<Workload>> {
        let (first, end) = namespace.workloads;
        let slots = self.world.workloads.get(first as usize..end as usize).unwrap_or_default();
        slots.iter().filter_map(|slot| *slot.on.on(self.side)).collect()
    }

    /// The declared workloads that a policy selects.
    pub fn selected(&self, policy: &Policy) -> Vec<&'a Arc<Workload>> {
        self.matched(&PeerKind::Pods {
            namespaces: policy.subject.namespaces.clone(),
            pods: policy.subject.pods.clone(),
        })
        .workloads
    }

    /// The declared workloads that a peer matches; none for addresses.
    pub fn matched(&self, peer: &PeerKind) -> Matched<'a> {
        let mut matched = Matched::default();
        let PeerKind::Pods { namespaces, pods } = peer else { return matched };
        for slot in self.in_sight(namespaces) {
            if let NamespaceMatch::Labels(selector) = namespaces
                && !selector.matches(slot.labels.on(self.side))
            {
                continue;
            }
            matched.namespaces.push(slot.name.clone());
            let workloads = self.workloads_of(slot).into_iter();
            matched.workloads.extend(
                workloads
                    .filter(|workload| !workload.host_network && pods.matches(&workload.labels)),
            );
        }
        matched
    }

    /// The declared workloads with a label, wherever they are, those on the host network too, in the order of
    /// their identities.
    pub fn labelled(&self, key: &str, value: &str) -> Vec<&'a Arc<Workload>> {
        let mut indexes = self.labelled.borrow_mut();
        if !indexes.contains_key(key) {
            let mut index = Labelled::new();
            for workload in &self.cluster().workloads {
                if let Some(value) = workload.labels.get(key) {
                    index.entry(value).or_default().push(workload);
                }
            }
            indexes.insert(key.into(), index);
        }
        indexes.get(key).and_then(|index| index.get(value)).cloned().unwrap_or_default()
    }

    /// Is there a declared workload in any of these namespaces?
    pub fn inhabited(&self, namespaces: &NamespaceMatch) -> bool {
        self.in_sight(namespaces).any(|namespace| !self.workloads_of(namespace).is_empty())
    }

    /// The known namespaces that may match.
    fn in_sight(&self, namespaces: &NamespaceMatch) -> impl Iterator<Item = &'w NamespaceSlot<'a>> {
        let indexes = match namespaces {
            NamespaceMatch::Name(name) => self.world.namespace(name).into_iter().collect(),
            NamespaceMatch::Labels(selector) => self.world.namespaces_for(self.side, selector),
        };
        indexes.into_iter().filter_map(|index| self.world.namespaces.get(index))
    }

    /// Has a declared workload, wherever it is, the label? Those of these namespaces are asked first.
    pub fn is_labelled(&self, namespaces: &NamespaceMatch, key: &str, value: &str) -> bool {
        let has =
            |workload: &&Arc<Workload>| workload.labels.get(key).is_some_and(|v| **v == *value);
        self.in_sight(namespaces).any(|namespace| self.workloads_of(namespace).iter().any(has))
            || self.has_value(key, value)
    }

    /// Has any declared workload the label?
    fn has_value(&self, key: &str, value: &str) -> bool {
        let mut values = self.values.borrow_mut();
        if let Some(known) = values.get(key) {
            return known.contains(value);
        }
        let workloads = self.cluster().workloads.iter();
        let of_key: FxHashSet<&'a str> = workloads
            .filter_map(|workload| workload.labels.get(key).map(|value| &**value))
            .collect();
        let found = of_key.contains(value);
        values.insert(key.into(), of_key);
        found
    }

    /// The declared workloads that a selector of pods matches, wherever they are, those on the host network
    /// too, in the order of their identities.
    pub fn anywhere(&self, pods: &Selector) -> Vec<&'a Arc<Workload>> {
        let wanted =
            pods.requirements().iter().find_map(|requirement| match &requirement.operator {
                Operator::In(values) => Some((&*requirement.key, values)),
                _ => None,
            });
        let mut candidates: Vec<&'a Arc<Workload>> = match wanted {
            None => self.cluster().workloads.iter().collect(),
            Some((key, values)) => {
                values.iter().flat_map(|value| self.labelled(key, value)).collect()
            }
        };
        candidates.retain(|workload| pods.matches(&workload.labels));
        candidates.sort_unstable_by_key(|workload| &workload.id);
        candidates
    }

    /// The Services of a namespace, by name.
    pub fn services_in(&self, namespace: &str) -> &'a [Arc<Service>] {
        let services = &self.cluster().evidence.services;
        let start = services.partition_point(|service| *service.namespace < *namespace);
        let end = services.partition_point(|service| *service.namespace <= *namespace);
        services.get(start..end).unwrap_or_default()
    }

    /// May pods be in the namespace that no manifest here shows, and does a manifest say so?
    pub fn deployed_elsewhere(&self, namespace: &str) -> bool {
        self.cluster().evidence.is_open(namespace)
    }

    /// Is every pod of the namespace known, so that "matches nothing" means nothing?
    ///
    /// That is so where the configuration says it. Otherwise operators, charts and other repositories may
    /// make pods there that no manifest here shows.
    pub fn closed(&self, namespace: &str) -> bool {
        self.config.rules.closed_namespaces.contains(namespace)
    }
}

/// Does the rule allow nothing but DNS: ports 53 (or 5353, where OpenShift's pods listen) and no others?
pub fn is_dns_only(rule: &Rule) -> bool {
    rule.ports.as_ref().is_some_and(|ports| ports.iter().all(is_dns_port))
}

/// Is this port DNS?
pub fn is_dns_port(port: &PortMatch) -> bool {
    match &port.ports {
        Ports::Range(53, 53) | Ports::Range(5353, 5353) => port.protocol != Protocol::Sctp,
        Ports::Named(name) => matches!(&**name, "dns" | "dns-tcp" | "domain"),
        _ => false,
    }
}
