//! Objects that say who has to reach a Service or a pod: Ingress, routes, webhooks, monitors.

use super::super::place::Place;
use super::super::{de, names, selector};
use super::Named;
use super::at::At;
use super::service::port_ref;
use crate::model::{
    Caller, MonitorPort, Namespaces, Need, Operator, PortRef, Requirement, Selector, Target,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Gathers the needs of one object.
pub(super) struct Declared<'n, 'f> {
    pub(super) named: &'n Named<'f>,
    pub(super) needs: Vec<Need>,
}

impl Declared<'_, '_> {
    /// An Ingress, of any version.
    pub(super) fn ingress(&mut self, object: At<'_>) {
        let Some(spec) = object.get("spec") else { return };
        let whole = ["defaultBackend", "backend"].into_iter().filter_map(|key| spec.get(key));
        let rules = spec.list("rules").filter_map(|rule| rule.get("http"));
        let paths = rules.flat_map(|http| http.list("paths"));
        for backend in whole.chain(paths.filter_map(|path| path.get("backend"))) {
            let (name, port) = match backend.get("service") {
                Some(service) => {
                    let port = service.get("port");
                    let number = port.and_then(|port| port.get("number"));
                    (
                        service.text("name"),
                        number.or_else(|| port.and_then(|port| port.get("name"))),
                    )
                }
                None => (backend.text("serviceName"), backend.get("servicePort")),
            };
            self.service(Caller::Controller, None, name, port.and_then(port_ref), backend);
        }
    }

    /// A route of the Gateway API.
    pub(super) fn route(&mut self, object: At<'_>) {
        let rules = object.get("spec").into_iter().flat_map(|spec| spec.list("rules"));
        for backend in rules.flat_map(|rule| rule.list("backendRefs")) {
            let is_service = backend.text("group").is_none()
                && backend.text("kind").is_none_or(|kind| kind == "Service");
            if is_service {
                let port = backend.get("port").and_then(port_ref);
                let namespace = backend.text("namespace");
                self.service(Caller::Controller, namespace, backend.text("name"), port, backend);
            }
        }
    }

    /// A configuration of admission webhooks.
    pub(super) fn webhooks(&mut self, object: At<'_>) {
        for webhook in object.list("webhooks") {
            self.of_api_server(webhook.path(&["clientConfig", "service"]));
        }
    }

    /// An APIService: `spec.service`.
    pub(super) fn api_service(&mut self, object: At<'_>) {
        self.of_api_server(object.path(&["spec", "service"]));
    }

    /// `spec.conversion` of a CustomResourceDefinition.
    pub(super) fn conversion(&mut self, conversion: At<'_>) {
        self.of_api_server(conversion.path(&["webhook", "clientConfig", "service"]));
        self.of_api_server(conversion.path(&["webhookClientConfig", "service"]));
    }

    fn of_api_server(&mut self, service: Option<At<'_>>) {
        let Some(service) = service else { return };
        let port = match service.get("port") {
            None => Some(443),
            Some(port) => port.number(),
        };
        if let (Some(namespace), Some(port)) = (service.text("namespace"), port) {
            let (name, port) = (service.text("name"), Some(PortRef::Number(port)));
            self.service(Caller::ApiServer, Some(namespace), name, port, service);
        }
    }

    fn service(
        &mut self,
        caller: Caller,
        namespace: Option<&str>,
        name: Option<&str>,
        port: Option<PortRef>,
        at: At<'_>,
    ) {
        let Some(name) = name.filter(|name| at.copy(name.len())) else { return };
        let namespace = match namespace {
            None => self.named.namespace.clone(),
            Some(namespace) if names::dns_label(namespace).is_ok() => namespace.into(),
            Some(_) => return,
        };
        let target = Target::Service { namespace, name: name.into(), port };
        self.needs.push(Need { caller, target, origin: at.origin(self.named.file) });
    }

    /// A ServiceMonitor.
    pub(super) fn service_monitor(&mut self, object: At<'_>) {
        let Some((namespaces, selector, spec)) = self.monitored(object) else { return };
        for endpoint in spec.list("endpoints") {
            let of_pods = || endpoint.get("targetPort").and_then(port_ref).map(MonitorPort::Pod);
            let port = endpoint
                .text("port")
                .map(|name| MonitorPort::Service(name.into()))
                .or_else(of_pods);
            let Some((namespaces, selector)) = copied(endpoint, &namespaces, &selector) else {
                return;
            };
            self.monitor(Target::Services { namespaces, selector, port }, endpoint);
        }
    }

    /// A PodMonitor.
    pub(super) fn pod_monitor(&mut self, object: At<'_>) {
        let Some((namespaces, selector, spec)) = self.monitored(object) else { return };
        for endpoint in spec.list("podMetricsEndpoints") {
            let keys = ["port", "portNumber", "targetPort"];
            let port = keys.into_iter().find_map(|key| endpoint.get(key)).and_then(port_ref);
            let Some((namespaces, selector)) = copied(endpoint, &namespaces, &selector) else {
                return;
            };
            self.monitor(Target::Pods { namespaces, selector, port }, endpoint);
        }
    }

    fn monitor(&mut self, target: Target, at: At<'_>) {
        let origin = at.origin(self.named.file);
        self.needs.push(Need { caller: Caller::Monitor, target, origin });
    }

    /// Where a monitor looks, what for, and its `spec`.
    fn monitored<'d>(&self, object: At<'d>) -> Option<(Namespaces, Selector, At<'d>)> {
        let spec = object.get("spec")?;
        let written = spec.get("selector")?;
        let (selector, _) = de::decode_part::<LabelSelector>(written.doc, written.node).ok()?;
        let place = Place::root(written.doc, written.node);
        let selector = selector::lower(&selector, &place).ok()?;
        let choice = spec.get("namespaceSelector");
        let namespaces = match choice {
            Some(choice) if choice.is_true("any") => Namespaces::Any,
            _ => {
                let names = choice.into_iter().flat_map(|choice| choice.list("matchNames"));
                let names =
                    names.filter_map(At::string).filter(|name| names::dns_label(name).is_ok());
                let mut names: BTreeSet<Arc<str>> = names.map(Into::into).collect();
                if names.is_empty() {
                    names.insert(self.named.namespace.clone());
                }
                Namespaces::These(names)
            }
        };
        Some((namespaces, selector, spec))
    }
}

/// A copy for one endpoint. `None`: there are more of them than a monitor has.
fn copied(
    at: At<'_>,
    namespaces: &Namespaces,
    selector: &Selector,
) -> Option<(Namespaces, Selector)> {
    let names = match namespaces {
        Namespaces::Any => 0,
        Namespaces::These(names) => names.len(),
    };
    let values = |requirement: &Requirement| match &requirement.operator {
        Operator::In(values) | Operator::NotIn(values) => 1 + values.len(),
        Operator::Exists | Operator::DoesNotExist => 1,
    };
    let size: usize = selector.requirements().iter().map(values).sum();
    at.doc.spend(at.node, names + size).ok()?;
    Some((namespaces.clone(), selector.clone()))
}
