//! What workloads run and need.

use super::{cluster, deployment, needs, parsed, with_services};
use crate::config::Config;
use crate::model::{DnsPolicy, Protocol, Workload};
use crate::parse::parse_both;
use crate::tree::Tree;

#[test]
fn workloads_need_the_services_that_they_name() {
    let text = deployment(
        "env:
- {name: API, value: \"http://api/v1\"}
- name: DB
  value: postgres://u:p@db.pay.svc.cluster.local:5432/x
- {name: ELSEWHERE, value: \"db:5432\"}
- {name: NUMBER, value: 80}
- {name: NOTHING}
- null
command: [sh, -c, \"wait api.shop:9\"]
args: [--db=db.pay:1]",
    );
    let found = needs(&with_services(&text));
    assert_eq!(
        found,
        [
            "shop/web[Deployment] -> pay/db 1 at a.yaml:18",
            "shop/web[Deployment] -> pay/db 5432 at a.yaml:12",
            "shop/web[Deployment] -> shop/api 9 at a.yaml:17",
            "shop/web[Deployment] -> shop/api 80 at a.yaml:10",
        ]
    );
    assert_eq!(needs(&text), [] as [&str; 0]);
}

#[test]
fn a_host_and_a_port_are_one_need() {
    let pair = |host: (&str, &str), port: (&str, &str)| {
        let text = deployment(&format!(
            "env:\n- {{name: {}, value: \"{}\"}}\n- {{name: {}, value: \"{}\"}}",
            port.0, port.1, host.0, host.1
        ));
        let found = needs(&with_services(&text));
        found
            .iter()
            .filter_map(|need| Some(need.split_once("-> ")?.1.to_string()))
            .collect::<Vec<_>>()
    };
    assert_eq!(pair(("DB_HOST", "db.pay.svc"), ("DB_PORT", "5432")), ["pay/db 5432 at a.yaml:11"]);
    assert_eq!(
        pair(("API_HOST", "http://api"), ("API_PORT", "8080")),
        ["shop/api 8080 at a.yaml:11"]
    );
    assert_eq!(pair(("API_HOST", "api:1"), ("API_PORT", "2")), ["shop/api 1 at a.yaml:11"]);
    for (host, port) in [
        (("DB_HOST", "db.pay"), ("API_PORT", "5432")),
        (("DB_HOST", "db.pay"), ("DB_PORT", "x")),
        (("DB_HOST", "db.pay"), ("DB_PORT", "0")),
        (("DB_HOST", "db"), ("DB_PORT", "5432")),
        (("DB_HOST", "-"), ("DB_PORT", "5432")),
        (("DB", "db.pay"), ("DB_PORT", "5432")),
    ] {
        assert_eq!(pair(host, port), [] as [&str; 0], "{host:?} {port:?}");
    }
}

#[test]
fn config_maps_count_where_a_workload_takes_them() {
    let config = "---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: shop}
data:
  API_URL: http://api:8080/
  db-host: db.pay
  dbport: \"5432\"
  file: |
    upstream api:7;
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: other}
data: {X: \"api.shop:1\"}
";
    let found =
        |container: &str| needs(&with_services(&format!("{}{config}", deployment(container))));
    assert_eq!(
        found("envFrom: [{configMapRef: {name: c}, prefix: P_}, {secretRef: {name: c}}, null]"),
        [
            "shop/web[Deployment] -> shop/api 7 at a.yaml:18",
            "shop/web[Deployment] -> shop/api 8080 at a.yaml:15"
        ]
    );
    let keys = "env:
- {name: D_HOST, valueFrom: {configMapKeyRef: {name: c, key: db-host}}}
- {name: D_PORT, valueFrom: {configMapKeyRef: {name: c, key: dbport}}}
- {name: E_PORT, valueFrom: {fieldRef: {fieldPath: x}}}";
    assert_eq!(found(keys), ["shop/web[Deployment] -> pay/db 5432 at a.yaml:19"]);
    for container in
        ["envFrom: [{configMapRef: {name: gone}}]", "image: c", "envFrom: [{configMapRef: null}]"]
    {
        assert_eq!(found(container), [] as [&str; 0], "{container}");
    }
}

#[test]
fn what_containers_run_is_read_and_no_policy_sees_it() {
    let read = |text: &str| cluster(text).workloads.first().cloned().expect("a workload");
    let plain = read(&deployment("image: a"));
    let text = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata:
      annotations: {sidecar.istio.io/inject: \"true\"}
    spec:
      serviceAccountName: robot
      dnsPolicy: None
      initContainers: [{image: init, ports: [{hostPort: 1}]}]
      containers:
      - {image: postgres:16, ports: [{containerPort: 1, hostPort: 80}, {containerPort: 2, hostPort: 53, protocol: UDP}]}
      - {image: proxy}
";
    let full = read(text);
    let images: Vec<_> = full.images.iter().map(AsRef::as_ref).collect();
    assert_eq!(images, ["postgres:16", "proxy"]);
    let ports: Vec<_> = full.host_ports.iter().copied().collect();
    assert_eq!(ports, [(Protocol::Tcp, 80), (Protocol::Udp, 53)]);
    assert_eq!(
        (full.service_account.as_deref(), full.injected, full.dns_policy),
        (Some("robot"), true, DnsPolicy::Other)
    );
    assert_eq!(
        (plain.service_account.as_deref(), plain.injected, plain.dns_policy),
        (None, false, DnsPolicy::ClusterFirst)
    );
    let same = Workload { ports: plain.ports.clone(), ..(*full).clone() };
    assert!(plain.same_to_policies(&same));
    // What the API server refuses elsewhere in a container takes no workload away.
    let odd = read(&deployment("image: 5\nenv: {a: b}\nargs: x\nenvFrom: [1]\ncommand: {}"));
    assert!(odd.images.is_empty());
}

#[test]
fn sidecars_are_announced_in_several_ways() {
    let read = |metadata: &str| {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a, {metadata}}}\nspec: {{containers: []}}\n"
        );
        cluster(&text).workloads.first().map(|workload| workload.injected)
    };
    for metadata in [
        "labels: {sidecar.istio.io/inject: 'true'}",
        "labels: {istio.io/rev: stable}",
        "annotations: {linkerd.io/inject: enabled}",
    ] {
        assert_eq!(read(metadata), Some(true), "{metadata}");
    }
    for metadata in [
        "annotations: null",
        "annotations: {sidecar.istio.io/inject: 'false'}",
        "annotations: {linkerd.io/inject: disabled}",
        "annotations: []",
    ] {
        assert_eq!(read(metadata), Some(false), "{metadata}");
    }
}

#[test]
fn a_change_of_evidence_alone_is_no_change() {
    let side =
        |image: &str| Tree::from_texts("t", [("a.yaml", &*deployment(&format!("image: {image}")))]);
    let (before, after) = parse_both(&side("a"), &side("b"), &Config::default());
    let ([one], [other]) = (&*before.cluster.workloads, &*after.cluster.workloads) else {
        panic!("not one workload on each side")
    };
    assert!(one.images != other.images && one.same_to_policies(other));
    // Two copies that differ in nothing else are no matter either.
    let [one, other] = ["a", "b"].map(|image| deployment(&format!("image: {image}")));
    assert_eq!(parsed(&[("a.yaml", &one), ("b.yaml", &other)]).problems, []);
}
