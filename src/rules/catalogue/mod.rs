//! The rules, one file each.

mod accidental_or;
mod any_namespace_peer;
mod cloud_metadata_reachable;
mod control_plane_reachable;
mod convention_namespace_label;
mod cross_product_rule;
mod datastore_port_cross_namespace;
mod declared_dependency_blocked;
mod dns_egress_blocked;
mod dns_egress_unscoped;
mod effective_allow_all;
mod empty_pod_selector_allow;
mod guardrail_deny;
mod guardrail_frozen;
mod guardrail_must_reach;
mod ineffective_except;
mod internet_path_opened;
mod invalid_policy;
mod ip_block_covers_cluster;
mod isolation_lost;
mod label_near_miss;
mod missing_default_deny;
mod missing_namespace;
mod mixed_concern_policy;
mod name_contradicts_effect;
mod new_path_opened;
mod node_port_bypasses_policy;
mod obsolete_api;
mod one_sided_grant;
mod peer_matches_nothing;
mod policy_selects_nothing;
mod policy_types_mismatch;
mod port_matches_nothing;
mod redundant_rule;
mod rule_without_peers;
mod unbounded_ports;
mod unused_grant;
mod unused_ignore;
mod vague_name;
mod volatile_selector_label;
mod wide_ip_block;
#[cfg(test)]
#[path = "tests.rs"]
mod testing;

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
    new_path_opened::RULE,
    isolation_lost::RULE,
    effective_allow_all::RULE,
    unused_grant::RULE,
    one_sided_grant::RULE,
    ineffective_except::RULE,
    declared_dependency_blocked::RULE,
    policy_selects_nothing::RULE,
    label_near_miss::RULE,
    peer_matches_nothing::RULE,
    accidental_or::RULE,
    policy_types_mismatch::RULE,
    port_matches_nothing::RULE,
    ip_block_covers_cluster::RULE,
    convention_namespace_label::RULE,
    volatile_selector_label::RULE,
    dns_egress_blocked::RULE,
    redundant_rule::RULE,
    name_contradicts_effect::RULE,
    invalid_policy::RULE,
    cloud_metadata_reachable::RULE,
    internet_path_opened::RULE,
    control_plane_reachable::RULE,
    datastore_port_cross_namespace::RULE,
    node_port_bypasses_policy::RULE,
    vague_name::RULE,
    missing_namespace::RULE,
    obsolete_api::RULE,
    guardrail_deny::RULE,
    guardrail_must_reach::RULE,
    guardrail_frozen::RULE,
    unused_ignore::RULE,
];
