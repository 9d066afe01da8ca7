//! The rules, one file each.

mod any_namespace_peer;
mod cross_product_rule;
mod dns_egress_unscoped;
mod empty_pod_selector_allow;
mod guardrail_deny;
mod guardrail_frozen;
mod guardrail_must_reach;
mod missing_default_deny;
mod mixed_concern_policy;
mod rule_without_peers;
mod unbounded_ports;
mod vague_name;
mod wide_ip_block;

use super::Rule;

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
    vague_name::RULE,
    guardrail_deny::RULE,
    guardrail_must_reach::RULE,
    guardrail_frozen::RULE,
];
