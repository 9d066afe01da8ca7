//! Rows against the executable specification: every row's flows, and what the row says of them.

use crate::engine::contains;
use crate::worlds::{Atom, Names, Options, Pair, Point, Universe, pair};
use netpol_review::config::Config;
use netpol_review::diff::rows_with_flows;
use netpol_review::model::{Cluster, ContainerPort};
use netpol_review::reach::{Encoder, Reading, Side, World};
use netpol_review::report::{PortRange, Row, Undeclared};
use netpol_review::set::Set;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// What the flows of one row that the universe holds are like.
#[derive(Default)]
struct Seen {
    from: BTreeSet<String>,
    to: BTreeSet<String>,
    /// Each with what the destination calls it.
    atoms: BTreeSet<(Atom, BTreeSet<Box<str>>)>,
    known: bool,
    undeclared: bool,
}

impl Seen {
    fn add(&mut self, from: &Point, to: &Point, atom: &Atom) {
        for (point, ids) in [(from, &mut self.from), (to, &mut self.to)] {
            if let Point::Workload { id, .. } = point {
                ids.insert(id.to_string());
            }
        }
        let undeclared = [from, to].iter().any(|point| matches!(point, Point::Undeclared { .. }));
        *(if undeclared { &mut self.undeclared } else { &mut self.known }) = true;
        let mut names: BTreeSet<Box<str>> = atom.name.iter().cloned().collect();
        if let Point::Undeclared { ports, .. } = to {
            let same = |port: &&ContainerPort| {
                port.protocol == atom.protocol && port.number == atom.number
            };
            names.extend(ports.iter().filter(same).filter_map(|port| port.name.clone()));
        }
        self.atoms.insert((atom.clone(), names));
    }

    /// Worlds are so small that a row names every workload it is about.
    fn agrees(&self, row: &Row) {
        for (peers, seen) in [(&row.from, &self.from), (&row.to, &self.to)] {
            let declared = peers.declared.as_ref();
            assert_eq!(declared.map_or(0, |declared| declared.count), seen.len(), "{row:#?}");
            let sample = declared.map(|declared| declared.sample.clone()).unwrap_or_default();
            assert_eq!(&sample.into_iter().collect::<BTreeSet<_>>(), seen, "{row:#?}");
        }
        match row.undeclared {
            Undeclared::None => assert!(self.known && !self.undeclared, "{row:#?}"),
            // Two undeclared ends are thinned out, so that it may be that none of them was seen.
            Undeclared::Only => assert!(!self.known, "{row:#?}"),
            Undeclared::Also => assert!(self.known, "{row:#?}"),
        }
        for (atom, names) in &self.atoms {
            let held = row.ports.iter().any(|range| holds(range, atom, names));
            assert!(held, "{atom:?} in {row:#?}");
        }
        for range in &row.ports {
            let first = |(atom, _): &(Atom, _)| match range {
                PortRange::Numbers { protocol, first, .. } => {
                    atom.protocol.as_str() == *protocol && atom.number == *first
                }
                PortRange::Named { .. } => false,
            };
            let seen = row.undeclared != Undeclared::None || self.atoms.iter().any(first);
            assert!(seen, "no flow on {range:?} in {row:#?}");
        }
    }
}

fn holds(range: &PortRange, atom: &Atom, names: &BTreeSet<Box<str>>) -> bool {
    match range {
        PortRange::Numbers { protocol, first, last } => {
            *protocol == atom.protocol.as_str() && (*first..=*last).contains(&atom.number)
        }
        PortRange::Named { protocol, name } => {
            *protocol == atom.protocol.as_str() && names.contains(name.as_str())
        }
    }
}

/// In the second reading every pod has some address.
fn has_address(point: &Point, clusters: [&Cluster; 2]) -> bool {
    match point {
        Point::External(_) => true,
        Point::Undeclared { assumed_address, .. } => assumed_address.is_some(),
        Point::Workload { id, assumed_address } => {
            let mut all = clusters.iter().flat_map(|cluster| &cluster.workloads);
            assumed_address.is_some()
                || all.all(|workload| workload.id != *id || !workload.addresses.is_empty())
        }
    }
}

fn check(pair: &Pair, new: Side, assumed: bool) {
    let world = World::new(&pair.before, &pair.after);
    let mut encoder = Encoder::new(&world, Reading::KnownAddresses, 1_000_000);
    let rows = rows_with_flows(&mut encoder, &Config::default(), new).expect("within the budget");
    let rows: Vec<&(Row, Set)> =
        rows.iter().filter(|(row, _)| row.assumes.is_some() == assumed).collect();
    let mut seen: Vec<Seen> = rows.iter().map(|_| Seen::default()).collect();
    let gained = |(before, after): (bool, bool)| match new {
        Side::After => after && !before,
        Side::Before => before && !after,
    };
    let clusters = [&pair.before, &pair.after];
    let all = [Names::Fresh, Names::Clashing, Names::Alone];
    for names in all.into_iter().take(if assumed { 2 } else { 3 }) {
        let options =
            Options { names, assumed_addresses: assumed, budget: 10_000, ..Options::default() };
        let universe = Universe::of(clusters[0], clusters[1], &options);
        for flow in universe.flows() {
            if assumed && !(has_address(flow.from, clusters) && has_address(flow.to, clusters)) {
                continue;
            }
            let mut expected = gained(universe.decide(&flow));
            if assumed && expected {
                expected = !gained(universe.decide_unassumed(&flow));
            }
            let mut found = false;
            for ((_, set), seen) in rows.iter().zip(&mut seen) {
                if contains(&encoder, *set, &flow) {
                    found = true;
                    seen.add(flow.from, flow.to, flow.atom);
                }
            }
            assert_eq!(found, expected, "{flow:?} {new:?} {assumed}\n{pair:#?}");
        }
    }
    for ((row, _), seen) in rows.iter().zip(&seen) {
        seen.agrees(row);
    }
}

proptest! {
    #![proptest_config(crate::worlds::config(32))]

    /// The rows together are what was gained, and each says the truth about its ends and ports.
    #[test]
    fn every_row_says_what_its_flows_are(pair in pair()) {
        check(&pair, Side::After, false);
        check(&pair, Side::Before, false);
    }
}

proptest! {
    // So many flows that few worlds have to do.
    #![proptest_config(crate::worlds::config(6))]

    /// Rows that assume addresses are what the second reading gains and the first does not.
    #[test]
    fn rows_that_assume_are_what_only_the_second_reading_gains(pair in pair()) {
        check(&pair, Side::After, true);
        check(&pair, Side::Before, true);
    }
}
