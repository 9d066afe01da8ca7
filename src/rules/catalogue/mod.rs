//! The rules, one file each.

mod cloud_metadata_reachable;
mod control_plane_reachable;
mod datastore_port_cross_namespace;
mod dns_egress_blocked;
mod effective_allow_all;
mod ineffective_except;
mod internet_path_opened;
mod isolation_lost;
mod missing_default_deny;
mod new_path_opened;
mod one_sided_grant;
mod redundant_rule;
mod rule_without_peers;
#[cfg(test)]
#[path = "tests.rs"]
mod testing;
mod unused_grant;
mod vague_name;

use super::Rule;

/// All rules, in the order of the documentation.
pub const RULES: &[Rule] = &[
    rule_without_peers::RULE,
    missing_default_deny::RULE,
    new_path_opened::RULE,
    isolation_lost::RULE,
    effective_allow_all::RULE,
    unused_grant::RULE,
    one_sided_grant::RULE,
    ineffective_except::RULE,
    dns_egress_blocked::RULE,
    redundant_rule::RULE,
    cloud_metadata_reachable::RULE,
    internet_path_opened::RULE,
    control_plane_reachable::RULE,
    datastore_port_cross_namespace::RULE,
    vague_name::RULE,
];
