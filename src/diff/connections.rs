//! The concrete table: declared workloads and external addresses, pair by pair.
//!
//! Pods of unknown address are outside every `ipBlock` here. A workload towards itself is left out.

use super::{port_list, rows};
use crate::config::Config;
use crate::reach::{Encoder, Reading, Side, Slot, World};
use crate::report::{Change, Connection, Endpoint, PortRange};
use crate::set::address::to_cidrs;
use crate::set::fields::{End, PORT};
use crate::set::{OverBudget, Set, ports};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

type Result<T> = std::result::Result<T, OverBudget>;

/// The pairs of declared ends whose ports differ between the sides, by source, then destination.
pub fn changes(world: &World<'_>, config: &Config) -> Result<Vec<Change>> {
    let mut encoder = Encoder::new(world, Reading::KnownAddresses, config.node_budget);
    let opened = super::gained_flows(&mut encoder, Side::After)?;
    let closed = super::gained_flows(&mut encoder, Side::Before)?;
    let differing = encoder.d.or(opened, closed)?;
    let known = rows::known(&mut encoder)?;
    let differing = encoder.d.and(differing, known)?;
    let pairs = encoder.d.project(differing, |level| level < PORT)?;
    let before = encoder.allowed(Side::Before, pairs)?;
    let after = encoder.allowed(Side::After, pairs)?;
    let mut changes: Vec<Change> = table(&encoder, pairs, [before, after])
        .into_iter()
        .filter(|(_, _, [before, after])| before != after)
        .map(|(source, destination, [before, after])| Change { source, destination, before, after })
        .collect();
    changes.sort_by(|a, b| (&a.source, &a.destination).cmp(&(&b.source, &b.destination)));
    Ok(changes)
}

/// All pairs of declared ends that may talk on the after side, by source, then destination.
pub fn list(world: &World<'_>, config: &Config) -> Result<Vec<Connection>> {
    let mut encoder = Encoder::new(world, Reading::KnownAddresses, config.node_budget);
    let known = rows::known(&mut encoder)?;
    let allowed = encoder.allowed(Side::After, known)?;
    let mut connections: Vec<Connection> = table(&encoder, known, [allowed])
        .into_iter()
        .filter(|(_, _, [ports])| !ports.is_empty())
        .map(|(source, destination, [ports])| Connection { source, destination, ports })
        .collect();
    connections.sort_by(|a, b| (&a.source, &a.destination).cmp(&(&b.source, &b.destination)));
    Ok(connections)
}

/// For each pair of declared ends in `pairs`, its ports in each of the sets. External addresses are
/// grouped into the largest sets that share the same ports in all of them.
fn table<const N: usize>(
    encoder: &Encoder<'_, '_>,
    pairs: Set,
    sets: [Set; N],
) -> Vec<(Endpoint, Endpoint, [Vec<PortRange>; N])> {
    let mut rows = Vec::new();
    let mut seen: FxHashMap<Set, Vec<PortRange>> = FxHashMap::default();
    for destination in slots(encoder, pairs, End::Destination) {
        let sources = child(encoder, pairs, End::Destination.slot(), destination);
        let to = sets.map(|set| child(encoder, set, End::Destination.slot(), destination));
        for source in slots(encoder, sources, End::Source) {
            let flows = to.map(|set| child(encoder, set, End::Source.slot(), source));
            let ends = (encoder.world.slot(source), encoder.world.slot(destination));
            let outer = match ends {
                (Slot::External, Slot::External) => continue,
                (a, b) if a == b => continue,
                (Slot::External, _) => Some(End::Source),
                (_, Slot::External) => Some(End::Destination),
                _ => None,
            };
            let Some(end) = outer else {
                let (Some(from), Some(to)) = (workload(encoder, ends.0), workload(encoder, ends.1))
                else {
                    continue;
                };
                let ports = flows.map(|flows| {
                    seen.entry(flows).or_insert_with(|| port_list::list(encoder, flows)).clone()
                });
                rows.push((from, to, ports));
                continue;
            };
            let inner = if end == End::Source { ends.1 } else { ends.0 };
            for (cidrs, ports) in by_address(encoder, end, flows) {
                let Some(inner) = workload(encoder, inner) else { continue };
                let outer = Endpoint::External { cidrs };
                rows.push(match end {
                    End::Source => (outer, inner, ports),
                    End::Destination => (inner, outer, ports),
                });
            }
        }
    }
    rows
}

/// The addresses of one end, grouped by the ports that they have in each set.
fn by_address<const N: usize>(
    encoder: &Encoder<'_, '_>,
    end: End,
    flows: [Set; N],
) -> Vec<(Vec<String>, [Vec<PortRange>; N])> {
    let mut starts = BTreeSet::from([0u32]);
    for set in flows {
        for edge in encoder.d.edges_at(set, PORT) {
            for cut in encoder.d.edges_at(edge.child, end.address()) {
                starts.extend(cut.last.checked_add(1));
            }
        }
    }
    let starts: Vec<u32> = starts.into_iter().collect();
    let mut groups: BTreeMap<[Vec<PortRange>; N], Vec<_>> = BTreeMap::new();
    for (index, &first) in starts.iter().enumerate() {
        let last = starts.get(index + 1).map_or(u32::MAX, |next| next - 1);
        let ports = flows.map(|set| ports_at(encoder, set, end, first));
        groups.entry(ports).or_default().extend(encoder.world.addresses.ranges(first, last));
    }
    groups
        .into_iter()
        .map(|(ports, ranges)| (to_cidrs(ranges).iter().map(ToString::to_string).collect(), ports))
        .collect()
}

/// The ports that one address has in a set of flows that tests ports and that address only.
fn ports_at(encoder: &Encoder<'_, '_>, set: Set, end: End, address: u32) -> Vec<PortRange> {
    let mut list: Vec<(crate::model::Protocol, u16, u16)> = Vec::new();
    let mut first = 0;
    for edge in encoder.d.edges_at(set, PORT) {
        if child(encoder, edge.child, end.address(), address) == Set::FULL {
            for range in ports::ranges(first, edge.last) {
                match list.last_mut() {
                    Some(last) if last.0 == range.0 && last.2 + 1 == range.1 => last.2 = range.2,
                    _ => list.push(range),
                }
            }
        }
        first = edge.last.saturating_add(1);
    }
    list.into_iter()
        .map(|(protocol, first, last)| PortRange::Numbers {
            protocol: protocol.as_str(),
            first,
            last,
        })
        .collect()
}

/// The part of a set in which the field of a level has a value.
fn child(encoder: &Encoder<'_, '_>, set: Set, level: u32, value: u32) -> Set {
    if encoder.d.level(set) != Some(level) {
        return set;
    }
    let edges = encoder.d.edges(set);
    edges.get(edges.partition_point(|edge| edge.last < value)).map_or(Set::EMPTY, |e| e.child)
}

/// The slots of an end in a set that tests it first: workloads and the outside.
fn slots(encoder: &Encoder<'_, '_>, set: Set, end: End) -> Vec<u32> {
    let (outside, _) = encoder.world.external();
    let mut slots = Vec::new();
    let mut first = 0;
    for edge in encoder.d.edges_at(set, end.slot()) {
        if !edge.child.is_empty() {
            slots.extend(first..=edge.last.min(outside));
        }
        first = edge.last.saturating_add(1);
    }
    slots.retain(|slot| matches!(encoder.world.slot(*slot), Slot::Workload(_) | Slot::External));
    slots
}

fn workload(encoder: &Encoder<'_, '_>, slot: Slot) -> Option<Endpoint> {
    let Slot::Workload(index) = slot else { return None };
    let id = encoder.world.workloads.get(index)?.id;
    Some(Endpoint::Workload {
        namespace: id.namespace.to_string(),
        name: id.name.to_string(),
        kind: id.kind.to_string(),
    })
}
