//! What of a cluster's objects is kept: only what policies look at. Everything that is written is named here,
//! so what this program does not know of (an annotation, an environment variable, a field of tomorrow) goes
//! nowhere.

use super::resources::{Resource, Shape};
use k8s_openapi::api::networking::v1::NetworkPolicySpec;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use std::net::IpAddr;

/// An object as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    /// Kind, namespace (empty where there is none) and name: the order of the file.
    pub(super) id: Id,
    /// The same of its owner.
    pub(super) owner: Option<Id>,
    /// It makes no pods, and is there for its owner's history only.
    pub(super) idle: bool,
    /// The object.
    pub(super) value: Value,
}

pub(super) type Id = (String, String, String);

/// An answer of kubectl was not understood. Without a word of it: it may hold anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotUnderstood {
    #[error("the answer is no JSON as kubectl writes it (line {0}, column {1})")]
    Json(usize, usize),
    #[error("the answer holds objects of another kind")]
    Kind,
}

/// Reads an answer: a list, or one object where one was asked for by its name.
pub(super) fn read(
    resource: &Resource,
    single: bool,
    input: impl Read,
) -> Result<Vec<Kept>, NotUnderstood> {
    match resource.shape {
        Shape::Policy => objects(single, input)?
            .into_iter()
            .map(|found: Found<NetworkPolicySpec>| {
                let spec = serde_json::to_value(&found.spec).unwrap_or_default();
                kept(resource, &found, Some(spec), None)
            })
            .collect(),
        Shape::Name | Shape::Namespace => objects(single, input)?
            .into_iter()
            .map(|found: Found<Option<IgnoredAny>>| kept(resource, &found, None, None))
            .collect(),
        Shape::Pod | Shape::Controller => objects(single, input)?
            .into_iter()
            .filter(|found: &Found<Spec>| !found.status.is_over())
            .map(|found| {
                let (spec, status) = match resource.shape {
                    Shape::Pod => (found.spec.pod(), Some(found.status.written())),
                    _ => (found.spec.controller(), None),
                };
                kept(resource, &found, Some(spec), status)
            })
            .collect(),
    }
}

fn objects<S: DeserializeOwned + Default>(
    single: bool,
    input: impl Read,
) -> Result<Vec<Found<S>>, NotUnderstood> {
    let not_understood =
        |error: serde_json::Error| NotUnderstood::Json(error.line(), error.column());
    match single {
        true => serde_json::from_reader(input).map(|found| vec![found]).map_err(not_understood),
        false => {
            let list: List<S> = serde_json::from_reader(input).map_err(not_understood)?;
            list.items.ok_or(NotUnderstood::Kind)
        }
    }
}

fn kept<S>(
    resource: &Resource,
    found: &Found<S>,
    spec: Option<Value>,
    status: Option<Value>,
) -> Result<Kept, NotUnderstood> {
    let (group, version) = found.api_version.rsplit_once('/').unwrap_or(("", &found.api_version));
    let sound = is_version(version);
    if found.kind != resource.kind || group != resource.group || !sound {
        return Err(NotUnderstood::Kind);
    }
    let Metadata { name, namespace, labels, .. } = &found.metadata;
    let mut metadata = Map::new();
    metadata.insert("name".into(), json!(name));
    if !namespace.is_empty() {
        metadata.insert("namespace".into(), json!(namespace));
    }
    // Of a policy labels say nothing.
    if !labels.is_empty() && matches!(resource.shape, Shape::Namespace | Shape::Pod) {
        metadata.insert("labels".into(), json!(labels));
    }
    let owner = found.metadata.owner();
    if let Some(owner) = owner {
        let mut reference = json!({"kind": owner.kind, "name": owner.name});
        if owner.controller == Some(true) {
            reference["controller"] = json!(true);
        }
        metadata.insert("ownerReferences".into(), json!([reference]));
    }
    let mut value = json!({
        "apiVersion": found.api_version, "kind": found.kind, "metadata": metadata
    });
    let idle = owner.is_some() && spec.as_ref().is_some_and(|spec| spec["replicas"] == json!(0));
    for (key, part) in [("spec", spec), ("status", status)] {
        if let Some(part) =
            part.filter(|part| part.as_object().is_some_and(|part| !part.is_empty()))
        {
            value[key] = part;
        }
    }
    let owner = owner.map(|owner| (owner.kind.clone(), namespace.clone(), owner.name.clone()));
    let id = (resource.kind.to_string(), namespace.clone(), name.clone());
    Ok(Kept { id, owner, idle, value })
}

/// `v1`, `v2beta1`.
fn is_version(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('v') else { return false };
    let mut parts = rest.split("alpha").flat_map(|part| part.split("beta"));
    let number = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    parts.clone().count() <= 2 && parts.all(number)
}

/// An absent value and `null` are the same to Go.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Deserialize)]
struct List<S: Default> {
    #[serde(bound(deserialize = "S: DeserializeOwned"))]
    items: Option<Vec<Found<S>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "S: DeserializeOwned + Default"))]
struct Found<S> {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    metadata: Metadata,
    #[serde(default, deserialize_with = "or_default")]
    spec: S,
    #[serde(default, deserialize_with = "or_default")]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    owner_references: Vec<Owner>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Owner {
    kind: String,
    name: String,
    controller: Option<bool>,
}

impl Metadata {
    /// The controller, or else the first owner.
    fn owner(&self) -> Option<&Owner> {
        let controller = self.owner_references.iter().find(|owner| owner.controller == Some(true));
        controller.or(self.owner_references.first())
    }
}

/// The specification of a pod, or of what makes pods.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    host_network: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    containers: Vec<Container>,
    replicas: Option<u32>,
    ordinals: Option<Ordinals>,
    template: Option<Template>,
    job_template: Option<JobTemplate>,
    workload_ref: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container {
    #[serde(deserialize_with = "or_default")]
    ports: Vec<Port>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Port {
    name: Option<String>,
    container_port: u16,
    protocol: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Ordinals {
    start: u32,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    #[serde(deserialize_with = "or_default")]
    metadata: TemplateMetadata,
    #[serde(deserialize_with = "or_default")]
    spec: Box<Spec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateMetadata {
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JobTemplate {
    #[serde(deserialize_with = "or_default")]
    spec: Box<Spec>,
}

impl Spec {
    /// As a pod has it.
    fn pod(&self) -> Value {
        let mut spec = Map::new();
        if self.host_network == Some(true) {
            spec.insert("hostNetwork".into(), json!(true));
        }
        let with_ports = self.containers.iter().filter(|container| !container.ports.is_empty());
        let containers: Vec<Value> = with_ports
            .map(|container| json!({"ports": container.ports.iter().map(port).collect::<Vec<_>>()}))
            .collect();
        if !containers.is_empty() {
            spec.insert("containers".into(), json!(containers));
        }
        Value::Object(spec)
    }

    /// As what makes pods has it.
    fn controller(&self) -> Value {
        let mut spec = Map::new();
        if let Some(replicas) = self.replicas {
            spec.insert("replicas".into(), json!(replicas));
        }
        if let Some(ordinals) = &self.ordinals {
            spec.insert("ordinals".into(), json!({"start": ordinals.start}));
        }
        if let Some(template) = &self.template {
            let mut written = json!({"spec": template.spec.pod()});
            if !template.metadata.labels.is_empty() {
                written["metadata"] = json!({"labels": template.metadata.labels});
            }
            spec.insert("template".into(), written);
        }
        if let Some(job) = &self.job_template {
            spec.insert("jobTemplate".into(), json!({"spec": job.spec.controller()}));
        }
        if self.workload_ref.is_some() {
            spec.insert("workloadRef".into(), json!({}));
        }
        Value::Object(spec)
    }
}

fn port(port: &Port) -> Value {
    let mut written = json!({"containerPort": port.container_port});
    if let Some(name) = &port.name {
        written["name"] = json!(name);
    }
    if let Some(protocol @ ("TCP" | "UDP" | "SCTP")) = port.protocol.as_deref() {
        written["protocol"] = json!(protocol);
    }
    written
}

/// What is read of the status of a pod or a job.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    #[serde(deserialize_with = "or_default")]
    phase: Phase,
    #[serde(rename = "podIP", deserialize_with = "address")]
    pod_ip: Option<IpAddr>,
    #[serde(rename = "podIPs", deserialize_with = "or_default")]
    pod_ips: Vec<PodIp>,
    #[serde(rename = "hostIP", deserialize_with = "address")]
    host_ip: Option<IpAddr>,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
    /// Something else, or nothing: it is not said again.
    #[default]
    #[serde(other)]
    Unknown,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodIp {
    #[serde(deserialize_with = "address")]
    ip: Option<IpAddr>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    name: String,
    status: String,
}

/// An address; anything else is none.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

impl Status {
    /// A pod that has ended, or a job.
    fn is_over(&self) -> bool {
        let ended = |condition: &Condition| {
            matches!(condition.name.as_str(), "Complete" | "Failed") && condition.status == "True"
        };
        matches!(self.phase, Phase::Succeeded | Phase::Failed) || self.conditions.iter().any(ended)
    }

    fn written(&self) -> Value {
        let mut status = Map::new();
        let phase = match self.phase {
            Phase::Pending => Some("Pending"),
            Phase::Running => Some("Running"),
            Phase::Succeeded | Phase::Failed | Phase::Unknown => None,
        };
        status.extend(phase.map(|phase| ("phase".into(), json!(phase))));
        status.extend(self.pod_ip.map(|ip| ("podIP".into(), json!(ip))));
        let ips: Vec<Value> =
            self.pod_ips.iter().filter_map(|pod| Some(json!({"ip": pod.ip?}))).collect();
        if !ips.is_empty() {
            status.insert("podIPs".into(), json!(ips));
        }
        status.extend(self.host_ip.map(|ip| ("hostIP".into(), json!(ip))));
        Value::Object(status)
    }
}
