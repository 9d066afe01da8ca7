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
