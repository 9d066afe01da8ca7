//! What the manifests of one side say, free of formats: namespaces, workloads and policies.
//!
//! Every object is held behind an `Arc`: a document whose bytes are the same before and after is
//! one object on both sides, so that "did it change" is mostly a pointer comparison.

mod evidence;
mod policy;
mod selector;
mod workload;

pub use evidence::{
    Caller, DnsPolicy, Evidence, MonitorPort, Namespaces, Need, Obsolete, ObsoleteKind, PortRef,
    Service, ServiceKind, ServicePort, Target,
};
pub use policy::{
    Action, Direction, IpBlock, NamespaceMatch, Peer, PeerKind, Policy, PolicyId, PolicyKind,
    PortMatch, Ports, Protocol, Rule, Section, Subject, Tier,
};
pub use selector::{Labels, Operator, Requirement, Selector};
pub use workload::{ContainerPort, Namespace, Workload, WorkloadId};

use std::collections::BTreeMap;
use std::sync::Arc;

/// The label that the API server sets on every namespace, with its name as value (S7).
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Where an object, or a part of one, stands. Lines count from 1; both ends are included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Path of the file in its tree.
    pub file: Arc<str>,
    /// First line.
    pub start_line: u32,
    /// Last line.
    pub end_line: u32,
}

/// Everything of one side that plays a part, each kind in the order of its identities.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// Namespaces that have a manifest, by name. Others exist too, without known labels.
    pub namespaces: BTreeMap<Arc<str>, Arc<Namespace>>,
    /// Declared workloads in the order of their identities; no identity twice.
    pub workloads: Vec<Arc<Workload>>,
    /// Policies in the order of their identities; no identity twice.
    pub policies: Vec<Arc<Policy>>,
    /// What the manifests say beside that; nothing that is evaluated depends on it.
    pub evidence: Evidence,
}

impl Cluster {
    /// The labels of a namespace as far as this side knows them: those of its manifest, if it has
    /// one, and always the label that holds its name (S7), whatever the manifest says of that one.
    pub fn namespace_labels(&self, name: &str) -> Labels {
        let mut labels =
            self.namespaces.get(name).map(|namespace| namespace.labels.clone()).unwrap_or_default();
        labels.insert(NAMESPACE_NAME_LABEL.into(), name.into());
        labels
    }
}
