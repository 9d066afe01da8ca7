//! Laws of whole reports: of two equal sides, of sides that are swapped, of another order, of the table.

use crate::reading::reordered;
use crate::reports::{report, shown, trees};
use crate::worlds::{Pair, generate, layout, manifests, pair, world};
use ipnet::IpNet;
use netpol_review::config::Config;
use netpol_review::model::{Direction, Policy, PolicyId};
use netpol_review::report::{Endpoint, PortRange, Report, Row, Verdict};
use netpol_review::tree::Tree;
use netpol_review::{list, review};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

fn tree(files: &[(String, String)]) -> Tree {
    Tree::from_texts("t", files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
}

fn rows(report: &Report) -> (&Vec<Row>, &Vec<Row>) {
    let environment = &report.environments[0];
    (&environment.opened, &environment.closed)
}

/// What a row says, apart from where it was caused, which of its flows it shows and how bad opening it is.
fn said(rows: &[Row]) -> BTreeSet<String> {
    let said = |row: &Row| format!("{} -> {} {}", row.from.text, row.to.text, flows(row));
    rows.iter().map(said).collect()
}

/// What a row says without the words for its ends: of two ways to describe a set, the shorter one depends
/// on which labels the engine met first.
fn flows(row: &Row) -> String {
    let ends = (&row.from.declared, &row.to.declared);
    format!("{ends:?} {:?} {:?} {:?}", row.ports, row.undeclared, row.assumes)
}

/// Who may talk to whom in a table, for two workloads or one address and a workload.
type Table = BTreeMap<(String, String), Vec<PortRange>>;

fn text(end: &Endpoint) -> String {
    match end {
        Endpoint::Workload { namespace, name, kind } => format!("{namespace}/{name}[{kind}]"),
        Endpoint::External { .. } => String::new(),
    }
}

fn cidrs(end: &Endpoint) -> Vec<IpNet> {
    match end {
        Endpoint::Workload { .. } => vec![],
        Endpoint::External { cidrs } => {
            cidrs.iter().map(|cidr| cidr.parse().expect("a block")).collect()
        }
    }
}

/// The names of an end: a workload's own, or each probe that lies in its blocks.
fn names(end: &Endpoint, probes: &BTreeSet<IpAddr>) -> Vec<String> {
    match end {
        Endpoint::Workload { .. } => vec![text(end)],
        Endpoint::External { .. } => {
            let blocks = cidrs(end);
            let inside = |probe: &&IpAddr| blocks.iter().any(|block| block.contains(*probe));
            probes.iter().filter(inside).map(ToString::to_string).collect()
        }
    }
}

fn put(
    table: &mut Table,
    ends: (&Endpoint, &Endpoint),
    ports: &[PortRange],
    probes: &BTreeSet<IpAddr>,
) {
    for from in names(ends.0, probes) {
        for to in names(ends.1, probes) {
            match ports {
                [] => table.remove(&(from.clone(), to)),
                ports => table.insert((from.clone(), to), ports.to_vec()),
            };
        }
    }
}

proptest! {
    #![proptest_config(crate::worlds::config(256))]

    /// Nothing opens and nothing closes where nothing changed, however it is written.
    #[test]
    fn equal_sides_are_unchanged(cluster in world(), seed in any::<u64>()) {
        let before = tree(&manifests(&cluster));
        for after in [tree(&manifests(&cluster)), tree(&reordered(&cluster, seed))] {
            let report = report(&before, &after);
            prop_assert_eq!(report.result, Verdict::Unchanged, "{}", shown(&before, &after));
            prop_assert!(rows(&report).0.is_empty() && rows(&report).1.is_empty());
            prop_assert_eq!(&report.environments[0].summary.without_effect, &Vec::<String>::new());
        }
    }

    /// Swapping the sides swaps what opened and what closed.
    #[test]
    fn swapped_sides_swap_the_rows(pair in pair()) {
        let (before, after) = trees(&pair);
        let (there, back) = (report(&before, &after), report(&after, &before));
        let sorted = |rows: &[Row]| {
            let mut flows: Vec<String> = rows.iter().map(flows).collect();
            flows.sort();
            flows
        };
        prop_assert_eq!(sorted(rows(&there).0), sorted(rows(&back).1), "{}", shown(&before, &after));
        prop_assert_eq!(sorted(rows(&there).1), sorted(rows(&back).0), "{}", shown(&before, &after));
    }

    /// A row is the same row wherever its policies stand, and in whatever order.
    #[test]
    fn rows_and_fingerprints_know_no_place(pair in pair(), seed in any::<u64>()) {
        let (before, after) = trees(&pair);
        let one = report(&before, &after);
        let moved = |cluster| {
            let mut files = reordered(cluster, seed);
            for (path, text) in &mut files {
                *path = format!("elsewhere/{path}");
                text.insert_str(0, "# A line more.\n\n");
            }
            tree(&files)
        };
        let other = report(&moved(&pair.before), &moved(&pair.after));
        let keys = |rows: &[Row]| -> BTreeSet<(String, String)> {
            let key = |row: &Row| {
                (row.fingerprint.clone(), format!("{:?} {:?}", row.severity, row.exceptions.len()))
            };
            rows.iter().map(key).collect()
        };
        prop_assert_eq!(keys(rows(&one).0), keys(rows(&other).0), "{:#?}\n{:#?}\n{}", rows(&one).0, rows(&other).0, shown(&before, &after));
        prop_assert_eq!(keys(rows(&one).1), keys(rows(&other).1));
        prop_assert_eq!(said(rows(&one).0), said(rows(&other).0));
    }

    /// A policy whose pods are isolated already closes nothing in those directions.
    #[test]
    fn a_second_policy_of_isolated_pods_closes_nothing(cluster in world(), rules in generate::policy(), index in any::<prop::sample::Index>()) {
        let isolating = index.get(&cluster.policies);
        let mut added = Policy {
            id: PolicyId { name: "added".into(), ..isolating.id.clone() },
            dead: vec![],
            acceptance: None,
            ..Policy::clone(isolating)
        };
        for direction in Direction::BOTH {
            let section = match direction {
                Direction::Ingress => &mut added.ingress,
                Direction::Egress => &mut added.egress,
            };
            if let (Some(section), Some(other)) = (section, rules.section(direction)) {
                section.rules.clone_from(&other.rules);
            }
        }
        let after = layout::cluster(
            cluster.namespaces.values().cloned(),
            cluster.workloads.iter().cloned(),
            cluster.policies.iter().cloned().chain([layout::policy(added)]),
        );
        let (before, after) = trees(&Pair { before: cluster, after, edits: vec![] });
        let report = report(&before, &after);
        prop_assert!(rows(&report).1.is_empty(), "{:#?}\n{}", rows(&report).1, shown(&before, &after));
    }

    /// The table after is the table before with the changes made in it.
    #[test]
    fn the_table_after_is_the_table_before_and_the_changes(pair in pair()) {
        let (before, after) = trees(&pair);
        let config = Config { connections: true, ..Config::default() };
        let changes = review(&before, &after, &config).environments.remove(0).connections;
        let changes = changes.expect("it was asked for");
        let (was, is) = (list(&before, &config).connections, list(&after, &config).connections);
        let ends = changes.iter().flat_map(|change| [&change.source, &change.destination]);
        let ends = ends.chain(was.iter().chain(&is).flat_map(|c| [&c.source, &c.destination]));
        let probes: BTreeSet<IpAddr> = ends
            .flat_map(cidrs)
            .flat_map(|block| [block.network(), block.broadcast()])
            .collect();
        let (mut changed, mut expected) = (Table::new(), Table::new());
        for connection in &was {
            put(&mut changed, (&connection.source, &connection.destination), &connection.ports, &probes);
        }
        for change in &changes {
            let ends = (&change.source, &change.destination);
            for (from, to) in names(ends.0, &probes).iter().flat_map(|from| {
                names(ends.1, &probes).into_iter().map(move |to| (from.clone(), to))
            }) {
                let held = changed.get(&(from, to)).map_or(&[][..], |ports| ports);
                prop_assert_eq!(held, &change.before[..]);
            }
            put(&mut changed, ends, &change.after, &probes);
        }
        for connection in &is {
            put(&mut expected, (&connection.source, &connection.destination), &connection.ports, &probes);
        }
        prop_assert_eq!(changed, expected, "{}", shown(&before, &after));
    }
}
