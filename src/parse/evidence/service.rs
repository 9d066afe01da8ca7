//! Services.

use super::super::doc::View;
use super::super::names;
use super::Named;
use super::at::At;
use crate::model::{Labels, PortRef, Protocol, Service, ServiceKind, ServicePort};

/// Reads a Service. `None`: the API server would refuse it.
pub(super) fn read(object: At<'_>, named: &Named<'_>) -> Option<Service> {
    // The reader's own place for everything that has no spec: a Service must have ports.
    let spec = object.get("spec")?;
    let kind = match spec.get("type").map(At::string) {
        None => ServiceKind::ClusterIp,
        Some(text) => match text? {
            "" | "ClusterIP" => ServiceKind::ClusterIp,
            "NodePort" => ServiceKind::NodePort,
            "LoadBalancer" => ServiceKind::LoadBalancer,
            "ExternalName" => ServiceKind::ExternalName,
            _ => return None,
        },
    };
    let labels =
        object.get("metadata").map_or(Some(Labels::new()), |found| found.labels("labels"))?;
    let ports = match spec.get("ports") {
        None => Vec::new(),
        Some(ports) if matches!(ports.doc.view(ports.node), View::Seq(_)) => {
            ports.items().map(port).collect::<Option<_>>()?
        }
        Some(_) => return None,
    };
    let headless = spec.text("clusterIP") == Some("None");
    // A headless one may have none, and so may a mere name.
    if ports.is_empty() && !headless && kind != ServiceKind::ExternalName {
        return None;
    }
    Some(Service {
        namespace: named.namespace.clone(),
        name: named.name.into(),
        labels,
        selector: spec.labels("selector")?,
        kind,
        headless,
        ports,
        local_traffic: spec.text("externalTrafficPolicy") == Some("Local"),
        external_ips: spec.list("externalIPs").next().is_some(),
        origin: object.origin(named.file),
    })
}

fn port(port: At<'_>) -> Option<ServicePort> {
    let written = port.get("port")?.number()?;
    let target = match port.get("targetPort") {
        None => PortRef::Number(written),
        Some(target) if target.integer() == Some(0) => PortRef::Number(written),
        Some(target) => port_ref(target)?,
    };
    let node_port = port.get("nodePort").filter(|port| port.integer() != Some(0));
    Some(ServicePort {
        name: port.text("name").map(Into::into),
        protocol: match port.text("protocol") {
            None => Protocol::Tcp,
            Some(text) => Protocol::ALL.into_iter().find(|found| found.as_str() == text)?,
        },
        port: written,
        target,
        node_port: node_port.map(|port| port.number().ok_or(())).transpose().ok()?,
    })
}

/// A number, or a name as ports have it.
pub(super) fn port_ref(at: At<'_>) -> Option<PortRef> {
    match at.string() {
        Some(name) => names::port_name(name).is_ok().then(|| PortRef::Name(name.into())),
        None => at.number().map(PortRef::Number),
    }
}
