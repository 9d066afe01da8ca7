//! The rules, one file each.

mod accidental_or;
mod any_namespace_peer;
mod convention_namespace_label;
mod cross_product_rule;
mod dns_egress_unscoped;
mod empty_pod_selector_allow;
mod invalid_policy;
mod ip_block_covers_cluster;
mod label_near_miss;
mod missing_default_deny;
mod missing_namespace;
mod mixed_concern_policy;
mod name_contradicts_effect;
mod obsolete_api;
mod peer_matches_nothing;
mod policy_selects_nothing;
mod policy_types_mismatch;
mod port_matches_nothing;
mod rule_without_peers;
mod unbounded_ports;
mod unused_ignore;
mod vague_name;
mod volatile_selector_label;
mod wide_ip_block;

use super::Rule;

/// The rule that speaks of acceptances.
pub const UNUSED_IGNORE: &str = "unused-ignore";

/// All rules, in the order of the documentation.
pub const RULES: &[Rule] = &[
    cross_product_rule::RULE,
    rule_without_peers::RULE,
    unbounded_ports::RULE,
    empty_pod_selector_allow::RULE,
    any_namespace_peer::RULE,
    wide_ip_block::RULE,
    mixed_concern_policy::RULE,
    dns_egress_unscoped::RULE,
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
    unused_ignore::RULE,
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
