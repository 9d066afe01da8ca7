//! What manifests say beside what policies look at: Services, declared dependencies, and how far the
//! manifests can be taken for all that there is.
//!
//! Least-privilege rules reason with it. No flow, row or verdict depends on it, and nothing is evidence
//! that was not read for certain: what is malformed is left out without a word.

use super::{Labels, Origin, Protocol, Selector, WorkloadId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The evidence of one side. It comes from manifests alone, never from an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Services in the order of their namespaces and names; none twice.
    pub services: Vec<Arc<Service>>,
    /// Declared dependencies in the order of who has them and on what; none twice. Each [`Target::Service`] names
    /// one of `services`.
    pub needs: Vec<Arc<Need>>,
    /// Namespaces with an object of an operator that may make pods (a Kafka, a Prometheus), so that not every
    /// pod is in the manifests.
    pub custom: BTreeSet<Arc<str>>,
    /// Namespaces into which an object deploys that names what is deployed and does not hold it: HelmRelease,
    /// HelmChart, Application, Kustomization of Flux. Whoever has built that knows all the same what is in
    /// them. An Application that states no namespace is left to its own manifests.
    pub deployed: BTreeSet<Arc<str>>,
    /// What Kubernetes no longer knows, in the order of files and lines.
    pub obsolete: Vec<Obsolete>,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Box<str>,
    /// Its own labels, by which ServiceMonitors find it.
    pub labels: Labels,
    /// Labels of the pods in its namespace that it stands for; empty: none, somebody else says the addresses.
    pub selector: Labels,
    /// Who can reach it, and how.
    pub kind: ServiceKind,
    /// `clusterIP: None`: its name stands for the addresses of the pods, so no port is translated.
    pub headless: bool,
    /// Its ports in the order in which they are written.
    pub ports: Vec<ServicePort>,
    /// `externalTrafficPolicy: Local`: clients from outside keep their addresses.
    pub local_traffic: bool,
    /// It has `externalIPs`.
    pub external_ips: bool,
    /// Lines of the whole object.
    pub origin: Origin,
}

/// `spec.type` of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKind {
    /// Inside the cluster.
    ClusterIp,
    /// Through a port of every node as well.
    NodePort,
    /// Through a load balancer as well.
    LoadBalancer,
    /// A name for something else: it has no pods, whatever its selector.
    ExternalName,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Its protocol.
    pub protocol: Protocol,
    /// The number under which clients know it, 1 to 65535.
    pub port: u16,
    /// The port of the pods; where nothing is written, that of the Service.
    pub target: PortRef,
    /// The port of the nodes, where it is written.
    pub node_port: Option<u16>,
}

impl ServicePort {
    /// Does a client that names a port of the Service so mean this one? Without a name each one is meant.
    pub fn is_meant(&self, wanted: Option<&PortRef>) -> bool {
        wanted.is_none_or(|wanted| match wanted {
            PortRef::Number(number) => self.port == *number,
            PortRef::Name(name) => self.name.as_ref() == Some(name),
        })
    }
}

/// A port by its number or its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortRef {
    /// 1 to 65535.
    Number(u16),
    /// A name, to be found at whoever has the port.
    Name(Box<str>),
}

/// A declared dependency: somebody has to reach something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Who connects.
    pub caller: Caller,
    /// To what.
    pub target: Target,
    /// Lines of the reference.
    pub origin: Origin,
}

/// Who has a need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// A declared workload: its environment, arguments, command, or a ConfigMap that its environment takes.
    Workload(WorkloadId),
    /// A controller that forwards requests from outside: Ingress, and the routes of the Gateway API. Its pods
    /// are not known.
    Controller,
    /// The API server: webhooks, APIServices, conversion of custom resources.
    ApiServer,
    /// A Prometheus: ServiceMonitor, PodMonitor. Its pods are not known.
    Monitor,
}

/// What is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A Service.
    Service {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its name.
        name: Box<str>,
        /// One of its ports ([`ServicePort::port`], [`ServicePort::name`]); of a headless one that of the pods.
        /// `None`: which one is not said.
        port: Option<PortRef>,
    },
    /// The Services with these labels (ServiceMonitor).
    Services {
        /// Where.
        namespaces: Namespaces,
        /// Which, by [`Service::labels`].
        selector: Selector,
        /// One of their ports.
        port: Option<MonitorPort>,
    },
    /// The pods with these labels (PodMonitor).
    Pods {
        /// Where.
        namespaces: Namespaces,
        /// Which.
        selector: Selector,
        /// A port of theirs. `None`: every one.
        port: Option<PortRef>,
    },
}

/// The port of a ServiceMonitor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MonitorPort {
    /// A port of the Service, by its name.
    Service(Box<str>),
    /// A port of the pods.
    Pod(PortRef),
}

/// Where a monitor looks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespaces {
    /// In every namespace.
    Any,
    /// In these; its own, where it names none.
    These(BTreeSet<Arc<str>>),
}

/// Something that Kubernetes no longer knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Obsolete {
    /// Lines of what is obsolete: of `apiVersion`, or of the annotation.
    pub origin: Origin,
    /// What it is.
    pub what: ObsoleteKind,
    /// The namespace of the policy, or the one that has the annotation.
    pub namespace: Arc<str>,
    /// The name of the object.
    pub name: Box<str>,
}

/// What can be obsolete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObsoleteKind {
    /// A NetworkPolicy of `extensions/v1beta1`, removed in Kubernetes 1.16.
    PolicyVersion,
    /// The annotation `net.beta.kubernetes.io/network-policy` of a Namespace, ignored since Kubernetes 1.7.
    NamespaceAnnotation,
}

/// Who resolves the names that pods ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DnsPolicy {
    /// The cluster: `ClusterFirst`, `ClusterFirstWithHostNet`, or nothing is written.
    #[default]
    ClusterFirst,
    /// The node, or what the pod says itself.
    Other,
}

impl Evidence {
    /// The Service of this identity.
    pub fn service(&self, namespace: &str, name: &str) -> Option<&Arc<Service>> {
        let key =
            |service: &Arc<Service>| (&*service.namespace, &*service.name).cmp(&(namespace, name));
        self.services.binary_search_by(key).ok().and_then(|index| self.services.get(index))
    }

    /// May a namespace hold pods that are not in the manifests? See [`Evidence::custom`] and
    /// [`Evidence::deployed`].
    pub fn is_open(&self, namespace: &str) -> bool {
        self.custom.contains(namespace) || self.deployed.contains(namespace)
    }
}
