//! What an object that was not evaluated refers to: a change there is a change of what it deploys, too.

use super::object::Context;
use super::place::join;
use crate::parse::{Node, Value, digest};
use std::collections::BTreeSet;

/// Fields of Argo CD and Flux that hold paths of files and directories, wherever they stand.
const PATHS: [&str; 4] = ["path", "valueFiles", "valuesFiles", "chart"];

/// How many paths of one object are looked up one by one.
const PATHS_OF_ONE: usize = 100;

/// A digest of the files and objects that an object names, as far as the repository has them: equal before and after
/// iff the change touches none of them. A path with a variable or a pattern in it stands for all that its beginning
/// has below it.
pub(super) fn named(node: &Node, context: &Context<'_>) -> u128 {
    let mut names = Names::default();
    names.gather(node, None);
    let files = context.facts.files;
    let mut all = String::new();
    let mut add = |path: &str| {
        if let Some(digest) = context.known.digest(path, files) {
            all.push_str(&format!("{path}\0{digest:x}\0"));
        }
    };
    // Paths of values count from the directory of the source, and from the root after the name of another source.
    let directories: Vec<&str> =
        std::iter::once("").chain(names.paths.iter().map(String::as_str)).collect();
    match names.paths.len() > PATHS_OF_ONE {
        // Any file may be among so many.
        true => add(""),
        false => {
            let of_source = |path: &'_ String| -> String {
                let named = path.strip_prefix('$').and_then(|path| path.split_once('/'));
                named.map_or(path.as_str(), |(_, path)| path).trim_start_matches('/').to_string()
            };
            let written: Vec<String> = names.paths.iter().map(of_source).collect();
            let fixed = written.iter().filter_map(|path| fixed(path));
            let paths: BTreeSet<String> = fixed
                .flat_map(|path| directories.iter().filter_map(move |around| join(around, path)))
                .filter(|path| !path.is_empty())
                .collect();
            paths.iter().for_each(|path| add(path));
        }
    }
    for (kind, name) in &names.objects {
        for object in context.known.named(kind, name) {
            all.push_str(&object.node.to_json().to_string());
        }
    }
    digest(all.as_bytes())
}

/// The beginning of a path, up to the first directory or file that a variable or a pattern is in.
fn fixed(path: &str) -> Option<&str> {
    match path.find(['{', '$', '*', '?', '[']) {
        None => Some(path),
        Some(at) => path.get(..at)?.rsplit_once('/').map(|(fixed, _)| fixed),
    }
}

#[derive(Default)]
struct Names {
    paths: BTreeSet<String>,
    /// Kinds and names of objects.
    objects: BTreeSet<(String, String)>,
}

impl Names {
    fn gather(&mut self, node: &Node, key: Option<&str>) {
        match &node.value {
            Value::Text(text) if key.is_some_and(|key| PATHS.contains(&key)) => {
                self.paths.insert(text.clone());
            }
            Value::List(items) => items.iter().for_each(|item| self.gather(item, key)),
            Value::Map(fields) => {
                if let (Some(kind), Some(name)) = (node.text_at(&["kind"]), node.text_at(&["name"]))
                {
                    self.objects.insert((kind.to_string(), name.to_string()));
                }
                fields.iter().for_each(|field| self.gather(&field.node, Some(&field.key)));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::object::tests::found;

    const HEAD: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\n";

    fn identity(spec: &str, files: &[(&str, &str)]) -> u128 {
        let found = found(&format!("{HEAD}spec: {spec}\n"), files);
        let [told] = &found.problems[..] else { panic!("{found:?}") };
        told.problem.identity
    }

    #[test]
    fn values_of_what_was_not_evaluated_count() {
        let remote = "{destination: {name: eu}, sources: [{repoURL: https://example.com/a/b, ref: v}, {repoURL: \
                      https://charts.example.com, chart: x, helm: {valueFiles: [$v/envs/prod.yaml]}}]}";
        let unknown = "{destination: {name: eu}, source: {repoURL: https://example.com/a/b, path: chart, helm: \
                       {valueFiles: ['../envs/{{name}}.yaml', $UNKNOWN]}}}";
        for spec in [remote, unknown] {
            let with = |values, other, readme| {
                let files = [
                    ("chart/Chart.yaml", "name: x"),
                    ("envs/prod.yaml", values),
                    ("envs/README.md", readme),
                    ("other/a.yaml", other),
                ];
                identity(spec, &files)
            };
            let before = with("a: 1", "", "");
            assert_ne!(before, with("a: 2", "", ""), "{spec}");
            assert_eq!(before, with("a: 1", "b: 1", "more"), "{spec}");
        }
    }
}
