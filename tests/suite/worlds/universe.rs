//! All flows that can tell two clusters apart: every end, every port, up to what no rule can see.
//!
//! Two pods, addresses or ports that no selector, range or port of either cluster tells apart have one
//! representative here. What holds for the flows of the universe then holds for all flows.

use netpol_review::eval::{End, Flow, Pod, evaluate};
use netpol_review::model::{
    Cluster, ContainerPort, IpBlock, Labels, NAMESPACE_NAME_LABEL, NamespaceMatch, Operator,
    PeerKind, Policy, Ports, Protocol, Rule, Selector, WorkloadId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// A value, and a namespace, that no manifest mentions.
const FRESH: &str = "unheard-of";

/// What undeclared pods call their ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Each (name, protocol) has a number of its own that nothing else mentions: the named atom of an
    /// undeclared pod, unrelated to the numbers.
    Fresh,
    /// All names of a pod have the same one of the interesting numbers, or none; one pod for each.
    Clashing,
}

/// What to enumerate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub names: Names,
    /// Also pods whose address is not known, at every interesting address (the second reading of U1).
    pub assumed_addresses: bool,
    /// About how many flows; beyond it, pairs of two undeclared pods are thinned out evenly.
    pub budget: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { names: Names::Fresh, assumed_addresses: false, budget: 30_000 }
    }
}

/// One end, the same before and after.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// A declared workload is an identity: labels, ports and everything else are those of each side.
    Workload {
        id: WorkloadId,
        /// Where its address is not known: the one that it is assumed to have.
        assumed_address: Option<IpAddr>,
    },
    /// A pod that no manifest declares.
    Undeclared {
        namespace: Arc<str>,
        /// The labels of its namespace, without the one that holds the name, on a side that does not
        /// declare the namespace. On a side that does they are the declared ones.
        namespace_labels: Labels,
        labels: Labels,
        ports: BTreeSet<ContainerPort>,
        assumed_address: Option<IpAddr>,
    },
    /// An address outside the cluster.
    External(IpAddr),
}

/// A destination port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Atom {
    pub protocol: Protocol,
    pub number: u16,
    /// The name that stands for this number on undeclared pods, with [`Names::Fresh`]. Such an atom is
    /// only used with undeclared destinations.
    pub name: Option<Box<str>>,
}

/// One flow of a [`Universe`].
#[derive(Clone, Copy, Debug)]
pub struct UniverseFlow<'a> {
    pub from: &'a Point,
    pub to: &'a Point,
    pub atom: &'a Atom,
    ends: (usize, usize),
}

/// Ends and ports of two clusters.
#[derive(Clone, Debug)]
pub struct Universe<'a> {
    clusters: [&'a Cluster; 2],
    points: Vec<Point>,
    /// Each point on each side.
    ends: Vec<[Option<End>; 2]>,
    atoms: Vec<Atom>,
    budget: usize,
}

impl Point {
    /// What policies see of it in a cluster; `None` if it does not exist there.
    pub fn on(&self, cluster: &Cluster) -> Option<End> {
        let pod = match self {
            Point::External(address) => return Some(End::External(*address)),
            Point::Workload { id, assumed_address } => {
                let workload = cluster.workloads.iter().find(|w| w.id == *id)?;
                let mut pod = Pod::of_workload(cluster, workload);
                if pod.addresses.is_empty() {
                    pod.addresses.extend(*assumed_address);
                }
                pod
            }
            Point::Undeclared { namespace, namespace_labels, labels, ports, assumed_address } => {
                let mut known = cluster.namespace_labels(namespace);
                if !cluster.namespaces.contains_key(namespace) {
                    known.extend(namespace_labels.clone());
                }
                Pod {
                    namespace: namespace.clone(),
                    namespace_labels: known,
                    labels: labels.clone(),
                    ports: ports.clone(),
                    host_network: false,
                    addresses: assumed_address.iter().copied().collect(),
                }
            }
        };
        Some(End::Pod(pod))
    }
}

impl<'a> Universe<'a> {
    /// Everything that the two clusters can tell apart.
    pub fn of(before: &'a Cluster, after: &'a Cluster, options: &Options) -> Self {
        let clusters = [before, after];
        let seen = Seen::of(&clusters);
        let mut points = seen.workloads.clone();
        points.extend(seen.undeclared(&clusters, options.names));
        if options.assumed_addresses {
            points = points.iter().flat_map(|point| seen.with_addresses(point)).collect();
        }
        points.extend(seen.addresses.iter().copied().map(Point::External));
        let ends = points.iter().map(|point| clusters.map(|cluster| point.on(cluster)));
        Self {
            ends: ends.collect(),
            points,
            atoms: seen.atoms(options.names),
            clusters,
            budget: options.budget,
        }
    }

    /// Every end.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// All pairs of ends with all ports, without external to external and without a bare pod to itself.
    pub fn flows(&self) -> impl Iterator<Item = UniverseFlow<'_>> {
        let stride = (self.points.len().pow(2) * self.atoms.len() / self.budget.max(1)).max(1);
        let both_undeclared = |from: &Point, to: &Point| {
            matches!(from, Point::Undeclared { .. }) && matches!(to, Point::Undeclared { .. })
        };
        let pairs = (0..self.points.len())
            .flat_map(|from| (0..self.points.len()).map(move |to| (from, to)))
            .filter(move |&(from, to)| {
                let thinned = !(from * 31 + to).is_multiple_of(stride);
                let (from, to) = (&self.points[from], &self.points[to]);
                self.count(from, to) && !(thinned && both_undeclared(from, to))
            });
        pairs.flat_map(move |ends| {
            let (from, to) = (&self.points[ends.0], &self.points[ends.1]);
            let undeclared = matches!(to, Point::Undeclared { .. });
            self.atoms
                .iter()
                .filter(move |atom| atom.name.is_none() || undeclared)
                .map(move |atom| UniverseFlow { from, to, atom, ends })
        })
    }

    /// Do flows between these ends count? Not between hosts outside (X2), and not from a bare pod to
    /// itself (B3).
    fn count(&self, from: &Point, to: &Point) -> bool {
        match (from, to) {
            (Point::External(_), Point::External(_)) => false,
            (Point::Workload { id, .. }, Point::Workload { id: other, .. }) if id == other => {
                let mut workloads = self.clusters.iter().flat_map(|c| &c.workloads);
                !workloads.any(|workload| workload.id == *id && workload.single)
            }
            _ => true,
        }
    }

    /// Is the flow allowed before, is it allowed after? A flow whose ends do not exist is not.
    pub fn decide(&self, flow: &UniverseFlow) -> (bool, bool) {
        let side =
            |side: usize| match (&self.ends[flow.ends.0][side], &self.ends[flow.ends.1][side]) {
                (Some(from), Some(to)) => {
                    let flow =
                        Flow { from, to, protocol: flow.atom.protocol, port: flow.atom.number };
                    evaluate(self.clusters[side], &flow).allowed
                }
                _ => false,
            };
        (side(0), side(1))
    }

    /// The ends of a flow on each side, before first; `None` where an end does not exist.
    #[allow(dead_code, reason = "for whoever tests with worlds")]
    pub fn ends(&self, flow: &UniverseFlow) -> [Option<(&End, &End)>; 2] {
        [0, 1].map(|side| {
            let ends = [flow.ends.0, flow.ends.1].map(|end| self.ends[end][side].as_ref());
            Some((ends[0]?, ends[1]?))
        })
    }
}

/// Everything that manifests mention.
#[derive(Default)]
struct Seen {
    workloads: Vec<Point>,
    namespaces: BTreeSet<Arc<str>>,
    /// Keys with the values that selectors mention.
    namespace_labels: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    pod_labels: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    port_names: BTreeSet<(Box<str>, Protocol)>,
    /// First numbers of the intervals that ranges and declared ports cut.
    ports: BTreeSet<(Protocol, u16)>,
    /// First addresses of the intervals that blocks and known addresses cut.
    addresses: BTreeSet<IpAddr>,
}

impl Seen {
    fn of(clusters: &[&Cluster; 2]) -> Self {
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
    fn undeclared(&self, clusters: &[&Cluster; 2], names: Names) -> Vec<Point> {
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
                let numbers: BTreeSet<u16> = self.ports.iter().map(|(_, number)| *number).collect();
                let same = |number| self.port_names.iter().map(|name| port(name, number)).collect();
                [BTreeSet::new()].into_iter().chain(numbers.into_iter().map(same)).collect()
            }
        }
    }

    /// Each port name with a number that nothing mentions and that is the first of no interval.
    fn fresh(&self) -> impl Iterator<Item = (&(Box<str>, Protocol), u16)> {
        let unused =
            |number: &u16| Protocol::ALL.iter().all(|p| !self.ports.contains(&(*p, *number)));
        self.port_names.iter().zip((40_000..).filter(unused))
    }

    fn atoms(&self, names: Names) -> Vec<Atom> {
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
    fn with_addresses(&self, point: &Point) -> Vec<Point> {
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
