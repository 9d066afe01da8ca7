//! Destination ports of all protocols as values of one field.

use crate::model::Protocol;

/// How many ports a protocol has: 1 to 65535.
const PER_PROTOCOL: u32 = 65_535;

/// Values of the port field that stand for ports `first` to `last` of a protocol. The very last
/// port stands for every value above it, so that "all ports" is the whole field.
pub fn values(protocol: Protocol, first: u16, last: u16) -> (u32, u32) {
    let base = index(protocol) * PER_PROTOCOL;
    let end = base + u32::from(last) - 1;
    (base + u32::from(first) - 1, if end == 3 * PER_PROTOCOL - 1 { u32::MAX } else { end })
}

/// The protocol and the port that a value stands for.
pub fn port(value: u32) -> (Protocol, u16) {
    let value = value.min(3 * PER_PROTOCOL - 1);
    let protocol = match value / PER_PROTOCOL {
        0 => Protocol::Tcp,
        1 => Protocol::Udp,
        _ => Protocol::Sctp,
    };
    (protocol, (value % PER_PROTOCOL) as u16 + 1)
}

/// The ranges of ports (protocol, first, last) that the values from `first` to `last` stand for.
pub fn ranges(first: u32, last: u32) -> Vec<(Protocol, u16, u16)> {
    Protocol::ALL
        .into_iter()
        .filter_map(|protocol| {
            let (low, high) = values(protocol, 1, u16::MAX);
            let (low, high) = (low.max(first), high.min(last));
            (low <= high).then(|| (protocol, port(low).1, port(high).1))
        })
        .collect()
}

fn index(protocol: Protocol) -> u32 {
    match protocol {
        Protocol::Tcp => 0,
        Protocol::Udp => 1,
        Protocol::Sctp => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_values_are_one_to_one() {
        for protocol in Protocol::ALL {
            for number in [1, 2, 80, 65_534, 65_535] {
                let (value, _) = values(protocol, number, number);
                assert_eq!(port(value), (protocol, number));
            }
        }
    }

    #[test]
    fn the_whole_field_is_every_port() {
        assert_eq!(ranges(0, u32::MAX), Protocol::ALL.map(|p| (p, 1, 65_535)).to_vec());
    }
}
