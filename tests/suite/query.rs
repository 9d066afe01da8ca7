//! One question to one snapshot: answers, spellings of ends, and what is said of bad questions.

use crate::worlds::{Names, Options, Universe, pair};
use netpol_review::config::Config;
use netpol_review::eval::{End, Pod};
use netpol_review::model::Protocol;
use netpol_review::parse::parse_both;
use netpol_review::query::{query, read_peer, read_port, write_peer};
use netpol_review::report::Answer;
use netpol_review::tree::Tree;
use proptest::prelude::*;

const MANIFESTS: &str = r#"
kind: Namespace
apiVersion: v1
metadata: {name: shop, labels: {team: red}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: i}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: db, namespace: shop}
spec:
  template:
    metadata: {labels: {app: db-job}}
    spec: {containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: shop, labels: {app: db}}
spec: {containers: [{name: c, image: i}]}
status: {podIP: 10.0.0.7}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{namespaceSelector: {matchLabels: {team: blue}}}]
  - from: [{podSelector: {matchLabels: {app: web}}}, {ipBlock: {cidr: 10.0.0.0/8}}]
    ports: [{port: 5432}]
"#;

fn ask(from: &str, to: &str, port: &str) -> Result<Answer, String> {
    let tree = Tree::from_texts("shop", [("all.yaml", MANIFESTS)]);
    query(&tree, &Config::default(), from, to, port).map_err(|error| error.to_string())
}

#[test]
fn answers_name_the_rule_or_the_policies_that_isolate() {
    let answer = ask("shop/web", "shop/db[StatefulSet]", "tcp/5432").expect("a good question");
    assert!(answer.allowed && answer.exact && answer.not_evaluated.is_empty());
    assert!(!answer.egress.isolated && answer.egress.allowed && answer.egress.by.is_empty());
    assert!(answer.ingress.isolated && answer.ingress.isolated_by.is_empty());
    let by = serde_json::to_value(&answer.ingress.by).expect("JSON");
    assert_eq!(by[0]["policy"], "shop/db");
    assert_eq!(by[0]["rule"], 1);
    let line = by[0]["location"]["startLine"].as_u64().expect("a line");
    let text = MANIFESTS.lines().nth(line as usize - 1).expect("such a line");
    assert!(text.contains("app: web"), "{text}");

    let answer = ask("shop/web", "shop/db[StatefulSet]", "80").expect("a good question");
    assert!(!answer.allowed && !answer.ingress.allowed && answer.ingress.by.is_empty());
    assert_eq!(answer.ingress.isolated_by[0].policy, "shop/db");
}

#[test]
fn every_sort_of_end_can_be_asked_for() {
    for (from, to, port, allowed) in [
        ("namespace:ops,nslabel:team=blue", "shop/db[StatefulSet]", "UDP/1", true),
        ("namespace:ops,nslabel:team=red,x=y", "shop/db[StatefulSet]", "5432", false),
        ("namespace:ops,pod:app=web", "shop/db[StatefulSet]", "5432", false),
        ("namespace:shop,pod:app=web,tier=", "shop/db[StatefulSet]", "5432", true),
        ("namespace:shop,pod:app=web,hostNetwork", "shop/db[StatefulSet]", "5432", false),
        ("namespace:shop,hostNetwork,ip:10.1.1.1", "shop/db[StatefulSet]", "5432", true),
        ("10.255.255.255", "namespace:shop,pod:app=db", "5432", true),
        ("11.0.0.0", "namespace:shop,pod:app=db", "5432", false),
        ("::1", "namespace:shop,pod:app=db", "5432", false),
        ("namespace:shop,pod:app=db", "::1", "SCTP/65535", true),
        // The Job is not the web Deployment, but its address may lie in the range.
        ("shop/db[Job]", "shop/db[StatefulSet]", "5432", false),
        ("shop/db[Job],ip:10.9.9.9", "shop/db[StatefulSet]", "5432", true),
        ("shop/lone,ip:10.0.0.7", "shop/db[StatefulSet]", "5432", true),
        // A bare pod can't be cut off from itself (B3); another replica of a workload can.
        ("shop/lone", "shop/lone[Pod]", "80", true),
        ("shop/db[StatefulSet]", "shop/db[StatefulSet]", "80", false),
    ] {
        let answer = ask(from, to, port).expect("a good question");
        assert_eq!(answer.allowed, allowed, "{from} -> {to} {port}: {answer:#?}");
    }
}

#[test]
fn what_was_not_read_makes_an_answer_inexact_where_it_matters() {
    let bad = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\n\
               spec: {podSelector: {}, policyTypes: [ingress]}\n";
    let tree = Tree::from_texts("shop", [("all.yaml", MANIFESTS), ("bad.yaml", bad)]);
    let ask = |from| query(&tree, &Config::default(), from, "10.0.0.1", "443").expect("good");
    let answer = ask("shop/web");
    assert!(!answer.exact);
    assert_eq!(answer.not_evaluated[0].file, "bad.yaml");
    let json = serde_json::to_value(&answer.not_evaluated).expect("JSON");
    assert_eq!((&json[0]["hides"], &json[0]["side"]), (&"flow".into(), &"both".into()));
    assert!(ask("namespace:elsewhere").exact);
}

#[test]
fn bad_questions_say_what_to_write() {
    let db = "shop/db[StatefulSet]";
    let questions = [
        ("shop/wbe", db, "80"),
        ("web", db, "80"),
        ("?", db, "80"),
        ("elsewhere/thing", db, "80"),
        ("shop/web", "shop/db", "80"),
        ("namespace:", db, "80"),
        ("namespace:shop,app=web", db, "80"),
        ("namespace:shop,label:app=web", db, "80"),
        ("namespace:shop,pod:app", db, "80"),
        ("namespace:shop,pod:app=a,app=b", db, "80"),
        ("namespace:shop,pod:a b=c", db, "80"),
        ("namespace:shop,nslabel:team=blue", db, "80"),
        ("namespace:shop,nslabel:env=prod", db, "80"),
        ("namespace:ops,nslabel:kubernetes.io/metadata.name=other", db, "80"),
        ("namespace:ops,ip:10.0.0.0/8", db, "80"),
        ("10.0.0.0/8", db, "80"),
        ("shop/lone,ip:10.0.0.8", db, "80"),
        ("shop/web,pod:app=web", db, "80"),
        ("shop/web,ip:", db, "80"),
        ("namespace:ops,port:http", db, "80"),
        ("namespace:ops,port:http=TCP/0", db, "80"),
        ("shop/web", db, "http"),
        ("shop/web", db, "ICMP/1"),
        ("shop/web", db, "TCP/65536"),
    ];
    let text = |(from, to, port): (&str, &str, &str)| {
        let error = ask(from, to, port).expect_err("a bad question");
        format!("--from {from} --to {to} --port {port}\n    {error}\n")
    };
    insta::assert_snapshot!(questions.map(text).concat());
}

#[test]
fn ports_are_read_in_any_case() {
    assert_eq!(read_port("udp/53"), Ok((Protocol::Udp, 53)));
    assert_eq!(read_port("Sctp/65535"), Ok((Protocol::Sctp, 65535)));
    assert_eq!(read_port("1"), Ok((Protocol::Tcp, 1)));
}

#[test]
fn a_numbered_workload_is_found_by_its_number() {
    use crate::worlds::layout;
    use netpol_review::model::{Cluster, Workload, WorkloadId};
    let workload = |name: &str| {
        let id = WorkloadId { namespace: "a".into(), name: name.into(), kind: "Job".into() };
        layout::workload(Workload {
            id,
            labels: Default::default(),
            ports: Default::default(),
            host_network: false,
            node_address: false,
            addresses: Default::default(),
            single: false,
            origin: layout::origin("", 1, 1),
            labels_origin: layout::origin("", 1, 1),
            images: Default::default(),
            host_ports: Default::default(),
            service_account: None,
            injected: false,
            dns_policy: Default::default(),
        })
    };
    let cluster: Cluster = layout::cluster([], [workload("w#1"), workload("w#2")], []);
    let found = read_peer(&cluster, "a/w#2").expect("found").workload.expect("a workload");
    assert_eq!(found.id.to_string(), "a/w#2[Job]");
    let error = read_peer(&cluster, "a/w").expect_err("two of them").to_string();
    assert_eq!(error, "`a/w` can be any of a/w#1[Job], a/w#2[Job]; write one of these in full");
}

proptest! {
    #![proptest_config(crate::worlds::config(32))]

    /// Every end is read back as it was written, on either side of a change.
    #[test]
    fn ends_are_read_back_as_written(pair in pair()) {
        let options = Options { names: Names::Clashing, assumed_addresses: true, budget: 1, ..Options::default() };
        let universe = Universe::of(&pair.before, &pair.after, &options);
        for (cluster, side) in [(&pair.before, 0), (&pair.after, 1)] {
            for point in universe.points().iter().step_by(7) {
                let Some(end) = point.on(cluster) else { continue };
                let text = write_peer(cluster, &end);
                let read = read_peer(cluster, &text);
                prop_assert!(read.is_ok(), "{}: {}", text, read.unwrap_err());
                prop_assert_eq!(read.expect("checked").end, end, "{} on side {}", text, side);
            }
            for workload in &cluster.workloads {
                let read = read_peer(cluster, &workload.id.to_string());
                let end = End::Pod(Pod::of_workload(cluster, workload));
                prop_assert_eq!(read.expect("it is declared").end, end);
            }
        }
    }
}

/// The reader is total: any text is a peer or an error.
#[test]
fn any_text_is_a_peer_or_an_error() {
    let tree = Tree::from_texts("shop", [("all.yaml", MANIFESTS)]);
    let (parsed, _) = parse_both(&tree, &tree, &Config::default());
    proptest!(|(text in "(namespace:)?[a-z:,=/#.\\[\\]é]{0,30}")| {
        let _ = (read_peer(&parsed.cluster, &text), read_port(&text));
    });
}
