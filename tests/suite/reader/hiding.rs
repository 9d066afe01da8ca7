//! Texts that kubectl reads as something else than they seem to be. None goes by without a word.

use super::{namespace, policy, problem, read, read_bytes, read_text};
use netpol_review::parse::{Affects, Parsed};
use netpol_review::report::{Hides, Verdict};
use netpol_review::tree::{Content, Tree};

/// A policy that lets everything in.
fn open() -> String {
    policy("{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}")
}

/// The one problem, which could hide anything.
fn hidden(parsed: &Parsed) -> (Option<u32>, &str) {
    let found = problem(parsed);
    assert_eq!(found.affects, Affects::Anything, "{found:#?}");
    (found.line, &found.reason)
}

/// The policy is read.
fn seen(text: &str) {
    let parsed = read_text(text);
    assert_eq!(parsed.cluster.policies.len(), 1, "{text:?}");
    assert_eq!(parsed.problems, [], "{text:?}");
}

#[test]
fn what_could_be_meant_as_a_policy_is_said() {
    for (written, instead, part, affects) in [
        ("apiVersion: networking.k8s.io/v1\n", "", "`apiVersion` is missing", namespace("ns")),
        ("kind: NetworkPolicy\n", "", "`kind` is missing", Affects::Anything),
        ("kind: NetworkPolicy\n", "kind:\n", "`kind` is missing", Affects::Anything),
        ("NetworkPolicy", "networkpolicy", "write `NetworkPolicy`", namespace("ns")),
        ("networking.k8s.io/v1", "v1", "of `v1`", namespace("ns")),
    ] {
        let parsed = read_text(&open().replacen(written, instead, 1));
        assert_eq!(parsed.cluster.policies.len(), 0);
        let found = problem(&parsed);
        assert!(found.reason.contains(part), "{}", found.reason);
        assert_eq!(found.affects, affects, "{part}");
    }
    for text in [
        "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
        "kind: pipeline\ntype: docker\nname: default\nsteps: []\n",
        "version: 2\njobs: {a: {kind: job}}\n",
        "networkPolicy: {enabled: true}\nspec: {podSelector: {}}\n",
        "kind: Job\nname: x\n",
    ] {
        assert_eq!(read_text(text).problems, [], "{text}");
    }
}

#[test]
fn a_kind_that_cannot_be_told_is_said() {
    let mut bomb = String::from("a0: &a0 {k: v}\n");
    for i in 1..60 {
        bomb += &format!("a{i}: &a{i} {{<<: [*a{0}, *a{0}], k{i}: v}}\n", i - 1);
    }
    bomb += "<<: *a59\nkind: NetworkPolicy\napiVersion: networking.k8s.io/v1\n";
    assert!(hidden(&read_text(&bomb)).1.contains("repeat too much"));
    let odd_key = format!("{}? []\n: x\n", open());
    assert!(hidden(&read_text(&odd_key)).1.contains("can't be a key"));
    assert_eq!(read_text("? []\n: x\nkind: ConfigMap\n").problems, []);
}

#[test]
fn aliases_of_long_texts_are_charged() {
    let long = "x".repeat(1_000_000);
    let many = |count: usize| {
        let labels: Vec<_> = (0..count).map(|i| format!("k{i}: *s")).collect();
        let labels = labels.join(", ");
        format!(
            "apiVersion: v1\nkind: Namespace\nx: &s \"{long}\"\nmetadata: {{name: a, annotations: {{{labels}}}, labels: {{{labels}}}}}\n"
        )
    };
    let values = vec!["*s"; 2_000].join(", ");
    let selector = format!(
        "\n  podSelector: {{matchExpressions: [{{key: a, operator: In, values: [&s \"{long}\", {values}]}}]}}"
    );
    for text in [many(2_000), policy(&selector)] {
        let found = read_text(&text).problems;
        assert!(found[0].reason.contains("repeat too much"), "{}", &found[0].reason[..80]);
    }
    // Short texts may be repeated as often as anybody wants.
    seen(&policy("\n  podSelector: {matchExpressions: [{key: a, operator: In, values: [&s b]}]}"));
}
