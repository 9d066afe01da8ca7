//! What is in which environment, on one side.

use super::bounds::Over;
use super::builder::{Builder, mentions};
use super::objects::Objects;
use crate::deploy::inputs::{Inputs, inputs};
use crate::deploy::layout::{Layout, chart};
use crate::deploy::{self, Build, Decision, Facts, Plain, Release, Told, Unit, Values};
use crate::model::Origin;
use crate::parse::{Affects, Problem, Sort};
use crate::report::{Isolation, environments as report};
use crate::settings::Settings;
use crate::source::{Loaded, Unread};
use crate::tree::{Content, Files};
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
    /// Nothing deploys or includes it: it counts because it is there.
    pub by_itself: bool,
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
    /// What keeps its builds away from the network, where it has any; known to [`super::describe`].
    pub isolation: Option<Isolation>,
    /// It was too much to look at, so there is nothing else in it.
    pub(super) over: Option<Over>,
    /// Digests of what its parts are built from; of what can't be read, of what identifies it.
    pub(super) known: BTreeMap<Arc<str>, Result<[u8; 32], Unread>>,
}

impl Plan {
    /// The names of its environments: also of those of which all that is known is that something of them could not
    /// be told, which nobody would hear of otherwise.
    pub fn names(&self) -> BTreeSet<&str> {
        let parts = self.parts.iter().filter_map(|part| part.unit.environment.as_deref());
        parts.chain(self.problems.iter().filter_map(|told| told.environment.as_deref())).collect()
    }

    /// The keys of its parts.
    pub(super) fn keys(&self) -> BTreeSet<[u8; 32]> {
        self.parts.iter().map(|part| part.key).collect()
    }

    /// Its parts and problems, by environment.
    pub fn index(&self) -> Index<'_> {
        let mut index = Index { plan: self, parts: BTreeMap::new(), problems: BTreeMap::new() };
        for (at, part) in self.parts.iter().enumerate() {
            index.parts.entry(part.unit.environment.as_deref()).or_default().push(at);
        }
        for (at, told) in self.problems.iter().enumerate() {
            index.problems.entry(told.environment.as_deref()).or_default().push(at);
        }
        index
    }
}

/// What belongs to each environment of a plan: its own, and what nothing assigns to another.
pub struct Index<'a> {
    plan: &'a Plan,
    /// Places in the plan; `None`: those of every environment.
    parts: BTreeMap<Option<&'a str>, Vec<usize>>,
    problems: BTreeMap<Option<&'a str>, Vec<usize>>,
}

impl<'a> Index<'a> {
    /// The parts of an environment, in the order of the plan.
    pub fn of(&self, name: &str) -> Vec<&'a Part> {
        let places = places(&self.parts, name);
        places.into_iter().filter_map(|at| self.plan.parts.get(at)).collect()
    }

    /// How much is compared in an environment.
    pub(super) fn weight(&self, name: &str) -> usize {
        let weight = |part: &Part| if part.is_built() { 1 } else { part.inputs.files.len() };
        let parts: usize = self.of(name).into_iter().map(weight).sum();
        parts + places(&self.problems, name).len()
    }

    /// What could not be told, or is not built, of an environment that these parts make.
    /// What comes from elsewhere counts only where the change touches it if there is an inventory, which has it.
    pub(super) fn told(&self, name: &str, parts: &[&Part], inventory: bool) -> Vec<Problem> {
        let problem = |told: &Told| {
            let mut problem = told.problem.clone();
            if told.elsewhere && inventory {
                problem.affects = Affects::Perhaps;
            }
            problem
        };
        let refusals = parts.iter().flat_map(|part| part.inputs.refusals.iter().cloned());
        let places = places(&self.problems, name);
        let told = places.into_iter().filter_map(|at| self.plan.problems.get(at));
        told.map(problem).chain(refusals).collect()
    }
}

fn places(of: &BTreeMap<Option<&str>, Vec<usize>>, name: &str) -> Vec<usize> {
    let both = [None, Some(name)].into_iter().filter_map(|name| of.get(&name));
    let mut places: Vec<usize> = both.flatten().copied().collect();
    places.sort_unstable();
    places
}

impl Plan {
    /// The names of its environments; [`super::DEFAULT`] where nothing tells any apart.
    pub fn environments(&self) -> Vec<String> {
        let names: Vec<String> = self.names().into_iter().map(str::to_string).collect();
        if names.is_empty() { vec![super::DEFAULT.to_string()] } else { names }
    }
}

/// Finds the environments of the first of two sides.
pub(super) fn plan(builder: &Builder<'_>, sides: [&Loaded; 2], settings: &Settings) -> Plan {
    let mut planner = Planner::new(builder, sides);
    match planner.find(settings) {
        Ok(()) => planner.plan,
        Err(over) => over.plan(),
    }
}

/// The release that a part is.
fn released(part: &Part) -> Option<&Release> {
    match &part.unit.build {
        Build::Helm(release) => Some(release),
        _ => None,
    }
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
    /// Files that parts were made of so far.
    weight: usize,
    plan: Plan,
}

impl<'b, 'a> Planner<'b, 'a> {
    fn new(builder: &'b Builder<'a>, [side, other]: [&'b Loaded; 2]) -> Self {
        Self { builder, side, other, weight: 0, plan: Plan::default() }
    }

    fn find(&mut self, settings: &Settings) -> Result<(), Over> {
        let files = self.side.files();
        let layout = Layout::of(&self.side.tree, &files);
        if !settings.environments.is_empty() {
            let units = deploy::stated::units(&settings.environments, &files);
            self.plan.problems.extend(units.problems);
            let mut parts = self.parts(units.units)?;
            self.leave(&parts, &layout);
            self.unused_values(&parts, &layout);
            if !self.side.tree.skipped.is_empty() {
                // What was not read may be part of any of them.
                parts.push(Part { by_itself: true, ..self.part(rest(Vec::new()))? });
            }
            self.plan.parts = parts;
            return Ok(());
        }
        self.plan.problems.extend(layout.problems.iter().cloned().map(Told::from));
        let roots = self.parts(layout.units())?;
        let (deployed, deploying) = self.deployed(&layout, &roots)?;
        let within: BTreeSet<&Arc<str>> =
            deployed.iter().flat_map(|part| &part.inputs.files).collect();
        let mut parts = Vec::new();
        for root in roots {
            let Build::Kustomize { directory, .. } = &root.unit.build else { continue };
            let own = deploy::inputs::kustomization(directory, &files);
            if !own.is_some_and(|own| within.contains(&Arc::from(own))) {
                parts.push(root);
            }
        }
        let used: BTreeSet<&str> =
            deployed.iter().filter_map(released).map(|release| release.chart.as_str()).collect();
        let unused = layout.charts.iter().filter(|at| !used.contains(at.as_str()));
        let alone = self.parts(unused.flat_map(|at| chart(at, &files)).collect())?;
        // A chart that others depend on is part of those; on its own as well, it would hide what they do with it.
        let dependencies: BTreeSet<String> = {
            let all = deployed.iter().chain(&alone);
            all.flat_map(|part| &part.inputs.copies).map(|(from, _)| from.clone()).collect()
        };
        parts.extend(alone.into_iter().filter(|part| {
            let own = part.unit.environment.is_none().then(|| released(part)).flatten();
            !own.is_some_and(|own| dependencies.contains(&own.chart))
        }));
        parts.iter_mut().for_each(|part| part.by_itself = true);
        let plain: Vec<String> = self
            .side
            .tree
            .files
            .keys()
            .filter(|path| !layout.claimed.contains(*path) && !within.contains(path))
            .filter(|path| !deploying.contains(*path))
            .map(|path| path.to_string())
            .collect();
        parts.extend(deployed.iter().cloned());
        if !plain.is_empty() || !self.side.tree.skipped.is_empty() {
            parts.push(Part { by_itself: true, ..self.part(rest(plain))? });
        }
        self.unused_values(&parts, &layout);
        let decides = |part: &&Part| !part.unit.decided.origin.file.is_empty();
        let decided = parts.iter().rev().find(decides).map(|part| part.unit.decided.clone());
        self.plan.parts = parts;
        let units = self.plan.parts.len() + self.plan.problems.len();
        decided.map_or(Ok(()), |last| self.within_units(units, || last))
    }

    /// Units with what they are built from.
    fn parts(&mut self, units: Vec<Unit>) -> Result<Vec<Part>, Over> {
        let files = self.side.files();
        let mut parts = Vec::with_capacity(units.len());
        for unit in units {
            let inputs = self.inputs(&unit)?;
            parts.push((unit, inputs));
        }
        let all = parts.iter().flat_map(|(_, inputs)| &inputs.files);
        files.expect(all.map(|path| &**path));
        Ok(parts.into_iter().map(|(unit, inputs)| self.keyed(unit, inputs)).collect())
    }

    fn part(&mut self, unit: Unit) -> Result<Part, Over> {
        let inputs = self.inputs(&unit)?;
        self.side.files().expect(inputs.files.iter().map(|path| &**path));
        Ok(self.keyed(unit, inputs))
    }

    fn within_units(&self, units: usize, at: impl FnOnce() -> Decision) -> Result<(), Over> {
        let most = self.builder.options.bounds.units;
        let what = || format!("more than {most} things are deployed");
        if units > most { Err(Over::at(&at(), what())) } else { Ok(()) }
    }

    fn inputs(&mut self, unit: &Unit) -> Result<Inputs, Over> {
        let inputs = inputs(unit, &self.side.files(), self.builder.trusted());
        let most = self.builder.options.bounds.files;
        self.weight += inputs.files.len();
        if self.weight > most {
            let what = format!("what is deployed is made of more than {most} files");
            // What no environment claims was decided by no file.
            let own = Some(&unit.decided.origin.file).filter(|file| !file.is_empty());
            let file = own.or(inputs.files.first()).cloned().unwrap_or_default();
            return Err(Over { file, what });
        }
        Ok(inputs)
    }

    fn keyed(&mut self, unit: Unit, mut inputs: Inputs) -> Part {
        let files = self.side.files();
        let mut hash = Sha256::new();
        hash.update(self.builder.identity());
        hash.update(format!("{:?}{:?}", unit.build, unit.namespace));
        for path in &inputs.files {
            hash.update(path.as_bytes());
            hash.update([0]);
            let known =
                self.plan.known.entry(path.clone()).or_insert_with(|| match files.open(path) {
                    Some(content) => content.map(|content| digest(&content)),
                    None => Err(Unread {
                        reason: "it is not here; add it".to_string(),
                        identity: format!("nothing in {}", self.side.tree.name),
                    }),
                });
            match known {
                Ok(digest) => hash.update(digest),
                Err(unread) => {
                    hash.update(format!("\0{}\0", unread.identity));
                    inputs.refusals.push(not_read(&unit, path, unread));
                }
            }
        }
        inputs.tell_apart(&unit, &files);
        if matches!(&unit.build, Build::Plain(_)) {
            // What was not read may differ as well.
            for skipped in &self.side.tree.skipped {
                hash.update(format!("{}\0{}\0", skipped.path, skipped.identity));
                // What a link leads to counts where the environment does not read it under its own name.
                for content in self.side.tree.led_to(skipped).values() {
                    hash.update(digest(content));
                }
            }
        }
        Part { unit, inputs, key: hash.finalize().into(), by_itself: false }
    }

    /// What Argo CD and Flux deploy, as far as their objects are here, and the files that hold nothing but those.
    fn deployed(
        &mut self,
        layout: &Layout,
        roots: &[Part],
    ) -> Result<(Vec<Part>, BTreeSet<Arc<str>>), Over> {
        let files = self.side.files();
        let mut objects = Objects::default();
        let mut texts = Vec::new();
        let mut deploying = BTreeSet::new();
        for (path, content) in &self.side.tree.files {
            if layout.claimed.contains(path) {
                continue;
            }
            if mentions(content) {
                let environment = deploy::place::path_environment(path);
                if objects.read(path, content.bytes(), environment, None) {
                    deploying.insert(path.clone());
                }
            } else {
                texts.push((path, content));
            }
        }
        let mut pending: Vec<Part> =
            roots.iter().filter(|root| self.mentions(root)).cloned().collect();
        // Equal parts of one environment put the same there.
        let place = |part: &Part| (part.unit.environment.clone(), part.key);
        let mut seen = BTreeSet::new();
        let mut nested = 0;
        let most = self.builder.options.bounds.nested;
        let mut deployed: Vec<Part> = Vec::new();
        let mut problems = Vec::new();
        let mut consulted = false;
        for _ in 0..ROUNDS {
            for part in std::mem::take(&mut pending) {
                if !part.is_built() {
                    continue;
                }
                nested += 1;
                if nested > most {
                    let what = format!("more than {most} things deploy other things");
                    return Err(Over::at(&part.unit.decided, what));
                }
                let built = self.builder.build(&part, &files, &self.other.files());
                if let Ok(built) = built.as_ref() {
                    let environment = part.unit.environment.clone();
                    let rendered = Some(Arc::new(built.rendered.clone()));
                    objects.read(&built.entry, built.text.bytes(), environment, rendered);
                }
            }
            if objects.flux {
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
            if let Some(last) = found.units.last() {
                let units = found.units.len() + found.problems.len();
                self.within_units(units, || last.decided.clone())?;
            }
            deployed = Vec::new();
            let mut places = BTreeSet::new();
            for part in self.parts(found.units)? {
                if !places.insert(place(&part)) {
                    continue;
                }
                if seen.insert(place(&part)) && self.mentions(&part) {
                    pending.push(part.clone());
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
        Ok((deployed, deploying))
    }

    /// Could what it is built from hold objects that deploy?
    fn mentions(&self, part: &Part) -> bool {
        let files = self.side.files();
        let mention = |path: &Arc<str>| files.read(path).is_some_and(|content| mentions(&content));
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

    /// Says which manifests, and files that something could be built from, no stated environment has.
    fn leave(&mut self, parts: &[Part], layout: &Layout) {
        let claimed: BTreeSet<&Arc<str>> =
            parts.iter().flat_map(|part| &part.inputs.files).collect();
        let files = self.side.tree.files.iter();
        let mut told = BTreeSet::new();
        for (path, content) in files.filter(|(path, _)| !claimed.contains(path)) {
            if let Some(problem) = deploy::stated::unclaimed(path, content.bytes()) {
                told.insert(path.clone());
                self.plan.problems.push(problem.into());
            }
        }
        let problems = deploy::unused::stated(layout, &self.side.files(), &claimed, &told);
        self.plan.problems.extend(problems.into_iter().map(Told::from));
    }

    /// Says which values files no release has.
    fn unused_values(&mut self, parts: &[Part], layout: &Layout) {
        let releases: Vec<&Release> = parts.iter().filter_map(released).collect();
        let built = parts.iter().filter(|part| !matches!(part.unit.build, Build::Plain(_)));
        let read: BTreeSet<&Arc<str>> =
            built.flat_map(|part| &part.inputs.files).chain(&layout.claimed).collect();
        let side = &self.side;
        let problems =
            deploy::unused::values(&side.tree, &side.files(), &layout.charts, &releases, &read);
        self.plan.problems.extend(problems.into_iter().map(Told::from));
    }
}

/// The digest of a content.
fn digest(content: &Content) -> [u8; 32] {
    struct Sum([u8; 32]);
    content.note(|_: &Sum| true, || Sum(Sha256::digest(content.bytes()).into())).0
}

/// Why a unit is not built without one of its files: what that holds is not known, so every change of it counts.
fn not_read(unit: &Unit, path: &Arc<str>, unread: &Unread) -> Problem {
    let what = match &unit.build {
        Build::Plain(_) => "it is deployed as it stands".to_string(),
        Build::Kustomize { directory: at, .. } | Build::Helm(Release { chart: at, .. }) => {
            let at = if at.is_empty() { "." } else { at };
            format!("`{at}` is built from it, and was not built")
        }
    };
    Problem {
        file: path.clone(),
        line: None,
        kind: None,
        name: None,
        reason: format!("{}; {what}", unread.reason),
        affects: Affects::Anything,
        identity: crate::parse::digest(unread.identity.as_bytes()),
        sort: Sort::Other,
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
