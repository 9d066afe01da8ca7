//! What each rule of a namespace admits at its own end, as sets, and what follows from that.
//!
//! The pods of a policy are isolated in its directions, so what they may do there is the union of what the
//! rules of all their policies admit (N1, N9), and each rule can be held against the rest.

use super::{Snapshot, words};
use crate::model::{Direction, Policy, Protocol, Rule};
use crate::reach::{Encoder, Side};
use crate::set::fields::{End, PORT};
use crate::set::{OverBudget, Set, ports};
use std::collections::BTreeSet;
use std::sync::Arc;

type Result<T> = std::result::Result<T, OverBudget>;

/// A rule and what it admits.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// Whose rule it is.
    pub policy: &'a Policy,
    /// The direction it speaks of.
    pub direction: Direction,
    /// Its index in its section.
    pub position: usize,
    /// The rule.
    pub rule: &'a Rule,
    /// The flows with a pod of the policy at their end, as far as they can exist.
    pub subject: Set,
    /// Those of them that the rule admits.
    pub flows: Set,
}

/// The namespaces that have a policy to ask about, by name, in order.
pub fn namespaces<'a>(snapshot: &Snapshot<'_, '_, 'a>) -> BTreeSet<&'a str> {
    snapshot.policies().filter_map(|policy| policy.id.namespace.as_deref()).collect()
}

/// The grants of a direction of these policies, those of one namespace, in their order.
pub fn grants<'a>(
    encoder: &mut Encoder<'_, 'a>,
    side: Side,
    direction: Direction,
    policies: &[&'a Arc<Policy>],
) -> Result<Vec<Grant<'a>>> {
    let mut grants = Vec::new();
    for policy in policies {
        let Some(section) = policy.section(direction) else { continue };
        let subject = subject(encoder, side, direction, policy)?;
        for (position, rule) in section.rules.iter().enumerate() {
            let flows = encoder.matched_by(side, direction, rule, subject)?;
            grants.push(Grant { policy, direction, position, rule, subject, flows });
        }
    }
    Ok(grants)
}

/// The flows with a pod of the policy at their end, as far as they can exist.
pub fn subject(
    encoder: &mut Encoder<'_, '_>,
    side: Side,
    direction: Direction,
    policy: &Policy,
) -> Result<Set> {
    let subject = encoder.subject(side, direction, policy)?;
    encoder.possible(side, subject)
}

/// The grants that add nothing to the others, by their indexes: all of them can be taken away together, and no
/// flow changes. Of two that admit the same the later one in an order of its own stays, and of a wide and a
/// narrow one the wide one. A rule that admits nothing at all is none of them.
pub fn redundant(encoder: &mut Encoder<'_, '_>, grants: &[Grant<'_>]) -> Result<Vec<usize>> {
    let mut order: Vec<usize> = (0..grants.len()).collect();
    order.sort_by_cached_key(|index| grants.get(*index).map(width));
    let sets: Vec<Set> =
        order.iter().filter_map(|index| grants.get(*index)).map(|grant| grant.flows).collect();
    // What all later ones admit together.
    let mut later = vec![Set::EMPTY; sets.len() + 1];
    for index in (0..sets.len()).rev() {
        let (Some(set), Some(rest)) = (sets.get(index), later.get(index + 1)) else { continue };
        let union = encoder.d.or(*set, *rest)?;
        if let Some(place) = later.get_mut(index) {
            *place = union;
        }
    }
    let mut kept = Set::EMPTY;
    let mut found = Vec::new();
    for (nth, (index, set)) in order.into_iter().zip(sets).enumerate() {
        let rest = later.get(nth + 1).copied().unwrap_or(Set::EMPTY);
        let others = encoder.d.or(kept, rest)?;
        if !set.is_empty() && encoder.d.minus(set, others)?.is_empty() {
            found.push(index);
        } else {
            kept = encoder.d.or(kept, set)?;
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Narrow before wide, then an order that no edit of other things changes.
fn width(grant: &Grant<'_>) -> (bool, bool, usize, String, String) {
    let Grant { policy, rule, .. } = grant;
    let size = |count: Option<usize>| count.unwrap_or_default();
    (
        rule.peers.is_none(),
        rule.ports.is_none(),
        size(rule.peers.as_ref().map(Vec::len)) + size(rule.ports.as_ref().map(Vec::len)),
        policy.id.to_string(),
        canonical(rule),
    )
}

/// A rule in a spelling that the order of its entries does not change.
pub fn canonical(rule: &Rule) -> String {
    format!("{} on {}", words::canonical_peers(rule), words::canonical_ports(rule))
}

/// Of these grants the first that admits all of these flows alone.
pub fn container<'g, 'a>(
    encoder: &mut Encoder<'_, '_>,
    grants: impl IntoIterator<Item = &'g Grant<'a>>,
    flows: Set,
) -> Result<Option<&'g Grant<'a>>>
where
    'a: 'g,
{
    for grant in grants {
        if encoder.d.may_lie_within(flows, grant.flows)
            && encoder.d.minus(flows, grant.flows)?.is_empty()
        {
            return Ok(Some(grant));
        }
    }
    Ok(None)
}

/// The flows with every pod on the pod network, declared or not, at the other end of a direction.
fn every_pod(encoder: &mut Encoder<'_, '_>, side: Side, direction: Direction) -> Result<Set> {
    let other = Encoder::subject_end(direction).other();
    let world = encoder.world;
    let mut slots = Vec::new();
    for (slot, workload) in world.workloads.iter().enumerate() {
        let slot = slot as u32;
        if workload.on.on(side).is_some_and(|workload| !workload.host_network) {
            slots.push((slot, slot));
        }
    }
    slots.push((world.workloads.len() as u32, world.elsewhere()));
    encoder.in_slots(other, &slots)
}

/// The flows with any IPv4 address outside at the other end of a direction.
fn every_address(encoder: &mut Encoder<'_, '_>, direction: Direction) -> Result<Set> {
    let other = Encoder::subject_end(direction).other();
    let outside = encoder.outside(other)?;
    let every_v4 = ipnet::IpNet::V4(ipnet::Ipv4Net::default());
    let v4 = addresses(encoder, other, &every_v4)?;
    encoder.d.and(outside, v4)
}

/// The flows with an address of a block in the address field of an end.
pub fn addresses(encoder: &mut Encoder<'_, '_>, end: End, block: &ipnet::IpNet) -> Result<Set> {
    let (first, last) = encoder.world.addresses.values(block);
    encoder.d.node(end.address(), [(first, last, Set::FULL)])
}

/// All that the pods of a policy could be let do in a direction: with everybody, on every TCP port. Everybody is
/// every pod on the pod network and every IPv4 address outside: nodes are left out, as no peer but an absent one
/// names them, and so is IPv6, which many clusters don't have. Nothing unless `admitted` holds all of it.
pub fn everything(
    encoder: &mut Encoder<'_, '_>,
    side: Side,
    direction: Direction,
    policy: &Policy,
    admitted: Set,
) -> Result<Option<Set>> {
    let pods = subject(encoder, side, direction, policy)?;
    let (first, last) = ports::values(Protocol::Tcp, 1, u16::MAX);
    let tcp = encoder.d.node(PORT, [(first, last, Set::FULL)])?;
    // Hardly any policy admits every address, and there are few of those, so they are asked first.
    let mut everything = Set::EMPTY;
    for part in 0..2 {
        let others = match part {
            0 => every_address(encoder, direction)?,
            _ => every_pod(encoder, side, direction)?,
        };
        let flows = encoder.d.and(pods, others)?;
        let flows = encoder.d.and(flows, tcp)?;
        if !encoder.d.minus(flows, admitted)?.is_empty() {
            return Ok(None);
        }
        everything = encoder.d.or(everything, flows)?;
    }
    Ok((!everything.is_empty()).then_some(everything))
}
