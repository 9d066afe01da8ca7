//! Who the ends of a guardrail are, as sets, and whether they are anybody.

use super::{Asked, Result};
use crate::config::{Demand, Ends, PortSpan, Who};
use crate::model::{
    Cluster, IpBlock, NAMESPACE_NAME_LABEL, NamespaceMatch, Operator, PeerKind, Selector,
};
use crate::reach::{NamespaceSlot, Reading, Side, World};
use crate::report::Severity;
use crate::set::fields::{End, PORT};
use crate::set::{Set, ports};

/// Whom an end finds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Declared workloads, or addresses.
    Somebody,
    /// Pods that could be there and are not declared, although labels are asked for.
    UndeclaredOnly,
    /// Those it found before the change are not found any more.
    Lost,
    Nobody,
}

impl Asked<'_, '_, '_> {
    /// The flows that the guardrail is about and that can exist on a side.
    pub fn region(&mut self, side: Side) -> Result<Set> {
        let (to, from) = (self.end(side, End::Destination)?, self.end(side, End::Source)?);
        let ends = self.encoder.d.and(to, from)?;
        let ports = self.ports()?;
        let region = self.encoder.d.and(ends, ports)?;
        let region = self.encoder.possible(side, region)?;
        // Of these no policy here could be about either end.
        let world = self.encoder.world;
        let beyond = [(world.elsewhere(), u32::MAX)];
        let to = self.encoder.in_slots(End::Destination, &beyond)?;
        let from = self.encoder.in_slots(End::Source, &beyond)?;
        let beyond = self.encoder.d.and(to, from)?;
        self.encoder.d.minus(region, beyond)
    }

    /// The same between declared workloads, addresses that the guardrail names, and no workload and itself.
    pub fn declared_region(&mut self, side: Side) -> Result<Set> {
        let mut region = self.region(side)?;
        for end in [End::Destination, End::Source] {
            let mut meant = self.declared(end)?;
            if matches!(self.ends(end).who, Who::Internet { .. } | Who::Addresses(_)) {
                let outside = self.encoder.outside(end)?;
                meant = self.encoder.d.or(meant, outside)?;
            }
            region = self.encoder.d.and(region, meant)?;
        }
        self.encoder.apart(region)
    }

    fn ends(&self, end: End) -> &'_ Ends {
        match end {
            End::Source => &self.guardrail.from,
            End::Destination => &self.guardrail.to,
        }
    }

    /// The flows whose end is meant.
    fn end(&mut self, side: Side, end: End) -> Result<Set> {
        // Which pods have an address that is not known is no question of who is meant.
        self.encoder.set_reading(Reading::KnownAddresses);
        let Ends { who, except } = self.ends(end).clone();
        let mut set = self.who(side, end, &who)?;
        for who in &except {
            let except = self.who(side, end, who)?;
            set = self.encoder.d.minus(set, except)?;
        }
        Ok(set)
    }

    fn who(&mut self, side: Side, end: End, who: &Who) -> Result<Set> {
        match who {
            Who::Any => Ok(Set::FULL),
            Who::Addresses(blocks) => self.blocks(side, end, blocks),
            Who::Internet { without } => {
                let outside = self.encoder.outside(end)?;
                let without = self.blocks(side, end, without)?;
                self.encoder.d.minus(outside, without)
            }
            Who::Pods { namespaces, pods } => {
                let (namespaces, pods) = (namespaces.clone(), pods.clone());
                let hosts = self.on_the_host_network(side, &namespaces, &pods);
                let hosts = self.encoder.in_slots(end, &hosts)?;
                let known = self.known_slots(side, &namespaces);
                let peer = PeerKind::Pods { namespaces, pods };
                let mut matched = self.encoder.peer(side, end, &peer)?;
                if end == End::Destination {
                    let known = self.encoder.in_slots(end, &known)?;
                    matched = self.encoder.d.and(matched, known)?;
                }
                self.encoder.d.or(matched, hosts)
            }
        }
    }

    /// The slots of declared workloads, and of undeclared pods in namespaces that are known to be meant.
    ///
    /// Where nobody knows the labels of a namespace, or that there is one, its pods may well be meant as sources.
    /// As destinations they are not: what lets traffic into them is written elsewhere.
    fn known_slots(&self, side: Side, namespaces: &NamespaceMatch) -> Vec<(u32, u32)> {
        let world = self.encoder.world;
        let declared = (world.workloads.len() as u32).checked_sub(1).map(|last| (0, last));
        let known = world.namespaces.iter().enumerate().filter(|(_, slot)| match namespaces {
            NamespaceMatch::Name(name) => *name == slot.name,
            NamespaceMatch::Labels(selector) => selector.matches(slot.labels.on(side)),
        });
        let undeclared = known.map(|(index, _)| world.undeclared(index));
        declared.into_iter().chain(undeclared.map(|slot| (slot, slot))).collect()
    }

    fn blocks(&mut self, side: Side, end: End, blocks: &[ipnet::IpNet]) -> Result<Set> {
        let mut sets = Vec::with_capacity(blocks.len());
        for cidr in blocks {
            let block = PeerKind::Block(IpBlock { cidr: *cidr, except: Vec::new() });
            sets.push(self.encoder.peer(side, end, &block)?);
        }
        self.encoder.d.union(sets)
    }

    /// The slots of pods that no selector of a policy matches (B5). A guardrail means them all the same.
    fn on_the_host_network(
        &self,
        side: Side,
        namespaces: &NamespaceMatch,
        pods: &Selector,
    ) -> Vec<(u32, u32)> {
        let world = self.encoder.world;
        let slots = world.workloads.iter().zip(0_u32..).filter(|(slot, _)| {
            let namespace = world.namespaces.get(slot.namespace);
            let workload = slot.on.on(side).filter(|workload| workload.host_network);
            workload.is_some_and(|workload| pods.matches(&workload.labels))
                && namespace.is_some_and(|namespace| match namespaces {
                    NamespaceMatch::Name(name) => *name == namespace.name,
                    NamespaceMatch::Labels(selector) => selector.matches(namespace.labels.on(side)),
                })
        });
        slots.map(|(_, slot)| (slot, slot)).collect()
    }

    fn ports(&mut self) -> Result<Set> {
        if self.guardrail.ports.is_empty() {
            return Ok(Set::FULL);
        }
        let mut sets = Vec::with_capacity(self.guardrail.ports.len());
        for PortSpan { protocol, first, last } in &self.guardrail.ports {
            let (first, last) = ports::values(*protocol, *first, *last);
            sets.push(self.encoder.d.node(PORT, [(first, last, Set::FULL)])?);
        }
        self.encoder.d.union(sets)
    }

    /// Are both ends somebody? If not that is told, as a guardrail about nobody holds nothing back.
    pub(super) fn matches(&mut self) -> Result<bool> {
        let mut good = true;
        for end in [End::Source, End::Destination] {
            let key = if end == End::Source { "from" } else { "to" };
            let found = self.found(end)?;
            let who = self.ends(end).who.clone();
            let start = self.message(": ").name(key).words(" (").name(&who);
            let (message, severity) = match found {
                Found::Somebody => continue,
                Found::UndeclaredOnly => (
                    start.words(
                        ") finds no declared workload; it holds for pods only that are not declared here. Are the \
                         labels right?",
                    ),
                    Severity::Low,
                ),
                Found::Lost => (
                    start.words(
                        ") found declared workloads before this change and finds none after it, so it does not guard \
                         them any more",
                    ),
                    self.guardrail.severity,
                ),
                Found::Nobody => (
                    start.words(
                        ") matches nothing: it guards nobody. Name what is declared here, or add an inventory of what \
                         lives elsewhere",
                    ),
                    self.guardrail.severity,
                ),
            };
            let counts = found != Found::UndeclaredOnly;
            good &= found != Found::Nobody;
            self.tell_of_configuration(format!("{key} finds nobody"), message, severity, counts);
        }
        Ok(good)
    }

    fn found(&mut self, end: End) -> Result<Found> {
        let set = self.end(Side::After, end)?;
        let declared = self.any_workload(Side::After, end, set)?;
        let must_reach = self.guardrail.demand == Demand::MustReach;
        let who = self.ends(end).who.clone();
        let Who::Pods { namespaces, pods } = &who else {
            let workload_needed = must_reach && who == Who::Any;
            return Ok(match set.is_empty() || (workload_needed && !declared) {
                true => Found::Nobody,
                false => Found::Somebody,
            });
        };
        if declared {
            return Ok(Found::Somebody);
        }
        let known = self.known(namespaces);
        if must_reach || set.is_empty() || !known.exists {
            return Ok(Found::Nobody);
        }
        if self.compare {
            let before = self.end(Side::Before, end)?;
            if self.any_workload(Side::Before, end, before)? {
                return Ok(if known.closed { Found::Nobody } else { Found::Lost });
            }
        }
        Ok(match (known.closed, pods.is_everything()) {
            (true, _) => Found::Nobody,
            (false, true) => Found::Somebody,
            (false, false) => Found::UndeclaredOnly,
        })
    }

    /// Is there a declared workload of this side at this end?
    fn any_workload(&mut self, side: Side, end: End, set: Set) -> Result<bool> {
        let slots = self.encoder.slots(set, end)?;
        let workloads = &self.encoder.world.workloads;
        let there =
            |slot: u32| workloads.get(slot as usize).is_some_and(|w| w.on.on(side).is_some());
        let last = workloads.len() as u32;
        Ok(slots.iter().any(|(first, end)| (*first..last.min(end.saturating_add(1))).any(there)))
    }

    fn known(&self, namespaces: &NamespaceMatch) -> Known {
        let world = self.encoder.world;
        let cluster = world.cluster(Side::After);
        let closed = |name: &str| self.config.rules.closed_namespaces.contains(name);
        match namespaces {
            NamespaceMatch::Name(name) => {
                let slot = world.namespace(name).and_then(|index| world.namespaces.get(index));
                let exists =
                    slot.is_some_and(|slot| is_there(world, slot) || is_named(cluster, name));
                Known { exists, closed: closed(name) }
            }
            NamespaceMatch::Labels(selector) if selector.is_everything() => {
                Known { exists: true, closed: false }
            }
            NamespaceMatch::Labels(selector) => {
                let matching = world.namespaces.iter().filter(|slot| {
                    selector.matches(slot.labels.on(Side::After)) && is_there(world, slot)
                });
                let names: Vec<&str> = matching.map(|slot| &*slot.name).collect();
                Known {
                    exists: !names.is_empty(),
                    closed: !names.is_empty() && names.into_iter().all(closed),
                }
            }
        }
    }
}

/// The namespaces that an end names.
struct Known {
    /// There is one.
    exists: bool,
    /// Every pod of them is declared.
    closed: bool,
}

/// Does something after the change say that there is such a namespace: its manifest, a workload or a policy?
fn is_there(world: &World<'_>, slot: &NamespaceSlot<'_>) -> bool {
    let (first, end) = slot.workloads;
    let workloads = world.workloads.get(first as usize..end as usize).unwrap_or_default();
    *slot.declared.on(Side::After)
        || !slot.policies.on(Side::After).is_empty()
        || workloads.iter().any(|workload| workload.on.on(Side::After).is_some())
}

/// Does a selector name it?
fn is_named(cluster: &Cluster, name: &str) -> bool {
    let sections = cluster.policies.iter().flat_map(|policy| [&policy.ingress, &policy.egress]);
    let rules = sections.flatten().flat_map(|section| &section.rules);
    rules.flat_map(|rule| rule.peers.iter().flatten()).any(|peer| match &peer.kind {
        PeerKind::Block(_) => false,
        PeerKind::Pods { namespaces: NamespaceMatch::Name(other), .. } => **other == *name,
        PeerKind::Pods { namespaces: NamespaceMatch::Labels(selector), .. } => {
            selector.requirements().iter().any(|requirement| {
                *requirement.key == *NAMESPACE_NAME_LABEL
                    && matches!(&requirement.operator, Operator::In(values) if values.contains(name))
            })
        }
    })
}
