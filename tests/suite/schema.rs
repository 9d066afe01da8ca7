//! The JSON Schema of the configuration refuses what the reader refuses in structure, and takes what it takes.

use crate::settings::FULL;
use netpol_review::settings::{file::schema, parse};
use serde_json::Value;
use std::collections::BTreeSet;

fn published() -> Value {
    serde_json::from_str(&schema()).expect("JSON")
}

/// Every key that the schema knows.
pub fn keys() -> BTreeSet<String> {
    fn walk(value: &Value, keys: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::Object(properties)) = map.get("properties") {
                    keys.extend(properties.keys().cloned());
                }
                map.values().for_each(|value| walk(value, keys));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, keys)),
            _ => {}
        }
    }
    let mut keys = BTreeSet::new();
    walk(&published(), &mut keys);
    assert!(keys.len() > 30, "{keys:?}");
    keys
}

#[test]
fn reader_and_schema_agree() {
    let validator = jsonschema::validator_for(&published()).expect("a schema");
    let waiver = |fields: &str| format!("version: 1\nwaivers: [{{{fields}}}]\n");
    let mut texts: Vec<(String, bool)> = vec![
        (FULL.into(), true),
        ("version: 1\n".into(), true),
        ("version: 1\npaths:\ncluster:\nwaivers:\n".into(), true),
        ("{}".into(), false),
        ("[]".into(), false),
        ("version: 2\n".into(), false),
        ("version: 1\npaths: deploy\n".into(), false),
        ("version: 1\npaths: [{}]\n".into(), false),
        ("version: 1\nfail-on: high\n".into(), false),
        ("version: 1\nfailOn: highest\n".into(), false),
        ("version: 1\nmode: ENFORCE\n".into(), false),
        ("version: 1\nseverity: {isolation_lost: high}\n".into(), false),
        ("version: 1\nseverity: {isolation-added: high}\n".into(), false),
        ("version: 1\nseverity: {isolation-lost: any}\n".into(), false),
        ("version: 1\nprotected: [payments]\n".into(), false),
        ("version: 1\nprotected: {namespaces: [Payments]}\n".into(), false),
        ("version: 1\ncluster: {profile: flannel}\n".into(), false),
        ("version: 1\ncluster: {podCidrs: []}\n".into(), false),
        ("version: 1\ncluster: {endPort: 1}\n".into(), false),
        ("version: 1\ncluster: {hostNetworkPods: nodes}\n".into(), false),
        ("version: 1\ncluster: {ipBlocksMatchPods: true}\n".into(), false),
        ("version: 1\napprovers: {everybody: true}\n".into(), false),
        ("version: 1\ncomment: {when: often}\n".into(), false),
        ("version: 1\ncomment: {inline: 'no'}\n".into(), false),
        ("version: 1\nlimits: {nodes: 999}\n".into(), false),
        ("version: 1\nlimits: {nodes: 10000001}\n".into(), false),
        ("version: 1\nlimits: {memory: 1}\n".into(), false),
        (waiver("fingerprint: abcdef0123456789abcdef0123456789, reason: x"), true),
        (waiver("fingerprint: abcdef01234, reason: x"), false),
        (waiver("fingerprint: abcdef01234z, reason: x"), false),
        (waiver("fingerprint: abcdef0123456789abcdef0123456789"), false),
        (waiver("fingerprint: abcdef0123456789abcdef0123456789, reason: '  '"), false),
        (waiver("reason: x"), false),
        (
            waiver("fingerprint: abcdef0123456789abcdef0123456789, reason: x, expires: tomorrow"),
            false,
        ),
        (waiver("fingerprint: abcdef0123456789abcdef0123456789, reason: x, owner: ada"), false),
    ];
    let guardrail = |text: &str| format!("version: 1\nguardrails: [{{id: a, {text}}}]\n");
    texts.extend([
        (guardrail("deny: {to: {namespace: a}}"), true),
        (guardrail("severity: low"), false),
        (guardrail("deny: {to: {any: true}}, frozen: {to: {any: true}}"), false),
        (guardrail("deny: {to: {any: false}}"), false),
        (guardrail("deny: {to: {any: true}, enforce: sometimes}"), false),
        (guardrail("deny: {to: {any: true}, ports: [5432]}"), false),
        (guardrail("deny: {to: {any: true}, ports: [tcp/5432]}"), false),
        (guardrail("must-reach: {to: {any: true}}"), false),
        (guardrail("frozen: {to: {namespaces: [a]}}"), false),
    ]);
    // Every key with a letter more is unknown, wherever it stands.
    for key in keys().into_iter().filter(|key| FULL.contains(&format!("{key}:"))) {
        texts.push((FULL.replacen(&format!("{key}:"), &format!("{key}x:"), 1), false));
    }
    assert!(texts.len() > 55, "{}", texts.len());
    let mut wrong = Vec::new();
    for (text, good) in texts {
        let value: Value = serde_saphyr::from_str(&text).expect("YAML");
        let (read, valid) = (parse(&text).is_ok(), validator.is_valid(&value));
        if read != good || valid != good {
            let why = validator.iter_errors(&value).next().map(|error| error.to_string());
            wrong.push(format!("{text}: read {read}, valid {valid}, expected {good} {why:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
