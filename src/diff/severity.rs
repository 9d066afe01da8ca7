//! How bad it is that a row opened.

use super::describe;
use crate::config::Config;
use crate::model::Protocol;
use crate::reach::{Encoder, Slot};
use crate::report::{CauseKind, Severity};
use crate::set::fields::End;
use crate::set::{OverBudget, Set, ports};
use ipnet::IpNet;

/// Ranges that are not the public Internet (IANA special-purpose registries): private, shared,
/// loopback, link-local, unique local, multicast, reserved.
const NOT_PUBLIC: [&str; 13] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/8",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// A public range of at most this prefix length is "the Internet", a smaller one is a named place.
const WIDE: (u8, u8) = (8, 16);

/// Addresses at which clouds serve credentials to whatever asks, on TCP 80.
const METADATA: [&str; 2] = ["169.254.169.254/32", "fd00:ec2::254/128"];

/// Ports on which data stores listen by default.
const DATA_STORES: [u16; 14] =
    [1433, 1521, 2379, 3306, 5432, 5984, 6379, 7000, 8086, 9042, 9092, 9200, 11211, 27017];

/// The level of a row, from its flows and the kinds of edit that cause it.
///
/// From the Internet to pods is critical where all ports or the isolation went, else high. From any
/// pod of any namespace: high. Between namespaces, or to the whole Internet: medium. Inside one
/// namespace, or to named ranges: low. Only because something is new here: info. One level more
/// towards the metadata address, kube-system other than DNS, declared data stores, and what the
/// configuration protects. It can also name the least level for a kind of cause.
pub fn severity(
    encoder: &mut Encoder<'_, '_>,
    config: &Config,
    flows: Set,
    kinds: &[CauseKind],
) -> Result<Severity, OverBudget> {
    let least = kinds.iter().filter_map(|kind| config.least_severity.get(kind)).max();
    let level = computed(encoder, config, flows, kinds)?;
    Ok(least.map_or(level, |least| level.max(*least)))
}

fn computed(
    encoder: &mut Encoder<'_, '_>,
    config: &Config,
    flows: Set,
    kinds: &[CauseKind],
) -> Result<Severity, OverBudget> {
    let protected = is_protected(encoder, config, flows)?;
    if kinds.iter().all(|kind| *kind == CauseKind::WorkloadAdded) {
        return Ok(if protected { raised(Severity::Info) } else { Severity::Info });
    }
    let outside_from = encoder.outside(End::Source)?;
    let outside_to = encoder.outside(End::Destination)?;
    let incoming = encoder.d.and(flows, outside_from)?;
    let outgoing = encoder.d.and(flows, outside_to)?;
    let outer = encoder.d.or(outside_from, outside_to)?;
    let inner = encoder.d.minus(flows, outer)?;
    let mut level = Severity::Low;
    if !incoming.is_empty() {
        let sources = addresses(encoder, incoming, End::Source)?;
        if wide(&sources, config) {
            let everything = every_port(encoder, incoming)?;
            let lost = kinds.contains(&CauseKind::IsolationLost);
            level = level.max(if everything || lost { Severity::Critical } else { Severity::High });
        } else if sources.iter().any(|net| is_public(net, config)) {
            level = level.max(Severity::Medium);
        }
    }
    if !outgoing.is_empty() && wide(&addresses(encoder, outgoing, End::Destination)?, config) {
        level = level.max(Severity::Medium);
    }
    if !inner.is_empty() {
        level = level.max(between_pods(encoder, inner)?);
    }
    if protected || raises(encoder, flows, outgoing)? {
        level = raised(level);
    }
    Ok(level)
}

fn raised(level: Severity) -> Severity {
    match level {
        Severity::Info => Severity::Low,
        Severity::Low => Severity::Medium,
        Severity::Medium => Severity::High,
        Severity::High | Severity::Critical => Severity::Critical,
    }
}

/// High from any pod of any namespace, medium across namespaces, else low.
fn between_pods(encoder: &mut Encoder<'_, '_>, flows: Set) -> Result<Severity, OverBudget> {
    let anywhere = encoder.d.project(flows, |level| level != End::Source.slot())?;
    let sources = {
        let Encoder { d, fields, .. } = &mut *encoder;
        d.project(flows, |level| fields.belongs_to(level, End::Source))?
    };
    let elsewhere = encoder.world.elsewhere();
    let mut first = 0;
    let mut any_pod = false;
    for edge in encoder.d.edges_at(sources, End::Source.slot()) {
        any_pod |= (first..=edge.last).contains(&elsewhere) && edge.child == Set::FULL;
        first = edge.last.saturating_add(1);
    }
    if any_pod && !anywhere.is_empty() {
        return Ok(Severity::High);
    }
    // Namespace by namespace: does anything come from another one?
    for (slot, first, last) in destinations(encoder, flows) {
        let here = namespace_slots(encoder, slot);
        let block = encoder.in_slots(End::Destination, &[(first, last)])?;
        let to_here = encoder.d.and(flows, block)?;
        let from_here = encoder.in_slots(End::Source, &here)?;
        if !encoder.d.minus(to_here, from_here)?.is_empty() {
            return Ok(Severity::Medium);
        }
    }
    Ok(Severity::Low)
}

/// The destination slots, in runs within one namespace.
fn destinations(encoder: &Encoder<'_, '_>, flows: Set) -> Vec<(Slot, u32, u32)> {
    let namespace_of = |slot: Slot| match slot {
        Slot::Workload(index) => encoder.world.workloads.get(index).map(|w| w.namespace),
        Slot::Undeclared(index) => Some(index),
        _ => None,
    };
    let mut runs: Vec<(Slot, u32, u32)> = Vec::new();
    let mut first = 0;
    for edge in encoder.d.edges_at(flows, End::Destination.slot()) {
        let last = edge.last.min(encoder.world.external().0);
        if !edge.child.is_empty() {
            for slot in first..=last {
                match runs.last_mut() {
                    Some((start, _, end))
                        if *end + 1 == slot
                            && namespace_of(*start) == namespace_of(encoder.world.slot(slot)) =>
                    {
                        *end = slot;
                    }
                    _ => runs.push((encoder.world.slot(slot), slot, slot)),
                }
            }
        }
        first = edge.last.saturating_add(1);
    }
    runs
}

/// The slots of the namespace that a slot belongs to, sorted.
fn namespace_slots(encoder: &Encoder<'_, '_>, slot: Slot) -> Vec<(u32, u32)> {
    let world = encoder.world;
    let index = match slot {
        Slot::Workload(index) => world.workloads.get(index).map(|w| w.namespace),
        Slot::Undeclared(index) => Some(index),
        _ => None,
    };
    let Some((index, namespace)) = index.and_then(|i| Some((i, world.namespaces.get(i)?))) else {
        return Vec::new();
    };
    let (first, end) = namespace.workloads;
    let undeclared = world.undeclared(index);
    let mut slots = Vec::new();
    if first < end {
        slots.push((first, end - 1));
    }
    slots.push((undeclared, undeclared));
    slots
}

/// Does the row lead to something that is worth more?
fn raises(encoder: &mut Encoder<'_, '_>, flows: Set, outgoing: Set) -> Result<bool, OverBudget> {
    let port = |encoder: &mut Encoder<'_, '_>, protocol, number| {
        let (first, last) = ports::values(protocol, number, number);
        encoder.d.node(crate::set::fields::PORT, [(first, last, Set::FULL)])
    };
    if !outgoing.is_empty() {
        let http = port(encoder, Protocol::Tcp, 80)?;
        let outgoing = encoder.d.and(outgoing, http)?;
        let reached = addresses(encoder, outgoing, End::Destination)?;
        let metadata = nets(&METADATA);
        if reached.iter().any(|net| metadata.iter().any(|m| net.contains(m))) {
            return Ok(true);
        }
    }
    if let Some(index) = encoder.world.namespace("kube-system") {
        let slots = namespace_slots(encoder, Slot::Undeclared(index));
        let system = encoder.in_slots(End::Destination, &slots)?;
        let mut to_system = encoder.d.and(flows, system)?;
        let from_system = encoder.in_slots(End::Source, &slots)?;
        to_system = encoder.d.minus(to_system, from_system)?;
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let dns = port(encoder, protocol, 53)?;
            to_system = encoder.d.minus(to_system, dns)?;
        }
        // Only where the change speaks of kube-system: "any namespace" has its level already.
        let named_only = encoder
            .slots(flows, End::Destination)?
            .iter()
            .all(|(first, last)| slots.iter().any(|(a, b)| a <= first && last <= b));
        if named_only && !to_system.is_empty() {
            return Ok(true);
        }
    }
    for (first, last) in encoder.slots(flows, End::Destination)? {
        for slot in first..=last.min(encoder.world.external().0) {
            let Slot::Workload(index) = encoder.world.slot(slot) else { continue };
            let Some(workload) = encoder.world.workloads.get(index) else { continue };
            let now = workload.on.on(crate::reach::Side::After);
            let stores: Vec<u16> = now
                .iter()
                .flat_map(|w| &w.ports)
                .filter(|p| p.protocol == Protocol::Tcp && DATA_STORES.contains(&p.number))
                .map(|p| p.number)
                .collect();
            for number in stores {
                let store = port(encoder, Protocol::Tcp, number)?;
                let here = encoder.in_slots(End::Destination, &[(slot, slot)])?;
                let to_store = encoder.d.and(here, store)?;
                if !encoder.d.and(flows, to_store)?.is_empty() {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Does some flow lead to a namespace or to an address that the configuration protects?
fn is_protected(
    encoder: &mut Encoder<'_, '_>,
    config: &Config,
    flows: Set,
) -> Result<bool, OverBudget> {
    let world = encoder.world;
    let protected = &config.protected;
    let in_ranges =
        |net: &IpNet| protected.ranges.iter().any(|p| p.contains(net) || net.contains(p));
    if !protected.ranges.is_empty()
        && addresses(encoder, flows, End::Destination)?.iter().any(in_ranges)
    {
        return Ok(true);
    }
    if protected.namespaces.is_empty() && protected.ranges.is_empty() {
        return Ok(false);
    }
    // A namespace that nothing names is one of the others.
    let elsewhere = protected.namespaces.iter().any(|name| world.namespace(name).is_none());
    for (first, last) in encoder.slots(flows, End::Destination)? {
        for slot in first..=last.min(world.external().0) {
            let index = match world.slot(slot) {
                Slot::Workload(index) => {
                    let Some(workload) = world.workloads.get(index) else { continue };
                    let now = workload.on.on(crate::reach::Side::After);
                    let mut known = now.iter().flat_map(|workload| &workload.addresses);
                    if known.any(|address| in_ranges(&IpNet::from(*address))) {
                        return Ok(true);
                    }
                    workload.namespace
                }
                Slot::Undeclared(index) => index,
                Slot::Elsewhere if elsewhere => return Ok(true),
                Slot::Elsewhere | Slot::External => continue,
            };
            let name = world.namespaces.get(index).map(|namespace| &*namespace.name);
            if name.is_some_and(|name| protected.namespaces.contains(name)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// True iff some end of the flows has every port of every protocol.
fn every_port(encoder: &mut Encoder<'_, '_>, flows: Set) -> Result<bool, OverBudget> {
    Ok(super::port_list::projection(encoder, flows)? == Set::FULL)
}

fn addresses(
    encoder: &mut Encoder<'_, '_>,
    flows: Set,
    end: End,
) -> Result<Vec<IpNet>, OverBudget> {
    let outside = encoder.outside(end)?;
    let flows = encoder.d.and(flows, outside)?;
    let addresses = encoder.d.project(flows, |level| level == end.address())?;
    Ok(describe::addresses(encoder, end, addresses))
}

/// True iff some block reaches over a wide range of public addresses.
fn wide(blocks: &[IpNet], config: &Config) -> bool {
    blocks.iter().any(|net| {
        let most = match net {
            IpNet::V4(_) => WIDE.0,
            IpNet::V6(_) => WIDE.1,
        };
        net.prefix_len() <= most && is_public(net, config)
    })
}

/// True iff the block holds a public address. What the cluster itself uses is none.
fn is_public(net: &IpNet, config: &Config) -> bool {
    let Config { pod_ranges, service_ranges, node_ranges, .. } = config;
    let mut own = pod_ranges.iter().chain(service_ranges).chain(node_ranges);
    !nets(&NOT_PUBLIC).iter().any(|special| special.contains(net))
        && !own.any(|range| range.contains(net))
}

/// Ranges that are not the public Internet.
pub fn not_public() -> Vec<IpNet> {
    nets(&NOT_PUBLIC)
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}
