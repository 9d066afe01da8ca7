//! What a repository's own files say is deployed where: kustomizations, charts, Argo CD, Flux -> units.
//!
//! Pure: it reads texts and says what would have to be built; `build` runs the tools.

mod application_set;
mod argo;
mod argo_cluster;
mod argo_helm;
mod argo_kustomize;
mod argo_override;
mod expression;
mod flux;
mod flux_release;
mod flux_source;
mod generate;
mod glob;
pub mod inputs;
mod known;
pub mod layout;
mod named;
mod object;
pub mod origin;
pub mod overlay;
pub mod place;
mod plain;
mod repository;
pub mod stated;
mod substitute;
mod template;
pub mod unused;

pub use substitute::{Fault, Substituted, substitute};

use crate::model::Origin;
use crate::parse::{Affects, Node, Problem};
use crate::tree::{Files, Rendered};
use known::Known;
use memchr::memmem;
use object::{Bounds, Context, Subject};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
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
    /// Globs of the paths inside a directory that count (Argo CD's `include`); empty: all. A `*` takes `/`, too.
    pub include: Vec<String>,
    /// Globs of those that do not (`exclude`).
    pub exclude: Vec<String>,
    /// Files that hold Argo CD's mark `+argocd:skip-file-rendering` do not count.
    pub skip_marked: bool,
}

/// What an Argo CD Application or a Flux Kustomization lays over a kustomization.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// Fields for the directory's own kustomization, as both tools write them into it before they build:
    /// [`overlay::applied`] says how. `components` are paths from the root of the tree. Empty: none.
    pub fields: BTreeMap<String, Value>,
    /// Labels that built objects are given at last, and nothing that they select or make (Flux's `commonMetadata`).
    pub labels: BTreeMap<String, String>,
    /// Flux's `postBuild`: what is put into the built text ([`substitute`]).
    pub substitute: Option<Substitution>,
}

/// Variables for built text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Substitution {
    /// Those whose values are known.
    pub variables: BTreeMap<String, String>,
    /// Those that are set, to values that the repository does not hold: keys of a Secret.
    pub hidden: BTreeSet<String>,
    /// What sets variables that nobody knows the names of: an object that is not in the repository, as
    /// ``ConfigMap `cluster-settings` ``.
    pub elsewhere: Option<String>,
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
    /// Values, the later over the earlier; the chart's own `values.yaml` comes before all. Those that are
    /// [`Values::Set`] come last.
    pub values: Vec<Values>,
    /// The chart's own `values.yaml` does not count, as if it were empty (Flux's `valuesFiles`).
    pub replace_values: bool,
    /// Leave out the chart's `crds`.
    pub skip_crds: bool,
    /// `--kube-version`: the version of Kubernetes that the chart sees.
    pub kube_version: Option<String>,
    /// `--api-versions`: further APIs that the chart sees.
    pub api_versions: Vec<String>,
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
        /// The value as the option takes it: commas are escaped.
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
    /// It was built, and this is where its lines came from.
    pub built: Option<Arc<Rendered>>,
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What is deployed.
    pub units: Vec<Unit>,
    /// What could not be told.
    pub problems: Vec<Told>,
}

/// Something that could not be told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// The environment that it concerns; `None`: any.
    pub environment: Option<String>,
    /// What it is.
    pub problem: Problem,
    /// It stands for objects that come from elsewhere: an inventory of the cluster has them.
    pub elsewhere: bool,
}

impl From<Problem> for Told {
    fn from(problem: Problem) -> Self {
        Self { environment: None, problem, elsewhere: false }
    }
}

/// What the objects of a repository deploy. Objects of other kinds than those of [`is_deploying`] are only looked
/// up where one of these names them ([`is_consulted`]).
pub fn units(objects: &[Object], facts: &Facts<'_>) -> Found {
    let objects: Vec<Object> = objects.iter().flat_map(items).collect();
    let (known, bounds) = (Known::of(&objects), Bounds::default());
    let context = Context { known: &known, facts, bounds: &bounds };
    let mut found = Found::default();
    for object in &objects {
        let Some(kind) = deploying_kind(&object.node) else { continue };
        let subject = Subject::new(object, kind);
        let told = found.problems.len();
        match kind {
            "Application" => argo::application(&object.node, &subject, &context, &mut found),
            "ApplicationSet" => application_set::applications(&subject, &context, &mut found),
            "Kustomization" => flux::kustomization(&subject, &context, &mut found),
            "HelmRelease" => flux_release::release(&subject, &context, &mut found),
            "FluxInstance" => flux::instance(&subject, &context, &mut found),
            _ => flux::resource_set(&subject, &mut found),
        }
        if found.problems.len() > told {
            let named = named::named(&object.node, &context);
            // What counts only where it changes itself stays as it is.
            let changes = |told: &&mut Told| told.problem.affects != Affects::Perhaps;
            let problems = found.problems.iter_mut().skip(told).filter(changes);
            problems.for_each(|told| told.problem.identity ^= named);
        }
    }
    found.problems.extend(known.unclear());
    found
}

/// Could these bytes hold an object of [`is_deploying`] at all? Quick; may say yes too often.
pub fn mentions(bytes: &[u8]) -> bool {
    [ARGO, "toolkit.fluxcd.io", FLUX_OPERATOR]
        .iter()
        .any(|group| memmem::find(bytes, group.as_bytes()).is_some())
}

/// Does an object, or one of a `List`, say what is deployed?
pub fn is_deploying(node: &Node) -> bool {
    deploying_kind(node).is_some() || list_items(node).iter().any(is_deploying)
}

/// Could these bytes hold an object of [`is_consulted`]? Quick; may say yes too often.
pub fn may_be_consulted(bytes: &[u8]) -> bool {
    ["ConfigMap", "Secret", "source.toolkit.fluxcd.io"]
        .iter()
        .any(|word| memmem::find(bytes, word.as_bytes()).is_some())
}

/// Is it, or does a `List` hold, something that an object of [`is_deploying`] may refer to: a source of Flux, a
/// ConfigMap or Secret with variables or values, the Secret that names a cluster of Argo CD?
pub fn is_consulted(node: &Node) -> bool {
    let known = match (object::group(node), object::kind(node)) {
        ("", "ConfigMap" | "Secret") => true,
        (group, _) => group == "source.toolkit.fluxcd.io",
    };
    known || list_items(node).iter().any(is_consulted)
}

const ARGO: &str = "argoproj.io";
const FLUX_OPERATOR: &str = "fluxcd.controlplane.io";

/// The kinds of [`is_deploying`], whatever their groups.
fn is_deploying_kind(kind: &str) -> bool {
    matches!(
        kind,
        "Application"
            | "ApplicationSet"
            | "Kustomization"
            | "HelmRelease"
            | "FluxInstance"
            | "ResourceSet"
    )
}

fn deploying_kind(node: &Node) -> Option<&'static str> {
    Some(match (object::group(node), object::kind(node)) {
        (ARGO, "Application") => "Application",
        (ARGO, "ApplicationSet") => "ApplicationSet",
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => "Kustomization",
        ("helm.toolkit.fluxcd.io", "HelmRelease") => "HelmRelease",
        (FLUX_OPERATOR, "FluxInstance") => "FluxInstance",
        (FLUX_OPERATOR, "ResourceSet") => "ResourceSet",
        _ => return None,
    })
}

fn list_items(node: &Node) -> &[Node] {
    let is_list = object::kind(node).ends_with("List");
    node.get("items").filter(|_| is_list).map(Node::items).unwrap_or_default()
}

/// The object, or the objects of a `List`.
pub fn items(object: &Object) -> Vec<Object> {
    let items = list_items(&object.node);
    if items.is_empty() {
        return vec![object.clone()];
    }
    items.iter().map(|node| Object { node: node.clone(), ..object.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;
    use object::tests::objects;

    #[test]
    fn kinds() {
        for (version, kind, deploying, consulted) in [
            ("argoproj.io/v1alpha1", "Application", true, false),
            ("argoproj.io/v1alpha1", "ApplicationSet", true, false),
            ("argoproj.io/v1alpha1", "Rollout", false, false),
            ("app.k8s.io/v1beta1", "Application", false, false),
            ("kustomize.toolkit.fluxcd.io/v1beta2", "Kustomization", true, false),
            ("kustomize.config.k8s.io/v1beta1", "Kustomization", false, false),
            ("helm.toolkit.fluxcd.io/v2", "HelmRelease", true, false),
            ("fluxcd.controlplane.io/v1", "FluxInstance", true, false),
            ("source.toolkit.fluxcd.io/v1", "GitRepository", false, true),
            ("v1", "ConfigMap", false, true),
            ("v1", "Service", false, false),
            ("apps/v1", "Deployment", false, false),
        ] {
            for text in [
                format!("apiVersion: {version}\nkind: {kind}\n"),
                format!("kind: List\nitems:\n- apiVersion: {version}\n  kind: {kind}\n"),
            ] {
                let object = &objects("a.yaml", &text, None)[0];
                assert_eq!(is_deploying(&object.node), deploying, "{text}");
                assert_eq!(is_consulted(&object.node), consulted, "{text}");
                assert!(!deploying || mentions(text.as_bytes()), "{text}");
            }
        }
        assert!(!mentions(b"kind: Application\n"));
    }

    #[test]
    fn items_of_a_list_keep_their_lines() {
        let text = "kind: List\nitems:\n- apiVersion: argoproj.io/v1alpha1\n  kind: Application\n  metadata: {name: \
                    a}\n- kind: Pod\n";
        let tree = Tree::default();
        let facts = Facts { urls: &[], branches: &[], files: &tree };
        let found = units(&objects("a.yaml", text, None), &facts);
        let [Told { problem, .. }] = found.problems.as_slice() else { panic!("{found:?}") };
        assert_eq!((problem.line, problem.kind.as_deref()), (Some(3), Some("Application")));
    }
}
