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

/// The flows of a report in words.
fn closed(report: &Report) -> Vec<(String, String)> {
    let environment = &report.environments[0];
    let rows = environment.closed.iter();
    rows.map(|row| (row.from.text.clone(), row.to.text.clone())).collect()
}

#[test]
fn what_is_too_much_together_is_tried_in_parts() {
    let all = isolating(60, 1_000_000);
    assert!(all.not_evaluated.is_empty(), "{all:#?}");
    assert!(!closed(&all).is_empty());
    let (mut parts, mut lost) = (0, 0);
    for budget in [300, 600, 1_200, 2_500, 5_000, 10_000, 20_000] {
        let some = isolating(60, budget);
        match some.not_evaluated.is_empty() {
            true if closed(&some) != closed(&all) => parts += 1,
            true => {}
            false => {
                let hides = |hides| some.not_evaluated.iter().any(|entry| entry.hides == hides);
                assert!(hides(Hides::Flow) || hides(Hides::Widening), "{some:#?}");
                assert!(!some.exact, "{budget}");
                lost += 1;
            }
        }
    }
    assert!(parts > 0 && lost > 0, "{parts} {lost}");
}

/// However many edits there are, they are given up together and at once.
#[test]
fn work_without_end_is_given_up_and_said_once() {
    let report = isolating(1_500, 2_000);
    let [entry, other] = report.not_evaluated.as_slice() else { panic!("{report:#?}") };
    assert!(entry.reason.contains("(there are 1"), "{entry:#?}");
    assert_eq!((entry.file.as_str(), other.file.as_str()), ("p.yaml", "p.yaml"));
    let hides = [entry.hides, other.hides];
    assert!(hides.contains(&Hides::Widening) && hides.contains(&Hides::Flow), "{hides:?}");
}
