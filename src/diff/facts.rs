//! Facts about a set of flows that levels and rules reason with: who is at its addresses, what listens there.

use super::describe;
use crate::config::Config;
use crate::model::{ContainerPort, Protocol, Workload};
use crate::reach::{Encoder, Side, Slot};
use crate::set::fields::{End, PORT};
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

/// The namespace in which the cluster itself runs.
const SYSTEM: &str = "kube-system";

type Result<T> = std::result::Result<T, OverBudget>;

/// A declared workload and a port that it declares, both at the end of some flow.
#[derive(Clone, Copy, Debug)]
pub struct Listener<'a> {
    /// Its slot in the world.
    pub slot: u32,
    /// Who listens.
    pub workload: &'a Workload,
    /// Where.
    pub port: &'a ContainerPort,
}

/// The blocks that make up the addresses outside the cluster at one end of the flows.
pub fn addresses(encoder: &mut Encoder<'_, '_>, flows: Set, end: End) -> Result<Vec<IpNet>> {
    let outside = encoder.outside(end)?;
    let flows = encoder.d.and(flows, outside)?;
    let addresses = encoder.d.project(flows, |level| level == end.address())?;
    Ok(describe::addresses(encoder, end, addresses))
}

/// True iff some block reaches over a wide range of public addresses.
pub fn wide(blocks: &[IpNet], config: &Config) -> bool {
    blocks.iter().any(|net| {
        let most = match net {
            IpNet::V4(_) => WIDE.0,
            IpNet::V6(_) => WIDE.1,
        };
        net.prefix_len() <= most && is_public(net, config)
    })
}

/// True iff the block holds a public address. What the cluster itself uses is none.
pub fn is_public(net: &IpNet, config: &Config) -> bool {
    let Config { pod_ranges, service_ranges, node_ranges, .. } = config;
    let mut own = pod_ranges.iter().chain(service_ranges).chain(node_ranges);
    !nets(&NOT_PUBLIC).iter().any(|special| special.contains(net))
        && !own.any(|range| range.contains(net))
}

/// The addresses outside at which clouds serve credentials and that the flows lead to on the port where they do.
pub fn metadata(encoder: &mut Encoder<'_, '_>, flows: Set) -> Result<Vec<IpNet>> {
    let http = port(encoder, Protocol::Tcp, 80)?;
    let flows = encoder.d.and(flows, http)?;
    let reached = addresses(encoder, flows, End::Destination)?;
    let metadata = nets(&METADATA).into_iter();
    Ok(metadata.filter(|service| reached.iter().any(|net| net.contains(service))).collect())
}

/// Does a change that speaks of the namespace of the system, and of nothing else, lead from elsewhere to more
/// there than DNS? "Any namespace" has its level already.
pub fn to_system(encoder: &mut Encoder<'_, '_>, flows: Set) -> Result<bool> {
    let Some(index) = encoder.world.namespace(SYSTEM) else { return Ok(false) };
    let slots = namespace_slots(encoder, Slot::Undeclared(index));
    let named_only = encoder
        .slots(flows, End::Destination)?
        .iter()
        .all(|(first, last)| slots.iter().any(|(a, b)| a <= first && last <= b));
    if !named_only {
        return Ok(false);
    }
    let from_system = encoder.in_slots(End::Source, &slots)?;
    let mut to_system = encoder.d.minus(flows, from_system)?;
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let dns = port(encoder, protocol, 53)?;
        to_system = encoder.d.minus(to_system, dns)?;
    }
    Ok(!to_system.is_empty())
}

/// Is this the port of a data store?
pub fn is_store_port(port: &ContainerPort) -> bool {
    port.protocol == Protocol::Tcp && DATA_STORES.contains(&port.number)
}

/// The declared ports that the flows lead to and that are asked for, at most `most`, in the order of slots.
pub fn listeners<'a>(
    encoder: &mut Encoder<'_, 'a>,
    flows: Set,
    most: usize,
    asked: impl Fn(&Workload, &ContainerPort) -> bool,
) -> Result<Vec<Listener<'a>>> {
    let mut found = Vec::new();
    for (first, last) in encoder.slots(flows, End::Destination)? {
        for slot in first..=last.min(encoder.world.external().0) {
            let Slot::Workload(index) = encoder.world.slot(slot) else { break };
            let Some(known) = encoder.world.workloads.get(index) else { continue };
            let Some(workload) = *known.on.on(Side::After) else { continue };
            for declared in workload.ports.iter().filter(|declared| asked(workload, declared)) {
                let listens = port(encoder, declared.protocol, declared.number)?;
                let here = encoder.in_slots(End::Destination, &[(slot, slot)])?;
                let there = encoder.d.and(here, listens)?;
                if !encoder.d.and(flows, there)?.is_empty() {
                    found.push(Listener { slot, workload, port: declared });
                    if found.len() >= most {
                        return Ok(found);
                    }
                }
            }
        }
    }
    Ok(found)
}

/// The flows of one destination port.
pub fn port(encoder: &mut Encoder<'_, '_>, protocol: Protocol, number: u16) -> Result<Set> {
    let (first, last) = ports::values(protocol, number, number);
    encoder.d.node(PORT, [(first, last, Set::FULL)])
}

/// True iff some flow comes from any pod of any namespace.
pub fn from_any_pod(encoder: &mut Encoder<'_, '_>, flows: Set) -> Result<bool> {
    let sources = {
        let Encoder { d, fields, .. } = &mut *encoder;
        d.project(flows, |level| fields.belongs_to(level, End::Source))?
    };
    let elsewhere = encoder.world.elsewhere();
    let mut first = 0;
    for edge in encoder.d.edges_at(sources, End::Source.slot()) {
        if (first..=edge.last).contains(&elsewhere) && edge.child == Set::FULL {
            return Ok(true);
        }
        first = edge.last.saturating_add(1);
    }
    Ok(false)
}

/// True iff some flow between pods leaves its namespace.
pub fn crosses_namespaces(encoder: &mut Encoder<'_, '_>, flows: Set) -> Result<bool> {
    for (slot, first, last) in destinations(encoder, flows) {
        let here = namespace_slots(encoder, slot);
        let block = encoder.in_slots(End::Destination, &[(first, last)])?;
        let to_here = encoder.d.and(flows, block)?;
        let from_here = encoder.in_slots(End::Source, &here)?;
        if !encoder.d.minus(to_here, from_here)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
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
pub fn namespace_slots(encoder: &Encoder<'_, '_>, slot: Slot) -> Vec<(u32, u32)> {
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

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Ranges that are not the public Internet.
pub fn not_public() -> Vec<IpNet> {
    nets(&NOT_PUBLIC)
}
