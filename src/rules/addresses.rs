//! What blocks of addresses leave over.

use crate::config::Config;
use crate::model::{IpBlock, PeerKind, Rule};
use ipnet::IpNet;
use std::net::IpAddr;

/// Addresses of one family as numbers: sorted intervals, both ends included, none touching another.
pub type Spans = Vec<(u128, u128)>;

/// The addresses of one family that the blocks of a rule match.
pub fn matched(rule: &Rule, v4: bool) -> Spans {
    let blocks = rule.peers.iter().flatten().filter_map(|peer| match &peer.kind {
        PeerKind::Block(block) if block.cidr.addr().is_ipv4() == v4 => Some(block),
        _ => None,
    });
    union(blocks.flat_map(without_holes).collect())
}

fn without_holes(block: &IpBlock) -> Spans {
    minus(&vec![span(&block.cidr)], &union(block.except.iter().map(span).collect()))
}

/// The public ones among them: neither special-purpose ranges nor what the configuration says is the
/// cluster's own.
pub fn public(spans: &Spans, v4: bool, config: &Config) -> Spans {
    let own = [&config.pod_ranges, &config.service_ranges, &config.node_ranges];
    let special = crate::diff::not_public();
    let all = own.into_iter().flatten().chain(&special).filter(|net| net.addr().is_ipv4() == v4);
    minus(spans, &union(all.map(span).collect()))
}

/// Do they have an address in common?
pub fn meets(spans: &Spans, net: &IpNet) -> bool {
    minus(&vec![span(net)], spans) != [span(net)]
}

/// How many addresses there are; the most that fits where there are more.
pub fn count(spans: &Spans) -> u128 {
    spans
        .iter()
        .fold(0, |sum: u128, (first, last)| sum.saturating_add((last - first).saturating_add(1)))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn span(net: &IpNet) -> (u128, u128) {
    (number(net.network()), number(net.broadcast()))
}

fn union(mut spans: Spans) -> Spans {
    spans.sort_unstable();
    let mut joined: Spans = Vec::with_capacity(spans.len());
    for (first, last) in spans {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    joined
}

fn minus(spans: &Spans, holes: &Spans) -> Spans {
    let mut left = Vec::new();
    for &(first, last) in spans {
        let mut next = Some(first);
        for &(from, to) in holes.iter().filter(|(from, to)| *to >= first && *from <= last) {
            let Some(start) = next else { break };
            if from > start {
                left.push((start, from - 1));
            }
            next = to.checked_add(1).map(|after| after.max(start));
        }
        left.extend(next.filter(|start| *start <= last).map(|start| (start, last)));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_addresses() {
        assert_eq!(union(vec![(5, 9), (0, 4), (20, 20)]), [(0, 9), (20, 20)]);
        assert_eq!(minus(&vec![(0, 9)], &vec![(0, 2), (4, 4), (9, 12)]), [(3, 3), (5, 8)]);
        assert_eq!(minus(&vec![(0, u128::MAX)], &vec![(7, u128::MAX)]), [(0, 6)]);
        assert_eq!(minus(&vec![(3, 4)], &vec![(0, 9)]), []);
        assert_eq!(count(&vec![(0, u128::MAX)]), u128::MAX);
    }
}
