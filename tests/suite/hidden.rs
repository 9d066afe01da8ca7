//! What was not understood, and whether a change could let something through because of it.

use crate::reports::report;
use netpol_review::report::{Hides, Report, Verdict};
use netpol_review::tree::Tree;

const DENY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: far}\n\
                    spec: {podSelector: {}, policyTypes: [Ingress, Egress]}\n";

/// A policy of namespace `far` that can't be read, the same on both sides.
const UNREADABLE: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: far}\n\
                          spec: {podSelector: {}, ingress: [{from: [{}]}]}\n";

fn policy(spec: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: near}}\nspec: {spec}\n"
    )
}

fn workload(label: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: w, namespace: near}}\n\
         spec: {{template: {{metadata: {{labels: {{app: {label}}}}}, spec: {{containers: []}}}}}}\n"
    )
}

fn change(before: &str, after: &str) -> Report {
    let tree = |text: &str| {
        let files = [("deny.yaml", DENY), ("unreadable.yaml", UNREADABLE), ("near.yaml", text)];
        Tree::from_texts("t", files)
    };
    report(&tree(before), &tree(after))
}

/// Nothing is known to open: does the report say that something could have?
fn is_unknown(before: &str, after: &str) -> bool {
    let report = change(before, after);
    assert!(report.environments[0].opened.is_empty(), "{report:#?}");
    assert_eq!(report.not_evaluated.len(), 1, "{report:#?}");
    let hides = report.not_evaluated[0].hides;
    assert_eq!(report.result == Verdict::Unknown, hides == Hides::Widening, "{report:#?}");
    assert_ne!(hides, Hides::Nothing);
    hides == Hides::Widening
}

#[test]
fn a_rule_that_the_other_end_may_let_through() {
    let closed = policy("{podSelector: {}, policyTypes: [Egress]}");
    let to = |namespace: &str| {
        let name = format!("{{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}");
        policy(&format!(
            "{{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{{namespaceSelector: {name}}}]}}]}}"
        ))
    };
    // As far as known, `deny` keeps it closed; the policy that was not read may open it.
    assert!(is_unknown(&closed, &to("far")));
    // A rule that was there before lets nothing more through.
    let twice = to("far").replace("egress: [", "egress: [{to: [{podSelector: {}}]}, ");
    let also = twice.replace("podSelector: {}}]}, ", "podSelector: {}}], ports: [{port: 1}]}, ");
    assert!(!is_unknown(&twice, &also));
}

#[test]
fn a_workload_whose_labels_the_unread_policy_may_name() {
    assert!(is_unknown(&workload("a"), &workload("b")));
}

#[test]
fn a_change_that_does_nothing_hides_nothing_more() {
    let before = policy("{podSelector: {}, policyTypes: [Egress]}");
    let after = policy("{podSelector: {}, policyTypes: [Egress], egress: []}");
    assert!(!is_unknown(&before, &after));
}
