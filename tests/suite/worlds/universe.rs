//! All flows that can tell two clusters apart: every end, every port, up to what no rule can see.
//!
//! Two pods, addresses or ports that no selector, range or port of either cluster tells apart have one
//! representative here. What holds for the flows of the universe then holds for all flows.

use super::seen::Seen;
use netpol_review::eval::{End, Flow, Pod, evaluate};
use netpol_review::model::{Cluster, ContainerPort, Labels, Protocol, WorkloadId};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// What undeclared pods call their ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Each (name, protocol) has a number of its own that nothing else mentions: the named atom of an
    /// undeclared pod, unrelated to the numbers.
    Fresh,
    /// All names of a pod have the same one of the interesting numbers, or none; one pod for each.
    Clashing,
    /// A pod has one name for one of the interesting numbers; one pod for each.
    Alone,
}

/// What to enumerate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub names: Names,
    /// Also pods whose address is not known, at every interesting address (the second reading of U1).
    pub assumed_addresses: bool,
    /// Blocks that tell addresses apart too, besides those of the clusters.
    pub ranges: &'static [&'static str],
    /// About how many flows; beyond it, pairs of two undeclared pods are thinned out evenly.
    pub budget: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { names: Names::Fresh, assumed_addresses: false, ranges: &[], budget: 30_000 }
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
    /// The same without the addresses that are only assumed.
    unassumed: Vec<[Option<End>; 2]>,
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

    /// The same end without the address that it is only assumed to have.
    fn unassumed(&self) -> Point {
        let mut point = self.clone();
        if let Point::Workload { assumed_address, .. } | Point::Undeclared { assumed_address, .. } =
            &mut point
        {
            *assumed_address = None;
        }
        point
    }
}

impl<'a> Universe<'a> {
    /// Everything that the two clusters can tell apart.
    pub fn of(before: &'a Cluster, after: &'a Cluster, options: &Options) -> Self {
        let clusters = [before, after];
        let mut seen = Seen::of(&clusters);
        seen.ranges(options.ranges);
        let mut points = seen.workloads.clone();
        points.extend(seen.undeclared(&clusters, options.names));
        if options.assumed_addresses {
            points = points.iter().flat_map(|point| seen.with_addresses(point)).collect();
        }
        points.extend(seen.addresses.iter().copied().map(Point::External));
        let ends = points.iter().map(|point| clusters.map(|cluster| point.on(cluster)));
        let unassumed = points.iter().map(Point::unassumed);
        let unassumed = unassumed.map(|point| clusters.map(|cluster| point.on(cluster)));
        Self {
            ends: ends.collect(),
            unassumed: unassumed.collect(),
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

    /// Every port.
    pub fn atoms(&self) -> &[Atom] {
        &self.atoms
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
        self.decide_between(&self.ends, flow)
    }

    /// [`Universe::decide`], where no address is assumed.
    pub fn decide_unassumed(&self, flow: &UniverseFlow) -> (bool, bool) {
        self.decide_between(&self.unassumed, flow)
    }

    fn decide_between(&self, ends: &[[Option<End>; 2]], flow: &UniverseFlow) -> (bool, bool) {
        let side = |side: usize| match (&ends[flow.ends.0][side], &ends[flow.ends.1][side]) {
            (Some(from), Some(to)) => {
                let flow = Flow { from, to, protocol: flow.atom.protocol, port: flow.atom.number };
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
