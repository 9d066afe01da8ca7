//! Which environments a repository has: the answer of `netpol-review environments`.

use super::{Isolation, NotEvaluated, Tool};
use serde::Serialize;

/// The environments of one snapshot, and what decided that.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Environments {
    /// [`super::SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// In the order of their names.
    pub environments: Vec<Described>,
    /// What could not be told.
    pub not_evaluated: Vec<NotEvaluated>,
    /// What keeps builds away from the network, where something is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
}

/// One environment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its own threshold of the gate, where the configuration has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_on: Option<&'static str>,
    /// What it is made of.
    pub parts: Vec<Part>,
}

/// Something that is deployed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// `kustomize`, `helm` or `plain`.
    pub renderer: &'static str,
    /// The directory that is built, or the first of the files that are read as they stand.
    pub path: String,
    /// Files with values, in the order in which they count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The name of the Helm release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The namespace of objects that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How many files it is made from.
    pub files: usize,
    /// True: nothing tells its environment, so it counts in every one.
    pub shared: bool,
    /// What decided.
    pub because: String,
    /// The file that decided.
    pub file: String,
    /// The line in it.
    pub line: u32,
    /// Why it is not built; empty: it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}
