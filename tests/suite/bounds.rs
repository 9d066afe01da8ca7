//! Changes that are too much for the limits: what is not computed is said, and all else is as it would be without.

use netpol_review::config::Config;
use netpol_review::report::{Hides, Report};
use netpol_review::review;
use netpol_review::tree::Tree;
use std::fmt::Write;

/// So many new policies, each of which isolates pods of its own.
fn isolating(count: usize, budget: usize) -> Report {
    let mut text = String::new();
    for index in 0..count {
        writeln!(
            text,
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{index}, namespace: shop}}\n\
             spec: {{podSelector: {{matchLabels: {{app: a{index}}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: \
             {{app: b{index}}}}}}}]}}]}}"
        )
        .expect("a text takes all");
    }
    let before = Tree::from_texts(
        "before",
        [("n.yaml", "kind: Namespace\napiVersion: v1\nmetadata: {name: shop}\n")],
    );
    let mut after = Tree::from_texts("after", [("p.yaml", text.as_str())]);
    after.files.extend(before.files.clone());
    review(&before, &after, &Config { node_budget: budget, ..Config::default() })
}

#[test]
fn what_is_too_much_is_said_and_the_rest_is_there() {
    let all = isolating(60, 1_000_000);
    assert!(all.not_evaluated.is_empty() && all.exact, "{all:#?}");
    assert!(!all.environments[0].closed.is_empty());
    let mut lost = 0;
    for budget in [10, 20, 40, 80, 120, 160, 200, 240] {
        let some = isolating(60, budget);
        let hides = |hides| some.not_evaluated.iter().any(|entry| entry.hides == hides);
        let said = hides(Hides::Flow) || hides(Hides::Widening);
        assert_eq!(said, !some.exact, "{budget}: {some:#?}");
        assert!(said || !some.environments[0].closed.is_empty(), "{budget}: {some:#?}");
        lost += usize::from(said);
    }
    assert!(lost > 0, "some of these budgets are too small for anything");
}

/// However many edits there are, they are given up together and at once.
#[test]
fn work_without_end_is_given_up_and_said_once() {
    let found = [8_000, 12_000, 16_000, 24_000].into_iter().any(|budget| {
        let report = isolating(3_000, budget);
        let given_up = report.not_evaluated.iter().filter(|e| e.reason.contains("(there are "));
        let hides: Vec<Hides> = given_up.map(|entry| entry.hides).collect();
        // One for each side of the comparison.
        assert!(hides.len() <= 2, "{budget}: {:#?}", report.not_evaluated);
        hides.contains(&Hides::Widening) && hides.contains(&Hides::Flow)
    });
    assert!(found);
}
