//! What a repository's own files say is deployed where: kustomizations, charts, Argo CD, Flux -> units.
//!
//! Pure: it reads texts and says what would have to be built; `build` runs the tools.

pub mod glob;
pub mod inputs;
pub mod layout;
pub mod origin;
pub mod place;
pub mod stated;
pub mod substitute;

use crate::model::Origin;
use crate::parse::Node;
use crate::tree::{Files, Problem};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One thing that is built and deployed.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// What is to be done.
    pub build: Build,
    /// The environment that it belongs to; `None`: nothing tells, so it counts in every one.
    pub environment: Option<String>,
    /// The namespace of objects that name none.
    pub namespace: Option<String>,
    /// What decided that it exists.
    pub decided: Decision,
}

/// What decided that a unit exists, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    /// The file and lines.
    pub origin: Origin,
    /// In words that complete "because of ...": ``Application `argocd/shop` ``, `a kustomization that no other includes`.
    pub because: String,
}

/// How a unit becomes manifests. Paths count from the root of the tree, without `/` at either end; the root is "".
#[derive(Clone, Debug, PartialEq)]
pub enum Build {
    /// Manifests as they stand.
    Plain(Plain),
    /// `kustomize build` of a directory. One without a kustomization is all manifests below it, as Flux makes one.
    Kustomize {
        /// The directory.
        directory: String,
        /// What is laid over it.
        overlay: Overlay,
    },
    /// `helm template`.
    Helm(Release),
}

/// Files that are read as they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plain {
    /// Files and directories; of a directory, all manifests in it.
    pub paths: Vec<String>,
    /// Those of its subdirectories, too.
    pub recurse: bool,
    /// Globs of the paths inside the directory that count (Argo CD's `include`); empty: all.
    pub include: Vec<String>,
    /// Globs of those that do not (`exclude`).
    pub exclude: Vec<String>,
}

/// What an Argo CD Application or a Flux Kustomization lays over a kustomization.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// Fields of a kustomization that builds on the directory: `namespace`, `namePrefix`, `patches`, `components`
    /// (as paths from the root of the tree) ... Empty: none.
    pub fields: BTreeMap<String, Value>,
    /// Flux's `postBuild`: variables that are put into the built text.
    pub substitute: Option<BTreeMap<String, String>>,
}

/// A release of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Release {
    /// The directory of the chart.
    pub chart: String,
    /// The name of the release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Values, the later over the earlier; the chart's own `values.yaml` comes before all.
    pub values: Vec<Values>,
    /// Leave out the chart's `crds`.
    pub skip_crds: bool,
}

/// Values of a release.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// A file.
    File {
        /// Its path.
        path: String,
        /// It need not exist.
        optional: bool,
    },
    /// Text in an object.
    Inline {
        /// The values.
        values: Value,
        /// Where they stand; the file and lines of the object's field.
        origin: Origin,
    },
    /// `--set NAME=VALUE`, `--set-string` where it has to stay text.
    Set {
        /// The path of the value.
        name: String,
        /// The value.
        value: String,
        /// It stays text.
        text: bool,
        /// Where it stands.
        origin: Origin,
    },
}

/// An object that says what is deployed, or that such an object refers to.
#[derive(Clone, Debug)]
pub struct Object {
    /// The object.
    pub node: Node,
    /// Its file, or the entry of what it was built from.
    pub file: Arc<str>,
    /// The environment that it is in, as far as its own place says.
    pub environment: Option<String>,
}

/// What else deciding needs.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// Addresses of the repository under review; empty: unknown.
    pub urls: &'a [String],
    /// Names of the branch under review; empty: unknown.
    pub branches: &'a [String],
    /// The files of the repository.
    pub files: &'a dyn Files,
}

/// What was decided.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What is deployed.
    pub units: Vec<Unit>,
    /// What could not be told.
    pub problems: Vec<Problem>,
}

/// Provisional.
pub fn units(_: &[Object], _: &Facts<'_>) -> Found {
    Found::default()
}
/// Provisional.
pub fn mentions(_: &[u8]) -> bool {
    false
}
/// Provisional.
pub fn is_deploying(_: &Node) -> bool {
    false
}
