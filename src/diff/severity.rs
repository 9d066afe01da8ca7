//! How bad it is that a row opened.

use super::facts;
use crate::config::Config;
use crate::reach::{Encoder, Slot};
use crate::report::{CauseKind, Severity};
use crate::set::fields::End;
use crate::set::{OverBudget, Set};
use ipnet::IpNet;

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
        let sources = facts::addresses(encoder, incoming, End::Source)?;
        if facts::wide(&sources, config) {
            let everything = every_port(encoder, incoming)?;
            let lost = kinds.contains(&CauseKind::IsolationLost);
            level = level.max(if everything || lost { Severity::Critical } else { Severity::High });
        } else if sources.iter().any(|net| facts::is_public(net, config)) {
            level = level.max(Severity::Medium);
        }
    }
    if !outgoing.is_empty()
        && facts::wide(&facts::addresses(encoder, outgoing, End::Destination)?, config)
    {
        level = level.max(Severity::Medium);
    }
    if !inner.is_empty() {
        level = level.max(between_pods(encoder, inner)?);
    }
    if protected || raises(encoder, flows)? {
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
    Ok(if facts::from_any_pod(encoder, flows)? {
        Severity::High
    } else if facts::crosses_namespaces(encoder, flows)? {
        Severity::Medium
    } else {
        Severity::Low
    })
}

/// Does the row lead to something that is worth more?
fn raises(encoder: &mut Encoder<'_, '_>, flows: Set) -> Result<bool, OverBudget> {
    Ok(!facts::metadata(encoder, flows)?.is_empty()
        || facts::to_system(encoder, flows)?
        || !facts::listeners(encoder, flows, 1, |_, port| facts::is_store_port(port))?.is_empty())
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
        && facts::addresses(encoder, flows, End::Destination)?.iter().any(in_ranges)
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
