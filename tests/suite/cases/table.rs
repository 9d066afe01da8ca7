//! Tables of who reaches whom on which ports, before and after, and their exact comparison.

use netpol_review::model::Protocol;
use netpol_review::report::{Change, Endpoint, PortRange};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Ports of all protocols as sorted, disjoint, merged ranges.
///
/// The port of a protocol is its number plus 65,536 times the position of the protocol; port 0 does not
/// exist, so that ranges of two protocols never touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSet(Vec<(u32, u32)>);

impl PortSet {
    /// All ports of all protocols.
    pub fn all() -> Self {
        Self::of(Protocol::ALL.map(|protocol| (protocol, 1, u16::MAX)))
    }

    /// The union of these ranges, both ends included.
    pub fn of(ranges: impl IntoIterator<Item = (Protocol, u16, u16)>) -> Self {
        let base =
            |protocol| Protocol::ALL.iter().position(|p| *p == protocol).expect("listed") as u32;
        Self::merged(ranges.into_iter().map(|(protocol, first, last)| {
            let base = base(protocol) << 16;
            (base + u32::from(first), base + u32::from(last))
        }))
    }

    fn merged(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = vec![];
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= *end + 1 => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    pub fn union(&self, other: &Self) -> Self {
        Self::merged(self.0.iter().chain(&other.0).copied())
    }

    /// What is in this set and not in the other.
    pub fn minus(&self, other: &Self) -> Self {
        let mut rest = self.0.clone();
        for &(first, last) in &other.0 {
            let pieces = rest.into_iter().flat_map(|(a, b)| {
                let left = (a, b.min(first - 1));
                let right = (a.max(last + 1), b);
                [left, right].into_iter().filter(|(a, b)| a <= b)
            });
            rest = pieces.collect::<BTreeSet<_>>().into_iter().collect();
        }
        Self(rest)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The notation of the cases: `ALL`, `UDP`, `TCP/5432`, `TCP/1-100`.
impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("ALL");
        }
        let range = |(first, last): &(u32, u32)| {
            let protocol = Protocol::ALL[(first >> 16) as usize];
            match (first & 0xffff, last & 0xffff) {
                (1, 0xffff) => protocol.to_string(),
                (first, last) if first == last => format!("{protocol}/{first}"),
                (first, last) => format!("{protocol}/{first}-{last}"),
            }
        };
        f.write_str(&self.0.iter().map(range).collect::<Vec<_>>().join(","))
    }
}

/// Addresses of one family from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Addresses {
    pub v6: bool,
    pub first: u128,
    pub last: u128,
}

impl Addresses {
    /// All of a family.
    pub fn all(v6: bool) -> Self {
        let last = if v6 { u128::MAX } else { u32::MAX.into() };
        Self { v6, first: 0, last }
    }

    /// The addresses of a CIDR.
    pub fn cidr(text: &str) -> Self {
        let cidr: ipnet::IpNet = text.parse().unwrap_or_else(|_| panic!("`{text}` is no CIDR"));
        match cidr {
            ipnet::IpNet::V4(v4) => Self {
                v6: false,
                first: u32::from(v4.network()).into(),
                last: u32::from(v4.broadcast()).into(),
            },
            ipnet::IpNet::V6(v6) => {
                Self { v6: true, first: v6.network().into(), last: v6.broadcast().into() }
            }
        }
    }
}

/// One end of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// `namespace/name[Kind]`, or `namespace/name` where no two kinds share a name.
    Workload(String),
    External(Addresses),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Workload(name) => f.write_str(name),
            Place::External(a) if a.v6 => {
                write!(f, "ext6[{}-{}]", Ipv6Addr::from(a.first), Ipv6Addr::from(a.last))
            }
            Place::External(a) => {
                let v4 = |address| Ipv4Addr::from(u32::try_from(address).expect("IPv4"));
                write!(f, "ext4[{}-{}]", v4(a.first), v4(a.last))
            }
        }
    }
}

/// What two ends may say to each other. Pairs that do not differ may be left out of a table.
#[derive(Clone, Debug)]
pub struct Row {
    pub from: Place,
    pub to: Place,
    pub before: PortSet,
    pub after: PortSet,
}

/// The same rows, workloads without their kinds.
pub fn without_kinds(mut rows: Vec<Row>) -> Vec<Row> {
    for place in rows.iter_mut().flat_map(|row| [&mut row.from, &mut row.to]) {
        if let Place::Workload(name) = place {
            name.truncate(name.find('[').unwrap_or(name.len()));
        }
    }
    rows
}

/// The rows of `diff --connections`.
pub fn rows_of_changes(changes: &[Change]) -> Vec<Row> {
    let mut rows = vec![];
    for change in changes {
        for from in places(&change.source) {
            for to in places(&change.destination) {
                rows.push(Row {
                    from: from.clone(),
                    to,
                    before: port_set(&change.before),
                    after: port_set(&change.after),
                });
            }
        }
    }
    rows
}

fn places(endpoint: &Endpoint) -> Vec<Place> {
    match endpoint {
        Endpoint::Workload { namespace, name, kind } => {
            vec![Place::Workload(format!("{namespace}/{name}[{kind}]"))]
        }
        Endpoint::External { cidrs } => {
            let place = |cidr: &String| Place::External(Addresses::cidr(cidr));
            cidrs.iter().map(place).collect()
        }
    }
}

fn port_set(ranges: &[PortRange]) -> PortSet {
    PortSet::of(ranges.iter().map(|range| match range {
        PortRange::Numbers { protocol, first, last } => {
            let protocol = Protocol::ALL.into_iter().find(|p| p.as_str() == *protocol);
            (protocol.expect("a protocol"), *first, *last)
        }
        PortRange::Named { .. } => panic!("declared ends have no named ports: {range:?}"),
    }))
}

/// What opened and what closed, for each pair of ends for which something did.
pub type Moves = BTreeMap<(Place, Place), (PortSet, PortSet)>;

/// What opened and what closed, with external addresses cut where either table cuts them, so that two
/// tables of the same flows give the same.
pub fn moves(rows: &[Row], other: &[Row]) -> Moves {
    let mut cuts = BTreeSet::new();
    for place in rows.iter().chain(other).flat_map(|row| [&row.from, &row.to]) {
        if let Place::External(addresses) = place {
            cuts.insert((addresses.v6, addresses.first));
            cuts.extend(addresses.last.checked_add(1).map(|next| (addresses.v6, next)));
        }
    }
    let mut moves = Moves::new();
    for row in rows {
        for from in cut(&row.from, &cuts) {
            for to in cut(&row.to, &cuts) {
                let (opened, closed) = moves.entry((from.clone(), to)).or_default();
                *opened = opened.union(&row.after.minus(&row.before));
                *closed = closed.union(&row.before.minus(&row.after));
            }
        }
    }
    moves.retain(|_, (opened, closed)| !opened.is_empty() || !closed.is_empty());
    moves
}

fn cut(place: &Place, cuts: &BTreeSet<(bool, u128)>) -> Vec<Place> {
    let Place::External(Addresses { v6, first, last }) = *place else {
        return vec![place.clone()];
    };
    let firsts: Vec<u128> = cuts.range((v6, first)..=(v6, last)).map(|(_, first)| *first).collect();
    let lasts = firsts.iter().skip(1).map(|next| next - 1).chain([last]);
    let piece = |(&first, last)| Place::External(Addresses { v6, first, last });
    firsts.iter().zip(lasts).map(piece).collect()
}

/// The differences of two tables in words, empty if there are none.
pub fn differences(found: &[Row], expected: &[Row]) -> String {
    let (is, should) = (moves(found, expected), moves(expected, found));
    let mut text = String::new();
    for key in is.keys().chain(should.keys()).collect::<BTreeSet<_>>() {
        let nothing = Default::default();
        let (is, should) = (is.get(key).unwrap_or(&nothing), should.get(key).unwrap_or(&nothing));
        for (what, is, should) in [("opens", &is.0, &should.0), ("closes", &is.1, &should.1)] {
            if is != should {
                text += &format!("  {} -> {} {what} [{is}], expected [{should}]\n", key.0, key.1);
            }
        }
    }
    text
}
