//! Workloads of every kind, and pods of owners.

use super::{namespace, problem, read_text};
use netpol_review::model::{Cluster, Protocol};

fn ids(cluster: &Cluster) -> Vec<String> {
    cluster.workloads.iter().map(|workload| workload.id.to_string()).collect()
}

#[test]
fn every_kind_of_workload_is_read() {
    let pods = "metadata: {labels: {a: b}}, spec: {hostNetwork: true, containers: [{name: c, ports: \
                [{name: http, containerPort: 80}, {containerPort: 53, protocol: UDP}]}], \
                initContainers: [{name: i, ports: [{containerPort: 1}]}]}";
    let template = format!("template: {{{pods}}}");
    let controllers = [
        ("apps/v1", "Deployment"),
        ("extensions/v1beta1", "Deployment"),
        ("apps/v1beta2", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("v1", "ReplicationController"),
        ("batch/v1", "Job"),
        ("argoproj.io/v1alpha1", "Rollout"),
        ("apps.openshift.io/v1", "DeploymentConfig"),
        ("v1", "DeploymentConfig"),
    ];
    let object = |version: &str, kind: &str, spec: &str| {
        format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{{spec}}}\n")
    };
    let mut texts: Vec<_> = controllers
        .iter()
        .map(|(version, kind)| (object(version, kind, &template), *kind))
        .collect();
    let job = format!("jobTemplate: {{spec: {{{template}}}}}");
    texts.push((object("batch/v1", "CronJob", &job), "CronJob"));
    texts.push((
        format!(
            "apiVersion: v1\nkind: Pod\n{}\n",
            pods.replacen("{labels", "{name: x, labels", 1).replacen(", spec:", "\nspec:", 1)
        ),
        "Pod",
    ));
    for (text, kind) in texts {
        let parsed = read_text(&text);
        assert_eq!(parsed.problems, [], "{text}");
        assert_eq!(ids(&parsed.cluster), [format!("default/x[{kind}]")], "{text}");
        let workload = &parsed.cluster.workloads[0];
        assert_eq!(workload.labels.get("a").map(|value| &**value), Some("b"));
        assert!(workload.host_network);
        assert_eq!(workload.single, kind == "Pod");
        let ports: Vec<_> = workload
            .ports
            .iter()
            .map(|port| (port.name.as_deref(), port.protocol, port.number))
            .collect();
        assert_eq!(ports, [(None, Protocol::Udp, 53), (Some("http"), Protocol::Tcp, 80)]);
        assert_eq!(workload.labels_origin.start_line, 4 - u32::from(kind == "Pod"));
    }
}

#[test]
fn labels_that_controllers_add_are_derived_where_only_one_is_possible() {
    let labels = |kind: &str, version: &str, spec: &str| {
        let text = format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{{spec}template: {{}}}}\n"
        );
        let cluster = read_text(&text).cluster;
        let labels = &cluster.workloads[0].labels;
        labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(labels("Job", "batch/v1", ""), "batch.kubernetes.io/job-name=x job-name=x");
    let one = "apps.kubernetes.io/pod-index=0 statefulset.kubernetes.io/pod-name=x-0";
    assert_eq!(labels("StatefulSet", "apps/v1", ""), one);
    assert_eq!(labels("StatefulSet", "apps/v1", "replicas: 1, "), one);
    assert_eq!(labels("StatefulSet", "apps/v1", "replicas: 3, "), "");
    assert_eq!(labels("Deployment", "apps/v1", ""), "");
}

fn pod(name: &str, label: &str, ip: &str, owner: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels: {{a: {label}}}\n  \
         ownerReferences: [{owner}]\nstatus: {{podIP: {ip}}}\n---\n"
    )
}

const SET: &str = "{kind: ReplicaSet, name: web-1, controller: true}";

#[test]
fn pods_are_named_after_their_topmost_owner() {
    let set = "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: web-1, ownerReferences: \
               [{kind: Deployment, name: web, controller: true}]}\nspec: {template: {}}\n---\n";
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: \
                      {template: {metadata: {labels: {a: template}}}}\n---\n";
    let pods = pod("web-1-x", "b", "''", SET) + &pod("web-1-y", "b", "''", SET);

    let cluster = read_text(&pods).cluster;
    assert_eq!(ids(&cluster), ["default/web-1[ReplicaSet]"]);
    assert!(!cluster.workloads[0].single);

    let cluster = read_text(&(pods.clone() + set)).cluster;
    assert_eq!(ids(&cluster), ["default/web[Deployment]"]);

    // Pods say more than templates do.
    let cluster = read_text(&(pods + set + deployment)).cluster;
    assert_eq!(ids(&cluster), ["default/web[Deployment]"]);
    assert_eq!(cluster.workloads[0].labels.get("a").map(|value| &**value), Some("b"));

    let cluster = read_text(&format!("{set}{deployment}")).cluster;
    assert_eq!(ids(&cluster), ["default/web[Deployment]"]);
    assert_eq!(cluster.workloads[0].labels.get("a").map(|value| &**value), Some("template"));
}

#[test]
fn pods_of_one_owner_that_differ_stay_apart() {
    let text = pod("pod-y", "b", "10.0.0.2", SET) + &pod("pod-x", "b", "10.0.0.1", SET);
    let cluster = read_text(&text).cluster;
    assert_eq!(ids(&cluster), ["default/web-1#1[ReplicaSet]", "default/web-1#2[ReplicaSet]"]);
    let addresses: Vec<_> =
        cluster.workloads.iter().map(|w| w.addresses.first().unwrap()).collect();
    assert_eq!(
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.0.0.1", "10.0.0.2"]
    );
    assert!(cluster.workloads.iter().all(|workload| workload.single));
}

#[test]
fn rings_of_owners_end() {
    let ring = "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: web-1, ownerReferences: \
                [{kind: ReplicaSet, name: web-1}]}\nspec: {template: {}}\n";
    assert_eq!(read_text(ring).cluster.workloads.len(), 1);
}

#[test]
fn workloads_that_no_server_takes_are_left_out_and_said() {
    for (spec, field) in [
        ("{}", "spec.template"),
        ("{template: {metadata: {labels: {a: 1}}}}", "spec.template.metadata.labels.a"),
        ("{template: {metadata: {labels: {a: -x}}}}", "spec.template.metadata.labels.a"),
        (
            "{template: {spec: {containers: [{ports: [{containerPort: 0}]}]}}}",
            "spec.template.spec.containers[0].ports[0].containerPort",
        ),
        ("{template: {spec: {containers: {}}}}", "spec.template.spec.containers"),
    ] {
        let text =
            format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: x}}\nspec: {spec}\n");
        let parsed = read_text(&text);
        assert_eq!(parsed.cluster.workloads.len(), 0, "{spec}");
        assert!(problem(&parsed).reason.contains(&format!(" {field}: ")), "{:?}", parsed.problems);
        assert_eq!(problem(&parsed).affects, namespace("default"));
    }
}
