//! What is only written differently introduces nothing, whatever rule found something in it.

use crate::worlds::text;
use crate::worlds::world;
use netpol_review::config::Config;
use netpol_review::report::Persona;
use netpol_review::rules::catalogue::RULES;
use netpol_review::tree::Tree;
use netpol_review::{review, settings};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Ways of writing the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `matchLabels` as `matchExpressions`.
    Expressions,
    /// Objects, rules, peers, ports and exceptions in the other order.
    Order,
    /// What the API server would write where nothing is.
    Defaults,
    /// The numbers of ports in the place of their names, where declared pods give a name to one only.
    Numbers,
    /// One rule for each port.
    Split,
    /// Policies by another name.
    Names,
}

impl Way {
    const ALL: [Way; 6] =
        [Way::Expressions, Way::Order, Way::Defaults, Way::Numbers, Way::Split, Way::Names];

    /// Rules for which this way of writing is another thing: a rule for DNS and more may become one for DNS
    /// alone, one port of a rule may lie within another, and a name is what some rules are about.
    fn means_more_to(self, rule: &str) -> bool {
        match self {
            Way::Split => matches!(
                rule,
                "mixed-concern-policy"
                    | "dns-egress-unscoped"
                    | "dns-egress-blocked"
                    | "redundant-rule"
            ),
            Way::Names => matches!(rule, "vague-name" | "name-contradicts-effect"),
            Way::Expressions | Way::Order | Way::Defaults | Way::Numbers => false,
        }
    }
}

fn documents(text: &str) -> Vec<Value> {
    let documents = text.split("---\n").filter(|text| !text.trim().is_empty());
    documents.map(|text| serde_saphyr::from_str(text).expect("a manifest")).collect()
}

fn is_policy(object: &Value) -> bool {
    object["kind"] == "NetworkPolicy"
}

fn respell(objects: &[Value], way: Way) -> Vec<Value> {
    let mut objects = objects.to_vec();
    let numbers = numbers(&objects);
    for policy in objects.iter_mut().filter(|object| is_policy(object)) {
        match way {
            Way::Expressions => expressions(policy),
            Way::Order => reverse(policy),
            Way::Defaults => ports(policy, &mut |port| {
                port.entry("protocol").or_insert(json!("TCP"));
            }),
            Way::Numbers => ports(policy, &mut |port| {
                let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
                let name = port.get("port").and_then(Value::as_str).unwrap_or_default();
                let key = (protocol.to_string(), name.to_string());
                if let Some(only) = numbers.get(&key).filter(|found| found.len() == 1) {
                    port.insert("port".into(), json!(only.first()));
                }
            }),
            Way::Split => split(policy),
            Way::Names => {
                let name = format!("{}-again", policy["metadata"]["name"].as_str().unwrap_or("x"));
                policy["metadata"]["name"] = json!(name);
            }
        }
    }
    if way == Way::Order {
        objects.reverse();
    }
    objects
}

/// The numbers that containers give to a name of a port.
fn numbers(objects: &[Value]) -> BTreeMap<(String, String), BTreeSet<u64>> {
    fn walk(value: &Value, found: &mut BTreeMap<(String, String), BTreeSet<u64>>) {
        match value {
            Value::Object(map) => {
                if let (Some(number), Some(name)) = (
                    map.get("containerPort").and_then(Value::as_u64),
                    map.get("name").and_then(Value::as_str),
                ) {
                    let protocol = map.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
                    found.entry((protocol.into(), name.into())).or_default().insert(number);
                }
                map.values().for_each(|value| walk(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    objects.iter().for_each(|object| walk(object, &mut found));
    found
}

fn expressions(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Object(labels)) = map.remove("matchLabels") {
                let list = map.entry("matchExpressions").or_insert(json!([]));
                let Value::Array(list) = list else { panic!("a list") };
                for (key, value) in labels {
                    list.push(json!({"key": key, "operator": "In", "values": [value]}));
                }
            }
            map.values_mut().for_each(expressions);
        }
        Value::Array(list) => list.iter_mut().for_each(expressions),
        _ => {}
    }
}

fn reverse(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(reverse),
        Value::Array(list) => {
            list.reverse();
            list.iter_mut().for_each(reverse);
        }
        _ => {}
    }
}

fn rules(policy: &mut Value, change: &mut dyn FnMut(&mut Vec<Value>)) {
    for direction in ["ingress", "egress"] {
        if let Some(Value::Array(rules)) = policy["spec"].get_mut(direction) {
            change(rules);
        }
    }
}

fn ports(policy: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    rules(policy, &mut |rules| {
        for rule in rules {
            if let Some(Value::Array(ports)) = rule.get_mut("ports") {
                ports.iter_mut().filter_map(Value::as_object_mut).for_each(&mut *change);
            }
        }
    });
}

fn split(policy: &mut Value) {
    rules(policy, &mut |rules| {
        let all = std::mem::take(rules);
        for rule in all {
            let ports = rule.get("ports").and_then(Value::as_array).cloned().unwrap_or_default();
            if ports.len() < 2 {
                rules.push(rule);
                continue;
            }
            for port in ports {
                let mut one = rule.clone();
                one["ports"] = json!([port]);
                rules.push(one);
            }
        }
    });
}

/// In JSON: every string in quotes, every key in another place.
fn tree(objects: &[Value]) -> Tree {
    let text: Vec<String> = objects.iter().map(Value::to_string).collect();
    Tree::from_texts("t", [("m.yaml", text.join("\n---\n").as_str())])
}

fn auditor(configuration: &str) -> Config {
    let text = format!("version: 1\n{configuration}");
    let mut config = settings::parse(&text).expect("a configuration").config;
    config.rules.persona = Persona::Auditor;
    config
}

/// What the change introduces beside what that way of writing means.
fn introduced(before: &Tree, after: &Tree, config: &Config, way: Way) -> Vec<String> {
    let report = review(before, after, config);
    let findings = report.environments.into_iter().flat_map(|one| one.findings);
    let new = findings.filter(|finding| finding.introduced && !way.means_more_to(finding.rule));
    new.map(|finding| format!("{way:?} {}: {}", finding.rule, finding.message)).collect()
}

#[test]
fn examples_respelt_introduce_nothing() {
    let mut failed = Vec::new();
    // One that cannot be read has no other way of writing.
    for rule in RULES.iter().filter(|rule| rule.id != "invalid-policy") {
        for example in [&rule.bad, &rule.good] {
            let config = auditor(example.configuration);
            let written = Tree::from_texts("t", [("m.yaml", example.after)]);
            let objects = documents(example.after);
            for way in Way::ALL {
                let after = tree(&respell(&objects, way));
                let new = introduced(&written, &after, &config, way);
                failed.extend(new.into_iter().map(|new| format!("{}, {new}", rule.id)));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

proptest! {
    #![proptest_config(crate::worlds::config(60))]

    #[test]
    fn worlds_respelt_introduce_nothing(cluster in world()) {
        let objects: Vec<Value> = text::objects(&cluster).into_iter().map(|(_, one)| one).collect();
        let config = auditor("");
        let before = tree(&objects);
        // The name that pods of one policy give a port may be that of no pod of another.
        for way in Way::ALL.into_iter().filter(|way| *way != Way::Numbers) {
            let new = introduced(&before, &tree(&respell(&objects, way)), &config, way);
            prop_assert!(new.is_empty(), "{}", new.join("\n"));
        }
    }
}

/// The other side: what is new is told, beside what looks like it.
mod new {
    use super::*;

    const PODS: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, ports: [{containerPort: 8080, name: http}]}]}}}
---
";

    fn policy(name: &str, pods: &str, rules: &str) -> String {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: shop}}\nspec: \
             {{podSelector: {pods}, policyTypes: [Ingress], ingress: {rules}}}\n---\n"
        )
    }

    fn peerless(before: &str, after: &str) -> usize {
        let side = |text: &str| {
            let text = format!("{PODS}{text}");
            Tree::from_texts("t", [("m.yaml", text.as_str())])
        };
        let report = review(&side(before), &side(after), &auditor(""));
        let findings = report.environments.into_iter().flat_map(|one| one.findings);
        findings.filter(|one| one.introduced && one.rule == "rule-without-peers").count()
    }

    const WEB: &str = "{matchLabels: {app: web}}";

    fn web(rules: &str) -> String {
        policy("web-allow-ingress", WEB, rules)
    }

    #[test]
    fn a_name_and_its_number_are_the_same() {
        let (name, number) = (web("[{ports: [{port: http}]}]"), web("[{ports: [{port: 8080}]}]"));
        assert_eq!(peerless(&name, &number), 0);
        assert_eq!(peerless(&number, &name), 0);
        assert_eq!(peerless(&name, &web("[{ports: [{port: 8081}]}]")), 1);
        assert_eq!(peerless(&web("[{ports: [{port: other}]}]"), &number), 1);
    }

    #[test]
    fn another_port_is_new() {
        let one = web("[{ports: [{port: 8080}]}]");
        assert_eq!(peerless(&one, &web("[{ports: [{port: 8080}]}, {ports: [{port: 9090}]}]")), 1);
        assert_eq!(peerless(&one, &web("[{ports: [{port: 8080}, {port: 9090}]}]")), 1);
        assert_eq!(peerless(&one, &web("[{ports: [{port: 8080, protocol: UDP}]}]")), 1);
        assert_eq!(peerless(&one, &web("[{}]")), 1);
        assert_eq!(peerless(&web("[{}]"), &one), 0);
    }

    #[test]
    fn split_joined_and_moved() {
        let both = web("[{ports: [{port: 8080}, {port: 9090}]}]");
        let two = web("[{ports: [{port: 9090}]}, {ports: [{port: 8080}]}]");
        assert_eq!(peerless(&both, &two), 0);
        assert_eq!(peerless(&two, &both), 0);
        let apart = format!(
            "{}{}",
            policy("web-first", WEB, "[{ports: [{port: 8080}]}]"),
            policy("web-second", WEB, "[{ports: [{port: 9090}]}]")
        );
        assert_eq!(peerless(&both, &apart), 0);
        assert_eq!(peerless(&apart, &both), 0);
    }

    #[test]
    fn for_other_pods_or_once_more_is_new() {
        let one = web("[{ports: [{port: 8080}]}]");
        let others =
            policy("db-allow-ingress", "{matchLabels: {app: db}}", "[{ports: [{port: 8080}]}]");
        assert_eq!(peerless(&one, &others), 1);
        let again = policy("web-again", WEB, "[{ports: [{port: 8080}]}]");
        assert_eq!(peerless(&one, &format!("{one}{again}")), 1);
    }
}
