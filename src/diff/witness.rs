//! One concrete flow out of a set, and its replay on the executable specification.

use crate::eval::{self, End as Party, Flow, Pod};
use crate::model::{Cluster, ContainerPort, Labels, NAMESPACE_NAME_LABEL, Policy};
use crate::reach::{Encoder, Ranges, Side, Slot};
use crate::report::{Admission, AdmittedBy, Location, RuleRef, Side as ReportSide, Witness};
use crate::set::fields::{End, Field, PORT};
use crate::set::{OverBudget, Set, ports};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// A concrete flow, as a point of the domain.
#[derive(Clone, Debug)]
pub struct Point {
    values: BTreeMap<u32, u32>,
}

/// What the replay of a witness showed.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The flow, written down.
    pub witness: Witness,
    /// What admits it on the side that allows it.
    pub admitted_by: AdmittedBy,
    /// True iff the specification agrees: allowed on the new side, not on the other.
    pub agrees: bool,
}

/// A point of a set: the first by the order of values, so the same set gives the same point. Prefers
/// ends in `prefer`, a list of sets, best first.
pub fn point(
    encoder: &mut Encoder<'_, '_>,
    flows: Set,
    prefer: &[Set],
) -> Result<Option<Point>, OverBudget> {
    let mut chosen = flows;
    for wish in prefer {
        let part = encoder.d.and(chosen, *wish)?;
        if !part.is_empty() {
            chosen = part;
            break;
        }
    }
    let mut values = BTreeMap::new();
    let mut set = chosen;
    while let Some(level) = encoder.d.level(set) {
        let mut first = 0;
        let mut next = None;
        for edge in encoder.d.edges(set) {
            if !edge.child.is_empty() {
                next = Some((first, edge.child));
                break;
            }
            first = edge.last.saturating_add(1);
        }
        let Some((value, child)) = next else { return Ok(None) };
        values.insert(level, value);
        set = child;
    }
    Ok((set == Set::FULL).then_some(Point { values }))
}

/// Plays the point on both sides of the specification.
pub fn replay(
    encoder: &Encoder<'_, '_>,
    point: &Point,
    new: Side,
    pods_have_addresses: bool,
) -> Replayed {
    let (protocol, port) = ports::port(point.value(PORT));
    let party = |side, end| party(encoder, point, side, end, pods_have_addresses);
    let decide = |side| decision(encoder, point, side, pods_have_addresses);
    let (now, then) = (decide(new), decide(new.other()));
    let agrees =
        now.as_ref().is_some_and(|(d, _)| d.allowed) && !then.is_some_and(|(d, _)| d.allowed);
    let (now, policies) = now.unzip();
    let policies = policies.unwrap_or_default();
    let cluster = encoder.world.cluster(new);
    let admission = |side: Option<&eval::Side>, direction| match side {
        Some(side) if !side.applies => Admission::Open("outside the cluster"),
        Some(side) => side
            .by
            .first()
            .and_then(|(policy, rule)| {
                let policy = policies.policies.get(*policy)?;
                let origin = &policy.section(direction)?.rules.get(*rule)?.origin;
                Some(Admission::Rule(RuleRef {
                    policy: policy.id.to_string(),
                    rule: *rule,
                    location: location(new, origin),
                }))
            })
            .unwrap_or(Admission::Open("not isolated")),
        None => Admission::Open("not isolated"),
    };
    let admitted_by = AdmittedBy {
        egress: admission(now.as_ref().map(|d| &d.egress), crate::model::Direction::Egress),
        ingress: admission(now.as_ref().map(|d| &d.ingress), crate::model::Direction::Ingress),
    };
    let name = |end: End| {
        let party = party(new, end);
        match encoder.world.slot(point.value(end.slot())) {
            Slot::Workload(index) => {
                let workload = encoder.world.workloads.get(index);
                let id = workload.map(|w| w.id.to_string()).unwrap_or_default();
                let known =
                    workload.and_then(|w| *w.on.on(new)).is_some_and(|w| !w.addresses.is_empty());
                match party {
                    Some(Party::Pod(pod)) if pods_have_addresses && !known => {
                        pod.addresses.iter().fold(id, |id, address| format!("{id},ip:{address}"))
                    }
                    _ => id,
                }
            }
            _ => party.map(|party| crate::query::write_peer(cluster, &party)).unwrap_or_default(),
        }
    };
    let witness = Witness {
        from: name(End::Source),
        to: name(End::Destination),
        protocol: protocol.as_str(),
        port,
        ..Witness::default()
    };
    Replayed { witness, admitted_by, agrees }
}

/// What the specification says of a point on one side, with the policies that it speaks of. `None`: an end of
/// it does not exist there.
pub fn decision(
    encoder: &Encoder<'_, '_>,
    point: &Point,
    side: Side,
    pods_have_addresses: bool,
) -> Option<(eval::Decision, Cluster)> {
    let (protocol, port) = ports::port(point.value(PORT));
    let party = |end| party(encoder, point, side, end, pods_have_addresses);
    let (from, to) = (party(End::Source)?, party(End::Destination)?);
    let flow = Flow { from: &from, to: &to, protocol, port };
    let policies = policies_of(encoder, side, [&from, &to]);
    Some((eval::evaluate(&policies, &flow), policies))
}

/// The policies of a side that could say something of a flow between these ends: those of their
/// namespaces, and those of none.
fn policies_of(encoder: &Encoder<'_, '_>, side: Side, ends: [&Party; 2]) -> Cluster {
    let all = &encoder.world.cluster(side).policies;
    let mut namespaces: Vec<Option<&Arc<str>>> = vec![None];
    namespaces.extend(ends.into_iter().filter_map(|end| match end {
        Party::Pod(pod) => Some(Some(&pod.namespace)),
        Party::External(_) => None,
    }));
    namespaces.sort();
    namespaces.dedup();
    let mut policies = Vec::new();
    for namespace in namespaces {
        // Policies stand in the order of their identities, namespaces first.
        let first = all.partition_point(|policy| policy.id.namespace.as_ref() < namespace);
        let of_it = |policy: &&Arc<Policy>| policy.id.namespace.as_ref() == namespace;
        policies.extend(all.iter().skip(first).take_while(of_it).cloned());
    }
    Cluster { policies, ..Cluster::default() }
}

/// Lines of an object, for a report.
pub fn location(side: Side, origin: &crate::model::Origin) -> Location {
    Location {
        side: match side {
            Side::Before => ReportSide::Before,
            Side::After => ReportSide::After,
        },
        file: origin.file.to_string(),
        start_line: origin.start_line,
        end_line: origin.end_line,
    }
}

impl Point {
    /// The value of a field; 0 where the point leaves it open.
    pub fn value(&self, level: u32) -> u32 {
        self.values.get(&level).copied().unwrap_or(0)
    }
}

/// One end of a point, as it is on a side. `None`: it does not exist there.
pub fn party(
    encoder: &Encoder<'_, '_>,
    point: &Point,
    side: Side,
    end: End,
    pods_have_addresses: bool,
) -> Option<Party> {
    let world = encoder.world;
    let cluster = world.cluster(side);
    let value = point.values.get(&end.address()).copied();
    let mut pod = match world.slot(point.value(end.slot())) {
        Slot::External => {
            return Some(Party::External(address(encoder, value, &Ranges::default())));
        }
        Slot::Workload(index) => {
            Pod::of_workload(cluster, (*world.workloads.get(index)?.on.on(side))?)
        }
        Slot::Undeclared(index) => {
            let namespace = world.namespaces.get(index)?;
            let mut labels = namespace.labels.on(side).clone();
            if !namespace.declared.on(side) {
                labels.extend(free_labels(encoder, point, end, true));
            }
            undeclared(encoder, point, end, namespace.name.clone(), labels)
        }
        Slot::Elsewhere => {
            let mut name = "another-namespace".to_string();
            while world.namespace(&name).is_some() {
                name.push_str("-x");
            }
            let mut labels = free_labels(encoder, point, end, true);
            labels.insert(NAMESPACE_NAME_LABEL.into(), name.as_str().into());
            undeclared(encoder, point, end, name.into(), labels)
        }
    };
    if pods_have_addresses && pod.addresses.is_empty() {
        let ranges = world.ranges(point.value(end.slot()));
        pod.addresses.insert(address(encoder, value, ranges));
    }
    Some(Party::Pod(pod))
}

fn undeclared(
    encoder: &Encoder<'_, '_>,
    point: &Point,
    end: End,
    namespace: Arc<str>,
    namespace_labels: Labels,
) -> Pod {
    let mut ports = BTreeSet::new();
    if end == End::Destination {
        let (protocol, number) = ports::port(point.value(PORT));
        for (level, value) in &point.values {
            if let Some(Field::PortName(of, name)) = encoder.fields.at(*level)
                && *of == protocol
                && *value > 0
            {
                ports.insert(ContainerPort { name: Some(name.clone()), protocol, number });
            }
        }
    }
    let labels = free_labels(encoder, point, end, false);
    Pod { namespace, namespace_labels, labels, ports, ..Pod::default() }
}

/// The labels that the point gives an undeclared pod, or its namespace.
fn free_labels(encoder: &Encoder<'_, '_>, point: &Point, end: End, of_namespace: bool) -> Labels {
    let mut labels = Labels::new();
    for (level, value) in &point.values {
        let key = match encoder.fields.at(*level) {
            Some(Field::PodLabel(of, key)) if !of_namespace && *of == end => key,
            Some(Field::NamespaceLabel(of, key)) if of_namespace && *of == end => key,
            _ => continue,
        };
        match encoder.fields.label(key, *value) {
            None => {}
            Some(Some(text)) => {
                labels.insert(key.clone(), text.into());
            }
            Some(None) => {
                let mut text = "another-value".to_string();
                while encoder.fields.mentioned(key).iter().any(|value| **value == *text) {
                    text.push_str("-x");
                }
                labels.insert(key.clone(), text.into());
            }
        }
    }
    labels
}

/// An address that a value stands for, in these ranges: one reserved for documentation where there is
/// one, else the first.
fn address(encoder: &Encoder<'_, '_>, value: Option<u32>, possible: &Ranges) -> IpAddr {
    let documentation: [IpAddr; 4] = [
        std::net::Ipv4Addr::new(203, 0, 113, 10).into(),
        std::net::Ipv4Addr::new(198, 51, 100, 10).into(),
        std::net::Ipv4Addr::new(192, 0, 2, 10).into(),
        std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10).into(),
    ];
    // Where any address will do, the first of them will.
    let Some(value) = value else { return possible.stand_in().unwrap_or(documentation[0]) };
    let ranges = encoder.world.addresses.ranges(value, value);
    let first = ranges.first().map_or(documentation[0], |range| range.0);
    if let Some(stand_in) = possible.stand_in() {
        return if possible.hold(first) { first } else { stand_in };
    }
    documentation
        .into_iter()
        .find(|address| ranges.iter().any(|(a, b)| (a..=b).contains(&address)))
        .unwrap_or(first)
}
