//! Units to manifests, with the real tools, each once.

use super::plan::Part;
use crate::build::{self, Cache, Given, Key, Limits, Reach, Sandbox, Tools, Unusable};
use crate::deploy::inputs::{beside, generated, kustomization};
use crate::deploy::origin::{self, Origins, Wrapped};
use crate::deploy::{self, Build, Fault, Overlay, Release, Substitution, substitute};
use crate::parse::{Affects, Problem, Sort, is_kustomization};
use crate::settings::Settings;
use crate::source::AllFiles;
use crate::tree::{Content, Files, Rendered, Tree};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use tempfile::TempDir;

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
    /// Addresses of the repository; empty: unknown.
    pub urls: Vec<String>,
    /// Names of the branch under review; empty: unknown.
    pub branches: Vec<String>,
}

impl Default for Options {
    /// With the programs on PATH, and nothing known of the repository.
    fn default() -> Self {
        Self {
            render: Render::default(),
            tools: Arc::new(Tools::new(Given::default())),
            limits: Limits::default(),
            cache: None,
            urls: Vec::new(),
            branches: Vec::new(),
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
            cache: options.cache.as_deref().map(|place| Cache::new(place, CACHE_BYTES)),
            done: Mutex::default(),
        })
    }

    /// Are remote parts fetched, and programs run?
    pub(super) fn trusted(&self) -> bool {
        self.options.render == Render::Trusted
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
            room.wrap(directory, &wrapper, files).map_err(|error| not_written(part, &error))?;
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
            match text.iter().all(u8::is_ascii_whitespace) {
                // No kustomization is meant to deploy nothing, and a tool that is broken may say nothing.
                true => {
                    Err(refused(part, "it was built to nothing; look what the tool says".into()))
                }
                false => Ok(text),
            }
        })?;
        let (text, problems) = match &overlay.substitute {
            None => (text, Vec::new()),
            Some(substitution) => substituted(part, text, substitution),
        };
        let entry = own.unwrap_or_else(|| part.unit.decided.origin.file.to_string());
        let wrapped = Wrapped {
            root: "../src",
            kustomization: wrapper.as_bytes(),
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
    /// The text of a part from an earlier run, or as it is built now.
    fn kept(
        &self,
        part: &Part,
        version: &str,
        build: impl FnOnce() -> Result<Vec<u8>, Box<Problem>>,
    ) -> Result<Vec<u8>, Box<Problem>> {
        let Some(cache) = &self.cache else { return build() };
        let key = Key::of([version.as_bytes(), &part.key]);
        if let Some(text) = cache.get(&key) {
            return Ok(text);
        }
        let text = build()?;
        cache.put(&key, &text);
        Ok(text)
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
    tree.files.keys().any(named)
        || tree.files.values().any(|content| deploy::mentions(content.bytes()))
}

/// The directory in which a tool works: copies of the inputs, and nothing else.
struct Room(TempDir);

impl Room {
    fn new(part: &Part, files: &AllFiles<'_>) -> io::Result<Self> {
        let room = Self(tempfile::Builder::new().prefix("netpol-review-").tempdir()?);
        for path in &part.inputs.files {
            if let Some(content) = files.read(path) {
                room.write(&format!("src/{path}"), content.bytes())?;
            }
        }
        for (from, to) in &part.inputs.copies {
            for path in files.below(from) {
                let inside = path.strip_prefix(&**from).unwrap_or(&path);
                if let Some(content) = files.read(&path) {
                    room.write(&format!("src/{to}{inside}"), content.bytes())?;
                }
            }
        }
        Ok(room)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Paths come from trees, whose sources let none of them lead out.
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let disk = self.path().join(path);
        if let Some(parent) = disk.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(disk, bytes)
    }

    /// Writes the wrapper, and a kustomization where the directory has none.
    fn wrap(&self, directory: &str, wrapper: &str, files: &AllFiles<'_>) -> io::Result<()> {
        if kustomization(directory, files).is_none() {
            let inside = |path: String| {
                let inside = path.strip_prefix(directory).unwrap_or(&path);
                inside.trim_start_matches('/').to_string()
            };
            let resources: Vec<String> =
                generated(directory, files).into_iter().map(inside).collect();
            let text = json!({ "resources": resources }).to_string();
            self.write(
                &format!("src/{}", beside(directory, "kustomization.yaml")),
                text.as_bytes(),
            )?;
        }
        self.write("build/kustomization.yaml", wrapper.as_bytes())
    }
}

/// A kustomization over the one to build: it asks for the origins, and holds what the deployer lays over.
fn wrapper(directory: &str, overlay: &Overlay) -> String {
    let mut fields = overlay.fields.clone();
    if let Some(Value::Array(components)) = fields.get_mut("components") {
        for component in components {
            *component = format!("../src/{}", component.as_str().unwrap_or_default()).into();
        }
    }
    fields.insert("resources".into(), json!([format!("../src/{directory}")]));
    fields.insert("buildMetadata".into(), json!(["originAnnotations", "transformerAnnotations"]));
    json!(fields).to_string()
}
