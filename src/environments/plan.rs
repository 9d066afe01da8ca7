//! What is in which environment, on one side.

use super::builder::Builder;
use crate::deploy::inputs::{Inputs, inputs};
use crate::deploy::layout::{Layout, chart};
use crate::deploy::{self, Build, Decision, Facts, Object, Plain, Told, Unit, Values};
use crate::model::Origin;
use crate::parse::{Affects, Problem, Sort, manifests};
use crate::report::environments as report;
use crate::settings::Settings;
use crate::source::Loaded;
use crate::tree::{Files, Rendered};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How deep objects that deploy may nest: an app of apps of apps.
const ROUNDS: usize = 8;

/// A unit, with what it is built from.
#[derive(Clone, Debug)]
pub struct Part {
    /// The unit.
    pub unit: Unit,
    /// What it is built from.
    pub inputs: Inputs,
    /// Equal for two parts iff they are built alike from the same bytes.
    pub key: [u8; 32],
}

impl Part {
    /// Does a tool make its manifests?
    pub fn is_built(&self) -> bool {
        !matches!(self.unit.build, Build::Plain(_)) && self.inputs.refusals.is_empty()
    }
}

impl Part {
    /// What a problem of it is known by: it changes whenever anything that it is built from does.
    pub(super) fn identity(&self) -> u128 {
        self.key.iter().take(16).fold(0, |id, byte| (id << 8) | u128::from(*byte))
    }

    /// What it is, for people and programs.
    pub fn described(&self) -> report::Part {
        let Unit { build, environment, namespace, decided } = &self.unit;
        let mut part = report::Part {
            renderer: "plain",
            path: String::new(),
            values: Vec::new(),
            release: None,
            namespace: namespace.clone(),
            files: self.inputs.files.len(),
            shared: environment.is_none(),
            because: decided.because.clone(),
            file: decided.origin.file.to_string(),
            line: decided.origin.start_line,
            refused: self.inputs.refusals.iter().map(|problem| problem.reason.clone()).collect(),
        };
        match build {
            Build::Plain(plain) => part.path = plain.paths.first().cloned().unwrap_or_default(),
            Build::Kustomize { directory, .. } => {
                part.renderer = "kustomize";
                part.path.clone_from(directory);
            }
            Build::Helm(release) => {
                part.renderer = "helm";
                part.path.clone_from(&release.chart);
                part.release = Some(release.name.clone());
                let named = Some(release.namespace.clone()).filter(|name| !name.is_empty());
                part.namespace = part.namespace.or(named);
                part.values = release
                    .values
                    .iter()
                    .filter_map(|values| match values {
                        Values::File { path, .. } => Some(path.clone()),
                        _ => None,
                    })
                    .collect();
            }
        }
        part
    }
}

/// What one side deploys.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In the order in which they were found.
    pub parts: Vec<Part>,
    /// What could not be told.
    pub problems: Vec<Told>,
}

impl Plan {
    /// The names of its environments: also of those of which all that is known is that something of them could not
    /// be told, which nobody would hear of otherwise.
    pub fn names(&self) -> BTreeSet<&str> {
        let parts = self.parts.iter().filter_map(|part| part.unit.environment.as_deref());
        parts.chain(self.problems.iter().filter_map(|told| told.environment.as_deref())).collect()
    }

    /// What belongs to an environment: its own, and what nothing assigns to another.
    pub fn of(&self, name: &str) -> Vec<&Part> {
        let belongs = |part: &&Part| part.unit.environment.as_deref().is_none_or(|own| own == name);
        self.parts.iter().filter(belongs).collect()
    }
}

impl Plan {
    /// The names of its environments; [`super::DEFAULT`] where nothing tells any apart.
    pub fn environments(&self) -> Vec<String> {
        let names: Vec<String> = self.names().into_iter().map(str::to_string).collect();
        if names.is_empty() { vec![super::DEFAULT.to_string()] } else { names }
    }

    /// What could not be told, or is not built, of an environment that these parts make.
    /// What comes from elsewhere counts only where the change touches it if there is an inventory, which has it.
    pub(super) fn told(&self, name: &str, parts: &[&Part], inventory: bool) -> Vec<Problem> {
        let here = |told: &&Told| told.environment.as_deref().is_none_or(|own| own == name);
        let problem = |told: &Told| {
            let mut problem = told.problem.clone();
            if told.elsewhere && inventory {
                problem.affects = Affects::Perhaps;
            }
            problem
        };
        let refusals = parts.iter().flat_map(|part| part.inputs.refusals.iter().cloned());
        self.problems.iter().filter(here).map(problem).chain(refusals).collect()
    }
}

/// Finds the environments of the first of two sides.
pub(super) fn plan(
    builder: &Builder<'_>,
    [side, other]: [&Loaded; 2],
    settings: &Settings,
) -> Plan {
    let files = side.files();
    let (known, plan) = (BTreeMap::new(), Plan::default());
    let mut planner = Planner { builder, side, other, known, plan };
    if !settings.environments.is_empty() {
        let units = deploy::stated::units(&settings.environments, &files);
        planner.plan.problems.extend(units.problems);
        let parts: Vec<Part> = units.units.into_iter().map(|unit| planner.part(unit)).collect();
        planner.leave(&parts);
        planner.plan.parts = parts;
        return planner.plan;
    }
    let layout = Layout::of(&side.tree, &files);
    planner.plan.problems.extend(layout.problems.iter().cloned().map(Told::from));
    let roots: Vec<Part> = layout.units().into_iter().map(|unit| planner.part(unit)).collect();
    let deployed = planner.deployed(&layout, &roots);
    let within: BTreeSet<&Arc<str>> = deployed.iter().flat_map(|part| &part.inputs.files).collect();
    let mut parts = Vec::new();
    for root in roots {
        let Build::Kustomize { directory, .. } = &root.unit.build else { continue };
        let own = deploy::inputs::kustomization(directory, &files);
        if !own.is_some_and(|own| within.contains(&Arc::from(own))) {
            parts.push(root);
        }
    }
    let used = |at: &str| {
        deployed.iter().any(|part| match &part.unit.build {
            Build::Helm(release) => release.chart == at,
            _ => false,
        })
    };
    let alone: Vec<Vec<Part>> = layout
        .charts
        .iter()
        .filter(|at| !used(at))
        .map(|at| chart(at, &files).into_iter().map(|unit| planner.part(unit)).collect())
        .collect();
    // A chart that others depend on is part of those; on its own as well, it would hide what they do with it.
    let dependencies: BTreeSet<String> = {
        let all = deployed.iter().chain(alone.iter().flatten());
        all.flat_map(|part| &part.inputs.copies).map(|(from, _)| from.clone()).collect()
    };
    parts.extend(alone.into_iter().flatten().filter(|part| match &part.unit.build {
        Build::Helm(release) if part.unit.environment.is_none() => {
            !dependencies.contains(&release.chart)
        }
        _ => true,
    }));
    let plain: Vec<String> = side
        .tree
        .files
        .keys()
        .filter(|path| !layout.claimed.contains(*path) && !within.contains(path))
        .map(|path| path.to_string())
        .collect();
    parts.extend(deployed.iter().cloned());
    if !plain.is_empty() || !side.tree.skipped.is_empty() {
        parts.push(planner.part(rest(plain)));
    }
    planner.plan.parts = parts;
    planner.plan
}

/// The files that nothing claims, as a unit of every environment.
fn rest(paths: Vec<String>) -> Unit {
    Unit {
        build: Build::Plain(Plain { paths, ..Plain::default() }),
        environment: None,
        namespace: None,
        decided: Decision {
            origin: Origin { file: "".into(), start_line: 1, end_line: 1 },
            because: "manifests that no environment claims".to_string(),
        },
    }
}

struct Planner<'b, 'a> {
    builder: &'b Builder<'a>,
    side: &'b Loaded,
    other: &'b Loaded,
    /// Digests of files.
    known: BTreeMap<Arc<str>, [u8; 32]>,
    plan: Plan,
}

impl Planner<'_, '_> {
    fn part(&mut self, unit: Unit) -> Part {
        let files = self.side.files();
        let inputs = inputs(&unit, &files, self.builder.trusted());
        let mut hash = Sha256::new();
        hash.update(self.builder.identity());
        hash.update(format!("{:?}{:?}", unit.build, unit.namespace));
        for path in &inputs.files {
            let digest = *self.known.entry(path.clone()).or_insert_with(|| {
                let content = files.read(path);
                content.map_or([0; 32], |content| Sha256::digest(content.bytes()).into())
            });
            hash.update(path.as_bytes());
            hash.update([0]);
            hash.update(digest);
        }
        if matches!(&unit.build, Build::Plain(_)) {
            // What was not read may differ as well.
            for skipped in &self.side.tree.skipped {
                hash.update(format!("{}\0{}\0", skipped.path, skipped.identity));
            }
        }
        Part { unit, inputs, key: hash.finalize().into() }
    }

    /// What Argo CD and Flux deploy, as far as their objects are here.
    fn deployed(&mut self, layout: &Layout, roots: &[Part]) -> Vec<Part> {
        let files = self.side.files();
        let mut objects = Objects::default();
        let mut texts = Vec::new();
        for (path, content) in &self.side.tree.files {
            if layout.claimed.contains(path) {
                continue;
            }
            if deploy::mentions(content.bytes()) {
                objects.read(path, content.bytes(), deploy::place::path_environment(path), None);
            } else {
                texts.push((path, content));
            }
        }
        let mut pending: Vec<Part> =
            roots.iter().filter(|root| self.mentions(root)).cloned().collect();
        let mut seen: Vec<Unit> = Vec::new();
        let mut deployed: Vec<Part> = Vec::new();
        let mut problems = Vec::new();
        let mut consulted = false;
        for _ in 0..ROUNDS {
            for part in std::mem::take(&mut pending) {
                if !part.is_built() {
                    continue;
                }
                let built = self.builder.build(&part, &files, &self.other.files());
                if let Ok(built) = built.as_ref() {
                    let environment = part.unit.environment.clone();
                    let rendered = Some(Arc::new(built.rendered.clone()));
                    objects.read(&built.entry, built.text.bytes(), environment, rendered);
                }
            }
            if objects.use_config_maps() {
                for (path, content) in texts.drain(..) {
                    if deploy::may_be_consulted(content.bytes()) {
                        let environment = deploy::place::path_environment(path);
                        objects.read(path, content.bytes(), environment, None);
                    }
                }
            }
            let facts = Facts {
                urls: &self.builder.options.urls,
                branches: &self.builder.options.branches,
                files: &files,
            };
            let all = objects.all();
            let found = deploy::units(&all, &facts);
            deployed = Vec::new();
            for unit in found.units {
                if deployed.iter().any(|part| same_place(&part.unit, &unit)) {
                    continue;
                }
                let part = self.part(unit);
                if !seen.contains(&part.unit) {
                    seen.push(part.unit.clone());
                    if self.mentions(&part) {
                        pending.push(part.clone());
                    }
                }
                deployed.push(part);
            }
            problems = found.problems;
            if pending.is_empty() && objects.flux && !consulted {
                // What is missing may be a ConfigMap that something else builds.
                consulted = true;
                let lacks = |part: &Part| match &part.unit.build {
                    Build::Kustomize { overlay, .. } => {
                        overlay.substitute.as_ref().is_some_and(|with| with.elsewhere.is_some())
                    }
                    _ => false,
                };
                if !problems.is_empty() || deployed.iter().any(lacks) {
                    let all = roots.iter().chain(&deployed);
                    let wanted = all.filter(|part| !self.mentions(part) && self.consulted(part));
                    pending.extend(wanted.cloned());
                }
            }
            if pending.is_empty() {
                break;
            }
        }
        // What they are built to could hold further objects that deploy.
        let deep = pending.iter().map(|part| too_deep(part).into());
        self.plan.problems.extend(problems.into_iter().chain(deep));
        deployed
    }

    /// Could what it is built from hold objects that deploy?
    fn mentions(&self, part: &Part) -> bool {
        let files = self.side.files();
        let mention = |path: &Arc<str>| {
            files.read(path).is_some_and(|content| deploy::mentions(content.bytes()))
        };
        part.inputs.files.iter().any(mention)
    }

    /// Could what it is built from hold objects that others refer to?
    fn consulted(&self, part: &Part) -> bool {
        let files = self.side.files();
        let consulted = |path: &Arc<str>| {
            files.read(path).is_some_and(|content| {
                let generates = ["configMapGenerator", "secretGenerator"]
                    .iter()
                    .any(|key| memchr::memmem::find(content.bytes(), key.as_bytes()).is_some());
                generates || deploy::may_be_consulted(content.bytes())
            })
        };
        part.inputs.files.iter().any(consulted)
    }

    /// Says which manifests no stated environment has.
    fn leave(&mut self, parts: &[Part]) {
        let claimed: BTreeSet<&Arc<str>> =
            parts.iter().flat_map(|part| &part.inputs.files).collect();
        let files = self.side.tree.files.iter();
        for (path, content) in files.filter(|(path, _)| !claimed.contains(path)) {
            if let Some(problem) = deploy::stated::unclaimed(path, content.bytes()) {
                self.plan.problems.push(problem.into());
            }
        }
    }
}

/// Says that objects that deploy nest deeper than anybody looks.
fn too_deep(part: &Part) -> Problem {
    Problem {
        file: part.unit.decided.origin.file.clone(),
        line: Some(part.unit.decided.origin.start_line),
        kind: None,
        name: None,
        reason: format!(
            "what it deploys deploys something again, {ROUNDS} times over; what comes after that was not looked at. \
             Deploy it from fewer levels"
        ),
        affects: Affects::Anything,
        identity: part.identity(),
        sort: Sort::Other,
    }
}

/// Do two units put the same into the same environment?
fn same_place(one: &Unit, other: &Unit) -> bool {
    one.build == other.build
        && one.environment == other.environment
        && one.namespace == other.namespace
}

/// Objects that deploy, and what they refer to.
#[derive(Default)]
struct Objects {
    known: BTreeMap<[String; 4], Alike>,
    flux: bool,
}

/// Objects of one name in one environment. There are several where several clusters, which nothing tells apart, have
/// an object of that name each.
#[derive(Default)]
struct Alike {
    written: Vec<Object>,
    built: Vec<Object>,
}

impl Objects {
    fn read(
        &mut self,
        file: &Arc<str>,
        bytes: &[u8],
        environment: Option<String>,
        rendered: Option<Arc<Rendered>>,
    ) {
        let built = rendered.is_some();
        let object = |node| Object {
            node,
            file: file.clone(),
            environment: environment.clone(),
            built: rendered.clone(),
        };
        let nodes = manifests(bytes).into_iter().flatten();
        for object in nodes.flat_map(|node| deploy::items(&object(node))) {
            let node = &object.node;
            let kind = node.text_at(&["kind"]).unwrap_or_default();
            if !deploy::is_deploying(node) && !deploy::is_consulted(node) {
                continue;
            }
            let api = node.text_at(&["apiVersion"]).unwrap_or_default();
            self.flux |= api.contains("toolkit.fluxcd.io");
            let text = |path: &[&str]| node.text_at(path).unwrap_or_default().to_string();
            let key = [
                kind.to_string(),
                text(&["metadata", "namespace"]),
                text(&["metadata", "name"]),
                environment.clone().unwrap_or_default(),
            ];
            let known = self.known.entry(key).or_default();
            if built { known.built.push(object) } else { known.written.push(object) }
        }
    }

    /// What was built takes the place of what was written.
    fn all(&self) -> Vec<Object> {
        let of = |alike: &Alike| match alike.built.is_empty() {
            true => alike.written.clone(),
            false => alike.built.clone(),
        };
        self.known.values().flat_map(of).collect()
    }

    fn use_config_maps(&self) -> bool {
        self.flux
    }
}
