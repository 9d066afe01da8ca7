//! Helm charts: documents of their templates that only rendering makes manifests.

use super::file::{FileRead, digest};
use super::{Affects, Problem};
use crate::tree::Tree;
use std::sync::Arc;

/// The directory of the innermost chart among whose templates a file is, if it is among any.
pub(super) fn chart<'p>(tree: &Tree, path: &'p str) -> Option<&'p str> {
    let mut at = path.rfind("/templates/").or_else(|| {
        // A chart at the root of the tree.
        path.starts_with("templates/").then_some(0)
    });
    while let Some(end) = at {
        let directory = path.get(..end)?;
        let manifest = match directory {
            "" => "Chart.yaml".to_string(),
            directory => format!("{directory}/Chart.yaml"),
        };
        if tree.files.contains_key(manifest.as_str()) {
            return Some(directory);
        }
        at = directory
            .rfind("/templates/")
            .or_else(|| (end > 0 && path.starts_with("templates/")).then_some(0));
    }
    None
}

/// One problem for each chart that has something to render. `files`: the files of a side in the
/// order of their paths, each with its path.
pub(super) fn problems<'f>(
    tree: &Tree,
    files: impl Iterator<Item = (&'f Arc<str>, &'f FileRead)>,
) -> Vec<Problem> {
    struct Chart {
        documents: usize,
        relevant: usize,
        identity: Vec<u8>,
    }
    let mut charts = std::collections::BTreeMap::<&str, Chart>::new();
    for (path, file) in files {
        if file.helm.documents == 0 {
            continue;
        }
        let Some(directory) = chart(tree, path) else {
            continue;
        };
        let chart = charts.entry(directory).or_insert_with(|| {
            let beside = |name: &str| match directory {
                "" => name.to_string(),
                directory => format!("{directory}/{name}"),
            };
            let mut identity = Vec::new();
            for name in ["Chart.yaml", "values.yaml", "values.yml"] {
                if let Some(content) = tree.files.get(beside(name).as_str()) {
                    identity.extend_from_slice(&digest(content.bytes()).to_be_bytes());
                }
            }
            Chart { documents: 0, relevant: 0, identity }
        });
        chart.documents += file.helm.documents;
        chart.relevant += file.helm.relevant;
        if let Some(content) = tree.files.get(path) {
            chart.identity.extend_from_slice(&digest(content.bytes()).to_be_bytes());
        }
    }
    charts
        .into_iter()
        .map(|(directory, chart)| {
            let (file, shown) = match directory {
                "" => ("Chart.yaml".to_string(), "."),
                directory => (format!("{directory}/Chart.yaml"), directory),
            };
            let holds = match chart.relevant {
                0 => "none of which seems to hold workloads, namespaces or policies".to_string(),
                1 => "one of which may hold workloads, namespaces or policies".to_string(),
                n => format!("{n} of which may hold workloads, namespaces or policies"),
            };
            Problem {
                file: file.into(),
                line: None,
                kind: None,
                name: None,
                reason: format!(
                    "the Helm chart was not rendered: {} of its documents are templates, {holds}; \
                     review the output of `helm template {shown}` instead",
                    chart.documents
                ),
                affects: match chart.relevant {
                    0 => Affects::Nothing,
                    _ => Affects::Anything,
                },
                identity: digest(&chart.identity),
            }
        })
        .collect()
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
