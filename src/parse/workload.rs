//! Pods and what makes pods -> [`Workload`]s.
//!
//! Of a pod template only that is decoded which policies look at, so that a workload with a mistake
//! elsewhere still counts.
//!
//! Labels that controllers add (S9) are derived where one value is possible: the job's name on the
//! pods of a named Job, and name and index on the pod of a StatefulSet with one replica. Hashes,
//! uids and the job names of CronJobs can't be known from a manifest and are left off.

use super::de::Fault;
use super::evidence::Mentions;
use super::names;
use super::place::Place;
use super::policy::{number, protocol};
use super::selector::check_label;
use crate::config::HostNetworkPods;
use crate::model::{ContainerPort, DnsPolicy, Labels, Origin, Protocol, Workload, WorkloadId};
use k8s_openapi::api::core::v1::ContainerPort as WrittenPort;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// A workload of one object, before owners are followed.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// The workload as if it had no owner.
    pub workload: Arc<Workload>,
    /// Kind and name of its controller.
    pub owner: Option<(Box<str>, Box<str>)>,
    /// It has been scaled to nothing.
    pub no_replicas: bool,
    /// What its containers mention.
    pub mentions: Option<Arc<Mentions>>,
}

/// The parts of an object's metadata that are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub name: String,
    pub generate_name: String,
    pub namespace: String,
    pub labels: BTreeMap<String, String>,
    owner_references: Vec<Owner>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Owner {
    kind: String,
    name: String,
    controller: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    metadata: Metadata,
    spec: PodSpec,
    status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    host_network: bool,
    containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    ports: Vec<WrittenPort>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    phase: String,
    #[serde(rename = "podIP")]
    ip: String,
    #[serde(rename = "podIPs")]
    ips: Vec<PodIp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodIp {
    ip: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Template {
    metadata: TemplateMetadata,
    spec: PodSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TemplateMetadata {
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Controller {
    metadata: Metadata,
    spec: ControllerSpec,
    status: ControllerStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ControllerStatus {
    conditions: Vec<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    name: String,
    status: String,
}

impl ControllerStatus {
    /// Does it say that a Job is over?
    fn has_ended(&self) -> bool {
        let over = |condition: &Condition| {
            matches!(condition.name.as_str(), "Complete" | "Failed") && condition.status == "True"
        };
        self.conditions.iter().any(over)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ControllerSpec {
    replicas: Option<i64>,
    ordinals: Ordinals,
    template: Option<Template>,
    workload_ref: Option<WorkloadRef>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ordinals {
    start: i64,
}

/// An Argo Rollout may take its pods over from a Deployment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WorkloadRef {}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CronJob {
    metadata: Metadata,
    spec: CronJobSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CronJobSpec {
    job_template: JobTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobTemplate {
    spec: JobSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobSpec {
    template: Option<Template>,
}

impl Metadata {
    /// The name, or the prefix of one that the server makes up.
    pub(super) fn any_name(&self) -> &str {
        match self.name.as_str() {
            "" => &self.generate_name,
            name => name,
        }
    }
}

/// Who an object is and where it stands.
pub(super) struct Object<'o> {
    pub kind: &'o str,
    pub namespace: &'o Arc<str>,
    pub place: &'o Place<'o, 'o>,
    pub file: &'o Arc<str>,
    pub host_network_pods: HostNetworkPods,
    /// Its status is what the cluster says, and not what somebody wrote into a manifest.
    pub inventory: bool,
}

impl Object<'_> {
    /// A bare pod, or one that a controller made. `None`: it has ended.
    pub(super) fn pod(&self, pod: &Pod) -> Result<Option<Draft>, Fault> {
        if self.inventory && matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
            return Ok(None);
        }
        let mut draft = self.draft(&pod.metadata, &pod.metadata.labels, &pod.spec, self.place)?;
        let status = self.place.key("status");
        let mut addresses = BTreeSet::new();
        let ips = std::iter::once(&pod.status.ip).chain(pod.status.ips.iter().map(|ip| &ip.ip));
        for ip in ips.filter(|ip| !ip.is_empty()) {
            let at = status.key("podIP");
            let address: IpAddr =
                ip.parse().map_err(|_| at.fault(format!("`{ip}` is no IP address")))?;
            addresses.insert(address.to_canonical());
        }
        let owner = pod.metadata.owner();
        // The next pod of a controller has another address, and an inventory outlives pods.
        if self.inventory && owner.is_some() {
            addresses.clear();
        }
        if let Some(workload) = Arc::get_mut(&mut draft) {
            workload.single = owner.is_none();
            workload.addresses = addresses;
        }
        Ok(Some(Draft { workload: draft, owner, no_replicas: false, mentions: None }))
    }

    /// A controller with `spec.template`. `None`: its pods belong to another object, or have ended.
    pub(super) fn controller(&self, object: &Controller) -> Result<Option<Draft>, Fault> {
        if self.inventory && self.kind == "Job" && object.status.has_ended() {
            return Ok(None);
        }
        let spec = self.place.key("spec");
        let place = spec.key("template");
        let Some(template) = &object.spec.template else {
            return match object.spec.workload_ref {
                Some(_) => Ok(None),
                None => Err(self.no_template(&place)),
            };
        };
        let mut labels = template.metadata.labels.clone();
        let name = object.metadata.name.as_str();
        match self.kind {
            "Job" if !name.is_empty() && names::label_value(name).is_ok() => {
                for key in ["job-name", "batch.kubernetes.io/job-name"] {
                    labels.insert(key.into(), name.into());
                }
            }
            "StatefulSet" if !name.is_empty() && object.spec.replicas.unwrap_or(1) == 1 => {
                let index = object.spec.ordinals.start.to_string();
                let pod = format!("{name}-{index}");
                labels.insert("statefulset.kubernetes.io/pod-name".into(), pod);
                labels.insert("apps.kubernetes.io/pod-index".into(), index);
            }
            _ => {}
        }
        Ok(Some(Draft {
            workload: self.draft(&object.metadata, &labels, &template.spec, &place)?,
            owner: object.metadata.owner(),
            no_replicas: object.spec.replicas == Some(0),
            mentions: None,
        }))
    }

    /// A CronJob.
    pub(super) fn cron_job(&self, object: &CronJob) -> Result<Draft, Fault> {
        let spec = self.place.key("spec");
        let template = spec.key("jobTemplate");
        let job = template.key("spec");
        let place = job.key("template");
        let Some(template) = &object.spec.job_template.spec.template else {
            return Err(self.no_template(&place));
        };
        let labels = &template.metadata.labels;
        Ok(Draft {
            workload: self.draft(&object.metadata, labels, &template.spec, &place)?,
            owner: object.metadata.owner(),
            no_replicas: false,
            mentions: None,
        })
    }

    fn no_template(&self, place: &Place<'_, '_>) -> Fault {
        place.fault(format!(
            "a {} needs a pod template; if this file is a patch, it is not read as one",
            self.kind
        ))
    }

    /// `place`: the pod or the pod template.
    fn draft(
        &self,
        metadata: &Metadata,
        labels: &BTreeMap<String, String>,
        spec: &PodSpec,
        place: &Place<'_, '_>,
    ) -> Result<Arc<Workload>, Fault> {
        let own = self.place.key("metadata");
        if metadata.any_name().is_empty() {
            return Err(own.key("name").fault(format!("a {} needs a name", self.kind)));
        }
        let origin = self.place.origin(self.file);
        let place_metadata = place.key("metadata");
        let (labels, labels_origin) = lower_labels(labels, &place_metadata, self.file)?;
        let place_spec = place.key("spec");
        Ok(Arc::new(Workload {
            id: WorkloadId {
                namespace: self.namespace.clone(),
                name: metadata.any_name().into(),
                kind: self.kind.into(),
            },
            labels,
            ports: ports(&spec.containers, &place_spec.key("containers"))?,
            host_network: spec.host_network && self.host_network_pods == HostNetworkPods::Node,
            node_address: spec.host_network,
            addresses: BTreeSet::new(),
            single: false,
            labels_origin: labels_origin.unwrap_or_else(|| origin.clone()),
            origin,
            images: BTreeSet::new(),
            host_ports: BTreeSet::new(),
            service_account: None,
            injected: false,
            dns_policy: DnsPolicy::default(),
        }))
    }
}

/// Labels as the model has them, and the lines of `labels:` if it is written.
pub(super) fn lower_labels(
    labels: &BTreeMap<String, String>,
    metadata: &Place<'_, '_>,
    file: &Arc<str>,
) -> Result<(Labels, Option<Origin>), Fault> {
    let place = metadata.key("labels");
    for (key, value) in labels {
        check_label(key, value, &place)?;
    }
    let labels =
        labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect();
    Ok((labels, place.node().map(|_| place.origin(file))))
}

/// The ports of the regular containers (P7).
fn ports(
    containers: &[Container],
    place: &Place<'_, '_>,
) -> Result<BTreeSet<ContainerPort>, Fault> {
    let mut ports = BTreeSet::new();
    for (i, container) in containers.iter().enumerate() {
        let at = place.index(i);
        let at = at.key("ports");
        for (i, port) in container.ports.iter().enumerate() {
            let at = at.index(i);
            ports.insert(ContainerPort {
                name: port.name.as_deref().filter(|name| !name.is_empty()).map(Into::into),
                protocol: match port.protocol.as_deref() {
                    None | Some("") => Protocol::Tcp,
                    Some(text) => protocol(text, &at.key("protocol"))?,
                },
                number: number(port.container_port, &at.key("containerPort"))?,
            });
        }
    }
    Ok(ports)
}

impl Metadata {
    /// The controller among the owners, or else the first of them. A static pod belongs to its node, which
    /// makes it no copy of the node's other pods.
    fn owner(&self) -> Option<(Box<str>, Box<str>)> {
        self.owner_references
            .iter()
            .find(|owner| owner.controller)
            .or(self.owner_references.first())
            .filter(|owner| !owner.name.is_empty() && owner.kind != "Node")
            .map(|owner| (owner.kind.as_str().into(), owner.name.as_str().into()))
    }
}
