//! What a cluster is asked for.

/// A kind of object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resource {
    /// As kubectl takes it, with its group.
    pub(super) name: &'static str,
    /// The kind of its objects.
    pub(super) kind: &'static str,
    /// Their group.
    pub(super) group: &'static str,
    /// Its objects lie in namespaces.
    pub(super) namespaced: bool,
    /// Every cluster has it. Of another one it is no news that there is none.
    pub(super) everywhere: bool,
    /// What of its objects is kept.
    pub(super) shape: Shape,
}

/// What of an object is kept, beside its name and its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Labels.
    Namespace,
    /// Labels, ports, addresses.
    Pod,
    /// The same of its template.
    Controller,
    /// What it says.
    Policy,
    /// Nothing: policies of kinds that are not evaluated, which reports have to name.
    Name,
}

const fn resource(name: &'static str, kind: &'static str, group: &'static str) -> Resource {
    let (namespaced, everywhere, shape) = (true, true, Shape::Controller);
    Resource { name, kind, group, namespaced, everywhere, shape }
}

const fn policy(name: &'static str, kind: &'static str, group: &'static str) -> Resource {
    Resource { everywhere: false, shape: Shape::Name, ..resource(name, kind, group) }
}

const fn cluster_policy(name: &'static str, kind: &'static str, group: &'static str) -> Resource {
    Resource { namespaced: false, ..policy(name, kind, group) }
}

/// All of them, in the order in which they are asked for: the largest last.
pub(super) const RESOURCES: [Resource; 22] = [
    Resource {
        namespaced: false,
        shape: Shape::Namespace,
        ..resource("namespaces", "Namespace", "")
    },
    Resource {
        shape: Shape::Policy,
        ..resource("networkpolicies.networking.k8s.io", "NetworkPolicy", "networking.k8s.io")
    },
    cluster_policy(
        "adminnetworkpolicies.policy.networking.k8s.io",
        "AdminNetworkPolicy",
        "policy.networking.k8s.io",
    ),
    cluster_policy(
        "baselineadminnetworkpolicies.policy.networking.k8s.io",
        "BaselineAdminNetworkPolicy",
        "policy.networking.k8s.io",
    ),
    cluster_policy(
        "clusternetworkpolicies.policy.networking.k8s.io",
        "ClusterNetworkPolicy",
        "policy.networking.k8s.io",
    ),
    policy("ciliumnetworkpolicies.cilium.io", "CiliumNetworkPolicy", "cilium.io"),
    cluster_policy(
        "ciliumclusterwidenetworkpolicies.cilium.io",
        "CiliumClusterwideNetworkPolicy",
        "cilium.io",
    ),
    policy("networkpolicies.crd.projectcalico.org", "NetworkPolicy", "crd.projectcalico.org"),
    cluster_policy(
        "globalnetworkpolicies.crd.projectcalico.org",
        "GlobalNetworkPolicy",
        "crd.projectcalico.org",
    ),
    policy("networkpolicies.crd.antrea.io", "NetworkPolicy", "crd.antrea.io"),
    cluster_policy("clusternetworkpolicies.crd.antrea.io", "ClusterNetworkPolicy", "crd.antrea.io"),
    policy("egressfirewalls.k8s.ovn.org", "EgressFirewall", "k8s.ovn.org"),
    resource("deployments.apps", "Deployment", "apps"),
    resource("statefulsets.apps", "StatefulSet", "apps"),
    resource("daemonsets.apps", "DaemonSet", "apps"),
    resource("replicationcontrollers", "ReplicationController", ""),
    resource("cronjobs.batch", "CronJob", "batch"),
    Resource { everywhere: false, ..resource("rollouts.argoproj.io", "Rollout", "argoproj.io") },
    Resource {
        everywhere: false,
        ..resource("deploymentconfigs.apps.openshift.io", "DeploymentConfig", "apps.openshift.io")
    },
    resource("jobs.batch", "Job", "batch"),
    resource("replicasets.apps", "ReplicaSet", "apps"),
    Resource { shape: Shape::Pod, ..resource("pods", "Pod", "") },
];
