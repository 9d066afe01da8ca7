//! Workloads and namespaces.

use super::{DnsPolicy, Labels, Origin, Protocol};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The pods of one template (or one bare pod): they share labels, ports and everything else that
/// policies look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Who it is: the topmost owner of the pods.
    pub id: WorkloadId,
    /// Labels of its pods, those that can be derived for their controller included (S9).
    pub labels: Labels,
    /// Ports of the regular containers (P7), without repetition.
    pub ports: BTreeSet<ContainerPort>,
    /// The pods use the node's network: no selector matches them (B5, U2).
    pub host_network: bool,
    /// The pods' addresses are those of their nodes. Without `host_network` only where a network plugin
    /// treats pods on the host network like any other (B5).
    pub node_address: bool,
    /// The addresses of the pod where they are known (`status.podIP`, `status.podIPs`).
    pub addresses: BTreeSet<IpAddr>,
    /// True for a bare pod: it has no second replica that it could talk to (B3).
    pub single: bool,
    /// Lines of the whole object.
    pub origin: Origin,
    /// Lines of the pods' labels (or of the object where it has none).
    pub labels_origin: Origin,
    /// Images of the regular containers, as written. Evidence, as is all below: policies don't look at it.
    pub images: BTreeSet<Box<str>>,
    /// Ports of the nodes that the regular containers take (`hostPort`).
    pub host_ports: BTreeSet<(Protocol, u16)>,
    /// `serviceAccountName`; `None`: the namespace's default.
    pub service_account: Option<Box<str>>,
    /// A label or annotation of the pods has Istio or Linkerd add a sidecar, with ports of its own.
    pub injected: bool,
    /// Who resolves the names that the pods ask for.
    pub dns_policy: DnsPolicy,
}

/// Identity of a workload, the same before and after.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadId {
    /// Namespace of its pods.
    pub namespace: Arc<str>,
    /// Name; pods of one owner that differ are told apart by `#1`, `#2`.
    pub name: Box<str>,
    /// Kind, for example `Deployment`.
    pub kind: Box<str>,
}

/// `namespace/name[Kind]`, as every output writes it and every command reads it.
impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}[{}]", self.namespace, self.name, self.kind)
    }
}

/// A port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerPort {
    /// Its name, for named ports (P3).
    pub name: Option<Box<str>>,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number, 1 to 65535.
    pub number: u16,
}

/// A namespace that has a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: Arc<str>,
    /// The labels of its manifest; see [`super::Cluster::namespace_labels`] for the one it always has.
    pub labels: Labels,
    /// Lines of the whole object.
    pub origin: Origin,
}

impl Workload {
    /// True iff nothing that policies look at differs; where the two stand plays no part, and evidence neither.
    pub fn same_to_policies(&self, other: &Self) -> bool {
        self.labels == other.labels
            && self.ports == other.ports
            && self.host_network == other.host_network
            && self.addresses == other.addresses
            && self.single == other.single
    }
}
