//! The rules, one file each.

mod accidental_or;
mod convention_namespace_label;
mod invalid_policy;
mod ip_block_covers_cluster;
mod label_near_miss;
mod missing_default_deny;
mod missing_namespace;
mod name_contradicts_effect;
mod obsolete_api;
mod peer_matches_nothing;
mod policy_selects_nothing;
mod policy_types_mismatch;
mod port_matches_nothing;
mod rule_without_peers;
mod vague_name;
mod volatile_selector_label;

use super::Rule;

/// All rules, in the order of the documentation.
pub const RULES: &[Rule] = &[
    rule_without_peers::RULE,
    missing_default_deny::RULE,
    policy_selects_nothing::RULE,
    label_near_miss::RULE,
    peer_matches_nothing::RULE,
    accidental_or::RULE,
    policy_types_mismatch::RULE,
    port_matches_nothing::RULE,
    ip_block_covers_cluster::RULE,
    convention_namespace_label::RULE,
    volatile_selector_label::RULE,
    name_contradicts_effect::RULE,
    invalid_policy::RULE,
    vague_name::RULE,
    missing_namespace::RULE,
    obsolete_api::RULE,
];

#[cfg(test)]
mod testing {
    use crate::config::Config;
    use crate::report::{Finding, Persona};
    use crate::review::review;
    use crate::settings;
    use crate::tree::Tree;

    /// What a rule tells of manifests that are all new, whoever is shown it.
    pub fn told(rule: &str, manifests: &str) -> Vec<Finding> {
        told_with("", rule, manifests)
    }

    /// The same with a configuration, without its `version`.
    pub fn told_with(configuration: &str, rule: &str, manifests: &str) -> Vec<Finding> {
        let text = format!("version: 1\n{configuration}");
        let mut config: Config = settings::parse(&text).expect("a configuration").config;
        config.rules.persona = Persona::Auditor;
        let after = Tree::from_texts("t", [("m.yaml", manifests)]);
        let report = review(&Tree::default(), &after, &config);
        let findings = report.environments.into_iter().flat_map(|one| one.findings);
        findings.filter(|finding| finding.rule == rule).collect()
    }

    /// Does a rule say anything?
    pub fn fires(rule: &str, manifests: &str) -> bool {
        !told(rule, manifests).is_empty()
    }
}
