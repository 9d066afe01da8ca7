//! Selectors, `ipBlock`s and ports of one side -> the ends and ports that they match, as sets.

use super::encode::{Encoder, FEW_SLOTS, Reading, Result, count};
use super::world::{Ranges, Side, Slot};
use crate::model::{
    IpBlock, NAMESPACE_NAME_LABEL, NamespaceMatch, Operator, Protocol, Requirement, Selector,
};
use crate::set::fields::{End, Field, PORT};
use crate::set::{Set, ports};
use std::rc::Rc;

/// What a namespace selector demands of each namespace's undeclared pods: nothing, something of the
/// labels that are not known, or that there be none.
pub(super) struct MatchingNamespaces {
    /// By namespace index, in order: does it match a declared workload's namespace, and the set for
    /// undeclared pods. Absent: no, and nobody.
    known: Vec<(usize, bool, Set)>,
    elsewhere: Set,
}

impl MatchingNamespaces {
    fn of(&self, namespace: usize) -> (bool, Set) {
        let found = self.known.binary_search_by_key(&namespace, |(index, ..)| *index).ok();
        let found = found.and_then(|place| self.known.get(place));
        found.map_or((false, Set::EMPTY), |(_, matches, undeclared)| (*matches, *undeclared))
    }
}

impl Encoder<'_, '_> {
    pub(super) fn numbers(&mut self, protocol: Protocol, first: u16, last: u16) -> Result<Set> {
        let (first, last) = ports::values(protocol, first, last);
        self.d.node(PORT, [(first, last, Set::FULL)])
    }

    /// P3: the numbers that a declared pod gives the name; a free bit for an undeclared one; nothing
    /// outside the cluster.
    pub(super) fn named_port(
        &mut self,
        side: Side,
        protocol: Protocol,
        name: &str,
        region: Set,
    ) -> Result<Set> {
        let slots = self.slots(region, End::Destination)?;
        if count(&slots) <= FEW_SLOTS {
            return self.named_port_within(side, protocol, name, &slots);
        }
        let key = (side, protocol, Box::from(name));
        if let Some(set) = self.named.get(&key) {
            return Ok(*set);
        }
        let set = self.named_port_within(side, protocol, name, &[(0, u32::MAX)])?;
        self.named.insert(key, set);
        Ok(set)
    }

    fn named_port_within(
        &mut self,
        side: Side,
        protocol: Protocol,
        name: &str,
        slots: &[(u32, u32)],
    ) -> Result<Set> {
        let unknown = self.fields.named_port(&mut self.d, protocol, name)?;
        let (declared, elsewhere) = (self.world.workloads.len() as u32, self.world.elsewhere());
        let mut intervals = Vec::new();
        for &(first, last) in slots {
            for slot in first..declared.min(last.saturating_add(1)) {
                let Some(workload) = self.world.workloads.get(slot as usize) else {
                    continue;
                };
                // A pod on the host's network is an address to policies: no name resolves there.
                let Some(workload) = workload.on.on(side).filter(|w| !w.host_network) else {
                    continue;
                };
                let mut numbers = Vec::new();
                for port in &workload.ports {
                    if port.protocol == protocol && port.name.as_deref() == Some(name) {
                        numbers.push(self.numbers(protocol, port.number, port.number)?);
                    }
                }
                let numbers = self.d.union(numbers)?;
                if !numbers.is_empty() {
                    intervals.push((slot, slot, numbers));
                }
            }
            let (first, last) = (first.max(declared), last.min(elsewhere));
            if first <= last {
                intervals.push((first, last, unknown));
            }
        }
        self.d.node(End::Destination.slot(), intervals)
    }

    /// I1 to I3. Addresses outside always; pods as the reading says.
    pub(super) fn block(&mut self, side: Side, end: End, block: &IpBlock) -> Result<Set> {
        self.blocks_met = true;
        let level = end.address();
        let mut inside = {
            let (first, last) = self.world.addresses.values(&block.cidr);
            self.d.node(level, [(first, last, Set::FULL)])?
        };
        for except in &block.except {
            let (first, last) = self.world.addresses.values(except);
            let hole = self.d.node(level, [(first, last, Set::FULL)])?;
            inside = self.d.minus(inside, hole)?;
        }
        let contains = |address: &std::net::IpAddr| {
            block.cidr.contains(address) && !block.except.iter().any(|e| e.contains(address))
        };
        let world = self.world;
        let (external, end_of_field) = world.external();
        // Slots with a set of their own; all other pods share one.
        let mut own: Vec<(u32, Set)> = Vec::new();
        let mut of_pods = Set::EMPTY;
        if self.reading == Reading::AnyAddress {
            of_pods = self.possible_addresses(level, inside, &world.pod_ranges, contains)?;
            for (slot, ranges) in &world.elsewhere_addressed {
                own.push((*slot, self.possible_addresses(level, inside, ranges, contains)?));
            }
        }
        let known = world.addressed.on(side);
        own.retain(|(slot, _)| known.binary_search(slot).is_err());
        for &slot in known {
            let workload = world.workloads.get(slot as usize).and_then(|w| *w.on.on(side));
            let matches = workload.is_some_and(|w| w.addresses.iter().any(contains));
            own.push((slot, if matches { Set::FULL } else { Set::EMPTY }));
        }
        own.sort_unstable();
        let mut next = 0;
        let mut intervals = Vec::with_capacity(own.len() * 2 + 2);
        for (slot, set) in own {
            if next < slot {
                intervals.push((next, slot - 1, of_pods));
            }
            intervals.push((slot, slot, set));
            next = slot + 1;
        }
        if next < external {
            intervals.push((next, external - 1, of_pods));
        }
        intervals.push((external, end_of_field, inside));
        self.d.node(end.slot(), intervals)
    }

    /// The values of an address field for which a pod of unknown address is in a block: `inside`, where
    /// what no pod can have stands for an address that it can ([`Ranges::stand_in`]).
    fn possible_addresses(
        &mut self,
        level: u32,
        inside: Set,
        ranges: &Ranges,
        contains: impl Fn(&std::net::IpAddr) -> bool,
    ) -> Result<Set> {
        let Some(stand_in) = ranges.stand_in() else { return Ok(inside) };
        let mut blocks = Vec::with_capacity(ranges.blocks().len());
        for block in ranges.blocks() {
            let (first, last) = self.world.addresses.values(block);
            blocks.push(self.d.node(level, [(first, last, Set::FULL)])?);
        }
        let possible = self.d.union(blocks)?;
        let within = self.d.and(inside, possible)?;
        if !contains(&stand_in) {
            return Ok(within);
        }
        let impossible = self.d.minus(Set::FULL, possible)?;
        self.d.or(within, impossible)
    }

    /// The flows whose end is a pod that matches both selectors (S1 to S8). Pods on the host's
    /// network match none (B5). Where `within` is given, the set is right for those slots only.
    pub(super) fn matching_pods(
        &mut self,
        side: Side,
        end: End,
        namespaces: &NamespaceMatch,
        pods: &Selector,
        within: Option<&[(u32, u32)]>,
    ) -> Result<Set> {
        let few = within.filter(|slots| count(slots) <= FEW_SLOTS);
        let key = (side, end, namespaces.clone(), pods.clone());
        // What names its namespaces is the same set wherever it is looked for.
        if (few.is_none() || by_name(namespaces).is_some())
            && let Some(set) = self.pods.get(&key)
        {
            return Ok(*set);
        }
        let undeclared = self.fields.pods(&mut self.d, end, pods)?;
        let mut intervals = Vec::new();
        match (namespaces, few) {
            (namespaces, _) if let Some(names) = by_name(namespaces) => {
                let mut indexes: Vec<usize> =
                    names.into_iter().filter_map(|name| self.world.namespace(name)).collect();
                indexes.sort_unstable();
                for &index in &indexes {
                    self.workloads_of(side, index, pods, &mut intervals);
                }
                for index in indexes {
                    let slot = self.world.undeclared(index);
                    intervals.push((slot, slot, undeclared));
                }
            }
            (NamespaceMatch::Name(_), _) => {}
            (NamespaceMatch::Labels(selector), None) => {
                let matching = self.matching_namespaces(side, end, selector)?;
                for (index, matches, _) in &matching.known {
                    if *matches {
                        self.workloads_of(side, *index, pods, &mut intervals);
                    }
                }
                for (index, _, free) in &matching.known {
                    let slot = self.world.undeclared(*index);
                    intervals.push((slot, slot, self.d.and(*free, undeclared)?));
                }
                let slot = self.world.elsewhere();
                intervals.push((slot, slot, self.d.and(matching.elsewhere, undeclared)?));
            }
            (NamespaceMatch::Labels(selector), Some(slots)) => {
                let matching = self.matching_namespaces(side, end, selector)?;
                let last_pod = self.world.elsewhere();
                for slot in slots.iter().flat_map(|(first, last)| *first..=(*last).min(last_pod)) {
                    let set = match self.world.slot(slot) {
                        Slot::Workload(index) => self
                            .world
                            .workloads
                            .get(index)
                            .filter(|w| matching.of(w.namespace).0)
                            .and_then(|w| *w.on.on(side))
                            .filter(|w| !w.host_network && pods.matches(&w.labels))
                            .map_or(Set::EMPTY, |_| Set::FULL),
                        Slot::Undeclared(index) => self.d.and(matching.of(index).1, undeclared)?,
                        Slot::Elsewhere => self.d.and(matching.elsewhere, undeclared)?,
                        Slot::External => Set::EMPTY,
                    };
                    intervals.push((slot, slot, set));
                }
            }
        }
        let set = self.d.node(end.slot(), intervals)?;
        if few.is_none() || by_name(namespaces).is_some() {
            self.pods.insert(key, set);
        }
        Ok(set)
    }

    /// The slots of a namespace's workloads that a pod selector matches.
    fn workloads_of(
        &self,
        side: Side,
        namespace: usize,
        pods: &Selector,
        intervals: &mut Vec<(u32, u32, Set)>,
    ) {
        let Some(namespace) = self.world.namespaces.get(namespace) else {
            return;
        };
        let (first, end) = namespace.workloads;
        if first < end && pods.is_everything() && !namespace.irregular.on(side) {
            intervals.push((first, end - 1, Set::FULL));
            return;
        }
        for slot in first..end {
            let workload = self.world.workloads.get(slot as usize).and_then(|w| *w.on.on(side));
            if workload.is_some_and(|w| !w.host_network && pods.matches(&w.labels)) {
                intervals.push((slot, slot, Set::FULL));
            }
        }
    }

    /// Which namespaces a selector matches. The labels of a declared namespace are known; of any
    /// other only the name is, and what else is demanded becomes a demand on free fields.
    fn matching_namespaces(
        &mut self,
        side: Side,
        end: End,
        selector: &Selector,
    ) -> Result<Rc<MatchingNamespaces>> {
        let key = (side, end, selector.clone());
        if let Some(matching) = self.namespaces.get(&key) {
            return Ok(matching.clone());
        }
        let mut free = Set::FULL;
        let (by_name, by_label): (Vec<_>, Vec<_>) =
            selector.requirements().iter().partition(|r| &*r.key == NAMESPACE_NAME_LABEL);
        for requirement in by_label {
            let field = Field::NamespaceLabel(end, requirement.key.clone());
            let (key, operator) = (&requirement.key, &requirement.operator);
            let set = self.fields.requirement(&mut self.d, &field, key, operator)?;
            free = self.d.and(free, set)?;
        }
        // A namespace elsewhere has a name, and it is none that is mentioned.
        let named = by_name.iter().all(|r| match r.operator {
            Operator::In(_) | Operator::DoesNotExist => false,
            Operator::NotIn(_) | Operator::Exists => true,
        });
        let elsewhere = if named { free } else { Set::EMPTY };
        let mut known = Vec::new();
        for index in self.world.namespaces_for(side, selector) {
            let Some(namespace) = self.world.namespaces.get(index) else { continue };
            let matches = selector.matches(namespace.labels.on(side));
            let named = by_name.iter().all(|r| r.operator.admits(Some(&namespace.name)));
            let undeclared = match (*namespace.declared.on(side), matches, named) {
                (true, true, _) => Set::FULL,
                (false, _, true) => free,
                _ => Set::EMPTY,
            };
            if matches || !undeclared.is_empty() {
                known.push((index, matches, undeclared));
            }
        }
        let matching = Rc::new(MatchingNamespaces { known, elsewhere });
        self.namespaces.insert(key, matching.clone());
        Ok(matching)
    }
}

/// The names of the namespaces, where that is all that the choice says (S7).
fn by_name(namespaces: &NamespaceMatch) -> Option<Vec<&str>> {
    match namespaces {
        NamespaceMatch::Name(name) => Some(vec![name]),
        NamespaceMatch::Labels(selector) => match selector.requirements() {
            [Requirement { key, operator: Operator::In(values) }]
                if **key == *NAMESPACE_NAME_LABEL =>
            {
                Some(values.iter().map(AsRef::as_ref).collect())
            }
            _ => None,
        },
    }
}
