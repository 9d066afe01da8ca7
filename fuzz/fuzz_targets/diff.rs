//! Two manifests, split at the first NUL byte: a review ends, contradicts neither the second evaluator
//! nor itself, and says nothing where nothing changed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_review::config::Config;
use netpol_review::report::{Report, Verdict};
use netpol_review::review;
use netpol_review::tree::{Content, Tree};
use std::sync::Arc;

fn tree(bytes: &[u8]) -> Tree {
    Tree { files: [(Arc::from("manifest.yaml"), Content::new(bytes))].into(), ..Tree::default() }
}

/// Whether something opened and whether something closed.
fn changes(report: &Report) -> (bool, bool) {
    let any = |opened: bool| {
        report
            .environments
            .iter()
            .any(|each| !if opened { &each.opened } else { &each.closed }.is_empty())
    };
    (any(true), any(false))
}

fn sound(report: &Report) {
    for entry in &report.not_evaluated {
        assert!(entry.kind.as_deref() != Some("internal-error"), "{}", entry.reason);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let before = tree(parts.next().unwrap_or_default());
    let after = tree(parts.next().unwrap_or_default());
    // Small enough that one input ends soon.
    let config = Config { node_budget: 50_000, ..Config::default() };

    let forth = review(&before, &after, &config);
    sound(&forth);
    let back = review(&after, &before, &config);
    sound(&back);
    if forth.exact && back.exact {
        let (opened, closed) = changes(&forth);
        assert_eq!((closed, opened), changes(&back), "swapping the sides swaps opened and closed");
    }

    let same = review(&after, &after, &config);
    sound(&same);
    assert_eq!(changes(&same), (false, false), "nothing changed");
    assert!(same.result == Verdict::Unchanged, "nothing changed");
});
