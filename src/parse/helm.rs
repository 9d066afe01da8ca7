//! Helm charts: documents of their templates that only rendering makes manifests.

use super::doc::Doc;
use super::file::FileRead;
use super::{Affects, Problem, Sort, yaml};
use crate::tree::Tree;
use crate::tree::digest;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The directory of the innermost chart among whose templates a file is, if it is among any.
pub(super) fn chart<'p>(tree: &Tree, path: &'p str) -> Option<&'p str> {
    let mut at = path.rfind("/templates/").or_else(|| {
        // A chart at the root of the tree.
        path.starts_with("templates/").then_some(0)
    });
    while let Some(end) = at {
        let directory = path.get(..end)?;
        if tree.files.contains_key(beside(directory, "Chart.yaml").as_str()) {
            return Some(directory);
        }
        at = directory
            .rfind("/templates/")
            .or_else(|| (end > 0 && path.starts_with("templates/")).then_some(0));
    }
    None
}

/// Is a file part of a chart, among its templates or its subcharts, although its name is none of a
/// manifest: a helper, or a packaged chart?
pub(super) fn is_part(tree: &Tree, path: &str) -> bool {
    const NAMES: [&str; 3] = [".yaml", ".yml", ".json"];
    let ends = |name: &&str| {
        let end = path.len().checked_sub(name.len()).and_then(|at| path.as_bytes().get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes()))
    };
    let manifest = NAMES.iter().any(ends);
    let starts = |part: &str| format!("/{path}").contains(part);
    !manifest && (starts("/templates/") || starts("/charts/")) && enclosing(tree, path).is_some()
}

/// The directory of the innermost chart around a file.
fn enclosing<'p>(tree: &Tree, path: &'p str) -> Option<&'p str> {
    let mut directory = path;
    while !directory.is_empty() {
        directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        if tree.files.contains_key(beside(directory, "Chart.yaml").as_str()) {
            return Some(directory);
        }
    }
    None
}

/// The directory of the chart that a file is rendered with: a subchart is rendered with its parent.
fn root<'p>(tree: &Tree, path: &'p str) -> Option<&'p str> {
    let mut directory = enclosing(tree, path)?;
    while let Some((charts, _)) = directory.rsplit_once('/')
        && let Some(parent) = charts.strip_suffix("/charts").or((charts == "charts").then_some(""))
        && tree.files.contains_key(beside(parent, "Chart.yaml").as_str())
    {
        directory = parent;
    }
    Some(directory)
}

fn beside(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_string(),
        directory => format!("{directory}/{name}"),
    }
}

/// What a chart would render to, as far as it can be told.
#[derive(Default)]
struct Chart {
    /// Its documents that need rendering.
    documents: usize,
    /// Those that could hold policies, workloads or namespaces.
    relevant: usize,
    /// Templates, packaged charts and dependencies that tell nothing of what they hold.
    opaque: usize,
    /// Identifies the files that what it renders to depends on.
    identity: Vec<u8>,
}

/// One problem for each chart that has something to render; its subcharts belong to it. `files`: the
/// files of a side in the order of their paths, each with its path.
pub(super) fn problems<'f>(
    tree: &Tree,
    files: impl Iterator<Item = (&'f Arc<str>, &'f FileRead)>,
) -> Vec<Problem> {
    let is_chart = |path: &Arc<str>| &**path == "Chart.yaml" || path.ends_with("/Chart.yaml");
    if !tree.files.keys().any(is_chart) {
        return Vec::new();
    }
    let mut charts = BTreeMap::<&str, Chart>::new();
    for (path, file) in files {
        let (Some(directory), Some(content)) = (root(tree, path), tree.files.get(path)) else {
            continue;
        };
        let inside = path.strip_prefix(directory).unwrap_or(path).trim_start_matches('/');
        let helm = &file.helm;
        let found = charts.entry(directory).or_default();
        found.documents += helm.documents;
        found.relevant += helm.relevant;
        found.opaque += helm.opaque;
        let name = inside.rsplit('/').next().unwrap_or(inside);
        if matches!(name, "Chart.yaml" | "requirements.yaml") {
            found.opaque += dependencies(content.bytes());
        }
        let counts = match chart(tree, path).is_some() && !is_part(tree, path) {
            // What needs no rendering is read as it stands.
            true => helm.relevant + helm.opaque > 0 || helm.defines,
            false => takes_part(inside, name),
        };
        if counts {
            found.identity.extend_from_slice(inside.as_bytes());
            found.identity.extend_from_slice(&digest(content.bytes()).to_be_bytes());
        }
    }
    charts.into_iter().filter_map(|(directory, chart)| chart.problem(directory)).collect()
}

/// How many charts a chart's own file asks for.
fn dependencies(bytes: &[u8]) -> usize {
    let Ok(text) = std::str::from_utf8(bytes) else { return 1 };
    match yaml::parse(text, 1) {
        Ok(parsed) => parsed.doc.map_or(0, |doc| {
            doc.get(Doc::ROOT, "dependencies").map_or(0, |list| doc.items(list).len())
        }),
        Err(_) => 1,
    }
}

/// Could a file of a chart that is no template in a manifest's name change what it renders to?
/// `inside`: its path from the chart, `name`: its name.
fn takes_part(inside: &str, name: &str) -> bool {
    let first = inside.split('/').next().unwrap_or_default();
    let aside = matches!(name, "NOTES.txt" | "LICENSE" | "OWNERS" | ".helmignore")
        || name.ends_with(".md")
        || name.ends_with(".schema.json")
        || first == "ci";
    let own =
        matches!(inside, "Chart.yaml" | "Chart.lock" | "requirements.yaml" | "requirements.lock");
    !aside && (own || matches!(first, "templates" | "charts") || inside.contains("values"))
}

impl Chart {
    fn problem(self, directory: &str) -> Option<Problem> {
        let shown = if directory.is_empty() { "." } else { directory };
        let affects = match (self.relevant, self.opaque, self.documents) {
            (1.., _, _) => Affects::Anything,
            (_, 1.., _) => Affects::Perhaps,
            (_, _, 1..) => Affects::Nothing,
            _ => return None,
        };
        let templates = format!("{} of its documents are templates", self.documents);
        let holds = match (self.relevant, self.opaque) {
            (0, 0) => {
                format!(
                    "{templates}, none of which seems to hold workloads, namespaces or policies"
                )
            }
            (0, _) => {
                "nothing is known here of the charts and templates that it includes".to_string()
            }
            (1, _) => {
                format!("{templates}, one of which may hold workloads, namespaces or policies")
            }
            (n, _) => {
                format!("{templates}, {n} of which may hold workloads, namespaces or policies")
            }
        };
        Some(Problem {
            file: beside(directory, "Chart.yaml").into(),
            line: None,
            kind: None,
            name: None,
            reason: format!(
                "the Helm chart was not rendered: {holds}; review the output of `helm template \
                 {shown}` instead"
            ),
            affects,
            identity: digest(&self.identity),
            sort: Sort::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_chart_is_found() {
        let tree = Tree::from_texts(
            "t",
            [("a/Chart.yaml", ""), ("a/charts/b/Chart.yaml", ""), ("c/x.yaml", "")],
        );
        assert_eq!(chart(&tree, "a/templates/x.yaml"), Some("a"));
        assert_eq!(chart(&tree, "a/templates/sub/templates/x.yaml"), Some("a"));
        assert_eq!(chart(&tree, "a/charts/b/templates/x.yaml"), Some("a/charts/b"));
        assert_eq!(chart(&tree, "c/templates/x.yaml"), None);
        assert_eq!(chart(&tree, "a/values.yaml"), None);
        let root = Tree::from_texts("t", [("Chart.yaml", "")]);
        assert_eq!(chart(&root, "templates/x.yaml"), Some(""));
        assert_eq!(chart(&root, "templates/templates/x.yaml"), Some(""));
    }
}
