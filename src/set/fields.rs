//! The fields of a flow and what their values mean.
//!
//! In the order of their levels: the destination's slot, the source's slot, protocol and port, the
//! label fields in the order in which they are first mentioned (both ends of one key side by side,
//! which keeps diagrams small), the two addresses.

use super::diagram::{Diagrams, Level, OverBudget, Set};
use crate::model::{
    Direction, NAMESPACE_NAME_LABEL, NamespaceMatch, Operator, PeerKind, Policy, Ports, Protocol,
    Rule, Selector,
};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// The one that is connected to.
    Destination,
    /// The one that connects.
    Source,
}

impl End {
    /// The level of the end's slot: which workload, or which namespace an undeclared pod is in, or
    /// outside the cluster.
    pub fn slot(self) -> Level {
        match self {
            End::Destination => 0,
            End::Source => 1,
        }
    }

    /// The level of the end's address.
    pub fn address(self) -> Level {
        match self {
            End::Destination => Level::MAX - 2,
            End::Source => Level::MAX - 1,
        }
    }

    /// The other end.
    pub fn other(self) -> End {
        match self {
            End::Destination => End::Source,
            End::Source => End::Destination,
        }
    }
}

/// The level of protocol and port.
pub const PORT: Level = 2;

/// The first level of the fields that are added as they are mentioned.
const FIRST_NAMED: Level = 3;

/// A field that exists because a policy mentions it. All of them describe undeclared pods: what is
/// declared is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The value of a label of a pod: 0 absent, then the mentioned values, then any other.
    PodLabel(End, Box<str>),
    /// The value of a label of the pod's namespace, where the namespace is not declared.
    NamespaceLabel(End, Box<str>),
    /// 1 iff the flow's port is the one that the destination pod calls by this name (P3).
    ///
    /// For one flow this bit is all that a name can tell, and it is free: a pod that is not
    /// declared may resolve the name to any number or to none.
    PortName(Protocol, Box<str>),
}

/// The fields mentioned so far, with the values of each.
#[derive(Debug, Default)]
pub struct Fields {
    levels: FxHashMap<Field, Level>,
    fields: Vec<Field>,
    values: FxHashMap<Box<str>, Values>,
}

/// The mentioned values of a label key, by index and by text.
#[derive(Debug, Default)]
struct Values {
    list: Vec<Box<str>>,
    indexes: FxHashMap<Box<str>, u32>,
}

/// The value "the label is absent".
pub const ABSENT: u32 = 0;

impl Fields {
    /// The field at a level, for the levels that are added as they are mentioned.
    pub fn at(&self, level: Level) -> Option<&Field> {
        self.fields.get(level.checked_sub(FIRST_NAMED)? as usize)
    }

    /// True iff the level belongs to this end: its slot, its labels or its address.
    pub fn belongs_to(&self, level: Level, end: End) -> bool {
        level == end.slot()
            || level == end.address()
            || match self.at(level) {
                Some(Field::PodLabel(of, _) | Field::NamespaceLabel(of, _)) => *of == end,
                _ => false,
            }
    }

    /// True iff the level speaks of the port: protocol and number, or a name.
    pub fn is_port(&self, level: Level) -> bool {
        level == PORT || matches!(self.at(level), Some(Field::PortName(..)))
    }

    /// The level of a field, made on first mention together with that of the other end.
    pub fn level(&mut self, field: &Field) -> Level {
        if let Some(level) = self.levels.get(field) {
            return *level;
        }
        let pair = match field {
            Field::PodLabel(_, key) => [End::Destination, End::Source]
                .map(|end| Field::PodLabel(end, key.clone()))
                .to_vec(),
            Field::NamespaceLabel(_, key) => [End::Destination, End::Source]
                .map(|end| Field::NamespaceLabel(end, key.clone()))
                .to_vec(),
            Field::PortName(..) => vec![field.clone()],
        };
        for new in pair {
            let level = FIRST_NAMED + self.fields.len() as Level;
            self.levels.insert(new.clone(), level);
            self.fields.push(new);
        }
        self.levels.get(field).copied().unwrap_or(FIRST_NAMED)
    }

    /// Makes the fields and values that a policy's selectors and port names need, in an order of their own.
    pub fn mention(&mut self, policy: &Policy) {
        let (mut labels, mut names) = (BTreeMap::new(), BTreeSet::new());
        let mut note = |selector: &Selector, of_namespace: bool| {
            for requirement in selector.requirements() {
                let key = (of_namespace, requirement.key.clone());
                let values: &mut BTreeSet<Box<str>> = labels.entry(key).or_default();
                if let Operator::In(listed) | Operator::NotIn(listed) = &requirement.operator {
                    values.extend(listed.iter().cloned());
                }
            }
        };
        let subject = &policy.subject;
        let rules = Direction::BOTH.into_iter().filter_map(|direction| policy.section(direction));
        let rules: Vec<&Rule> = rules.flat_map(|section| &section.rules).collect();
        let peers = rules.iter().flat_map(|rule| rule.peers.iter().flatten());
        let peers = peers.filter_map(|peer| match &peer.kind {
            PeerKind::Pods { namespaces, pods } => Some((namespaces, pods)),
            PeerKind::Block(_) => None,
        });
        for (namespaces, pods) in peers.chain([(&subject.namespaces, &subject.pods)]) {
            note(pods, false);
            if let NamespaceMatch::Labels(selector) = namespaces {
                note(selector, true);
            }
        }
        for entry in rules.iter().flat_map(|rule| rule.ports.iter().flatten()) {
            if let Ports::Named(name) = &entry.ports {
                names.insert((entry.protocol, name.clone()));
            }
        }
        for ((of_namespace, key), values) in labels {
            // The name of a namespace is its slot.
            if of_namespace && *key == *NAMESPACE_NAME_LABEL {
                continue;
            }
            let field = match of_namespace {
                true => Field::NamespaceLabel(End::Destination, key.clone()),
                false => Field::PodLabel(End::Destination, key.clone()),
            };
            self.level(&field);
            self.intervals(&key, values.iter());
        }
        for (protocol, name) in names {
            self.level(&Field::PortName(protocol, name));
        }
    }

    /// What a value of a label field means: `None` absent, `Some(Some(value))` a mentioned value,
    /// `Some(None)` any other value.
    pub fn label(&self, key: &str, value: u32) -> Option<Option<&str>> {
        let index = value.checked_sub(1)?;
        Some(self.mentioned(key).get(index as usize).map(AsRef::as_ref))
    }

    /// The value that stands for a label (`None`: absent).
    pub fn value_of(&self, key: &str, label: Option<&str>) -> u32 {
        let Some(label) = label else { return ABSENT };
        let known = self.values.get(key).and_then(|values| values.indexes.get(label));
        known.copied().unwrap_or(u32::MAX)
    }

    /// The values of a label key that were mentioned.
    pub fn mentioned(&self, key: &str) -> &[Box<str>] {
        self.values.get(key).map_or(&[], |values| &values.list)
    }

    /// The undeclared pods at `end` whose pod labels match.
    pub fn pods(
        &mut self,
        d: &mut Diagrams,
        end: End,
        selector: &Selector,
    ) -> Result<Set, OverBudget> {
        let mut set = Set::FULL;
        for requirement in selector.requirements() {
            let field = Field::PodLabel(end, requirement.key.clone());
            let matching = self.requirement(d, &field, &requirement.key, &requirement.operator)?;
            set = d.and(set, matching)?;
        }
        Ok(set)
    }

    /// The points at which a label field satisfies an operator (S8).
    pub fn requirement(
        &mut self,
        d: &mut Diagrams,
        field: &Field,
        key: &str,
        operator: &Operator,
    ) -> Result<Set, OverBudget> {
        let level = self.level(field);
        match operator {
            Operator::Exists => d.node(level, [(1, u32::MAX, Set::FULL)]),
            Operator::DoesNotExist => d.node(level, [(ABSENT, ABSENT, Set::FULL)]),
            Operator::In(values) => {
                let intervals = self.intervals(key, values.iter());
                d.node(level, intervals)
            }
            Operator::NotIn(values) => {
                let intervals = self.intervals(key, values.iter());
                let listed = d.node(level, intervals)?;
                d.minus(Set::FULL, listed)
            }
        }
    }

    /// The undeclared destination pods and ports such that the port is the one of this name.
    pub fn named_port(
        &mut self,
        d: &mut Diagrams,
        protocol: Protocol,
        name: &str,
    ) -> Result<Set, OverBudget> {
        let level = self.level(&Field::PortName(protocol, name.into()));
        let is_it = d.node(level, [(1, u32::MAX, Set::FULL)])?;
        let (first, last) = super::ports::values(protocol, 1, u16::MAX);
        d.node(PORT, [(first, last, is_it)])
    }

    fn intervals<'a>(
        &mut self,
        key: &str,
        values: impl Iterator<Item = &'a Box<str>>,
    ) -> Vec<(u32, u32, Set)> {
        let known = self.values.entry(key.into()).or_default();
        let mut indexes: Vec<u32> = values
            .map(|value| {
                let next = known.list.len() as u32 + 1;
                *known.indexes.entry(value.clone()).or_insert_with(|| {
                    known.list.push(value.clone());
                    next
                })
            })
            .collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes.into_iter().map(|index| (index, index, Set::FULL)).collect()
    }
}
