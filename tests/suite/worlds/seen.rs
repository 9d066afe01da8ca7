//! What the manifests of two clusters mention, and the ends and ports that this tells apart.

use super::universe::{Atom, Names, Point};
use netpol_review::model::{
    Cluster, ContainerPort, IpBlock, Labels, NAMESPACE_NAME_LABEL, NamespaceMatch, Operator,
    PeerKind, Policy, Ports, Protocol, Rule, Selector,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// A value, and a namespace, that no manifest mentions.
const FRESH: &str = "unheard-of";

/// Everything that manifests mention.
#[derive(Default)]
pub struct Seen {
    /// The workloads of either side.
    pub workloads: Vec<Point>,
    namespaces: BTreeSet<Arc<str>>,
    /// Keys with the values that selectors mention.
    namespace_labels: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    pod_labels: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    port_names: BTreeSet<(Box<str>, Protocol)>,
    /// First numbers of the intervals that ranges and declared ports cut.
    ports: BTreeSet<(Protocol, u16)>,
    /// First addresses of the intervals that blocks and known addresses cut.
    pub addresses: BTreeSet<IpAddr>,
}

impl Seen {
    pub fn of(clusters: &[&Cluster; 2]) -> Self {
        let mut seen = Self::default();
        seen.namespaces.insert(FRESH.into());
        seen.ports.extend(Protocol::ALL.map(|protocol| (protocol, 1)));
        seen.addresses.insert(Ipv4Addr::UNSPECIFIED.into());
        seen.addresses.insert(Ipv6Addr::UNSPECIFIED.into());
        let mut workloads = BTreeSet::new();
        for cluster in clusters {
            seen.namespaces.extend(cluster.namespaces.keys().cloned());
            for workload in &cluster.workloads {
                workloads.insert(workload.id.clone());
                seen.namespaces.insert(workload.id.namespace.clone());
                for port in &workload.ports {
                    seen.range(port.protocol, port.number, port.number);
                }
                for address in &workload.addresses {
                    seen.block(*address, *address);
                }
            }
            for policy in &cluster.policies {
                seen.policy(policy);
            }
        }
        seen.workloads =
            workloads.into_iter().map(|id| Point::Workload { id, assumed_address: None }).collect();
        seen
    }

    /// Tells addresses apart at the borders of these blocks.
    pub fn ranges(&mut self, blocks: &[&str]) {
        for block in blocks {
            let block: ipnet::IpNet = block.parse().expect("a block");
            self.block(block.network(), block.broadcast());
        }
    }

    fn policy(&mut self, policy: &Policy) {
        self.namespaces(&policy.subject.namespaces);
        mention(&mut self.pod_labels, &policy.subject.pods);
        for rule in [&policy.ingress, &policy.egress].into_iter().flatten().flat_map(|s| &s.rules) {
            self.rule(rule);
        }
    }

    fn rule(&mut self, rule: &Rule) {
        for peer in rule.peers.iter().flatten() {
            match &peer.kind {
                PeerKind::Pods { namespaces, pods } => {
                    self.namespaces(namespaces);
                    mention(&mut self.pod_labels, pods);
                }
                PeerKind::Block(IpBlock { cidr, except }) => {
                    for range in except.iter().chain([cidr]) {
                        self.block(range.network(), range.broadcast());
                    }
                }
            }
        }
        for port in rule.ports.iter().flatten() {
            match &port.ports {
                Ports::All => {}
                Ports::Range(first, last) => self.range(port.protocol, *first, *last),
                Ports::Named(name) => {
                    self.port_names.insert((name.clone(), port.protocol));
                }
            }
        }
    }

    fn namespaces(&mut self, namespaces: &NamespaceMatch) {
        match namespaces {
            NamespaceMatch::Name(name) => {
                self.namespaces.insert(name.clone());
            }
            NamespaceMatch::Labels(selector) => {
                mention(&mut self.namespace_labels, selector);
                let names = self.namespace_labels.remove(NAMESPACE_NAME_LABEL);
                let names = names.into_iter().flatten().map(|name| Arc::from(&*name));
                self.namespaces.extend(names);
            }
        }
    }

    fn range(&mut self, protocol: Protocol, first: u16, last: u16) {
        self.ports.insert((protocol, first));
        self.ports.extend(last.checked_add(1).map(|next| (protocol, next)));
    }

    fn block(&mut self, first: IpAddr, last: IpAddr) {
        self.addresses.insert(first);
        self.addresses.extend(next_address(last));
    }

    /// Pods of every namespace with every combination of labels that selectors can see.
    pub fn undeclared(&self, clusters: &[&Cluster; 2], names: Names) -> Vec<Point> {
        let pods = combinations(&self.pod_labels);
        let free = combinations(&self.namespace_labels);
        let resolutions = self.resolutions(names);
        let mut points = vec![];
        for namespace in &self.namespaces {
            let pinned = clusters.iter().all(|c| c.namespaces.contains_key(namespace));
            for namespace_labels in if pinned { &free[..1] } else { &free[..] } {
                for labels in &pods {
                    points.extend(resolutions.iter().map(|ports| Point::Undeclared {
                        namespace: namespace.clone(),
                        namespace_labels: namespace_labels.clone(),
                        labels: labels.clone(),
                        ports: ports.clone(),
                        assumed_address: None,
                    }));
                }
            }
        }
        points
    }

    /// What the ports of an undeclared pod can be.
    fn resolutions(&self, names: Names) -> Vec<BTreeSet<ContainerPort>> {
        let port = |(name, protocol): &(Box<str>, Protocol), number| ContainerPort {
            name: Some(name.clone()),
            protocol: *protocol,
            number,
        };
        match names {
            Names::Fresh => {
                let atoms = self.fresh().map(|(name, number)| port(name, number));
                vec![atoms.collect()]
            }
            Names::Clashing => {
                let same = |number| self.port_names.iter().map(|name| port(name, number)).collect();
                [BTreeSet::new()].into_iter().chain(self.numbers().map(same)).collect()
            }
            Names::Alone => self
                .numbers()
                .flat_map(|number| self.port_names.iter().map(move |name| port(name, number)))
                .map(|port| [port].into())
                .collect(),
        }
    }

    fn numbers(&self) -> impl Iterator<Item = u16> {
        let numbers: BTreeSet<u16> = self.ports.iter().map(|(_, number)| *number).collect();
        numbers.into_iter()
    }

    /// Each port name with a number that nothing mentions and that is the first of no interval.
    fn fresh(&self) -> impl Iterator<Item = (&(Box<str>, Protocol), u16)> {
        let unused =
            |number: &u16| Protocol::ALL.iter().all(|p| !self.ports.contains(&(*p, *number)));
        self.port_names.iter().zip((40_000..).filter(unused))
    }

    pub fn atoms(&self, names: Names) -> Vec<Atom> {
        let numbers =
            self.ports.iter().map(|&(protocol, number)| Atom { protocol, number, name: None });
        let named = self.fresh().map(|((name, protocol), number)| Atom {
            protocol: *protocol,
            number,
            name: Some(name.clone()),
        });
        numbers.chain(named.filter(|_| names == Names::Fresh)).collect()
    }

    /// The pod without an assumed address, and with each.
    pub fn with_addresses(&self, point: &Point) -> Vec<Point> {
        let addresses = [None].into_iter().chain(self.addresses.iter().copied().map(Some));
        let with = |address: Option<IpAddr>| {
            let mut point = point.clone();
            match &mut point {
                Point::Workload { assumed_address, .. }
                | Point::Undeclared { assumed_address, .. } => *assumed_address = address,
                Point::External(_) => {}
            }
            point
        };
        addresses.map(with).collect()
    }
}

fn next_address(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4).checked_add(1)?).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6).checked_add(1)?).into(),
    })
}

fn mention(keys: &mut BTreeMap<Box<str>, BTreeSet<Box<str>>>, selector: &Selector) {
    for requirement in selector.requirements() {
        let values = keys.entry(requirement.key.clone()).or_default();
        if let Operator::In(mentioned) | Operator::NotIn(mentioned) = &requirement.operator {
            values.extend(mentioned.iter().cloned());
        }
    }
}

/// Every way to give each key one of its values, a fresh one, or none. The first is no label at all.
fn combinations(keys: &BTreeMap<Box<str>, BTreeSet<Box<str>>>) -> Vec<Labels> {
    keys.iter().fold(vec![Labels::new()], |all, (key, values)| {
        let values = values.iter().map(AsRef::as_ref).chain([FRESH]);
        let choices: Vec<Option<&str>> = [None].into_iter().chain(values.map(Some)).collect();
        all.iter()
            .flat_map(|labels| {
                choices.iter().map(|choice| {
                    let mut labels = labels.clone();
                    labels.extend(choice.map(|value| (key.clone(), value.into())));
                    labels
                })
            })
            .collect()
    })
}
