//! Where built text came from: its lines -> lines of the files that people edit.
//!
//! Only where things are said to stand hangs on it, never what they mean: a line whose source can't be
//! told has none, and whoever reads the text names the entry of what was built instead.

mod align;
mod charts;
mod helm;
mod history;
mod kustomize;
mod merge;
mod paths;
mod part;
mod patches;
mod replace;
mod scope;
mod select;
mod sources;
mod template;
mod touched;
mod trace;
mod transformers;
mod values;
mod written;

pub use helm::of_helm;
pub use kustomize::{Built, Wrapped, of_kustomize};

use crate::tree::Source;
use std::sync::Arc;

/// For each line of a text what it may have come from: the fields of [`crate::tree::Rendered`] of these names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// The files that lines came from.
    pub files: Vec<Arc<str>>,
    /// For each line the sources, the likeliest first; none: nobody knows.
    pub lines: Vec<Vec<Source>>,
}

#[cfg(test)]
mod tests;
