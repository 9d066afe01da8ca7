//! netpol-review tells a team what a change to Kubernetes manifests opens.
//!
//! The modules in reading order. The core is pure (text in, data out); `source`, `build`,
//! `github`, `server`, `cli` and the binary are the edges.

pub mod tree;
pub mod config;
pub mod model;
pub mod parse;
pub mod set;
pub mod eval;
pub mod reach;
pub mod report;
pub mod diff;
pub mod rules;
pub mod settings;
pub mod gate;
pub mod problems;
pub mod query;
pub mod nearest;
pub mod render;
pub mod deploy;
pub mod source;
pub mod build;
pub mod environments;
pub mod spans;
pub mod github;
pub mod server;
pub mod cli;

pub mod review;
pub mod fixing;

pub use review::{lint, list, review, review_in_steps};
