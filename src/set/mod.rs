//! Sets of flows: the symbolic half of the engine, free of manifests.
//!
//! [`diagram`] holds sets of points in a product of finite fields; [`fields`] says which fields a
//! flow has and what their values mean; [`address`] and [`ports`] turn ranges into values and back.

pub mod address;
pub mod diagram;
pub mod fields;
pub mod ports;

pub use diagram::{Diagrams, OverBudget, Set};
