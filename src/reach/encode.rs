//! Policies of one side -> the flows that they allow, as sets.
//!
//! Everything is cut to a region first: a union of uncut rules grows with the cluster, a cut one
//! with the region.

use super::matching::MatchingNamespaces;
use super::world::{Side, Slot, World};
use crate::model::{
    Action, Direction, NamespaceMatch, PeerKind, Policy, PortMatch, Ports, Protocol, Rule,
    Selector, Subject,
};
use crate::set::fields::{End, Fields};
use crate::set::{Diagrams, OverBudget, Set};
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;

/// Which pods an `ipBlock` matches (I3, U1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reading {
    /// Pods whose address is known and lies in the block.
    KnownAddresses,
    /// Also pods of unknown address: it could be any, so it is a field like any other.
    AnyAddress,
}

/// Regions of at most this many slots at one end are walked slot by slot; larger ones use the
/// selector's whole set, which is made once.
pub(super) const FEW_SLOTS: u64 = 256;

/// Turns policies into sets of flows over a [`World`].
pub struct Encoder<'w, 'a> {
    /// The domain.
    pub world: &'w World<'a>,
    /// The store of all sets.
    pub d: Diagrams,
    /// The fields in use.
    pub fields: Fields,
    pub(super) reading: Reading,
    pub(super) blocks_met: bool,
    pub(super) pods: FxHashMap<(Side, End, NamespaceMatch, Selector), Set>,
    pub(super) namespaces: FxHashMap<(Side, End, Selector), Rc<MatchingNamespaces>>,
    pub(super) named: FxHashMap<(Side, Protocol, Box<str>), Set>,
    impossible: FxHashMap<Side, Set>,
    mentioned: FxHashSet<*const Policy>,
    subjects: FxHashMap<(Side, Direction, *const Policy), Set>,
}

pub(super) type Result<T> = std::result::Result<T, OverBudget>;

impl<'w, 'a> Encoder<'w, 'a> {
    /// An encoder with an empty store of `budget` nodes.
    pub fn new(world: &'w World<'a>, reading: Reading, budget: usize) -> Self {
        Self {
            world,
            d: Diagrams::new(budget),
            fields: Fields::default(),
            reading,
            blocks_met: false,
            pods: FxHashMap::default(),
            namespaces: FxHashMap::default(),
            named: FxHashMap::default(),
            impossible: FxHashMap::default(),
            mentioned: FxHashSet::default(),
            subjects: FxHashMap::default(),
        }
    }

    /// Starts noting anew whether an `ipBlock` plays a part.
    pub fn forget_blocks(&mut self) {
        self.blocks_met = false;
    }

    /// True iff an `ipBlock` was met since the last [`Self::forget_blocks`], so that another
    /// [`Reading`] could give another result.
    pub fn met_blocks(&self) -> bool {
        self.blocks_met
    }

    /// Reads `ipBlock`s another way from here on. Sets made before stay what they were.
    pub fn set_reading(&mut self, reading: Reading) {
        self.reading = reading;
    }

    /// The flows of a set with a pod at both ends.
    pub fn between_pods(&mut self, flows: Set) -> Result<Set> {
        let (to, from) = (self.outside(End::Destination)?, self.outside(End::Source)?);
        let outer = self.d.or(to, from)?;
        self.d.minus(flows, outer)
    }

    /// The flows of a set, without those between two pods of one declared workload.
    pub fn apart(&mut self, flows: Set) -> Result<Set> {
        let workloads = self.world.workloads.len() as u32;
        let mut loops = Vec::new();
        for (first, last) in self.slots(flows, End::Destination)? {
            for slot in first..workloads.min(last.saturating_add(1)) {
                loops.push((slot, slot, self.in_slots(End::Source, &[(slot, slot)])?));
            }
        }
        let loops = self.d.node(End::Destination.slot(), loops)?;
        self.d.minus(flows, loops)
    }

    /// The end that a policy's subject is in a direction.
    pub fn subject_end(direction: Direction) -> End {
        match direction {
            Direction::Ingress => End::Destination,
            Direction::Egress => End::Source,
        }
    }

    /// The flows of `region` that both ends allow on a side (B1).
    pub fn allowed(&mut self, side: Side, region: Set) -> Result<Set> {
        let region = self.possible(side, region)?;
        // The narrower end first: it cuts the work of the other.
        let sources = count(&self.slots(region, End::Source)?);
        let destinations = count(&self.slots(region, End::Destination)?);
        let order = match destinations <= sources {
            true => [Direction::Ingress, Direction::Egress],
            false => [Direction::Egress, Direction::Ingress],
        };
        let mut allowed = region;
        for direction in order {
            allowed = self.allowed_at(side, direction, allowed)?;
        }
        Ok(allowed)
    }

    /// The flows of `region` that can exist on a side.
    pub fn possible(&mut self, side: Side, region: Set) -> Result<Set> {
        let impossible = self.impossible(side)?;
        self.d.minus(region, impossible)
    }

    /// The flows of `region` that one end allows: its pod is not isolated in that direction, or a
    /// rule matches (N1, N9).
    pub fn allowed_at(&mut self, side: Side, direction: Direction, region: Set) -> Result<Set> {
        let (mut isolated, mut admitted) = (Vec::new(), Vec::new());
        for policy in self.policies_at(side, direction, region)? {
            let Some(section) = policy.section(direction) else {
                continue;
            };
            let subject = self.subject(side, direction, policy)?;
            let cut = self.cut(region, subject)?;
            if cut.is_empty() {
                continue;
            }
            isolated.push(cut);
            for rule in section.rules.iter().filter(|rule| rule.action == Action::Allow) {
                admitted.push(self.matched_by(side, direction, rule, cut)?);
            }
        }
        let isolated = self.d.union(isolated)?;
        let open = self.d.minus(region, isolated)?;
        admitted.push(open);
        self.d.union(admitted)
    }

    /// The points of both. Most policies have nothing to do with a region, which a glance tells.
    pub fn cut(&mut self, region: Set, subject: Set) -> Result<Set> {
        self.d.step(1)?;
        match self.d.clearly_apart(region, subject) {
            true => Ok(Set::EMPTY),
            false => self.d.and(region, subject),
        }
    }

    /// The flows of `region` whose pod at the direction's end some policy isolates.
    pub fn isolated(&mut self, side: Side, direction: Direction, region: Set) -> Result<Set> {
        let mut isolated = Vec::new();
        for policy in self.policies_at(side, direction, region)? {
            let subject = self.subject(side, direction, policy)?;
            isolated.push(self.cut(region, subject)?);
        }
        self.d.union(isolated)
    }

    /// The policies that speak of a direction and could select a pod of the region.
    pub fn policies_at(
        &mut self,
        side: Side,
        direction: Direction,
        region: Set,
    ) -> Result<Vec<&'a Policy>> {
        let slots = self.slots(region, Self::subject_end(direction))?;
        let world = self.world;
        Ok(self
            .namespaces_of(&slots)
            .into_iter()
            .filter_map(|index| world.namespaces.get(index))
            .flat_map(|namespace| namespace.policies.on(side))
            .map(|policy| &***policy)
            .filter(|policy| policy.section(direction).is_some())
            .collect())
    }

    /// The known namespaces, by index, that some of these slots belong to, in order.
    pub fn namespaces_of(&self, slots: &[(u32, u32)]) -> Vec<usize> {
        let world = self.world;
        let of = |slot| match world.slot(slot) {
            Slot::Workload(index) => world.workloads.get(index).map(|w| w.namespace),
            Slot::Undeclared(index) => Some(index),
            Slot::Elsewhere | Slot::External => None,
        };
        let mut indexes: Vec<usize> = Vec::new();
        for &(first, last) in slots {
            // From a workload to the end of its namespace in one step.
            let mut slot = first;
            while slot <= last.min(world.elsewhere()) {
                let Some(index) = of(slot) else { break };
                indexes.push(index);
                slot = match world.slot(slot) {
                    Slot::Workload(_) => {
                        world.namespaces.get(index).map_or(slot + 1, |n| n.workloads.1)
                    }
                    _ => slot + 1,
                };
            }
        }
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }

    /// The flows whose end in this direction is a pod that the policy selects.
    pub fn subject(&mut self, side: Side, direction: Direction, policy: &Policy) -> Result<Set> {
        let key = (side, direction, std::ptr::from_ref(policy));
        if let Some(set) = self.subjects.get(&key) {
            return Ok(*set);
        }
        // In what order a policy writes its rules must not decide which fields come first.
        if self.mentioned.insert(policy) {
            self.fields.mention(policy);
        }
        let Subject { namespaces, pods } = &policy.subject;
        let set = self.matching_pods(side, Self::subject_end(direction), namespaces, pods, None)?;
        self.subjects.insert(key, set);
        Ok(set)
    }

    /// The flows of `region`, all of them of pods that the rule's policy selects, which the rule
    /// matches (N8).
    pub fn matched_by(
        &mut self,
        side: Side,
        direction: Direction,
        rule: &Rule,
        region: Set,
    ) -> Result<Set> {
        let end = Self::subject_end(direction).other();
        let mut matched = region;
        if let Some(peers) = &rule.peers {
            let slots = self.slots(region, end)?;
            let mut sets = Vec::with_capacity(peers.len());
            for peer in peers {
                sets.push(self.peer_within(side, end, &peer.kind, Some(&slots))?);
            }
            let peers = self.d.union(sets)?;
            matched = self.d.and(matched, peers)?;
        }
        if let Some(ports) = &rule.ports {
            let ports = self.ports(side, ports, matched)?;
            matched = self.d.and(matched, ports)?;
        }
        Ok(matched)
    }

    /// The flows whose end is matched by a peer.
    pub fn peer(&mut self, side: Side, end: End, peer: &PeerKind) -> Result<Set> {
        self.peer_within(side, end, peer, None)
    }

    fn peer_within(
        &mut self,
        side: Side,
        end: End,
        peer: &PeerKind,
        within: Option<&[(u32, u32)]>,
    ) -> Result<Set> {
        match peer {
            PeerKind::Pods { namespaces, pods } => {
                self.matching_pods(side, end, namespaces, pods, within)
            }
            PeerKind::Block(block) => self.block(side, end, block),
        }
    }

    /// The flows whose destination port is matched. Names resolve on each destination pod (P3), so
    /// the set speaks of destinations too; it is right for those of `region`.
    pub fn ports(&mut self, side: Side, matches: &[PortMatch], region: Set) -> Result<Set> {
        let mut sets = Vec::with_capacity(matches.len());
        for PortMatch { protocol, ports, .. } in matches {
            sets.push(match ports {
                Ports::All => self.numbers(*protocol, 1, u16::MAX)?,
                Ports::Range(first, last) => self.numbers(*protocol, *first, *last)?,
                Ports::Named(name) => self.named_port(side, *protocol, name, region)?,
            });
        }
        self.d.union(sets)
    }

    /// The numbers of the slots that an end of the region takes, as sorted intervals; outside the
    /// cluster is one number.
    pub fn slots(&mut self, region: Set, end: End) -> Result<Vec<(u32, u32)>> {
        let projected = match end {
            End::Destination => region,
            End::Source => self.d.project(region, |level| level == End::Source.slot())?,
        };
        let (outside, _) = self.world.external();
        let mut slots: Vec<(u32, u32)> = Vec::new();
        let mut first = 0;
        for edge in self.d.edges_at(projected, end.slot()) {
            if !edge.child.is_empty() {
                let last = edge.last.min(outside);
                match slots.last_mut() {
                    Some(previous) if previous.1.checked_add(1) == Some(first) => {
                        previous.1 = last;
                    }
                    _ => slots.push((first, last)),
                }
            }
            first = edge.last.saturating_add(1);
        }
        Ok(slots)
    }

    /// The flows with this end in one of these slots, both ends of each interval included.
    pub fn in_slots(&mut self, end: End, slots: &[(u32, u32)]) -> Result<Set> {
        self.d.node(end.slot(), slots.iter().map(|(first, last)| (*first, *last, Set::FULL)))
    }

    /// The flows with this end outside the cluster.
    pub fn outside(&mut self, end: End) -> Result<Set> {
        let external = self.world.external();
        self.in_slots(end, &[external])
    }

    /// Flows that do not exist on a side: from or to a workload that is not there, from one bare pod
    /// to itself (B3), from outside to outside.
    fn impossible(&mut self, side: Side) -> Result<Set> {
        if let Some(set) = self.impossible.get(&side) {
            return Ok(*set);
        }
        let world = self.world;
        let missing: Vec<_> = world.missing.on(side).iter().map(|slot| (*slot, *slot)).collect();
        let mut loops = Vec::new();
        for &slot in world.alone.on(side) {
            loops.push((slot, slot, self.in_slots(End::Source, &[(slot, slot)])?));
        }
        let mut parts = vec![self.d.node(End::Destination.slot(), loops)?];
        for end in [End::Destination, End::Source] {
            parts.push(self.in_slots(end, &missing)?);
        }
        let (to, from) = (self.outside(End::Destination)?, self.outside(End::Source)?);
        parts.push(self.d.and(to, from)?);
        let set = self.d.union(parts)?;
        self.impossible.insert(side, set);
        Ok(set)
    }
}

/// How many slots these intervals hold.
pub(super) fn count(slots: &[(u32, u32)]) -> u64 {
    slots.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
}
