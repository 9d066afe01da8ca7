//! One end of a set of flows -> words, when no policy's own words fit.

use super::words::{self, Place};
use crate::reach::{Encoder, Side, Slot};
use crate::report::Peers;
use crate::set::Set;
use crate::set::address::to_cidrs;
use crate::set::fields::{ABSENT, End, Field};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};

/// How many groups a description may have; beyond that it explains nothing.
pub const MOST_GROUPS: usize = 12;

/// The words for one end, taken from a set that tests fields of that end only. `None` if there
/// would be more than [`MOST_GROUPS`], or if addresses of pods tell them apart.
pub fn describe(encoder: &mut Encoder<'_, '_>, end: End, set: Set) -> Option<Vec<Peers>> {
    let world = encoder.world;
    let mut workloads: Vec<usize> = Vec::new();
    let mut undeclared: BTreeMap<Set, (BTreeSet<String>, bool)> = BTreeMap::new();
    let mut outside = Set::EMPTY;
    let mut first = 0u32;
    for edge in encoder.d.edges_at(set, end.slot()) {
        let last = edge.last.min(world.external().0);
        if !edge.child.is_empty() {
            for slot in first..=last {
                match world.slot(slot) {
                    Slot::Workload(index) => workloads.push(index),
                    Slot::Undeclared(index) => {
                        let group = undeclared.entry(edge.child).or_default();
                        group.0.extend(world.namespaces.get(index).map(|n| n.name.to_string()));
                    }
                    Slot::Elsewhere => undeclared.entry(edge.child).or_default().1 = true,
                    Slot::External => outside = edge.child,
                }
            }
        }
        first = edge.last.saturating_add(1);
    }
    let mut groups = Vec::new();
    for (child, (names, elsewhere)) in undeclared {
        let place = match elsewhere {
            true if names.len() == world.namespaces.len() => Place::Any,
            true => Place::Labelled(except(world.namespaces.iter().map(|n| &*n.name), &names)),
            false => Place::Names(names.into_iter().collect()),
        };
        let mut cubes = Vec::new();
        label_cubes(encoder, child, &mut Vec::new(), &mut cubes)?;
        for (of_namespace, of_pod) in cubes {
            let place = match (&place, of_namespace.is_empty()) {
                (place, true) => place.clone(),
                (Place::Any, false) => Place::Labelled(of_namespace.join(",")),
                (Place::Labelled(names), false) => {
                    Place::Labelled(format!("{},{names}", of_namespace.join(",")))
                }
                (Place::Names(names), false) => Place::Labelled(format!(
                    "{},kubernetes.io/metadata.name in ({})",
                    of_namespace.join(","),
                    names.join(",")
                )),
            };
            let labels = if of_pod.is_empty() { "any".into() } else { of_pod.join(",") };
            groups.push(words::pods(&place, &labels));
        }
    }
    groups.sort_by(|a: &Peers, b: &Peers| a.text.cmp(&b.text));
    // Workloads are named where no words for undeclared pods stand for them.
    if groups.is_empty() && !workloads.is_empty() {
        groups.push(workloads_words(encoder, &workloads));
    }
    if !outside.is_empty() {
        groups.push(words::external(&addresses(encoder, end, outside)));
    }
    (groups.len() <= MOST_GROUPS).then_some(groups)
}

/// The words for declared workloads, by their indexes.
pub fn workloads_words(encoder: &Encoder<'_, '_>, indexes: &[usize]) -> Peers {
    let slots: Vec<_> = indexes.iter().filter_map(|i| encoder.world.workloads.get(*i)).collect();
    let mut common: Option<BTreeSet<String>> = None;
    for slot in &slots {
        let now = slot.on.on(Side::After).or(*slot.on.on(Side::Before));
        let labels: BTreeSet<String> = now
            .into_iter()
            .flat_map(|workload| &workload.labels)
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        common = Some(match common {
            Some(common) => common.intersection(&labels).cloned().collect(),
            None => labels,
        });
    }
    let common: Vec<String> = common.unwrap_or_default().into_iter().collect();
    let labels = if common.is_empty() { "any".into() } else { common.join(",") };
    let mut ids: Vec<_> = slots.iter().map(|slot| slot.id).collect();
    ids.sort_unstable();
    words::workloads(&ids, &labels)
}

/// The blocks that make up a set of addresses of one end.
pub fn addresses(encoder: &Encoder<'_, '_>, end: End, set: Set) -> Vec<IpNet> {
    let mut ranges = Vec::new();
    let mut first = 0u32;
    for edge in encoder.d.edges_at(set, end.address()) {
        if !edge.child.is_empty() {
            ranges.extend(encoder.world.addresses.ranges(first, edge.last));
        }
        first = edge.last.saturating_add(1);
    }
    to_cidrs(ranges)
}

/// A selector on the name that leaves these out.
fn except<'n>(known: impl Iterator<Item = &'n str>, names: &BTreeSet<String>) -> String {
    let mut missing: Vec<&str> = known.filter(|name| !names.contains(*name)).collect();
    missing.sort_unstable();
    format!("kubernetes.io/metadata.name notin ({})", missing.join(","))
}

/// Requirements on namespace labels and on pod labels.
type Cube = (Vec<String>, Vec<String>);

/// The paths through label fields, each as requirements. `None` if there are too many.
fn label_cubes(
    encoder: &Encoder<'_, '_>,
    set: Set,
    path: &mut Vec<(Field, String)>,
    cubes: &mut Vec<Cube>,
) -> Option<()> {
    if set.is_empty() {
        return Some(());
    }
    let field = encoder.d.level(set).and_then(|level| encoder.fields.at(level)).cloned();
    let Some(field) = field else {
        // The full set; or addresses, which words on labels would leave out.
        if set != Set::FULL {
            return None;
        }
        let (namespace, pod): (Vec<_>, Vec<_>) =
            path.iter().partition(|(field, _)| matches!(field, Field::NamespaceLabel(..)));
        let texts = |part: Vec<&(Field, String)>| {
            let mut texts: Vec<String> = part.into_iter().map(|(_, text)| text.clone()).collect();
            texts.sort();
            texts
        };
        cubes.push((texts(namespace), texts(pod)));
        return (cubes.len() <= MOST_GROUPS).then_some(());
    };
    let mut children: BTreeMap<Set, Vec<(u32, u32)>> = BTreeMap::new();
    let mut first = 0;
    for edge in encoder.d.edges(set) {
        children.entry(edge.child).or_default().push((first, edge.last));
        first = edge.last.saturating_add(1);
    }
    for (child, intervals) in children {
        let text = match &field {
            Field::PodLabel(_, key) | Field::NamespaceLabel(_, key) => {
                requirement(key, encoder.fields.mentioned(key), &intervals)
            }
            Field::PortName(..) => continue,
        };
        path.push((field.clone(), text));
        label_cubes(encoder, child, path, cubes)?;
        path.pop();
    }
    Some(())
}

/// The words for "the label's value lies in these intervals", in the notation of selectors.
fn requirement(key: &str, mentioned: &[Box<str>], intervals: &[(u32, u32)]) -> String {
    let holds = |value: u32| intervals.iter().any(|(a, b)| (*a..=*b).contains(&value));
    let other = holds(u32::MAX);
    // The values to name: those that the label has, or those that it has not. There may be
    // thousands of the others.
    let mut values: Vec<&str> = (1..)
        .zip(mentioned)
        .filter(|(index, _)| holds(*index) != other)
        .map(|(_, value)| &**value)
        .collect();
    values.sort_unstable();
    let one_of = |operator: &str, word: &str| match values.as_slice() {
        [only] => format!("{key}{operator}{only}"),
        values => format!("{key} {word} ({})", values.join(",")),
    };
    match (holds(ABSENT), other) {
        (false, false) => one_of("=", "in"),
        (true, true) => one_of("!=", "notin"),
        (false, true) if values.is_empty() => key.to_string(),
        (false, true) => format!("{key},{}", one_of("!=", "notin")),
        (true, false) if values.is_empty() => format!("!{key}"),
        (true, false) => format!("{} or !{key}", one_of("=", "in")),
    }
}
