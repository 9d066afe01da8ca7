//! What manifests say of a workload beside what policies look at: what it is, and through what it is reached.

use crate::model::{
    Caller, Cluster, ContainerPort, PortRef, Protocol, Service, ServiceKind, ServicePort, Target,
    Workload,
};
use crate::rules::Snapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Namespaces that every cluster has for itself.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// What a data store's image is called, or begins with up to a hyphen.
const STORES: [&str; 26] = [
    "cassandra",
    "clickhouse",
    "cockroach",
    "couchbase",
    "couchdb",
    "elasticsearch",
    "etcd",
    "influxdb",
    "kafka",
    "mariadb",
    "memcached",
    "minio",
    "mongo",
    "mongodb",
    "mssql",
    "mysql",
    "neo4j",
    "opensearch",
    "percona",
    "postgis",
    "postgres",
    "postgresql",
    "rabbitmq",
    "redis",
    "timescaledb",
    "valkey",
];

/// What an image is called that only goes with a data store.
const BESIDE_STORES: [&str; 10] = [
    "adapter",
    "admin",
    "backup",
    "commander",
    "dashboard",
    "exporter",
    "gui",
    "operator",
    "proxy",
    "ui",
];

/// Does some container run a data store? `None`: the manifests don't say what the containers run.
pub fn is_store(workload: &Workload) -> Option<bool> {
    let mut images = workload.images.iter().peekable();
    images.peek()?;
    Some(images.any(|image| is_store_image(image)))
}

/// Is that the image of a data store?
pub fn is_store_image(image: &str) -> bool {
    let mut parts = image_name(image).split(['-', '_']);
    let is_one = parts.next().is_some_and(|first| STORES.contains(&first));
    is_one && !parts.any(|part| BESIDE_STORES.contains(&part))
}

/// `postgres` of `registry.example/library/postgres:15@sha256:...`.
pub fn image_name(image: &str) -> &str {
    let path = image.split('@').next().unwrap_or(image);
    let last = path.rsplit('/').next().unwrap_or(path);
    last.split(':').next().unwrap_or(last)
}

/// The Services of a workload's namespace that stand for its pods.
pub fn services_of<'a, 'w>(
    cluster: &'a Cluster,
    workload: &'w Workload,
) -> impl Iterator<Item = &'a Arc<Service>> + use<'a, 'w> {
    cluster.evidence.services.iter().filter(move |service| stands_for(service, workload))
}

/// The ports of a workload's pods to which its Services lead, as far as their numbers are known.
pub fn targets(workload: &Workload, service: &Service) -> BTreeSet<(Protocol, u16)> {
    service.ports.iter().flat_map(|port| pod_ports(workload, port.protocol, &port.target)).collect()
}

/// The ports of a workload's pods that are meant, as far as their numbers are known.
pub fn pod_ports(
    workload: &Workload,
    protocol: Protocol,
    port: &PortRef,
) -> BTreeSet<(Protocol, u16)> {
    let name = match port {
        PortRef::Number(number) => return BTreeSet::from([(protocol, *number)]),
        PortRef::Name(name) => name,
    };
    let named = |declared: &&ContainerPort| {
        declared.protocol == protocol && declared.name.as_ref() == Some(name)
    };
    workload.ports.iter().filter(named).map(|declared| (protocol, declared.number)).collect()
}

/// Does a Service stand for the pods of a workload, which may be in any namespace?
pub fn stands_for(service: &Service, workload: &Workload) -> bool {
    workload.id.namespace == service.namespace
        && service.kind != ServiceKind::ExternalName
        && !service.selector.is_empty()
        && service.selector.iter().all(|(key, value)| workload.labels.get(key) == Some(value))
}

/// How a Service lets clients from outside the cluster in, if it does.
pub fn exposure(service: &Service) -> Option<&'static str> {
    match service.kind {
        ServiceKind::LoadBalancer => Some("LoadBalancer"),
        ServiceKind::NodePort => Some("NodePort"),
        _ if service.external_ips => Some("externalIPs"),
        _ => None,
    }
}

/// Why clients that no peer can name connect to a workload, by the port of its pods: clients outside of the cluster, by
/// way of an exposed Service, or the API server, which calls webhooks from the address of a node.
pub fn unnameable_clients(
    snapshot: &Snapshot<'_, '_, '_>,
    workload: &Workload,
) -> BTreeMap<(Protocol, u16), &'static str> {
    let cluster = snapshot.cluster();
    let mut clients = BTreeMap::new();
    let services = snapshot.services_in(&workload.id.namespace).iter();
    for service in services.filter(|service| stands_for(service, workload)) {
        let exposed = exposure(service).is_some();
        let called = |port: &ServicePort| {
            cluster.evidence.needs.iter().any(|need| match &need.target {
                Target::Service { namespace, name, port: wanted } => {
                    need.caller == Caller::ApiServer
                        && (namespace, name) == (&service.namespace, &service.name)
                        && port.is_meant(wanted.as_ref())
                }
                _ => false,
            })
        };
        for port in &service.ports {
            let why = match exposed {
                true => "a Service lets clients from outside the cluster in there",
                false if called(port) => {
                    "the API server calls it there, from the address of a node"
                }
                false => continue,
            };
            let ports = pod_ports(workload, port.protocol, &port.target);
            clients.extend(ports.into_iter().map(|port| (port, why)));
        }
    }
    clients
}

/// Does the workload let requests of the Internet into the cluster, as its trade?
pub fn is_edge(workload: &Workload) -> bool {
    let names = [&*workload.id.namespace, &*workload.id.name];
    let images = workload.images.iter().map(|image| image_name(image));
    names.into_iter().chain(images).any(|name| {
        name.contains("ingress") || name.contains("gateway") || name.contains("traefik")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images() {
        for (image, name) in [
            ("postgres", "postgres"),
            ("postgres:15", "postgres"),
            ("localhost:5000/library/postgres", "postgres"),
            ("registry.example/a/redis-cluster:7@sha256:00", "redis-cluster"),
        ] {
            assert_eq!(image_name(image), name);
        }
    }
}
