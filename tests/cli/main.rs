//! The command as people and scripts meet it: the real program on directories and repositories that
//! each test makes for itself.

#![allow(clippy::unwrap_used, reason = "a test that can't set its files up has failed")]

mod builds;
mod charts;
mod claims;
mod configuration;
mod directories;
mod deployed;
mod environments;
mod gitops;
mod explain;
mod fixes;
mod pr;
#[path = "../renderers/mod.rs"]
mod renderers;
mod hostile;
mod inventory;
#[cfg(unix)]
mod linked_inputs;
mod links;
mod other_names;
mod repositories;
mod sandbox;
mod serve;
mod signals;
mod snapshot;
mod stderr;
mod unreadable;
mod usage;
mod working_tree;
