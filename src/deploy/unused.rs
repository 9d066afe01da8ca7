//! What looks like a part of a deployment that nothing in the repository, or in the configuration, says there is.
//!
//! Scripts and other repositories deploy, too: a values file that a pipeline gives to `helm upgrade` opens as much as
//! one that an Application names. All of this is told only where the change touches it.

use super::inputs::{beside, inputs, meaning};
use super::layout::{Layout, kustomize, values_environment};
use super::{Release, Values};
use crate::parse::{Affects, Node, Problem, Sort, Value, digest, directory, manifests};
use crate::tree::{Files, Tree};
use memchr::memmem;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many charts are tried for a values file before it counts as one of theirs.
const CHARTS: usize = 100;

/// Values files of charts of the repository with which none of these releases is built. `read`: the files that
/// something else is built from, or that some tool but helm reads.
///
/// One in the directory of a chart is known by its name. One elsewhere is if it is no manifest, and it is called
/// `values` or lies beside values that are used, and sets what the chart has; or, where nothing deploys the chart, if
/// all that it sets is the chart's, whatever it is called.
pub fn values(
    tree: &Tree,
    files: &dyn Files,
    charts: &[String],
    releases: &[&Release],
    read: &BTreeSet<&Arc<str>>,
) -> Vec<Problem> {
    if charts.is_empty() {
        return Vec::new();
    }
    let used =
        releases.iter().flat_map(|release| &release.values).filter_map(|values| match values {
            Values::File { path, .. } => Some(path.as_str()),
            _ => None,
        });
    let used: BTreeSet<&str> = used.collect();
    let named = named(tree);
    let near: BTreeSet<&str> = used.iter().map(|path| directory(path)).collect();
    let keys = Keys::of(charts, files);
    let mut problems = Vec::new();
    for chart in charts {
        for path in files.below(chart) {
            let inside = path.get(chart.len()..).unwrap_or_default().trim_start_matches('/');
            let nearer = |other: &&String| {
                other.len() > chart.len() && path.starts_with(&format!("{other}/"))
            };
            let looks_like = || {
                may_be_values(inside)
                    && !charts.iter().any(|other| nearer(&other))
                    && keys.has_any(chart, &path, files)
            };
            if !used.contains(&*path) && (values_environment(inside).is_some() || looks_like()) {
                problems.extend(problem(&path, chart, files));
            }
        }
    }
    let told: BTreeSet<Arc<str>> = problems.iter().map(|problem| problem.file.clone()).collect();
    let others = tree.files.iter().filter(|(path, _)| {
        !read.contains(path)
            && !used.contains(&***path)
            && !told.contains(*path)
            && !named.contains(&***path)
    });
    for (path, content) in others {
        if !path.ends_with(".yaml") && !path.ends_with(".yml") {
            continue;
        }
        let Some(fields) = fields(content.bytes()) else { continue };
        let set: Vec<&str> = fields.iter().map(String::as_str).collect();
        let sure = is_called_values(path) || near.contains(directory(path));
        let chart = match sure {
            true => keys.with_any(&set),
            false => keys.with_all(&set).filter(|chart| {
                releases.iter().all(|release| release.chart != *chart || release.values.is_empty())
            }),
        };
        if let Some(chart) = chart {
            problems.extend(problem(path, chart, files));
        }
    }
    problems
}

/// The files that objects of Argo CD take from a source of a name, as `$values/envs/prod.yaml`: where such an object is
/// not evaluated, its own entry changes with them.
fn named(tree: &Tree) -> BTreeSet<&str> {
    let ends = |char: char| char.is_whitespace() || ['"', '\'', ',', ']', '[', '}'].contains(&char);
    let texts = tree.files.values().map(|content| content.bytes());
    texts
        .filter(|bytes| super::mentions(bytes))
        .filter_map(|bytes| std::str::from_utf8(bytes).ok())
        .flat_map(|text| text.split(ends))
        .filter_map(|word| word.strip_prefix('$')?.split_once('/').map(|(_, path)| path))
        .collect()
}

fn problem(path: &Arc<str>, chart: &str, files: &dyn Files) -> Option<Problem> {
    let content = files.read(path)?;
    Some(Problem {
        file: path.clone(),
        line: None,
        kind: None,
        name: None,
        reason: format!(
            "it looks like values of the chart `{chart}`, and nothing says that the chart is deployed with them; state \
             the environment in the configuration, or leave the file out with `paths`"
        ),
        affects: Affects::Perhaps,
        identity: meaning(path, content.bytes()),
        sort: Sort::Other,
    })
}

/// Could a file of a chart be further values of it, by its path in there? Those of `ci` are for tests, and an example
/// is nobody's.
fn may_be_values(inside: &str) -> bool {
    let first = inside.split_once('/').map(|(first, _)| first);
    let own = ["Chart.yaml", "values.yaml", "values.schema.json", "requirements.yaml"];
    let is_yaml = [".yaml", ".yml", ".json"].iter().any(|end| inside.ends_with(end));
    let helm = ["templates", "crds", "charts", "ci"];
    let mut words = inside.split(['/', '-', '_', '.']);
    let is_example = words.any(|word| ["example", "template", "schema"].contains(&word));
    is_yaml
        && !own.contains(&inside)
        && !is_example
        && !first.is_some_and(|first| helm.contains(&first))
}

/// The fields of a file that is no manifest and one map.
fn fields(bytes: &[u8]) -> Option<Vec<String>> {
    if memmem::find(bytes, b"apiVersion").is_some() {
        return None;
    }
    match manifests(bytes).as_slice() {
        [Ok(Node { value: Value::Map(fields), .. })] => {
            Some(fields.iter().map(|field| field.key.to_string()).collect())
        }
        _ => None,
    }
}

/// `values.yaml`, `values-prod.yaml`, `prod.values.yaml`, or below a directory `values`.
fn is_called_values(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    let words: Vec<&str> = stem.split(['-', '_', '.']).collect();
    let known = |words: &[&str]| {
        [words.first(), words.last()].iter().any(|word| word.is_some_and(|word| *word == "values"))
    };
    known(&words) || parts.any(|directory| directory == "values")
}

/// What values the charts of a repository have at the top.
struct Keys<'a> {
    charts: Vec<(&'a str, BTreeSet<String>)>,
    /// The charts that have a value, in order.
    with: BTreeMap<String, Vec<usize>>,
}

impl<'a> Keys<'a> {
    fn of(charts: &'a [String], files: &dyn Files) -> Self {
        let mut keys = Self { charts: Vec::new(), with: BTreeMap::new() };
        for chart in charts {
            let own = of_chart(chart, files);
            for key in &own {
                keys.with.entry(key.clone()).or_default().push(keys.charts.len());
            }
            keys.charts.push((chart, own));
        }
        keys
    }

    /// Does a file set anything that this chart has?
    fn has_any(&self, chart: &str, path: &str, files: &dyn Files) -> bool {
        let own = self.charts.iter().find(|(at, _)| *at == chart).map(|(_, own)| own);
        let fields = files.read(path).and_then(|content| fields(content.bytes()));
        own.zip(fields).is_some_and(|(own, fields)| fields.iter().any(|key| own.contains(key)))
    }

    fn with_any(&self, set: &[&str]) -> Option<&'a str> {
        let first = set.iter().filter_map(|key| self.with.get(*key)?.first()).min()?;
        self.charts.get(*first).map(|(chart, _)| *chart)
    }

    fn with_all(&self, set: &[&str]) -> Option<&'a str> {
        let candidates = self.with.get(*set.first()?)?;
        let all = |at: &&usize| {
            let own = self.charts.get(**at).map(|(_, own)| own);
            own.is_some_and(|own| set.iter().all(|key| own.contains(*key)))
        };
        let found = candidates.iter().take(CHARTS).find(all).or_else(|| candidates.get(CHARTS));
        self.charts.get(*found?).map(|(chart, _)| *chart)
    }
}

/// The values that a chart has by its own file, its templates and the charts that it depends on.
fn of_chart(chart: &str, files: &dyn Files) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let first = |path: &str| -> Option<Node> {
        manifests(files.read(&beside(chart, path))?.bytes()).into_iter().next()?.ok()
    };
    if let Some(values) = first("values.yaml") {
        keys.extend(values.fields().iter().map(|field| field.key.clone()));
    }
    for dependency in
        first("Chart.yaml").iter().flat_map(|node| node.get("dependencies")).flat_map(Node::items)
    {
        let names = ["name", "alias"].iter().filter_map(|key| dependency.text_at(&[key]));
        keys.extend(names.map(str::to_string));
    }
    for path in files.below(&beside(chart, "templates")) {
        let Some(content) = files.read(&path) else { continue };
        let bytes = content.bytes();
        for at in memmem::find_iter(bytes, b".Values.") {
            let rest = bytes.get(at + b".Values.".len()..).unwrap_or_default();
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let end = rest.iter().position(|byte| !is_name(byte)).unwrap_or(rest.len());
            let name = rest.get(..end).and_then(|name| std::str::from_utf8(name).ok());
            keys.extend(name.filter(|name| !name.is_empty()).map(str::to_string));
        }
    }
    keys
}

/// Kustomizations and charts that no stated environment is built from, where they have files that none has. `told`:
/// files of which it is said already.
pub fn stated(
    layout: &Layout,
    files: &dyn Files,
    claimed: &BTreeSet<&Arc<str>>,
    told: &BTreeSet<Arc<str>>,
) -> Vec<Problem> {
    let roots = layout.roots.iter().map(|root| {
        let found = inputs(&kustomize(root, ""), files, false);
        (root, "kustomization", super::inputs::kustomization(root, files), found.files)
    });
    let charts = layout.charts.iter().map(|chart| {
        let all = files.below(chart).into_iter().filter(|path| layout.claimed.contains(path));
        (chart, "chart", Some(beside(chart, "Chart.yaml")), all.collect())
    });
    let mut problems = Vec::new();
    for (at, what, file, all) in roots.chain(charts) {
        let ours = |path: &&Arc<str>| {
            !claimed.contains(path) && !told.contains(*path) && !path.ends_with(".md")
        };
        let mut identity = String::new();
        for path in all.iter().filter(ours) {
            let content = files.read(path).map_or(0, |content| meaning(path, content.bytes()));
            identity.push_str(&format!("{path}\0{content:x}\0"));
        }
        if identity.is_empty() {
            continue;
        }
        problems.push(Problem {
            file: file.unwrap_or_else(|| at.clone()).into(),
            line: None,
            kind: None,
            name: None,
            reason: format!(
                "files of this {what} changed, and no environment of the configuration has them; add it to one, or \
                 leave it out with `paths`"
            ),
            affects: Affects::Perhaps,
            identity: digest(identity.as_bytes()),
            sort: Sort::Other,
        });
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHART: [(&str, &str); 3] = [
        ("charts/app/Chart.yaml", "name: app\ndependencies: [{name: db}]\n"),
        ("charts/app/values.yaml", "image: x\n"),
        ("charts/app/templates/p.yaml", "a: {{ .Values.open }}{{ .Values.peers.all }}\n"),
    ];

    fn told(extra: &[(&str, &str)], deployed_with: Option<&str>) -> Vec<String> {
        let tree = Tree::from_texts("t", CHART.iter().chain(extra).copied());
        let path = deployed_with.map(str::to_string);
        let values = path.into_iter().map(|path| Values::File { path, optional: false }).collect();
        let release = Release { chart: "charts/app".into(), values, ..Release::default() };
        let charts = ["charts/app".to_string()];
        // As a chart has what is in its directory.
        let read = tree.below("charts/app");
        let read = read.iter().collect();
        let problems = super::values(&tree, &tree, &charts, &[&release], &read);
        problems.iter().map(|problem| problem.file.to_string()).collect()
    }

    #[test]
    fn values_that_no_release_has_are_told_where_they_could_be_meant() {
        for (path, text, alone, deployed) in [
            ("values/prod.yaml", "open: true\n", true, true),
            ("deploy/values-prod.yaml", "open: true\nunknown: 1\n", true, true),
            ("deploy/prod.yaml", "open: true\ndb: {}\n", true, false),
            ("env/dev.yaml", "open: true\n", true, true),
            ("charts/app/values-prod.yaml", "", true, true),
            ("charts/app/values-example.yaml", "open: true\n", false, false),
            ("charts/app/prod.yaml", "open: true\n", true, true),
            ("charts/app/prod.yaml", "unknown: true\n", false, false),
            ("deploy/prod.yaml", "open: true\nservices: []\n", false, false),
            ("values/prod.yaml", "unknown: true\n", false, false),
            ("values/policy.yaml", "apiVersion: v1\nopen: true\n", false, false),
            ("values/list.yaml", "- open\n", false, false),
            ("values/prod.json", "{\"open\": true}", false, false),
        ] {
            assert_eq!(told(&[(path, text)], None), [path][..usize::from(alone)], "{path} {text}");
            let more = [(path, text), ("env/prod.yaml", "open: false\n")];
            let found = told(&more, Some("env/prod.yaml"));
            assert_eq!(found, [path][..usize::from(deployed)], "{path} {text}, deployed");
        }
    }

    #[test]
    fn comments_are_not_what_a_file_says() {
        let one = |text: &str| meaning("a.yaml", text.as_bytes());
        assert_eq!(one("a: 1 # one\n"), one("# two\na:   1\n"));
        assert_ne!(one("a: 1\n"), one("a: 2\n"));
        assert_ne!(one("a: [\n"), one("a: [ # x\n"));
        assert_ne!(one("images: []\n"), one("images: [x]\n"));
    }
}
