//! Small random clusters, changes of them, and all flows that can tell two of them apart.
//!
//! A world is tiny on purpose: a handful of label values, ports and address ranges that keep meeting
//! each other, so that every rule of SEMANTICS.md is met within some hundred worlds.
//!
//! ```ignore
//! proptest!(|(worlds in worlds::pair())| {
//!     let universe = Universe::of(&worlds.before, &worlds.after, &Options::default());
//!     for flow in universe.flows() {
//!         let (before, after) = universe.decide(&flow);
//!         prop_assert_eq!(opened.contains(&flow), !before && after);
//!     }
//! });
//! ```

pub mod change;
pub mod generate;
pub mod layout;
mod seen;
pub mod text;
pub mod universe;

#[allow(unused_imports, reason = "names for whoever tests with worlds")]
pub use {
    change::{Edit, Pair, edit, pair},
    generate::world,
    text::manifests,
    universe::{Atom, Names, Options, Point, Universe, UniverseFlow},
};

/// So many worlds, unless PROPTEST_CASES says how many. What was found is kept as a test of its own.
pub fn config(cases: u32) -> proptest::test_runner::Config {
    let mut config = proptest::test_runner::Config::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    config.failure_persistence = None;
    config
}
