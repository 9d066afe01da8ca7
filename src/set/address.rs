//! Addresses of both families as values of a field.

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All IPv4 and IPv6 addresses, cut at the borders of the blocks in use. A value stands for the
/// addresses from one border to the next; IPv4 comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSpace {
    /// First address of each value, sorted.
    starts: Vec<IpAddr>,
}

impl AddressSpace {
    /// The space in which each of these blocks is a union of values.
    pub fn new<'a>(blocks: impl IntoIterator<Item = &'a IpNet>) -> Self {
        let mut starts = vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        for block in blocks {
            starts.push(block.network());
            starts.extend(after(block.broadcast()));
        }
        starts.sort();
        starts.dedup();
        Self { starts }
    }

    /// The values that make up a block, first and last; the very last one stands for everything
    /// above it in the diagrams too.
    pub fn values(&self, block: &IpNet) -> (u32, u32) {
        let first = self.starts.partition_point(|start| *start < block.network());
        let last = match after(block.broadcast()) {
            Some(next) => self.starts.partition_point(|start| *start < next) - 1,
            None if block.network().is_ipv4() => self.first_ipv6() - 1,
            None => return (first as u32, u32::MAX),
        };
        (first as u32, last as u32)
    }

    /// The ranges of addresses (first, last) that the values from `first` to `last` stand for; two
    /// ranges where they span both families.
    pub fn ranges(&self, first: u32, last: u32) -> Vec<(IpAddr, IpAddr)> {
        let border = self.first_ipv6();
        let (first, last) = (first as usize, (last as usize).min(self.starts.len() - 1));
        let end = |value: usize| match self.starts.get(value + 1) {
            Some(_) if value + 1 == border => IpAddr::V4(Ipv4Addr::BROADCAST),
            Some(next) => before(*next),
            None => IpAddr::V6(Ipv6Addr::from(u128::MAX)),
        };
        let start = |value: usize| {
            self.starts.get(value).copied().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
        };
        match (first < border, last < border) {
            (true, false) => vec![(start(first), end(border - 1)), (start(border), end(last))],
            _ => vec![(start(first), end(last))],
        }
    }

    /// The value that holds this address.
    pub fn value_of(&self, address: IpAddr) -> u32 {
        (self.starts.partition_point(|start| *start <= address) - 1) as u32
    }

    fn first_ipv6(&self) -> usize {
        self.starts.partition_point(IpAddr::is_ipv4)
    }
}

/// The fewest blocks that make up these ranges (each within one family), IPv4 first, merged.
pub fn to_cidrs(ranges: impl IntoIterator<Item = (IpAddr, IpAddr)>) -> Vec<IpNet> {
    let mut blocks = Vec::new();
    for range in ranges {
        match range {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                blocks.extend(Ipv4Subnets::new(first, last, 0).map(IpNet::V4));
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                blocks.extend(Ipv6Subnets::new(first, last, 0).map(IpNet::V6));
            }
            _ => {}
        }
    }
    IpNet::aggregate(&blocks)
}

/// The next address of the same family.
fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => u32::from(v4).checked_add(1).map(|n| Ipv4Addr::from(n).into()),
        IpAddr::V6(v6) => u128::from(v6).checked_add(1).map(|n| Ipv6Addr::from(n).into()),
    }
}

/// The address before, for addresses that have one.
fn before(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4).saturating_sub(1)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6).saturating_sub(1)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn a_block_and_its_values_are_the_same_addresses() {
        let blocks: Vec<IpNet> =
            ["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "::/0", "255.0.0.0/8", "ff00::/8", "::/128"]
                .map(net)
                .to_vec();
        let space = AddressSpace::new(&blocks);
        for block in &blocks {
            let (first, last) = space.values(block);
            assert_eq!(to_cidrs(space.ranges(first, last)), vec![*block]);
            assert_eq!(space.value_of(block.network()), first);
        }
    }

    #[test]
    fn everything_is_both_families() {
        let space = AddressSpace::new(&[]);
        assert_eq!(to_cidrs(space.ranges(0, u32::MAX)), vec![net("0.0.0.0/0"), net("::/0")]);
    }
}
