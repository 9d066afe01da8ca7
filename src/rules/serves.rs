//! Does somebody listen on a port: what manifests show of it.

use super::Snapshot;
use super::snapshot::is_dns_port;
use crate::model::{
    Labels, NamespaceMatch, Operator, PeerKind, PortMatch, Ports, Protocol, Selector, Workload,
};
use std::sync::Arc;

/// What is known of a peer and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// It listens there.
    Yes,
    /// It does not.
    No,
    /// Nothing shows it.
    Unknown,
}

/// Address of the usual node-local resolver.
const NODE_LOCAL_DNS: &str = "169.254.20.10/32";

/// What is known of the destination of an egress rule.
pub fn peer(snapshot: &Snapshot<'_, '_, '_>, kind: &PeerKind, port: &PortMatch) -> Serves {
    match kind {
        PeerKind::Block(block) if is_dns_port(port) => {
            let resolver =
                NODE_LOCAL_DNS.parse::<ipnet::IpNet>().is_ok_and(|net| block.cidr.contains(&net));
            if resolver { Serves::Unknown } else { Serves::No }
        }
        PeerKind::Block(_) => Serves::Unknown,
        kind if is_resolver(kind) => match is_dns_port(port) {
            true => Serves::Yes,
            // Its metrics, say.
            false if matches!(port.ports, Ports::Named(_) | Ports::Range(9153, 9153)) => {
                Serves::Unknown
            }
            false => Serves::No,
        },
        kind => workloads(&snapshot.matched(kind).workloads, port),
    }
}

/// What the declared ports of workloads show; nothing where one of them declares none.
pub fn workloads(workloads: &[&Arc<Workload>], port: &PortMatch) -> Serves {
    if workloads.is_empty() || workloads.iter().any(|workload| workload.ports.is_empty()) {
        return Serves::Unknown;
    }
    match workloads.iter().any(|workload| listens(workload, port)) {
        true => Serves::Yes,
        false => Serves::No,
    }
}

/// Does a workload declare a port that this entry matches?
pub fn listens(workload: &Workload, port: &PortMatch) -> bool {
    let mut declared = workload.ports.iter();
    declared.any(|declared| covers(workload, port, declared.protocol, declared.number))
}

/// Does an entry match this port of a workload?
pub fn covers(workload: &Workload, port: &PortMatch, protocol: Protocol, number: u16) -> bool {
    port.protocol == protocol
        && match &port.ports {
            Ports::All => true,
            Ports::Range(first, last) => (*first..=*last).contains(&number),
            Ports::Named(name) => workload.ports.iter().any(|declared| {
                declared.protocol == protocol
                    && declared.number == number
                    && declared.name.as_ref() == Some(name)
            }),
        }
}

/// Labels of the pods that resolve names.
const RESOLVERS: [(&str, &[&str]); 4] = [
    ("k8s-app", &["kube-dns", "coredns", "node-local-dns"]),
    ("app.kubernetes.io/name", &["coredns", "kube-dns"]),
    ("app", &["coredns", "kube-dns"]),
    ("dns.operator.openshift.io/daemonset-dns", &["default"]),
];

/// The label by which a pod is known as the cluster's resolver.
pub fn resolver_label(labels: &Labels) -> Option<(String, String)> {
    RESOLVERS.iter().find_map(|(key, known)| {
        let value = labels.get(*key).filter(|value| known.contains(&&***value))?;
        Some((key.to_string(), value.to_string()))
    })
}

/// Do these labels of a pod say that it resolves names?
pub fn has_label_of_resolver(labels: &Labels) -> bool {
    resolver_label(labels).is_some()
}

/// Does a peer name the pods of the cluster's resolver, and no others?
pub fn is_resolver(kind: &PeerKind) -> bool {
    let PeerKind::Pods { namespaces, pods } = kind else { return false };
    let named = |selector: &Selector| {
        selector.requirements().iter().any(|requirement| {
            let Operator::In(values) = &requirement.operator else { return false };
            RESOLVERS.iter().any(|(key, known)| {
                **key == *requirement.key && values.iter().all(|value| known.contains(&&**value))
            })
        })
    };
    let openshift = |selector: &Selector| {
        selector.requirements().iter().any(|requirement| {
            matches!(&requirement.operator, Operator::In(values)
                if values.len() == 1 && values.contains("openshift-dns"))
        })
    };
    named(pods) || matches!(namespaces, NamespaceMatch::Labels(selector) if openshift(selector))
}
