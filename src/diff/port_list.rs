//! Sets of ports -> the ranges that people and programs read.

use crate::model::Protocol;
use crate::reach::Encoder;
use crate::report::PortRange;
use crate::set::fields::{Field, PORT};
use crate::set::{OverBudget, Set, ports};
use std::collections::{BTreeMap, BTreeSet};

/// A protocol with its first and last port.
type Range = (Protocol, u16, u16);

/// A named port is shown by its name if it stands for at least so many numbers; where the other end
/// leaves only some numbers of it, those are shown.
const BY_NAME: usize = 32_768;

/// The ports of some flow of the set: sorted, disjoint, merged.
pub fn of(encoder: &mut Encoder<'_, '_>, flows: Set) -> Result<Vec<PortRange>, OverBudget> {
    let projected = projection(encoder, flows)?;
    Ok(list(encoder, projected))
}

/// The flows with a port (and what its names may be) of some flow of the set.
pub fn projection(encoder: &mut Encoder<'_, '_>, flows: Set) -> Result<Set, OverBudget> {
    let Encoder { d, fields, .. } = encoder;
    d.project(flows, |level| fields.is_port(level))
}

/// The ports of a set that tests nothing else.
pub fn list(encoder: &Encoder<'_, '_>, projected: Set) -> Vec<PortRange> {
    let mut numbers = Vec::new();
    let mut by_name: BTreeMap<(Protocol, Box<str>), Vec<Range>> = BTreeMap::new();
    let mut first = 0;
    for edge in encoder.d.edges_at(projected, PORT) {
        if unnamed(encoder, edge.child) {
            numbers.extend(ports::ranges(first, edge.last));
        } else if !edge.child.is_empty() {
            let mut names = BTreeSet::new();
            needed_names(encoder, edge.child, &mut names);
            for name in names {
                by_name.entry(name).or_default().extend(ports::ranges(first, edge.last));
            }
        }
        first = edge.last.saturating_add(1);
    }
    let mut named = Vec::new();
    for ((protocol, name), ranges) in by_name {
        let count: usize = ranges.iter().map(|(_, a, b)| usize::from(b - a) + 1).sum();
        if count >= BY_NAME {
            named.push((protocol, name));
        } else {
            numbers.extend(ranges);
        }
    }
    let mut list: Vec<(Protocol, PortRange)> = merged(numbers)
        .into_iter()
        .map(|(protocol, first, last)| {
            (protocol, PortRange::Numbers { protocol: protocol.as_str(), first, last })
        })
        .collect();
    list.extend(named.into_iter().map(|(protocol, name)| {
        (protocol, PortRange::Named { protocol: protocol.as_str(), name: name.into() })
    }));
    list.sort_by_key(|(protocol, _)| *protocol);
    list.into_iter().map(|(_, range)| range).collect()
}

/// True iff the set holds where the port is that of no name.
fn unnamed(encoder: &Encoder<'_, '_>, mut set: Set) -> bool {
    while encoder.d.level(set).is_some() {
        set = encoder.d.edges(set).first().map_or(Set::EMPTY, |edge| edge.child);
    }
    set == Set::FULL
}

/// The names that the port has on some path.
fn needed_names(encoder: &Encoder<'_, '_>, set: Set, names: &mut BTreeSet<(Protocol, Box<str>)>) {
    let Some(level) = encoder.d.level(set) else { return };
    for (index, edge) in encoder.d.edges(set).iter().enumerate() {
        if edge.child.is_empty() {
            continue;
        }
        if index > 0
            && let Some(Field::PortName(protocol, name)) = encoder.fields.at(level)
        {
            names.insert((*protocol, name.clone()));
        }
        needed_names(encoder, edge.child, names);
    }
}

fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::new();
    for (protocol, first, last) in ranges {
        match merged.last_mut() {
            Some(previous)
                if previous.0 == protocol && u32::from(previous.2) + 1 >= u32::from(first) =>
            {
                previous.2 = previous.2.max(last);
            }
            _ => merged.push((protocol, first, last)),
        }
    }
    merged
}
