//! Ports in compact, exact words.

use super::PortRange;

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// The ports of one protocol.
#[derive(Default)]
struct Ports {
    /// Sorted, disjoint, merged; both ends included.
    ranges: Vec<(u16, u16)>,
    names: Vec<String>,
}

/// `TCP 5432`, `TCP 80, 8000-8999; UDP 53`, `TCP "http"`, `all TCP ports`, `all ports`, or, where
/// that is shorter, `all ports but TCP 53`.
///
/// Port names come out of manifests: neutralise the result before it is shown.
pub fn words(ports: &[PortRange]) -> String {
    let sets = PROTOCOLS.map(|protocol| one(protocol, ports));
    if sets.iter().all(Ports::is_empty) {
        return "no port".into();
    }
    if sets.iter().all(Ports::is_full) {
        return "all ports".into();
    }
    let direct = join(&sets, "; ");
    // A name says nothing about numbers, so "all but" would not be exact beside one.
    if sets.iter().any(|set| !set.names.is_empty() && !set.is_full()) {
        return direct;
    }
    let rest = sets.map(|set| Ports { ranges: complement(&set.ranges), names: vec![] });
    let inverse = format!("all ports but {}", join(&rest, " and "));
    if inverse.chars().count() < direct.chars().count() { inverse } else { direct }
}

fn one(protocol: &str, ports: &[PortRange]) -> Ports {
    let mut set = Ports::default();
    for port in ports {
        match port {
            PortRange::Numbers { protocol: p, first, last } if *p == protocol => {
                set.ranges.push((*first, *last))
            }
            PortRange::Named { protocol: p, name } if *p == protocol => {
                set.names.push(format!("\"{name}\""));
            }
            _ => {}
        }
    }
    set
}

impl Ports {
    fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.names.is_empty()
    }

    /// Every number; names lie inside "all ports of that protocol".
    fn is_full(&self) -> bool {
        self.ranges == [(1, u16::MAX)]
    }
}

fn join(sets: &[Ports; 3], between: &str) -> String {
    let mut parts = Vec::new();
    for (protocol, set) in PROTOCOLS.iter().zip(sets) {
        if set.is_full() {
            parts.push(format!("all {protocol} ports"));
        } else if !set.is_empty() {
            let numbers = set.ranges.iter().map(|&(first, last)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            });
            let all: Vec<String> = numbers.chain(set.names.iter().cloned()).collect();
            parts.push(format!("{protocol} {}", all.join(", ")));
        }
    }
    parts.join(between)
}

fn complement(ranges: &[(u16, u16)]) -> Vec<(u16, u16)> {
    let mut rest = Vec::new();
    let mut next = Some(1u16);
    for &(first, last) in ranges {
        let Some(start) = next else { break };
        if start < first {
            rest.push((start, first - 1));
        }
        next = last.checked_add(1);
    }
    if let Some(start) = next {
        rest.push((start, u16::MAX));
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(protocol: &'static str, first: u16, last: u16) -> PortRange {
        PortRange::Numbers { protocol, first, last }
    }

    fn name(protocol: &'static str, name: &str) -> PortRange {
        PortRange::Named { protocol, name: name.into() }
    }

    #[test]
    fn ports_in_words() {
        let all = |protocol| range(protocol, 1, 65535);
        let cases = [
            (vec![], "no port"),
            (vec![range("TCP", 5432, 5432)], "TCP 5432"),
            (vec![range("TCP", 8000, 8999), range("TCP", 9090, 9090)], "TCP 8000-8999, 9090"),
            (vec![range("TCP", 80, 80), range("UDP", 53, 53)], "TCP 80; UDP 53"),
            (vec![all("TCP"), all("UDP"), all("SCTP")], "all ports"),
            (vec![all("TCP"), name("TCP", "http"), all("UDP"), all("SCTP")], "all ports"),
            (vec![all("TCP")], "all TCP ports"),
            (vec![all("TCP"), all("UDP")], "all TCP ports; all UDP ports"),
            (
                vec![range("TCP", 1, 52), range("TCP", 54, 65535), all("UDP"), all("SCTP")],
                "all ports but TCP 53",
            ),
            (
                vec![range("TCP", 2, 65534), name("TCP", "http"), all("UDP"), all("SCTP")],
                "TCP 2-65534, \"http\"; all UDP ports; all SCTP ports",
            ),
            (
                vec![
                    range("TCP", 1, 52),
                    range("TCP", 54, 65535),
                    range("UDP", 1, 52),
                    range("UDP", 54, 65535),
                    all("SCTP"),
                ],
                "all ports but TCP 53 and UDP 53",
            ),
            (vec![name("TCP", "http")], "TCP \"http\""),
        ];
        for (ports, expected) in cases {
            assert_eq!(words(&ports), expected);
        }
    }
}
