//! Manifests as text -> the model of one side, with what was not understood.
//!
//! Reading never fails: a document that can't be read loses only itself and is said so.

use crate::config::Config;
use crate::model::Cluster;
use crate::tree::Tree;
use std::sync::Arc;

/// One side, read.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// What was understood.
    pub cluster: Cluster,
    /// What was not, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// How many documents there were, whatever became of them.
    pub documents: usize,
    /// How many of them are of a kind that plays a part (workloads, namespaces, policies of any kind).
    pub relevant: usize,
}

/// Something that was not understood, or not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the file.
    pub file: Arc<str>,
    /// Line, from 1; `None` for the whole file.
    pub line: Option<u32>,
    /// Kind of the object, where it is known.
    pub kind: Option<String>,
    /// Name of the object (`namespace/name` where it has a namespace), where it is known.
    pub name: Option<String>,
    /// Why, and what to do.
    pub reason: String,
    /// What the object could have changed, had it been read.
    pub affects: Affects,
    /// Identifies what was not read, apart from where it stands: equal before and after iff the change
    /// does not touch it. A digest of the document's bytes, for example.
    pub identity: u128,
}

/// What something that was not read could have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Affects {
    /// Nothing that is evaluated.
    Nothing,
    /// Flows from or to pods of this namespace.
    Namespace(Arc<str>),
    /// Any flow.
    Anything,
}

/// Reads both sides. A content that both share is parsed once, and the objects in it are the same
/// `Arc`s on both sides.
pub fn parse_both(before: &Tree, after: &Tree, config: &Config) -> (Parsed, Parsed) {
    let _ = (before, after, config);
    (Parsed::default(), Parsed::default())
}
