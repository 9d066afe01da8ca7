//! What a kustomization or a chart is built from: every file that it can read, and what in it must not run.
//!
//! Nothing is built whose inputs are not all here, so no tool ever has a reason to reach for the network.

use super::{Build, Release, Unit, Values};
use crate::parse::{
    Affects, Node, Problem, Sort, Unreadable, Value, digest, directory, manifests, resolve,
};
use crate::tree::{Files, Tree, is_kustomization, is_manifest};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The names of a kustomization file, in the order in which kustomize looks for them.
pub const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Fields of a kustomization that change nothing that policies look at.
const PLAYS_NO_PART: [&str; 4] = ["images", "commonAnnotations", "buildMetadata", "metadata"];

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
    /// Files that shape what others become (kustomizations, patches, configuration), and those that are no manifests
    /// by their names.
    shaping: BTreeSet<Arc<str>>,
    /// Files whose content goes into generated objects, and from there into others if something replaces.
    generating: BTreeSet<Arc<str>>,
    /// Something takes values from generated objects.
    replaces: bool,
}

impl Inputs {
    /// What decides what becomes of the unit's objects, apart from the objects that are read where nothing is built.
    pub fn shaping(&self, unit: &Unit) -> &BTreeSet<Arc<str>> {
        match &unit.build {
            Build::Helm(_) => &self.files,
            _ => &self.shaping,
        }
    }

    /// What is refused changes with whatever would shape it, and not with comments or what only stands beside it. Of a
    /// chart that is everything it is made of. To be asked once, when all refusals are known.
    pub fn tell_apart(&mut self, unit: &Unit, files: &dyn Files) {
        if self.refusals.is_empty() {
            return;
        }
        let mut all = match &unit.build {
            Build::Kustomize { directory, overlay } => {
                let mut fields = overlay.fields.clone();
                PLAYS_NO_PART.iter().for_each(|key| drop(fields.remove(*key)));
                format!("{directory}\0{fields:?}\0{:?}\0", unit.namespace)
            }
            build => format!("{build:?}\0{:?}\0", unit.namespace),
        };
        for path in self.shaping(unit).iter().filter(|path| !path.ends_with(".md")) {
            let meaning = match files.read(path) {
                Some(content) => meaning(path, content.bytes()),
                None => files.unread(path).map_or(0, |unread| digest(unread.as_bytes())),
            };
            all.push_str(&format!("{path}\0{meaning:x}\0"));
        }
        let all = digest(all.as_bytes());
        for problem in &mut self.refusals {
            problem.identity = problem.identity.rotate_left(1) ^ all;
        }
    }
}

/// What a unit is built from. `trusted`: remote parts and plugins are let be. Its refusals are still to be told apart.
pub fn inputs(unit: &Unit, files: &dyn Files, trusted: bool) -> Inputs {
    let (found, seen) = Default::default();
    let mut walk = Walk { files, trusted, found, seen };
    match &unit.build {
        Build::Plain(plain) => walk.found.files = plain.files(files).into_iter().collect(),
        Build::Kustomize { directory, overlay } => {
            match has_kustomization(directory, files) {
                true => walk.directory(directory, false),
                false => {
                    for resource in generated(directory, files) {
                        match has_kustomization(&resource, files) {
                            true => walk.directory(&resource, false),
                            false => drop(walk.found.files.insert(resource.into())),
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
    let mut found = walk.found;
    if found.replaces {
        found.shaping.extend(std::mem::take(&mut found.generating));
    }
    found
}

/// The kustomization file of a directory.
pub fn kustomization(directory: &str, files: &dyn Files) -> Option<String> {
    KUSTOMIZATIONS.iter().map(|name| beside(directory, name)).find(|path| files.is_file(path))
}

/// The kustomization file of a directory that is not read, a link say.
fn unread_kustomization(directory: &str, files: &dyn Files) -> Option<String> {
    let mut paths = KUSTOMIZATIONS.iter().map(|name| beside(directory, name));
    paths.find(|path| files.unread(path).is_some())
}

/// Does a directory have a kustomization, read or not?
fn has_kustomization(directory: &str, files: &dyn Files) -> bool {
    kustomization(directory, files).or_else(|| unread_kustomization(directory, files)).is_some()
}

/// A path below a directory; "" is the root.
pub fn beside(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_string(),
        directory => format!("{directory}/{name}"),
    }
}

/// The rest of a path inside a directory; "" is the root.
pub fn inside<'p>(directory: &str, path: &'p str) -> &'p str {
    path.strip_prefix(directory).unwrap_or(path).trim_start_matches('/')
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
                .find(|at| at.len() > directory.len() && has_kustomization(at, files))
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
    /// [`Walk::refuse`], where `path` is missing: what stands there and is not read may change.
    fn missing(&mut self, file: &str, line: u32, reason: String, path: &str) {
        self.refuse(file, line, reason);
        let unread = self.files.unread(path);
        if let (Some(unread), Some(problem)) = (unread, self.found.refusals.last_mut()) {
            problem.identity = problem.identity.rotate_left(1) ^ digest(unread.as_bytes());
        }
    }

    fn refuse(&mut self, file: &str, line: u32, reason: String) {
        let content = self.files.read(file);
        self.found.refusals.push(Problem {
            file: file.into(),
            line: Some(line),
            kind: None,
            name: None,
            reason,
            affects: Affects::Anything,
            identity: content.map_or(0, |content| meaning(file, content.bytes())),
            sort: Sort::Other,
        });
    }

    /// `plugins`: what it holds configures transformers or generators, and so could run programs.
    fn directory(&mut self, at: &str, plugins: bool) {
        if !self.seen.insert((at.to_string(), plugins)) {
            return;
        }
        let Some(path) = kustomization(at, self.files) else {
            let Some(path) = unread_kustomization(at, self.files) else { return };
            let reason = "it is not read, and nothing is built of its directory without it; put the file itself \
                          there, or name another directory";
            self.found.shaping.extend(self.files.below(at));
            return self.missing(&path, 1, reason.to_string(), &path);
        };
        self.found.files.insert(path.as_str().into());
        self.found.shaping.insert(path.as_str().into());
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
        if let Some((written, meant, line)) = otherwise_spelt(&node) {
            let reason =
                format!("`{written}` is read as `{meant}`, which nothing here does; write it so");
            self.found.shaping.extend(self.files.below(at));
            self.refuse(&path, line, reason);
        }
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
                            self.plugin(path, path, item.start_line, text.as_bytes());
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
            "vars" => self.found.replaces = true,
            "patches" | "patchesJson6902" | "replacements" => {
                self.found.replaces |= key == "replacements";
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
                self.helm_charts(path, node);
                let reason = format!(
                    "`{key}` runs another program and may fetch charts; it was not built. Deploy the chart on \
                     its own, or allow trusted rendering"
                );
                self.refuse(path, line, reason);
            }
            _ => {}
        }
    }

    /// What the charts of a kustomization would be made of, as far as it is here.
    fn helm_charts(&mut self, path: &str, node: &Node) {
        let content = self.files.read(path);
        let own = content.and_then(|content| manifests(content.bytes()).into_iter().next()?.ok());
        let home = own.as_ref().and_then(|own| own.text_at(&["helmGlobals", "chartHome"]));
        for chart in node.items() {
            self.inflated(path, chart, home);
        }
    }

    /// What one chart of a kustomization would be made of.
    fn inflated(&mut self, path: &str, chart: &Node, home: Option<&str>) {
        let lists = ["additionalValuesFiles"].iter().filter_map(|key| chart.get(key));
        let one = ["valuesFile", "values"].iter().filter_map(|key| chart.get(key));
        let values = lists.flat_map(Node::items).chain(one);
        for file in values.filter_map(Node::text).filter_map(|file| resolve(path, file)) {
            self.found.shaping.insert(file.into());
        }
        let name = chart.text_at(&["name"]).or(chart.text_at(&["chartName"])).unwrap_or_default();
        let home = chart.text_at(&["chartHome"]).or(home).unwrap_or("charts");
        if let Some(at) = resolve(path, &beside(home, name)) {
            self.found.shaping.extend(self.files.below(&at));
            self.found.shaping.extend(self.files.unread_below(&at));
        }
    }

    /// A file or directory that a kustomization names.
    fn named(&mut self, path: &str, field: &str, item: &Node, plugins: bool) {
        let Some(written) = item.text().filter(|text| !text.is_empty()) else { return };
        let local = resolve(path, written).filter(|_| !written.starts_with('/'));
        if let Some(local) = &local {
            if self.files.is_file(local) {
                self.found.files.insert(local.as_str().into());
                let is_object = ["resources", "bases", "configMapGenerator", "secretGenerator"];
                // What has another name is not read where nothing is built of it.
                let unnamed = ["resources", "bases"].contains(&field) && !is_manifest(local);
                if plugins || unnamed || !is_object.contains(&field) {
                    self.found.shaping.insert(local.as_str().into());
                } else if field.ends_with("Generator") {
                    self.found.generating.insert(local.as_str().into());
                }
                if plugins && let Some(content) = self.files.read(local) {
                    self.plugin(path, local, 1, content.bytes());
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
        let Some(local) = local else { return self.refuse(path, item.start_line, reason) };
        self.missing(path, item.start_line, reason, &local);
        // Where the kustomization of a directory is a link, what it links to may be beside it.
        let unread =
            self.files.unread_below(&local).into_iter().filter_map(|at| self.files.unread(&at));
        let unread: Vec<u128> = unread.map(|unread| digest(unread.as_bytes())).collect();
        let beside = self.files.below(&local).into_iter().filter_map(|path| self.files.read(&path));
        let beside = beside.map(|content| digest(content.bytes()));
        if let Some(problem) = self.found.refusals.last_mut() {
            for one in beside.chain(unread) {
                problem.identity = problem.identity.rotate_left(1) ^ one;
            }
        }
    }

    /// Configuration of a transformer or generator: only those that are built into kustomize run no program. The files
    /// that it names count from the kustomization at `path`.
    fn plugin(&mut self, path: &str, file: &str, line: u32, bytes: &[u8]) {
        for node in manifests(bytes).into_iter().flatten() {
            self.found.replaces = true;
            self.inflated(path, &node, None);
            let mut names = Vec::new();
            texts(&node, &mut names);
            for local in names.iter().filter_map(|name| resolve(path, name)) {
                if self.files.is_file(&local) {
                    self.found.files.insert(local.as_str().into());
                    self.found.shaping.insert(local.into());
                } else if self.files.unread(&local).is_some() {
                    let reason = format!(
                        "`{local}` is not read, and nothing is built without it; put the file itself there"
                    );
                    self.missing(file, line.max(node.start_line), reason, &local);
                }
            }
            if self.trusted {
                continue;
            }
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
            } else if !optional || self.files.unread(path).is_some() {
                let chart = beside(&release.chart, "Chart.yaml");
                let reason =
                    format!("its values `{path}` are not here, or are a link; correct the path");
                self.missing(&chart, 1, reason, path);
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
        self.found.files.extend(self.files.unread_below(at));
        for name in ["Chart.yaml", "requirements.yaml"] {
            let file = beside(at, name);
            let Some(content) = self.files.read(&file) else { continue };
            let Some(Ok(node)) = manifests(content.bytes()).into_iter().next() else { continue };
            for dependency in node.get("dependencies").map(Node::items).unwrap_or_default() {
                self.dependency(at, place, &file, dependency, depth);
            }
        }
        if !self.files.is_file(&own) {
            self.missing(&own, 1, "it is not here, so there is no chart".to_string(), &own);
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

/// A field of a kustomization, or of what one lists, that stands there in other letters than it is known by. Kustomize
/// takes it all the same. The answer: how it is written, how it is known, and its line.
fn otherwise_spelt(node: &Node) -> Option<(String, &'static str, u32)> {
    const FIELDS: [&str; 26] = [
        "resources",
        "bases",
        "components",
        "generators",
        "transformers",
        "validators",
        "patches",
        "patchesStrategicMerge",
        "patchesJson6902",
        "replacements",
        "vars",
        "crds",
        "configurations",
        "openapi",
        "configMapGenerator",
        "secretGenerator",
        "helmCharts",
        "helmChartInflationGenerator",
        "helmGlobals",
        "path",
        "files",
        "envs",
        "env",
        "valuesFile",
        "additionalValuesFiles",
        "chartHome",
    ];
    let listed = node.fields().iter().flat_map(|field| field.node.items());
    let inner =
        node.fields().iter().map(|field| &field.node).filter(|node| !node.fields().is_empty());
    [node].into_iter().chain(inner).chain(listed).find_map(|node| {
        node.fields().iter().find_map(|field| {
            let meant = FIELDS.iter().find(|known| known.eq_ignore_ascii_case(&field.key))?;
            (**meant != *field.key).then(|| (field.key.to_string(), *meant, field.node.start_line))
        })
    })
}

/// All texts in a node.
fn texts<'n>(node: &'n Node, found: &mut Vec<&'n str>) {
    match &node.value {
        Value::Text(text) => found.push(text),
        Value::List(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Map(fields) => fields.iter().for_each(|field| texts(&field.node, found)),
        _ => {}
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
    let files = tree.files.keys().filter(|path| is_kustomization(path));
    files.map(|path| (directory(path).to_string(), path.clone())).collect()
}

/// An identity of what a file says, whatever its comments and layout; of a kustomization, without what plays no part.
pub(super) fn meaning(path: &str, bytes: &[u8]) -> u128 {
    let text = |node: &Result<Node, Unreadable>| {
        let mut value = node.as_ref().ok()?.to_json();
        if let (Some(fields), true) = (value.as_object_mut(), is_kustomization(path)) {
            PLAYS_NO_PART.iter().for_each(|key| drop(fields.remove(*key)));
        }
        Some(value.to_string())
    };
    match manifests(bytes).iter().map(text).collect::<Option<Vec<String>>>() {
        Some(texts) => digest(texts.join("\0").as_bytes()),
        None => digest(bytes),
    }
}
