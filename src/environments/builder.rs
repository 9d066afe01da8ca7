//! Units to manifests, with the real tools, each once.

use super::bounds::Bounds;
use super::kept::{Kept, Text};
use super::plan::Part;
use crate::build::{self, Cache, Given, Key, Limits, Reach, Sandbox, Temporary, Tools, Unusable};
use crate::deploy::inputs::{beside, kustomization};
use crate::deploy::origin::{self, Origins, Wrapped};
use crate::deploy::overlay::{applied, made};
use crate::deploy::{self, Build, Fault, Overlay, Release, Substitution, substitute};
use crate::parse::{Affects, Node, Problem, Sort, manifests};
use crate::report::Isolation;
use crate::settings::Settings;
use crate::source::{AllFiles, leads_elsewhere};
use crate::tree::is_kustomization;
use crate::tree::{Content, Files, Rendered, Tree};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// How much is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Render {
    /// Nothing: files are read as they stand.
    Never,
    /// What needs nothing from outside the repository, without a network.
    #[default]
    Auto,
    /// Everything, with the network: for repositories whose authors may run programs here anyway.
    Trusted,
}

/// What building needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much is built.
    pub render: Render,
    /// The programs.
    pub tools: Arc<Tools>,
    /// Bounds of one call of a tool.
    pub limits: Limits,
    /// Where built texts are kept for later runs.
    pub cache: Option<PathBuf>,
    /// Where they are kept for further reviews of this run; they take memory.
    pub kept: Option<Arc<Kept>>,
    /// Addresses of the repository; empty: unknown.
    pub urls: Vec<String>,
    /// Names of the branch under review; empty: unknown.
    pub branches: Vec<String>,
    /// How much is looked at.
    pub bounds: Bounds,
}

impl Default for Options {
    /// With the programs on PATH, and nothing known of the repository.
    fn default() -> Self {
        Self {
            render: Render::default(),
            tools: Arc::new(Tools::new(Given::default())),
            limits: Limits::default(),
            cache: None,
            kept: None,
            urls: Vec::new(),
            branches: Vec::new(),
            bounds: Bounds::default(),
        }
    }
}

/// How much of the disk built texts may take, in bytes.
const CACHE_BYTES: u64 = 256 << 20;

/// Text that a tool built.
#[derive(Clone, Debug)]
pub(super) struct Built {
    /// The file that stands for it.
    pub(super) entry: Arc<str>,
    /// The manifests.
    pub(super) text: Content,
    /// Where its lines came from.
    pub(super) rendered: Rendered,
    /// What of it could not be told.
    pub(super) problems: Vec<Problem>,
}

/// What became of a build.
type Outcome = Arc<Result<Built, Box<Problem>>>;

/// Builds each thing once, whoever asks.
pub(super) struct Builder<'a> {
    pub(super) options: &'a Options,
    sandbox: Sandbox,
    /// Was anything built?
    built: AtomicBool,
    cache: Option<Cache>,
    done: Mutex<BTreeMap<[u8; 32], Arc<OnceLock<Outcome>>>>,
}

impl<'a> Builder<'a> {
    /// `None`: nothing is to be built, and nothing tells environments apart, on any side.
    pub(super) fn new(trees: &[&Tree], settings: &Settings, options: &'a Options) -> Option<Self> {
        let composed = settings.states_environments() || trees.iter().any(|tree| composed(tree));
        let wanted = composed && options.render != Render::Never;
        wanted.then(|| Self {
            options,
            sandbox: Sandbox::new(options.limits, options.render == Render::Trusted),
            built: AtomicBool::new(false),
            cache: options.cache.as_deref().map(|place| Cache::new(place, CACHE_BYTES)),
            done: Mutex::default(),
        })
    }

    /// Are remote parts fetched, and programs run?
    pub(super) fn trusted(&self) -> bool {
        self.options.render == Render::Trusted
    }

    /// What keeps builds away from the network.
    pub(super) fn isolation(&self) -> Isolation {
        self.sandbox.isolation()
    }

    /// Is there nothing here that builds a part?
    pub(super) fn lacks_tool(&self, part: &Part) -> bool {
        match &part.unit.build {
            Build::Plain(_) => false,
            Build::Kustomize { .. } => self.options.tools.kustomize().is_err(),
            Build::Helm(_) => self.options.tools.helm().is_err(),
        }
    }

    /// Was anything built, now or in an earlier run whose text was kept?
    pub(super) fn has_built(&self) -> bool {
        self.built.load(Ordering::Relaxed)
    }

    /// What every built text depends on beside its inputs.
    pub(super) fn identity(&self) -> String {
        format!("{}\0{:?}\0", env!("CARGO_PKG_VERSION"), self.options.render)
    }

    /// Builds a part, or says why it could not be. `other`: the files of the other side, for what the change
    /// touches; a part that is the same on both sides is built from the same files.
    pub(super) fn build(&self, part: &Part, files: &AllFiles<'_>, other: &AllFiles<'_>) -> Outcome {
        let slot = {
            let mut done = self.done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            done.entry(part.key).or_default().clone()
        };
        slot.get_or_init(|| Arc::new(self.run(part, files, other))).clone()
    }

    fn run(
        &self,
        part: &Part,
        files: &AllFiles<'_>,
        other: &AllFiles<'_>,
    ) -> Result<Built, Box<Problem>> {
        match &part.unit.build {
            Build::Plain(_) => Err(refused(part, "nothing is built of plain files".to_string())),
            Build::Kustomize { directory, overlay } => {
                self.kustomize(part, directory, overlay, [files, other])
            }
            Build::Helm(release) => self.helm(part, release, [files, other]),
        }
    }

    fn kustomize(
        &self,
        part: &Part,
        directory: &str,
        overlay: &Overlay,
        [files, other]: [&AllFiles<'_>; 2],
    ) -> Result<Built, Box<Problem>> {
        let own = kustomization(directory, files);
        let tool = self.options.tools.kustomize().map_err(|error| {
            let plain = *overlay == Overlay::default() && own.is_some();
            not_usable(part, &error, plain)
        })?;
        let wrapper = wrapper(directory, overlay);
        let text = self.kept(part, &tool.version, || {
            let room = Room::new(part, files).map_err(|error| not_written(part, &error))?;
            room.wrap(&wrapper).map_err(|error| not_written(part, &error))?;
            if let Some((path, text)) = edited(directory, overlay, files) {
                room.write(&format!("src/{path}"), text.as_bytes())
                    .map_err(|error| not_written(part, &error))?;
            }
            let (reach, helm) = match self.trusted() {
                true => (Reach::Anywhere, self.options.tools.helm().ok()),
                false => (Reach::Root, None),
            };
            // The names of the repository's paths, by the tool's own reckoning and by that of the wrapper.
            let names =
                [room.path().join("src"), "../src".into()].map(|path| (path, String::new()));
            let text =
                build::kustomize(&self.sandbox, tool, room.path(), "build", reach, helm, &names)
                    .map_err(|stopped| refused(part, format!("it was not built: {stopped}")))?;
            // No kustomization is meant to deploy nothing, and a tool that is broken may say nothing, or something
            // else than manifests. Text without a `kind` would pass for files that are none of Kubernetes'.
            let what = match memchr::memmem::find(&text, b"kind") {
                Some(_) => return Ok(text),
                None if text.iter().all(u8::is_ascii_whitespace) => "nothing",
                None => "a text that holds no object",
            };
            Err(refused(part, format!("it was built to {what}; look what the tool says")))
        })?;
        let (text, problems) = match &overlay.substitute {
            None => (text, Vec::new()),
            Some(substitution) => substituted(part, text, substitution),
        };
        let entry = own.unwrap_or_else(|| part.unit.decided.origin.file.to_string());
        let wrapped = Wrapped {
            root: "../src",
            kustomization: wrapper.as_bytes(),
            directory,
            overlay,
            origin: &part.unit.decided.origin,
        };
        let found = origin::of_kustomize(&text, &wrapped, files, other);
        Ok(Built { problems, ..built(part, entry.into(), found.text, found.origins) })
    }

    fn helm(
        &self,
        part: &Part,
        release: &Release,
        [files, other]: [&AllFiles<'_>; 2],
    ) -> Result<Built, Box<Problem>> {
        let tool = self.options.tools.helm().map_err(|error| not_usable(part, &error, true))?;
        let text = self.kept(part, &tool.version, || {
            let room = Room::new(part, files).map_err(|error| not_written(part, &error))?;
            if release.replace_values {
                let own = format!("src/{}", beside(&release.chart, "values.yaml"));
                room.write(&own, b"").map_err(|error| not_written(part, &error))?;
            }
            build::helm_template(&self.sandbox, tool, &room.path().join("src"), release)
                .map_err(|stopped| refused(part, format!("it was not built: {stopped}")))
        })?;
        let origins = origin::of_helm(&text, release, files, other);
        Ok(built(part, beside(&release.chart, "Chart.yaml").into(), text, origins))
    }
}

impl Builder<'_> {
    /// The text of a part from this run or an earlier one, or as it is built now.
    fn kept(&self, part: &Part, version: &str, build: impl FnOnce() -> Text) -> Text {
        self.built.store(true, Ordering::Relaxed);
        let key = Key::of([version.as_bytes(), &part.key]);
        let cached = || {
            let Some(cache) = &self.cache else { return build() };
            if let Some(text) = cache.get(&key) {
                return Ok(text);
            }
            let text = build()?;
            cache.put(&key, &text);
            Ok(text)
        };
        match &self.options.kept {
            Some(kept) => kept.text(key.clone(), cached),
            None => cached(),
        }
    }
}

/// Why a part is not built. What it would have been is not known, so every change of it counts.
fn refused(part: &Part, reason: String) -> Box<Problem> {
    Box::new(Problem {
        file: part.unit.decided.origin.file.clone(),
        line: None,
        kind: None,
        name: None,
        reason,
        affects: Affects::Anything,
        identity: part.identity(),
        sort: Sort::Other,
    })
}

fn not_written(part: &Part, error: &io::Error) -> Box<Problem> {
    let reason =
        format!("what it is built from could not be written to a temporary directory: {error}");
    refused(part, reason)
}

/// There is no tool. `readable`: the files are read as they stand instead, and that says itself what it misses.
fn not_usable(part: &Part, error: &Unusable, readable: bool) -> Box<Problem> {
    let why = error.to_string();
    let why = why.lines().next().unwrap_or_default();
    let reason = format!("it was not built: {why}; install it, or name it with an option");
    match readable {
        false => refused(part, reason),
        true => {
            let mut problem = refused(part, reason);
            problem.affects = Affects::Nothing;
            problem.identity = 0;
            problem
        }
    }
}

fn built(part: &Part, entry: Arc<str>, text: Vec<u8>, origins: Origins) -> Built {
    let namespace = match &part.unit.build {
        Build::Helm(release) => Some(release.namespace.clone()).filter(|name| !name.is_empty()),
        _ => None,
    };
    Built {
        text: Content::new(text),
        rendered: Rendered {
            entry: entry.clone(),
            namespace: part.unit.namespace.clone().or(namespace),
            files: origins.files,
            lines: origins.lines,
        },
        entry,
        problems: Vec::new(),
    }
}

/// The text with Flux's variables in it, and the objects of which they could not be told.
fn substituted(part: &Part, text: Vec<u8>, substitution: &Substitution) -> (Vec<u8>, Vec<Problem>) {
    let Ok(text) = std::str::from_utf8(&text) else {
        let problem = refused(part, "what it was built to is not UTF-8".to_string());
        return (text, vec![*problem]);
    };
    let done = substitute(text, substitution);
    let faults = done.faults.into_iter().filter(Fault::counts);
    let problem = |fault: Fault| Problem {
        kind: fault.kind,
        identity: fault.identity,
        ..*refused(part, fault.reason)
    };
    (done.text.into_bytes(), faults.map(problem).collect())
}

/// Does a tree hold anything that has to be built, or that says what is deployed where?
fn composed(tree: &Tree) -> bool {
    let named = |path: &Arc<str>| {
        is_kustomization(path) || &**path == "Chart.yaml" || path.ends_with("/Chart.yaml")
    };
    tree.files.keys().any(named) || tree.files.values().any(mentions)
}

/// [`deploy::mentions`], found out once for a content that lasts.
pub(super) fn mentions(content: &Content) -> bool {
    struct Mentions(bool);
    content.note(|_: &Mentions| true, || Mentions(deploy::mentions(content.bytes()))).0
}

/// Nothing is built without one of its files: what comes of that would be believed.
fn read(path: &str, files: &AllFiles<'_>) -> io::Result<Content> {
    let unread = |reason: &str| io::Error::other(format!("`{path}` can't be read: {reason}"));
    match files.open(path) {
        Some(content) => content.map_err(|why| unread(&why.reason)),
        None => Err(unread("it is not here")),
    }
}

/// The directory in which a tool works: copies of the inputs, and nothing else.
struct Room(Temporary);

impl Room {
    fn new(part: &Part, files: &AllFiles<'_>) -> io::Result<Self> {
        let room = Self(Temporary::new()?);
        for path in &part.inputs.files {
            room.write(&format!("src/{path}"), read(path, files)?.bytes())?;
        }
        for (from, to) in &part.inputs.copies {
            for path in files.below(from).into_iter().chain(files.unread_below(from)) {
                let inside = path.strip_prefix(&**from).unwrap_or(&path);
                room.write(&format!("src/{to}{inside}"), read(&path, files)?.bytes())?;
            }
        }
        Ok(room)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Paths come from trees, whose sources let none of them lead out; none does from here either.
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        if leads_elsewhere(path.as_bytes()).is_some() {
            let why = format!("`{path}` leads elsewhere");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let disk = self.path().join(path);
        if let Some(parent) = disk.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(disk, bytes)
    }

    fn wrap(&self, wrapper: &str) -> io::Result<()> {
        self.write("build/kustomization.yaml", wrapper.as_bytes())
    }
}

/// A kustomization around the one to build: it asks for the origins, and sets what is set at last.
fn wrapper(directory: &str, overlay: &Overlay) -> String {
    let mut fields = json!({
        "resources": [format!("../src/{directory}")],
        "buildMetadata": ["originAnnotations", "transformerAnnotations"],
    });
    if !overlay.labels.is_empty() {
        let labels = json!([{"pairs": overlay.labels, "includeSelectors": false}]);
        fields["labels"] = labels;
    }
    yaml(&fields)
}

/// The path and text of the kustomization that is built in place of a directory's own: one with the overlay in it,
/// or one that is made where there is none. `None`: it is built as it stands.
fn edited(directory: &str, overlay: &Overlay, files: &AllFiles<'_>) -> Option<(String, String)> {
    let (path, own) = match kustomization(directory, files) {
        Some(_) if overlay.fields.is_empty() => return None,
        Some(path) => {
            let content = files.read(&path)?;
            let own = manifests(content.bytes()).into_iter().next().transpose().ok()?;
            // An empty file is edited as any other.
            (path, own.unwrap_or_else(|| Node::on_line(&Value::Null, 0)))
        }
        None => (beside(directory, "kustomization.yaml"), made(directory, files)),
    };
    let text = yaml(&applied(&own, &overlay.written(directory)).to_json());
    Some((path, text))
}

/// A value in YAML that is ASCII, so that no character of it means anything else to a reader of YAML than to one of
/// JSON.
fn yaml(value: &Value) -> String {
    let escaped = |char: char| match u32::from(char) {
        0..=0x7e => char.to_string(),
        code @ 0x7f..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    };
    value.to_string().chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let value = json!({"a\u{85}": "\u{2028}\u{7f}\u{feff}😀é\n\"", "b": [1, null, true]});
        let text = yaml(&value);
        assert!(text.is_ascii(), "{text}");
        let read = manifests(text.as_bytes()).remove(0).expect("a document");
        assert_eq!(read.to_json(), value);
    }
}
