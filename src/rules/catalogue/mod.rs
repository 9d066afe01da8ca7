//! The rules, one file each.

mod missing_default_deny;
mod rule_without_peers;
mod vague_name;

use super::Rule;

/// All rules, in the order of the documentation.
pub const RULES: &[Rule] =
    &[rule_without_peers::RULE, missing_default_deny::RULE, vague_name::RULE];
