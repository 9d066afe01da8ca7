//! The lines of expected results: `SRC -> DST CONN`, as the header of cases.yaml explains them.

use super::table::{Addresses, Place, PortSet, Row};
use netpol_review::model::Protocol;
use std::collections::BTreeSet;

/// The rows that the lines of one case stand for.
pub fn rows(opened: &[String], closed: &[String], workloads: &BTreeSet<String>) -> Vec<Row> {
    let mut rows = vec![];
    for (lines, opens) in [(opened, true), (closed, false)] {
        for line in lines {
            let (from, rest) =
                line.split_once(" -> ").unwrap_or_else(|| panic!("no arrow in `{line}`"));
            let (to, ports) =
                rest.rsplit_once(' ').unwrap_or_else(|| panic!("no ports in `{line}`"));
            let ports = port_set(ports);
            for from in places(from, workloads) {
                for to in places(to, workloads).into_iter().filter(|to| counts(&from, to)) {
                    let none = PortSet::default();
                    let (before, after) = match opens {
                        true => (none, ports.clone()),
                        false => (ports.clone(), none),
                    };
                    rows.push(Row { from: from.clone(), to, before, after });
                }
            }
        }
    }
    rows
}

/// A workload never counts towards itself, nor external towards external.
pub fn counts(from: &Place, to: &Place) -> bool {
    from != to && !matches!((from, to), (Place::External(_), Place::External(_)))
}

/// `ALL`, or `TCP/5432`, `TCP/1-100`, `UDP`, joined by commas.
fn port_set(text: &str) -> PortSet {
    if text == "ALL" {
        return PortSet::all();
    }
    PortSet::of(text.split(',').map(|part| {
        let (protocol, ports) = part.split_once('/').unwrap_or((part, "1-65535"));
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("`{part}` is no port"));
        let protocol = Protocol::ALL.into_iter().find(|known| known.as_str() == protocol);
        let protocol = protocol.unwrap_or_else(|| panic!("`{part}` has no protocol"));
        (protocol, number(first), number(last))
    }))
}

/// One side of the arrow: the union of its parts, without those that `^` takes away.
fn places(text: &str, workloads: &BTreeSet<String>) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    for part in text.split('|') {
        match part.strip_prefix('^') {
            Some(name) => {
                assert!(places.remove(&Place::Workload(name.into())), "`{part}` in `{text}`")
            }
            None => places.extend(part_places(part, workloads)),
        }
    }
    places
}

fn part_places(part: &str, workloads: &BTreeSet<String>) -> Vec<Place> {
    let matching = |matches: &dyn Fn(&str) -> bool| -> Vec<Place> {
        let found = workloads.iter().filter(|name| matches(name)).cloned();
        let found: Vec<Place> = found.map(Place::Workload).collect();
        assert!(!found.is_empty(), "`{part}` is none of {workloads:?}");
        found
    };
    if part == "*" {
        return [part_places("pods", workloads), external("ext")].concat();
    }
    if part.starts_with("ext") {
        return external(part);
    }
    if part == "pods" {
        return matching(&|_| true);
    }
    match part.strip_suffix('*') {
        Some(namespace) => matching(&|name| name.starts_with(namespace)),
        None => matching(&|name| name == part),
    }
}

/// `ext`, `ext4`, `ext6`, `ext4[cidr+cidr]`, `ext4[!cidr]`.
fn external(part: &str) -> Vec<Place> {
    let (family, ranges) = match part.split_once('[') {
        None => (part, None),
        Some((family, ranges)) => (family, ranges.strip_suffix(']')),
    };
    let addresses = match (family, ranges) {
        ("ext", None) => vec![Addresses::all(false), Addresses::all(true)],
        ("ext4", None) => vec![Addresses::all(false)],
        ("ext6", None) => vec![Addresses::all(true)],
        ("ext4" | "ext6", Some(ranges)) => match ranges.strip_prefix('!') {
            None => ranges.split('+').map(Addresses::cidr).collect(),
            Some(hole) => around(Addresses::cidr(hole)),
        },
        _ => panic!("`{part}` is no set of external addresses"),
    };
    addresses.into_iter().map(Place::External).collect()
}

/// All addresses of the family but these.
fn around(hole: Addresses) -> Vec<Addresses> {
    let all = Addresses::all(hole.v6);
    let mut rest = vec![];
    if hole.first > all.first {
        rest.push(Addresses { last: hole.first - 1, ..all });
    }
    if hole.last < all.last {
        rest.push(Addresses { first: hole.last + 1, ..all });
    }
    rest
}

#[test]
fn lines_mean_what_the_header_says() {
    let workloads = BTreeSet::from(["a/web", "a/db", "b/job"].map(String::from));
    let lines = |line: &str| {
        let rows = rows(&[line.into()], &[], &workloads);
        let text = |row: &Row| format!("{} -> {} {}", row.from, row.to, row.after);
        rows.iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(lines("a/* -> a/db TCP/1-2,TCP/3,UDP"), ["a/web -> a/db TCP/1-3,UDP"]);
    assert_eq!(lines("pods|^a/db -> b/job ALL"), ["a/web -> b/job ALL"]);
    assert_eq!(
        lines("a/db -> ext4[!0.0.0.0/1]|ext6[::1/128+::3/128] SCTP/1-65535"),
        [
            "a/db -> ext4[128.0.0.0-255.255.255.255] SCTP",
            "a/db -> ext6[::1-::1] SCTP",
            "a/db -> ext6[::3-::3] SCTP"
        ]
    );
    assert_eq!(lines("* -> * ALL").len(), 3 * 2 + 2 * 3 * 2);
}
