//! The table of all declared ends, flow by flow with the executable specification.

use super::expect::counts;
use super::table::{Addresses, Place, PortSet, Row};
use netpol_review::config::Config;
use netpol_review::eval::{End, Flow, Pod, evaluate};
use netpol_review::model::{Cluster, PeerKind, Ports, Protocol, Rule};
use netpol_review::parse::{Affects, parse_both};
use netpol_review::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All pairs of declared ends, whether they differ or not.
pub fn table(before: &Tree, after: &Tree) -> Vec<Row> {
    let (before, after) = parse_both(before, after, &Config::default());
    for problem in before.problems.iter().chain(&after.problems) {
        assert_eq!(problem.affects, Affects::Nothing, "not understood: {problem:#?}");
    }
    let clusters = [&before.cluster, &after.cluster];
    let (externals, probes) = (externals(&clusters), probes(&clusters));
    let mut ends: BTreeMap<Place, [Option<End>; 2]> = BTreeMap::new();
    for addresses in externals {
        let end = End::External(first_address(addresses));
        ends.insert(Place::External(addresses), [Some(end.clone()), Some(end)]);
    }
    for (side, cluster) in clusters.iter().enumerate() {
        for workload in &cluster.workloads {
            let place = Place::Workload(workload.id.to_string());
            ends.entry(place).or_default()[side] =
                Some(End::Pod(Pod::of_workload(cluster, workload)));
        }
    }

    let mut rows = vec![];
    for (from, from_ends) in &ends {
        for (to, to_ends) in ends.iter().filter(|(to, _)| counts(from, to)) {
            let side = |side: usize| match (&from_ends[side], &to_ends[side]) {
                (Some(from), Some(to)) => ports(clusters[side], from, to, &probes),
                _ => PortSet::default(),
            };
            let (before, after) = (side(0), side(1));
            rows.push(Row { from: from.clone(), to: to.clone(), before, after });
        }
    }
    rows
}

/// What one end may say to another, each interval by its first port; the last has to agree.
fn ports(cluster: &Cluster, from: &End, to: &End, probes: &[(Protocol, u16, u16)]) -> PortSet {
    let allowed = |protocol, port| evaluate(cluster, &Flow { from, to, protocol, port }).allowed;
    PortSet::of(probes.iter().copied().filter(|&(protocol, first, last)| {
        let answer = allowed(protocol, first);
        assert_eq!(
            answer,
            allowed(protocol, last),
            "{protocol}/{first}-{last} is not one interval"
        );
        answer
    }))
}

fn rules<'a>(clusters: &[&'a Cluster; 2]) -> impl Iterator<Item = &'a Rule> {
    let policies = clusters.iter().flat_map(|cluster| &cluster.policies);
    policies.flat_map(|p| [&p.ingress, &p.egress]).flatten().flat_map(|section| &section.rules)
}

/// The intervals of ports, for each protocol, that no rule and no container cuts. Every mentioned port is
/// an interval of its own, and so are its neighbours.
fn probes(clusters: &[&Cluster; 2]) -> Vec<(Protocol, u16, u16)> {
    let mut mentioned = BTreeSet::from([1, u16::MAX]);
    for rule in rules(clusters) {
        for port in rule.ports.iter().flatten() {
            if let Ports::Range(first, last) = port.ports {
                mentioned.extend([first, last]);
            }
        }
    }
    for workload in clusters.iter().flat_map(|cluster| &cluster.workloads) {
        mentioned.extend(workload.ports.iter().map(|port| port.number));
    }
    let around = |port: &u16| [port.saturating_sub(1), *port, port.saturating_add(1)];
    let singles: BTreeSet<u16> =
        mentioned.iter().flat_map(around).filter(|port| *port > 0).collect();
    let firsts: BTreeSet<u16> =
        singles.iter().flat_map(|port| [Some(*port), port.checked_add(1)]).flatten().collect();
    let lasts = firsts.iter().skip(1).map(|next| next - 1).chain([u16::MAX]);
    let intervals: Vec<(u16, u16)> = firsts.iter().copied().zip(lasts).collect();
    Protocol::ALL
        .iter()
        .flat_map(|protocol| intervals.iter().map(|(first, last)| (*protocol, *first, *last)))
        .collect()
}

/// The intervals of addresses that no block cuts.
fn externals(clusters: &[&Cluster; 2]) -> Vec<Addresses> {
    let mut firsts = BTreeSet::from([(false, 0), (true, 0)]);
    for peer in rules(clusters).flat_map(|rule| rule.peers.iter().flatten()) {
        if let PeerKind::Block(block) = &peer.kind {
            for range in block.except.iter().chain([&block.cidr]) {
                let Addresses { v6, first, last } = Addresses::cidr(&range.to_string());
                firsts.insert((v6, first));
                firsts.extend((last < Addresses::all(v6).last).then(|| (v6, last + 1)));
            }
        }
    }
    let mut all = vec![];
    for family in [false, true] {
        let firsts: Vec<u128> =
            firsts.iter().filter(|(v6, _)| *v6 == family).map(|f| f.1).collect();
        let lasts = firsts.iter().skip(1).map(|next| next - 1).chain([Addresses::all(family).last]);
        let intervals = firsts.iter().zip(lasts);
        all.extend(intervals.map(|(&first, last)| Addresses { v6: family, first, last }));
    }
    all
}

fn first_address(addresses: Addresses) -> IpAddr {
    match u32::try_from(addresses.first) {
        Ok(first) if !addresses.v6 => Ipv4Addr::from(first).into(),
        _ => Ipv6Addr::from(addresses.first).into(),
    }
}
