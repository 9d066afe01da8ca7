//! Facts about the cluster: what the engine makes of them is what the specification says of clusters that are like
//! that.

use crate::engine::compare_in;
use crate::reports::trees;
use crate::worlds::{Options, Pair, pair};
use ipnet::IpNet;
use netpol_review::config::{Config, HostNetworkPods, IpBlocksMatchPods, Protected};
use netpol_review::diff::diff;
use netpol_review::model::{Cluster, Policy, Ports};
use netpol_review::parse::parse_both;
use netpol_review::query::query;
use netpol_review::reach::World;
use netpol_review::report::{CauseKind, Hides, Report, Severity, Side};
use netpol_review::review;
use netpol_review::tree::Tree;
use proptest::prelude::*;
use std::sync::Arc;

const PODS: [&str; 2] = ["10.1.0.0/16", "fd00:1::/32"];
const NODES: [&str; 1] = ["10.2.0.0/16"];
const RANGES: [&str; 3] = [PODS[0], PODS[1], NODES[0]];

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().expect("a range")).collect()
}

/// The clusters as a plugin sees them that treats pods on the host network like pods and does not know `endPort`.
fn seen_without(cluster: &Cluster) -> Cluster {
    let mut cluster = cluster.clone();
    for workload in &mut cluster.workloads {
        Arc::make_mut(workload).host_network = false;
    }
    for policy in &mut cluster.policies {
        let Policy { ingress, egress, .. } = Arc::make_mut(policy);
        for rule in [ingress, egress].into_iter().flatten().flat_map(|s| &mut s.rules) {
            for entry in rule.ports.iter_mut().flatten() {
                if let Ports::Range(first, last) = &mut entry.ports {
                    *last = *first;
                }
            }
        }
    }
    cluster
}

/// Every witness of a report stands: what `diff` replays agrees, and undeclared pods have addresses that they can
/// have.
fn witnesses(pair: &Pair, config: &Config) {
    let world = World::of(&pair.before, &pair.after, config);
    let diff = diff(&world, config, &|_, _, _| {});
    assert!(diff.not_evaluated.is_empty(), "{:#?}\n{pair:#?}", diff.not_evaluated);
    for row in diff.opened.iter().chain(&diff.closed) {
        for end in [&row.witness.from, &row.witness.to] {
            let address = end.split_once(",ip:").filter(|_| end.starts_with("namespace:"));
            let Some((_, address)) = address else { continue };
            let address: std::net::IpAddr = address.parse().expect("an address");
            let possible = config.pod_ranges.iter().any(|range| range.contains(&address));
            assert!(possible, "{end} in {row:#?}");
        }
    }
}

proptest! {
    #![proptest_config(crate::worlds::config(64))]

    #[test]
    fn rows_are_exact_where_the_ranges_of_pods_are_known(pair in pair(), nodes in any::<bool>()) {
        let config = Config {
            pod_ranges: nets(&PODS),
            node_ranges: if nodes { nets(&NODES) } else { Vec::new() },
            ..Config::default()
        };
        let clusters = [&pair.before, &pair.after];
        for assumed_addresses in [false, true] {
            let options =
                Options { assumed_addresses, ranges: &RANGES, budget: 10_000, ..Options::default() };
            compare_in(clusters, clusters, &options, &config);
        }
        witnesses(&pair, &config);
        witnesses(&pair, &Config { ip_blocks_match_pods: IpBlocksMatchPods::Always, ..config });
    }

    #[test]
    fn rows_are_exact_where_host_network_pods_are_pods_and_end_port_is_not_known(pair in pair()) {
        let config = Config {
            host_network_pods: HostNetworkPods::Pods,
            end_port: false,
            ..Config::default()
        };
        let (before, after) = trees(&pair);
        let (before, after) = parse_both(&before, &after, &config);
        let specified = [seen_without(&pair.before), seen_without(&pair.after)];
        let options = Options { budget: 10_000, ..Options::default() };
        compare_in(
            [&before.cluster, &after.cluster],
            [&specified[0], &specified[1]],
            &options,
            &config,
        );
    }
}

fn tree(spec: &str) -> Tree {
    policy_and(spec, "")
}

fn policy_and(spec: &str, more: &str) -> Tree {
    let policy = format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: a}}\n\
         spec: {spec}\n{more}"
    );
    Tree::from_texts("t", [("p.yaml", policy.as_str())])
}

const DENY: &str = "{podSelector: {}, policyTypes: [Ingress]}";
const TEN: &str =
    "{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}";

fn opened(before: &str, after: &str, config: &Config) -> Report {
    review(&tree(before), &tree(after), config)
}

#[test]
fn a_block_that_no_pod_is_in_needs_no_assumption() {
    let assumed = |config: &Config| {
        let report = opened(DENY, TEN, config);
        report.environments[0].opened.iter().filter(|row| row.assumes.is_some()).count()
    };
    assert_eq!(assumed(&Config::default()), 1);
    let ranges = |text| Config { pod_ranges: nets(&[text]), ..Config::default() };
    assert_eq!(assumed(&ranges("192.168.0.0/16")), 0);
    assert_eq!(assumed(&ranges("10.244.0.0/16")), 1);
    let witness = opened(DENY, TEN, &ranges("10.244.0.0/16")).environments[0].opened.clone();
    let pod = witness.iter().find(|row| row.assumes.is_some()).expect("a row").witness.clone();
    assert!(pod.from.contains("ip:10.244.") && pod.to.contains("ip:10.244."), "{pod:?}");
    // All pods were in the block already: naming them opens nothing.
    let any_pod = "{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8}}]}]}";
    let always =
        Config { ip_blocks_match_pods: IpBlocksMatchPods::Always, ..ranges("10.244.0.0/16") };
    assert_eq!(opened(TEN, any_pod, &always).environments[0].opened.len(), 0);
    let anywhere = Config { ip_blocks_match_pods: IpBlocksMatchPods::Always, ..Config::default() };
    assert_eq!(opened(TEN, any_pod, &anywhere).environments[0].opened.len(), 1);
}

#[test]
fn a_rule_for_sctp_is_not_evaluated_where_the_plugin_does_not_know_it() {
    let rule = |port: &str| {
        format!(
            "{{podSelector: {{}}, policyTypes: [Ingress], ingress: [{{ports: [{{protocol: SCTP, port: {port}}}]}}]}}"
        )
    };
    let config = Config { sctp: false, ..Config::default() };
    // What the change brings could hide a widening.
    for (before, after) in [(DENY.to_string(), rule("1")), (rule("1"), rule("2"))] {
        let report = opened(&before, &after, &config);
        assert_eq!(report.environments[0].opened.len(), 0, "never read as anything else");
        let entries = &report.not_evaluated;
        let entry = entries.iter().find(|e| e.side == Side::After).expect("an entry");
        assert_eq!(entry.hides, Hides::Widening, "{entry:?}");
        assert!(entry.reason.contains("SCTP") && entry.line == Some(4), "{entry:?}");
    }
    // What it does not touch hides a flow at most; with support it is read.
    let report = opened(&rule("1"), &rule("1"), &config);
    assert!(report.not_evaluated.iter().all(|entry| entry.hides == Hides::Flow));
    let report = opened(DENY, &rule("1"), &Config::default());
    assert!(report.exact && report.environments[0].opened.len() == 1);
    // Other ports of the rule count.
    let both = "{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{protocol: SCTP, port: 1}, {port: 80}]}]}";
    let report = opened(DENY, both, &config);
    let ports = serde_json::to_value(&report.environments[0].opened[0].ports).expect("JSON");
    assert_eq!(ports, serde_json::json!([{"protocol": "TCP", "first": 80, "last": 80}]));
}

#[test]
fn end_port_and_host_network_as_the_plugin_has_them() {
    let range =
        "{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 80, endPort: 90}]}]}";
    let one = "{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 80}]}]}";
    let config = Config { end_port: false, ..Config::default() };
    assert_eq!(opened(one, range, &Config::default()).environments[0].opened.len(), 1);
    assert_eq!(opened(one, range, &config).environments[0].opened.len(), 0);
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: w, namespace: a}\n\
               spec: {hostNetwork: true, containers: [{name: c, image: i}]}\n";
    let tree = policy_and(DENY, pod);
    let config = Config { host_network_pods: HostNetworkPods::Pods, ..Config::default() };
    for (config, allowed) in [(Config::default(), true), (config, false)] {
        for to in ["a/w", "namespace:a,hostNetwork"] {
            let answer = query(&tree, &config, "192.0.2.1", to, "TCP/80").expect("an answer");
            assert_eq!(answer.allowed, allowed, "{to}");
        }
    }
}

/// The severities of what opens.
fn severities(before: &str, after: &str, config: &Config) -> Vec<Severity> {
    opened(before, after, config).environments[0].opened.iter().map(|row| row.severity).collect()
}

#[test]
fn what_is_protected_is_one_level_up() {
    let from_b = "{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: b}}}]}]}";
    let protecting = |namespaces: &[&str], ranges: &[&str]| Config {
        protected: Protected {
            namespaces: namespaces.iter().map(|name| name.to_string()).collect(),
            ranges: nets(ranges),
        },
        ..Config::default()
    };
    use Severity::{Critical, High, Low, Medium};
    assert_eq!(severities(DENY, from_b, &Config::default()), [Medium]);
    assert_eq!(severities(DENY, from_b, &protecting(&["a"], &[])), [High]);
    assert_eq!(severities(DENY, from_b, &protecting(&["b", "c"], &["10.0.0.0/8"])), [Medium]);
    // Never past critical.
    let open = "{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}";
    assert_eq!(severities(DENY, open, &protecting(&["a"], &[])), [Critical]);
    let closed = "{podSelector: {}, policyTypes: [Egress]}";
    let to = |cidr: &str| {
        format!(
            "{{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{{ipBlock: {{cidr: {cidr}}}}}]}}]}}"
        )
    };
    let never =
        |config: Config| Config { ip_blocks_match_pods: IpBlocksMatchPods::Never, ..config };
    let database = || never(protecting(&[], &["10.9.0.0/16"]));
    assert_eq!(severities(closed, &to("10.9.1.0/24"), &never(Config::default())), [Low]);
    assert_eq!(severities(closed, &to("10.9.1.0/24"), &database()), [Medium]);
    assert_eq!(severities(closed, &to("10.0.0.0/8"), &database()), [Medium]);
    assert_eq!(severities(closed, &to("10.8.0.0/16"), &database()), [Low]);
    // A namespace that no manifest names is among the others.
    let anywhere =
        "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}";
    let base = severities(closed, anywhere, &Config::default());
    assert_ne!(severities(closed, anywhere, &protecting(&["vault"], &[])), base);
}

#[test]
fn a_kind_of_cause_has_a_least_level() {
    let least = |kind, level| Config {
        least_severity: [(kind, level)].into_iter().collect(),
        ..Config::default()
    };
    let own = "{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}";
    use Severity::{Critical, Info, Low};
    assert_eq!(severities(DENY, own, &Config::default()), [Low]);
    assert_eq!(severities(DENY, own, &least(CauseKind::RuleAdded, Critical)), [Critical]);
    assert_eq!(severities(DENY, own, &least(CauseKind::RuleAdded, Info)), [Low], "never lower");
    assert_eq!(severities(DENY, own, &least(CauseKind::IsolationLost, Critical)), [Low]);
}

#[test]
fn what_the_cluster_uses_itself_is_not_public() {
    let config = |ranges: &[&str]| Config { service_ranges: nets(ranges), ..Config::default() };
    let from = "{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 11.0.0.0/8}}]}]}";
    let level = |config: &Config| severities(DENY, from, config)[0];
    assert_eq!(level(&Config::default()), Severity::Critical);
    assert!(level(&config(&["11.0.0.0/8"])) < Severity::High);
    assert_eq!(level(&config(&["11.0.0.0/9"])), Severity::Critical);
}
