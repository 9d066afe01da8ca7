//! Which kinds play a part, by API group and kind: a Calico or Cilium object that is named
//! NetworkPolicy is not a Kubernetes one.

/// What an object is to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `networking.k8s.io/v1` NetworkPolicy.
    NetworkPolicy,
    /// Namespace, or OpenShift's Project.
    Namespace,
    /// A bare pod.
    Pod,
    /// A controller whose pods come from `spec.template`.
    Controller,
    /// CronJob: `spec.jobTemplate.spec.template`.
    CronJob,
    /// `List`, or `SomethingList` of any group.
    List,
    /// OpenShift's Template: objects with parameters.
    Template,
    /// A policy of a kind that is not modelled.
    UnmodelledPolicy {
        /// It is cluster-wide: its pods may be anywhere.
        cluster: bool,
    },
    /// What policies of a kind that is not modelled refer to: a set of addresses, a tier, a group.
    PolicyInput,
    /// It plays no part.
    Other,
}

/// True iff a document of this kind must be parsed, whatever its API group.
pub fn worth_parsing(kind: &str) -> bool {
    matches!(
        kind,
        "NetworkPolicy"
            | "Namespace"
            | "Project"
            | "Pod"
            | "Deployment"
            | "StatefulSet"
            | "DaemonSet"
            | "ReplicaSet"
            | "ReplicationController"
            | "Job"
            | "CronJob"
            | "Rollout"
            | "DeploymentConfig"
            | "Template"
            | "Kustomization"
            | "Component"
            | "AdminNetworkPolicy"
            | "BaselineAdminNetworkPolicy"
            | "ClusterNetworkPolicy"
            | "GlobalNetworkPolicy"
            | "CiliumNetworkPolicy"
            | "CiliumClusterwideNetworkPolicy"
            | "CiliumCIDRGroup"
            | "GlobalNetworkSet"
            | "NetworkSet"
            | "HostEndpoint"
            | "Profile"
            | "Tier"
            | "Group"
            | "ClusterGroup"
            | "ExternalEntity"
            | "EgressFirewall"
            | "EgressNetworkPolicy"
            | "NetNamespace"
            | "MultiNetworkPolicy"
            | "ApplicationNetworkPolicy"
            | "SecurityGroupPolicy"
    ) || kind.ends_with("List")
}

/// What an object of this `apiVersion` and `kind` is. Workloads of the removed beta groups count:
/// their pods look the same.
pub(super) fn of(api_version: &str, kind: &str) -> Kind {
    let group = group(api_version);
    match (group, kind) {
        ("networking.k8s.io", "NetworkPolicy") if api_version.ends_with("/v1") => {
            Kind::NetworkPolicy
        }
        ("networking.k8s.io" | "extensions", "NetworkPolicy") => {
            Kind::UnmodelledPolicy { cluster: false }
        }
        ("", "Namespace") | ("project.openshift.io" | "", "Project") => Kind::Namespace,
        ("", "Pod") => Kind::Pod,
        ("apps" | "extensions", "Deployment" | "DaemonSet" | "ReplicaSet")
        | ("apps", "StatefulSet")
        | ("", "ReplicationController")
        | ("batch", "Job")
        | ("argoproj.io", "Rollout")
        | ("apps.openshift.io" | "", "DeploymentConfig") => Kind::Controller,
        ("batch", "CronJob") => Kind::CronJob,
        ("template.openshift.io" | "", "Template") => Kind::Template,
        (
            "policy.networking.k8s.io",
            "AdminNetworkPolicy" | "BaselineAdminNetworkPolicy" | "ClusterNetworkPolicy",
        )
        | ("projectcalico.org" | "crd.projectcalico.org", "GlobalNetworkPolicy")
        | ("cilium.io", "CiliumClusterwideNetworkPolicy")
        | ("crd.antrea.io", "ClusterNetworkPolicy")
        | ("networking.k8s.aws", "ClusterNetworkPolicy")
        | ("network.openshift.io", "NetNamespace") => Kind::UnmodelledPolicy { cluster: true },
        ("projectcalico.org" | "crd.projectcalico.org" | "crd.antrea.io", "NetworkPolicy")
        | ("cilium.io", "CiliumNetworkPolicy")
        | ("k8s.ovn.org", "EgressFirewall")
        | ("network.openshift.io", "EgressNetworkPolicy")
        | ("k8s.cni.cncf.io", "MultiNetworkPolicy")
        | ("networking.k8s.aws", "ApplicationNetworkPolicy")
        | ("vpcresources.k8s.aws", "SecurityGroupPolicy") => {
            Kind::UnmodelledPolicy { cluster: false }
        }
        (
            "projectcalico.org" | "crd.projectcalico.org",
            "GlobalNetworkSet" | "NetworkSet" | "HostEndpoint" | "Profile" | "Tier",
        )
        | ("cilium.io", "CiliumCIDRGroup")
        | ("crd.antrea.io", "Group" | "ClusterGroup" | "Tier" | "ExternalEntity") => {
            Kind::PolicyInput
        }
        (_, kind) if kind.ends_with("List") => Kind::List,
        _ => Kind::Other,
    }
}

/// The group of an `apiVersion`; empty for the core group.
pub(super) fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}
