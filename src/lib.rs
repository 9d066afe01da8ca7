//! netpol-review tells a team what a change to Kubernetes manifests opens.
//!
//! The modules in reading order. The core is pure (text in, data out); `source`, `cli` and the
//! binary are the edges.

pub mod config;
pub mod eval;
pub mod model;
pub mod parse;
pub mod problems;
pub mod query;
pub mod report;
pub mod tree;

use config::Config;
use report::{Environment, Listing, Report, Snapshot, Summary, Tool, Verdict};
use tree::Tree;

/// Compares two snapshots: everything that `after` allows and `before` does not, and the reverse.
pub fn review(before: &Tree, after: &Tree, config: &Config) -> Report {
    let _ = config;
    let snapshot = |tree: &Tree| Snapshot { name: tree.name.clone(), ..Snapshot::default() };
    Report {
        schema_version: report::SCHEMA_VERSION,
        tool: Tool::this(),
        before: snapshot(before),
        after: snapshot(after),
        result: Verdict::Unchanged,
        exact: true,
        environments: vec![Environment {
            name: "default".into(),
            opened: vec![],
            closed: vec![],
            findings: vec![],
            connections: None,
            summary: Summary::default(),
        }],
        not_evaluated: vec![],
        read: Default::default(),
    }
}

/// The effective reachability of one snapshot.
pub fn list(tree: &Tree, config: &Config) -> Listing {
    let _ = (tree, config);
    Listing {
        schema_version: report::SCHEMA_VERSION,
        tool: Tool::this(),
        exact: true,
        connections: vec![],
        unisolated: Default::default(),
        not_evaluated: vec![],
        read: Default::default(),
    }
}
