//! Flows that findings show: the specification always agrees with the engine that found them.

use crate::worlds::{pair, text};
use netpol_review::config::Config;
use netpol_review::report::{Persona, Report};
use netpol_review::review;
use netpol_review::tree::Tree;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

fn reviewed(pair: &crate::worlds::Pair) -> Report {
    let tree = |cluster| {
        let files = text::manifests(cluster);
        Tree::from_texts("t", files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
    };
    let mut config = Config::default();
    config.rules.persona = Persona::Auditor;
    review(&tree(&pair.before), &tree(&pair.after), &config)
}

proptest! {
    #![proptest_config(crate::worlds::config(60))]

    #[test]
    fn the_specification_agrees(pair in pair()) {
        let report = reviewed(&pair);
        let disagreement = report.not_evaluated.iter().find(|one| one.reason.contains("disagree"));
        prop_assert!(disagreement.is_none(), "{:?}", disagreement);
    }
}

/// The test above sees enough of them.
#[test]
fn worlds_have_witnesses() {
    let mut runner = TestRunner::deterministic();
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..60 {
        let pair = pair().new_tree(&mut runner).expect("worlds are not filtered").current();
        for finding in &reviewed(&pair).environments[0].findings {
            *shown.entry(finding.rule).or_default() += usize::from(finding.witness.is_some());
        }
    }
    for rule in ["effective-allow-all", "dns-egress-blocked"] {
        assert!(shown.get(rule).is_some_and(|count| *count > 0), "{rule}: {shown:?}");
    }
}
