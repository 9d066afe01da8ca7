//! CIDRs as the API server reads them (I4, V7): more loosely than most libraries.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of addresses, and what Kubernetes 1.36 and later dislike about how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    /// The range, host bits masked.
    pub net: IpNet,
    /// `Some`: newer servers refuse this spelling, for this reason.
    pub sloppy: Option<&'static str>,
}

/// Reads a CIDR. `None`: every server refuses it.
///
/// Older servers mask host bits, read leading zeros as decimal, and take an IPv4-mapped IPv6
/// range for the IPv4 range in it.
pub(super) fn parse(text: &str) -> Option<Cidr> {
    let (address, length) = text.split_once('/')?;
    if length.is_empty() || length.len() > 5 || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let zeros = length.len() > 1 && length.starts_with('0');
    let length: u8 = length.parse().ok()?;
    let (address, address_zeros) = match address.parse::<IpAddr>() {
        Ok(address) => (address, false),
        Err(_) => (IpAddr::V4(with_zeros(address)?), true),
    };
    let (net, mapped) = match address {
        IpAddr::V4(address) => (IpNet::V4(Ipv4Net::new(address, length).ok()?), false),
        IpAddr::V6(address) => match (address.to_ipv4_mapped(), length) {
            (Some(inner), 96..=128) => (IpNet::V4(Ipv4Net::new(inner, length - 96).ok()?), true),
            _ => (IpNet::V6(Ipv6Net::new(address, length).ok()?), false),
        },
    };
    let masked = net.trunc();
    let sloppy = if masked != net {
        Some("has bits set beyond its prefix")
    } else if zeros || address_zeros {
        Some("has leading zeros")
    } else if mapped {
        Some("is an IPv4 range written as IPv6")
    } else {
        None
    };
    Some(Cidr { net: masked, sloppy })
}

/// True iff `inner` is inside `outer` and smaller (V7).
pub(super) fn strictly_inside(inner: &IpNet, outer: &IpNet) -> bool {
    outer.contains(inner) && outer.prefix_len() < inner.prefix_len()
}

/// An IPv4 address with leading zeros, which are decimal.
fn with_zeros(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = part.trim_start_matches('0');
        *octet = match digits {
            "" => 0,
            digits => digits.parse().ok()?,
        };
    }
    match parts.next() {
        None => Some(Ipv4Addr::from(octets)),
        Some(_) => None,
    }
}

/// The widest range of the family of a range: what an ipBlock without `except` may want to be.
pub(super) fn family(net: &IpNet) -> &'static str {
    match net {
        IpNet::V4(_) => "IPv4",
        IpNet::V6(_) => "IPv6",
    }
}

/// How a bare address is written as a range, if the text is one.
pub(super) fn as_range(text: &str) -> Option<String> {
    let length = match text.parse::<IpAddr>().ok()? {
        IpAddr::V4(_) => Ipv4Addr::BITS,
        IpAddr::V6(_) => Ipv6Addr::BITS,
    };
    Some(format!("{text}/{length}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_by_the_api_server() {
        for (text, net, sloppy) in [
            ("10.0.0.0/8", "10.0.0.0/8", false),
            ("10.1.2.3/16", "10.1.0.0/16", true),
            ("010.0.0.0/08", "10.0.0.0/8", true),
            ("::/0", "::/0", false),
            ("2001:db8::1/32", "2001:db8::/32", true),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8", true),
        ] {
            let cidr = parse(text).unwrap();
            assert_eq!(cidr.net.to_string(), net, "{text}");
            assert_eq!(cidr.sloppy.is_some(), sloppy, "{text}");
        }
        for text in [
            "",
            "10.0.0.1",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0/8",
            "10.0.0.0.0/8",
            " 10.0.0.0/8",
            "10.0.0.0/",
            "::/129",
            "300.0.0.0/8",
            "a/8",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let net = |text| parse(text).unwrap().net;
        assert!(strictly_inside(&net("10.0.0.0/9"), &net("10.0.0.0/8")));
        assert!(!strictly_inside(&net("10.0.0.0/8"), &net("10.0.0.0/8")));
        assert!(!strictly_inside(&net("::ffff:0:0/96"), &net("::/0")));
    }
}
