//! How the files of a repository hang together: which kustomizations and charts stand for themselves, and
//! what belongs to none.

use super::inputs::{Inputs, beside, includes, inputs, kustomizations};
use super::place::path_environment;
use super::{Build, Decision, Overlay, Release, Unit};
use crate::model::Origin;
use crate::parse::{Affects, Node, Problem, Sort, digest, directory, manifests};
use crate::tree::is_kustomization;
use crate::tree::{Files, Tree};
use memchr::memmem;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is in a repository, apart from what Argo CD and Flux say.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Kustomizations that no other includes, as directories.
    pub roots: Vec<String>,
    /// For each root, the kustomizations that it builds on itself.
    pub bases: BTreeMap<String, BTreeSet<String>>,
    /// Charts that are part of no other, as directories; libraries are not among them.
    pub charts: Vec<String>,
    /// Files that belong to a kustomization or a chart.
    pub claimed: BTreeSet<Arc<str>>,
    /// What hangs together in no way that can be built.
    pub problems: Vec<Problem>,
}

impl Layout {
    /// Reads the kustomizations and charts of a tree.
    pub fn of(tree: &Tree, files: &dyn Files) -> Self {
        let mut layout = Self::default();
        layout.find_charts(tree, files);
        layout.find_roots(tree, files);
        layout.find_helmfiles(tree);
        layout
    }

    /// A helmfile says which charts are released with which values, in templates of its own.
    fn find_helmfiles(&mut self, tree: &Tree) {
        let is_helmfile = |path: &&Arc<str>| {
            let name = path.rsplit('/').next().unwrap_or(path);
            let known = ["helmfile.yaml", "helmfile.yml"].contains(&name);
            known || directory(path).rsplit('/').next() == Some("helmfile.d")
        };
        for path in tree.files.keys().filter(is_helmfile) {
            let reason = "what a helmfile releases was not evaluated; review what `helmfile template` prints, or state \
                          the environments in the configuration";
            self.claimed.insert(path.clone());
            self.problem(path, tree, reason);
        }
    }

    fn find_charts(&mut self, tree: &Tree, files: &dyn Files) {
        let is_chart = |path: &&Arc<str>| &***path == "Chart.yaml" || path.ends_with("/Chart.yaml");
        let all: BTreeSet<&str> =
            tree.files.keys().filter(is_chart).map(|path| directory(path)).collect();
        for at in &all {
            let mut around = *at;
            let inside = loop {
                if around.is_empty() {
                    break false;
                }
                around = directory(around);
                if all.contains(around) && of_chart(around, at) {
                    break true;
                }
            };
            if inside {
                continue;
            }
            self.claim_chart(at, &all, files);
            let own = tree.files.get(beside(at, "Chart.yaml").as_str());
            let own = own.and_then(|content| manifests(content.bytes()).into_iter().next());
            let library =
                matches!(own, Some(Ok(node)) if node.text_at(&["type"]) == Some("library"));
            if !library {
                self.charts.push(at.to_string());
            }
        }
    }

    /// The files of a chart: its own, and where its templates read files, the others around them; not the
    /// kustomizations and charts that stand beside it in its directory.
    fn claim_chart(&mut self, at: &str, charts: &BTreeSet<&str>, files: &dyn Files) {
        let all = files.below(at);
        let reads = |path: &Arc<str>| {
            let content = of_chart(at, path).then(|| files.read(path)).flatten();
            content.is_some_and(|content| memmem::find(content.bytes(), b".Files").is_some())
        };
        let reads_files = all.iter().any(reads);
        let others: BTreeSet<&str> = all
            .iter()
            .filter(|path| is_kustomization(path) || charts.contains(directory(path)))
            .map(|path| directory(path))
            .filter(|other| *other != at && !of_chart(at, &beside(other, "x")))
            .collect();
        let of_other = |path: &str| {
            let mut around = directory(path);
            while !around.is_empty() && !others.contains(around) {
                around = directory(around);
            }
            others.contains(around)
        };
        let own = |path: &Arc<str>| of_chart(at, path) || reads_files && !of_other(path);
        self.claimed.extend(all.iter().filter(|path| own(path)).cloned());
    }

    fn find_roots(&mut self, tree: &Tree, files: &dyn Files) {
        let mut included: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut components = BTreeSet::new();
        let mut readable = BTreeMap::new();
        for (at, path) in kustomizations(tree) {
            if self.claimed.contains(&path) {
                continue;
            }
            let Some(content) = tree.files.get(&path) else { continue };
            let node = match manifests(content.bytes()).into_iter().next() {
                None => continue,
                Some(node) => node.ok(),
            };
            let is_map = node.as_ref().is_none_or(|node| !node.fields().is_empty());
            if !is_map {
                continue;
            }
            if let Some(node) = &node {
                if node.text_at(&["kind"]) == Some("Component") {
                    components.insert(at.clone());
                }
                included.insert(at.clone(), includes(&path, node, files));
            }
            readable.insert(at, path);
        }
        // One that stands in an environment of its own is deployed there, even if another environment builds on it.
        let another = |at: &str, other: &str| {
            let (own, others) = (path_environment(at), path_environment(other));
            own.is_some() && others.is_some() && own != others
        };
        let inner: BTreeSet<&String> = included
            .iter()
            .flat_map(|(at, others)| {
                others.iter().filter(move |other| *other != at && !another(at, other))
            })
            .collect();
        let mut reached = BTreeSet::new();
        for (at, path) in &readable {
            if inner.contains(at) {
                continue;
            }
            let found = self.claim(at, files);
            reached.extend(found.files);
            if components.contains(at) {
                let reason = "a component that no kustomization of this repository includes; it was not built";
                self.problem(path, tree, reason);
            } else {
                let bases = included.get(at).cloned().unwrap_or_default();
                let bases = bases.into_iter().filter(|base| !components.contains(base));
                self.bases.insert(at.clone(), bases.collect());
                self.roots.push(at.clone());
            }
        }
        // What nothing outside of it includes, and yet something does: a ring.
        for (at, path) in &readable {
            if !reached.contains(path) {
                self.claim(at, files);
                let reason = "kustomizations that include each other; kustomize would refuse them, so break the \
                              cycle";
                self.problem(path, tree, reason);
            }
        }
        self.claim_beside(&readable, tree);
    }

    /// Beside a kustomization only what it names is deployed. A policy that it does not name is said: somebody
    /// may have forgotten it.
    fn claim_beside(&mut self, at: &BTreeMap<String, Arc<str>>, tree: &Tree) {
        for (path, content) in &tree.files {
            if !at.contains_key(directory(path)) || self.claimed.contains(path) {
                continue;
            }
            self.claimed.insert(path.clone());
            let is_policy = |node: &Node| {
                node.text_at(&["kind"]).is_some_and(|kind| kind.ends_with("NetworkPolicy"))
            };
            if manifests(content.bytes()).iter().flatten().any(is_policy) {
                let reason =
                    "the kustomization beside it does not name this policy, so it is not deployed";
                self.say(path, tree, reason, Affects::Nothing);
            }
        }
    }

    fn claim(&mut self, at: &str, files: &dyn Files) -> Inputs {
        let found = inputs(&kustomize(at, ""), files, false);
        self.claimed.extend(found.files.iter().cloned());
        found
    }

    fn problem(&mut self, path: &Arc<str>, tree: &Tree, reason: &str) {
        self.say(path, tree, reason, Affects::Anything);
    }

    fn say(&mut self, path: &Arc<str>, tree: &Tree, reason: &str, affects: Affects) {
        let content = tree.files.get(path);
        self.problems.push(Problem {
            file: path.clone(),
            line: None,
            kind: None,
            name: None,
            reason: reason.to_string(),
            affects,
            identity: content.map_or(0, |content| digest(content.bytes())),
            sort: Sort::Other,
        });
    }

    /// The roots as units, each with its environment: by its place, or, where several build on one base, by
    /// its own name, as they would be the same objects twice in one cluster.
    pub fn units(&self) -> Vec<Unit> {
        let mut users: BTreeMap<&str, usize> = BTreeMap::new();
        for base in self.bases.values().flatten() {
            *users.entry(base).or_default() += 1;
        }
        let shares = |root: &String| {
            let bases = self.bases.get(root);
            bases.is_some_and(|bases| {
                bases.iter().any(|base| users.get(base.as_str()).is_some_and(|count| *count > 1))
            })
        };
        let name = |root: &str| root.rsplit('/').next().unwrap_or(root).to_string();
        let mut units = Vec::new();
        for root in &self.roots {
            let mut unit = kustomize(root, "a kustomization that no other includes");
            unit.environment = path_environment(root)
                .or_else(|| (shares(root) && !root.is_empty()).then(|| name(root)));
            units.push(unit);
        }
        units
    }
}

/// Does a path inside the directory of a chart belong to the chart? Its own files do, and its directories as far as
/// helm knows them. What else there is are other things of the repository, if the chart stands above them.
fn of_chart(chart: &str, path: &str) -> bool {
    let inside = path.get(chart.len()..).unwrap_or_default().trim_start_matches('/');
    match inside.split_once('/') {
        None => !path.is_empty() && !is_kustomization(inside),
        Some((first, _)) => CHART_DIRECTORIES.contains(&first),
    }
}

/// Directories of a chart: those that helm reads, and those in which people keep values and what templates read.
const CHART_DIRECTORIES: [&str; 10] = [
    "templates",
    "charts",
    "crds",
    "files",
    "values",
    "ci",
    "tests",
    "environments",
    "envs",
    "env",
];

/// A kustomization as a unit of no environment.
pub fn kustomize(at: &str, because: &str) -> Unit {
    Unit {
        build: Build::Kustomize { directory: at.to_string(), overlay: Overlay::default() },
        environment: None,
        namespace: None,
        decided: Decision {
            origin: Origin {
                file: beside(at, "kustomization.yaml").into(),
                start_line: 1,
                end_line: 1,
            },
            because: because.to_string(),
        },
    }
}

/// A chart on its own as units: one for each environment that a values file in it is named after, or one.
pub fn chart(at: &str, files: &dyn Files) -> Vec<Unit> {
    let name = at.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("release");
    let unit = |values: Vec<String>, environment: Option<String>| {
        let because = match values.first() {
            Some(path) => format!("a chart that nothing deploys, and its values `{path}`"),
            None => "a chart that nothing deploys".to_string(),
        };
        Unit {
            build: Build::Helm(Release {
                chart: at.to_string(),
                name: name.to_string(),
                namespace: String::new(),
                values: values
                    .into_iter()
                    .map(|path| super::Values::File { path, optional: false })
                    .collect(),
                ..Release::default()
            }),
            environment,
            namespace: None,
            decided: Decision {
                origin: Origin {
                    file: beside(at, "Chart.yaml").into(),
                    start_line: 1,
                    end_line: 1,
                },
                because,
            },
        }
    };
    let mut environments: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files.below(at) {
        let inside = path.get(at.len()..).unwrap_or_default().trim_start_matches('/');
        if let Some(environment) = values_environment(inside) {
            environments.entry(environment).or_default().push(path.to_string());
        }
    }
    match environments.is_empty() {
        true => vec![unit(Vec::new(), None)],
        false => {
            let one = |(name, values)| unit(values, Some(name));
            environments.into_iter().map(one).collect()
        }
    }
}

/// The environment that a values file is named after: `values-prod.yaml`, `values.prod.yaml`,
/// `prod-values.yaml`, `values/prod.yaml`, `values/prod/x.yaml`.
pub(super) fn values_environment(inside: &str) -> Option<String> {
    let stem = inside.strip_suffix(".yaml").or_else(|| inside.strip_suffix(".yml"))?;
    let known = |name: &str| {
        let fine =
            !name.is_empty() && !["schema", "example", "template", "default"].contains(&name);
        fine.then(|| name.to_string())
    };
    if let Some((first, rest)) = stem.split_once('/') {
        let folder = ["values", "environments", "envs", "env"].contains(&first);
        return folder.then(|| known(rest.split('/').next().unwrap_or(rest)))?;
    }
    let before =
        ["values-", "values.", "values_"].iter().find_map(|start| stem.strip_prefix(start));
    let after = ["-values", ".values", "_values"].iter().find_map(|end| stem.strip_suffix(end));
    known(before.or(after)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_files_name_environments() {
        for (path, expected) in [
            ("values-prod.yaml", Some("prod")),
            ("values.staging.yml", Some("staging")),
            ("eu-values.yaml", Some("eu")),
            ("values/dev.yaml", Some("dev")),
            ("values/dev/db.yaml", Some("dev")),
            ("values.yaml", None),
            ("ci/test-values.yaml", None),
            ("values.schema.json", None),
            ("templates/x-values.yaml", None),
        ] {
            assert_eq!(values_environment(path).as_deref(), expected, "{path}");
        }
    }
}
