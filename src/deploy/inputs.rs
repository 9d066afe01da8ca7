//! What a kustomization or a chart is built from: every file that it can read, and what in it must not run.
//!
//! Nothing is built whose inputs are not all here, so no tool ever has a reason to reach for the network.

use super::{Build, Release, Unit, Values};
use crate::parse::{Affects, Node, Problem, Sort, Value, digest, directory, manifests, resolve};
use crate::tree::{Files, Tree};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The names of a kustomization file, in the order in which kustomize looks for them.
pub const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Charts that use each other through `file://` stay few.
const LOCAL_CHARTS: usize = 32;

/// What something is built from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The files.
    pub files: BTreeSet<Arc<str>>,
    /// Why it is not built; empty: it can be.
    pub refusals: Vec<Problem>,
    /// Charts from elsewhere in the repository that go into `charts/` of others: from, to.
    pub copies: Vec<(String, String)>,
}

/// What a unit is built from. `trusted`: remote parts and plugins are let be.
pub fn inputs(unit: &Unit, files: &dyn Files, trusted: bool) -> Inputs {
    let mut walk = Walk { files, trusted, found: Inputs::default(), seen: BTreeSet::new() };
    match &unit.build {
        Build::Plain(plain) => walk.found.files = plain.files(files).into_iter().collect(),
        Build::Kustomize { directory, overlay } => {
            match kustomization(directory, files) {
                Some(_) => walk.directory(directory, false),
                None => {
                    for resource in generated(directory, files) {
                        match kustomization(&resource, files) {
                            Some(_) => walk.directory(&resource, false),
                            None => drop(walk.found.files.insert(resource.into())),
                        }
                    }
                }
            }
            let components = overlay.fields.get("components").and_then(|list| list.as_array());
            for component in components.into_iter().flatten().filter_map(|path| path.as_str()) {
                walk.directory(component, false);
            }
        }
        Build::Helm(release) => walk.release(release),
    }
    walk.found
}

/// The kustomization file of a directory.
pub fn kustomization(directory: &str, files: &dyn Files) -> Option<String> {
    KUSTOMIZATIONS.iter().map(|name| beside(directory, name)).find(|path| files.is_file(path))
}

/// A path below a directory; "" is the root.
pub fn beside(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_string(),
        directory => format!("{directory}/{name}"),
    }
}

/// The kustomizations that one builds on, as directories from the root.
pub fn includes(path: &str, node: &Node, files: &dyn Files) -> Vec<String> {
    let lists = ["resources", "bases", "components", "transformers", "generators", "validators"];
    let items = lists.iter().filter_map(|field| node.get(field)).flat_map(Node::items);
    let directories = items.filter_map(|item| resolve(path, item.text()?));
    directories.filter(|directory| kustomization(directory, files).is_some()).collect()
}

/// What Flux builds of a directory without a kustomization: its manifests, and of directories below it that
/// have a kustomization, that.
pub fn generated(directory: &str, files: &dyn Files) -> Vec<String> {
    let mut resources = BTreeSet::new();
    for path in files.below(directory) {
        let around = |path: &str| {
            let inside = path.get(directory.len()..)?;
            let ends = inside.match_indices('/').map(|(at, _)| directory.len() + at);
            let mut around =
                ends.filter_map(|end| path.get(..end)).map(|at| at.trim_start_matches('/'));
            around
                .find(|at| at.len() > directory.len() && kustomization(at, files).is_some())
                .map(str::to_string)
        };
        match around(&path) {
            Some(built) => drop(resources.insert(built)),
            None if path.ends_with(".yaml") || path.ends_with(".yml") => {
                resources.insert(path.to_string());
            }
            None => {}
        }
    }
    resources.into_iter().collect()
}

struct Walk<'a> {
    files: &'a dyn Files,
    trusted: bool,
    found: Inputs,
    /// Directories that were walked; each once, whatever includes it.
    seen: BTreeSet<(String, bool)>,
}

impl Walk<'_> {
    fn refuse(&mut self, file: &str, line: u32, reason: String) {
        let content = self.files.read(file);
        self.found.refusals.push(Problem {
            file: file.into(),
            line: Some(line),
            kind: None,
            name: None,
            reason,
            affects: Affects::Anything,
            identity: content.map_or(0, |content| digest(content.bytes())),
            sort: Sort::Other,
        });
    }

    /// `plugins`: what it holds configures transformers or generators, and so could run programs.
    fn directory(&mut self, at: &str, plugins: bool) {
        if !self.seen.insert((at.to_string(), plugins)) {
            return;
        }
        let Some(path) = kustomization(at, self.files) else { return };
        self.found.files.insert(path.as_str().into());
        let Some(content) = self.files.read(&path) else { return };
        let mut documents = manifests(content.bytes()).into_iter();
        let node = match (documents.next(), documents.next()) {
            (Some(Ok(node)), None) => node,
            (Some(Err(error)), _) | (_, Some(Err(error))) => {
                let reason = format!("the kustomization can't be read: {}", error.message);
                return self.refuse(&path, error.line, reason);
            }
            (None, _) => return,
            (Some(Ok(_)), Some(Ok(second))) => {
                let reason = "a kustomization is one document; this file has several".to_string();
                return self.refuse(&path, second.start_line, reason);
            }
        };
        for field in node.fields() {
            self.field(&path, &field.key, &field.node, plugins);
        }
    }

    fn field(&mut self, path: &str, key: &str, node: &Node, plugins: bool) {
        let texts = |node: &Node| node.items().to_vec();
        match key {
            "resources" | "bases" | "components" => {
                for item in texts(node) {
                    self.named(path, key, &item, plugins);
                }
            }
            "generators" | "transformers" | "validators" => {
                for item in texts(node) {
                    match item.text() {
                        Some(text) if text.contains('\n') => {
                            self.plugin(path, item.start_line, text.as_bytes());
                        }
                        _ => self.named(path, key, &item, true),
                    }
                }
            }
            "patchesStrategicMerge" => {
                for item in texts(node) {
                    if item.text().is_some_and(|text| !text.contains('\n')) {
                        self.named(path, key, &item, false);
                    }
                }
            }
            "crds" | "configurations" => {
                for item in texts(node) {
                    self.named(path, key, &item, false);
                }
            }
            "patches" | "patchesJson6902" | "replacements" => {
                for item in node.items().iter().filter_map(|item| item.get("path")) {
                    self.named(path, key, item, false);
                }
            }
            "openapi" => {
                if let Some(file) = node.get("path") {
                    self.named(path, key, file, false);
                }
            }
            "configMapGenerator" | "secretGenerator" => {
                for item in node.items() {
                    let lists = ["files", "envs"].iter().filter_map(|key| item.get(key));
                    for file in lists.flat_map(Node::items).chain(item.get("env")) {
                        self.named(path, key, &after_key(file), false);
                    }
                }
            }
            "helmCharts" | "helmChartInflationGenerator" if !self.trusted => {
                let line = node.start_line;
                let reason = format!(
                    "`{key}` runs another program and may fetch charts; it was not built. Deploy the chart on \
                     its own, or allow trusted rendering"
                );
                self.refuse(path, line, reason);
            }
            _ => {}
        }
    }

    /// A file or directory that a kustomization names.
    fn named(&mut self, path: &str, field: &str, item: &Node, plugins: bool) {
        let Some(written) = item.text().filter(|text| !text.is_empty()) else { return };
        let local = resolve(path, written).filter(|_| !written.starts_with('/'));
        if let Some(local) = &local {
            if self.files.is_file(local) {
                self.found.files.insert(local.as_str().into());
                if plugins && let Some(content) = self.files.read(local) {
                    self.plugin(local, 1, content.bytes());
                }
                return;
            }
            if kustomization(local, self.files).is_some() {
                return self.directory(local, plugins);
            }
        }
        if self.trusted && written.contains("//") {
            return;
        }
        let reason = match &local {
            _ if is_remote(written) => format!(
                "`{field}` names `{written}`, which is not in this repository; it was not fetched. Keep a copy \
                 here, or allow trusted rendering"
            ),
            None => format!("`{field}` names `{written}`, which is outside of this repository"),
            Some(_) => format!(
                "`{field}` names `{written}`, which is not here, or is a link; correct the path"
            ),
        };
        self.refuse(path, item.start_line, reason);
        // Where the kustomization of a directory is a link, what it links to may be beside it.
        let beside = local.map(|local| self.files.below(&local)).unwrap_or_default();
        if let Some(problem) = self.found.refusals.last_mut() {
            for file in beside.iter().filter_map(|path| self.files.read(path)) {
                problem.identity = problem.identity.rotate_left(1) ^ digest(file.bytes());
            }
        }
    }

    /// Configuration of a transformer or generator: only those that are built into kustomize run no program.
    fn plugin(&mut self, file: &str, line: u32, bytes: &[u8]) {
        if self.trusted {
            return;
        }
        for node in manifests(bytes).into_iter().flatten() {
            let kind = node.text_at(&["kind"]).unwrap_or("?");
            let builtin = node.text_at(&["apiVersion"]) == Some("builtin");
            if !builtin || kind == "HelmChartInflationGenerator" {
                let reason = format!(
                    "`{kind}` is a plugin of kustomize that runs a program; it was not run. Replace it with what \
                     kustomize has built in"
                );
                return self.refuse(file, line.max(node.start_line), reason);
            }
            if let Some(address) = address(&node) {
                let reason = format!(
                    "`{kind}` names `{address}`, which is not in this repository; it was not fetched. Keep a copy \
                     here, or allow trusted rendering"
                );
                return self.refuse(file, line.max(node.start_line), reason);
            }
        }
    }

    fn release(&mut self, release: &Release) {
        self.chart(&release.chart, &release.chart, 0);
        for values in &release.values {
            let Values::File { path, optional } = values else { continue };
            if self.files.is_file(path) {
                self.found.files.insert(path.as_str().into());
            } else if !optional {
                let chart = beside(&release.chart, "Chart.yaml");
                self.refuse(
                    &chart,
                    1,
                    format!("its values `{path}` are not here; correct the path"),
                );
            }
        }
    }

    /// A chart, and those that it depends on: they stand in its `charts`, or elsewhere in the repository.
    fn chart(&mut self, at: &str, place: &str, depth: usize) {
        let own = beside(at, "Chart.yaml");
        if !self.seen.insert((own.clone(), false)) {
            return;
        }
        self.found.files.extend(self.files.below(at));
        for name in ["Chart.yaml", "requirements.yaml"] {
            let file = beside(at, name);
            let Some(content) = self.files.read(&file) else { continue };
            let Some(Ok(node)) = manifests(content.bytes()).into_iter().next() else { continue };
            for dependency in node.get("dependencies").map(Node::items).unwrap_or_default() {
                self.dependency(at, place, &file, dependency, depth);
            }
        }
        if !self.files.is_file(&own) {
            self.refuse(&own, 1, "it is not here, so there is no chart".to_string());
        }
    }

    fn dependency(&mut self, at: &str, place: &str, file: &str, node: &Node, depth: usize) {
        let name = node.text_at(&["name"]).unwrap_or("?");
        let repository = node.text_at(&["repository"]).unwrap_or_default();
        let charts = beside(at, "charts");
        let vendored = self.files.is_file(&beside(&charts, &format!("{name}/Chart.yaml")))
            || self.files.below(&charts).iter().any(|path| {
                let inside = path.strip_prefix(&*charts).unwrap_or(path).trim_start_matches('/');
                inside.starts_with(&format!("{name}-")) && inside.ends_with(".tgz")
            });
        if vendored || self.trusted && !repository.starts_with("file://") {
            return;
        }
        let local = repository.strip_prefix("file://").and_then(|path| resolve(file, path));
        match local {
            Some(local)
                if self.files.is_file(&beside(&local, "Chart.yaml")) && depth < LOCAL_CHARTS =>
            {
                let to = beside(&beside(place, "charts"), name);
                self.found.copies.push((local.clone(), to.clone()));
                self.chart(&local, &to, depth + 1);
            }
            _ => {
                let reason = format!(
                    "it depends on the chart `{name}`, which is not in `charts`; it was not fetched. Keep it \
                     there (`helm dependency build`), or allow trusted rendering"
                );
                self.refuse(file, node.start_line, reason);
            }
        }
    }
}

/// An address in what a generator or transformer that is built into kustomize reads, which it would fetch.
fn address(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text.as_str()).filter(|text| text.contains("://")),
        Value::List(items) => items.iter().find_map(address),
        Value::Map(fields) => {
            let reads = ["path", "paths", "files", "envs", "env", "replacements"];
            fields
                .iter()
                .filter(|field| reads.contains(&&*field.key))
                .find_map(|field| address(&field.node))
        }
        _ => None,
    }
}

/// `key=path` of a generator's files.
fn after_key(item: &Node) -> Node {
    let mut item = item.clone();
    if let Value::Text(text) = &mut item.value
        && let Some((_, path)) = text.split_once('=')
    {
        *text = path.to_string();
    }
    item
}

fn is_remote(path: &str) -> bool {
    path.contains("://")
        || path.contains("?ref=")
        || path.contains('@')
        || path.split_once('/').is_some_and(|(host, _)| host.len() > 2 && host.contains('.'))
}

/// The directory of every kustomization of a tree, with its path, in order.
pub fn kustomizations(tree: &Tree) -> Vec<(String, Arc<str>)> {
    let files = tree.files.keys().filter(|path| crate::parse::is_kustomization(path));
    files.map(|path| (directory(path).to_string(), path.clone())).collect()
}
