//! What kustomize built: each object matched back to the manifest that it began as and to the patches that
//! were laid over it.
//!
//! The annotations that `buildMetadata` adds name the file that an object comes from and the kustomizations
//! that changed it. What those do is done once more, on nodes that keep their lines; then the result and the
//! built object are walked side by side. Where the two differ, that costs lines and nothing else.

use super::Origins;
use super::align::{Sink, align};
use super::history::History;
use super::merge::{Removed, Work};
use super::patches::{Files, Kustomization};
use super::paths::join;
use super::replace;
use super::select::Identity;
use super::sources::{Marks, Sources};
use super::transformers::{at, generated, setters};
use super::written;
use crate::deploy::Overlay;
use crate::model::Origin;
use crate::parse::{Node, Value, manifests};
use crate::tree;
use crate::tree::is_kustomization;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

const ORIGIN: &str = "config.kubernetes.io/origin";
const CHANGES: &str = "alpha.config.kubernetes.io/transformations";

/// How often it is looked whether a patch or a replacement is about an object, or what a kustomization sets.
const LOOKS: usize = 2_000_000;

/// Objects of one kind in one file whose names are searched for one that is like another.
const NAMESAKES: usize = 1_000;

/// Kustomizations and files that are looked into to see which of them name a file.
const FOLLOWED: usize = 2_000;

/// A kustomization around the one that is deployed, in a directory beside the tree. It has
/// `buildMetadata: [originAnnotations, transformerAnnotations]`.
#[derive(Clone, Copy, Debug)]
pub struct Wrapped<'a> {
    /// The root of the tree as seen from its directory: `../src`.
    pub root: &'a str,
    /// Its text.
    pub kustomization: &'a [u8],
    /// The directory that is deployed, from the root of the tree.
    pub directory: &'a str,
    /// What was written into its kustomization.
    pub overlay: &'a Overlay,
    /// What decided on it: an Application with fields of its own, for example, whose lines stand for those of
    /// the wrapper and of the overlay.
    pub origin: &'a Origin,
}

/// What was built, and from what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// The text, without the annotations that tell where it comes from.
    pub text: Vec<u8>,
    /// The sources of its lines.
    pub origins: Origins,
}

/// Finds the sources of what `kustomize build` made of a wrapped kustomization. `files`: those that it was
/// built from; `other`: the same on the other side of the change, for what the change touches.
pub fn of_kustomize(
    text: &[u8],
    wrapped: &Wrapped<'_>,
    files: &dyn tree::Files,
    other: &dyn tree::Files,
) -> Built {
    let mut sources = Sources::new(files, other);
    let written = written::of(wrapped, &mut sources);
    let mut build = Build {
        files: Files::new(sources, wrapped.root, written),
        histories: BTreeMap::new(),
        indexes: BTreeMap::new(),
        looks: LOOKS,
        work: Work::default(),
        marks: Marks::new(memchr::memchr_iter(b'\n', text).count() + 1),
    };
    let documents: Vec<Node> = manifests(text).into_iter().flatten().collect();
    let mut objects: Vec<Object<'_>> = documents.iter().map(|built| build.object(built)).collect();
    let including = build.including(&wrapped.origin.file);
    build.replace(&mut objects, &including.resources);
    for object in &objects {
        build.mark(object, &including);
    }
    let mut keep = vec![true; build.marks.len()];
    documents.iter().for_each(|document| leave_out(document, &mut keep));
    build.marks.retain(&keep);
    let lines = text.split_inclusive(|byte| *byte == b'\n').zip(&keep);
    let kept = lines.filter(|(_, keep)| **keep).flat_map(|(line, _)| line.iter().copied());
    Built { text: kept.collect(), origins: build.files.sources.origins(build.marks) }
}

/// An object that was built and what it began as.
struct Object<'b> {
    built: &'b Node,
    /// What it began as, with the patches over it.
    source: Option<Node>,
    /// The file that it is from, as seen from the directory that was built.
    file: String,
    identity: Identity,
    history: Rc<History>,
    removed: Removed,
    /// Lines that stand for others as well.
    also: Removed,
}

/// Replacements with the values that they copy.
type Copies = Vec<(replace::Replacement, Node)>;

/// The objects of a file by kind and group, and those by name.
#[derive(Default)]
struct Index {
    by_kind: BTreeMap<(String, String), Vec<usize>>,
    by_name: BTreeMap<(String, String, String), Vec<usize>>,
}

/// How the files of a build name each other.
#[derive(Default)]
struct Including {
    /// For files in the tree the lines that name them, or what they are in, and that the change touches.
    by: BTreeMap<String, Vec<u32>>,
    /// The files of resources.
    resources: BTreeSet<String>,
}

struct Build<'a> {
    files: Files<'a>,
    histories: BTreeMap<String, Rc<History>>,
    indexes: BTreeMap<String, Rc<Index>>,
    looks: usize,
    work: Work,
    marks: Marks,
}

impl Build<'_> {
    /// Finds what an object began as, and does to it what its history says.
    fn object<'b>(&mut self, built: &'b Node) -> Object<'b> {
        let annotation = |key| built.text_at(&["metadata", "annotations", key]).unwrap_or_default();
        let history = self.history(annotation(CHANGES));
        let origin = manifests(annotation(ORIGIN).as_bytes()).into_iter().flatten().next();
        let text = |path: &[&str]| {
            origin.as_ref().and_then(|origin| origin.text_at(path)).unwrap_or_default()
        };
        let path = join("", text(&["path"]));
        let configured = join("", text(&["configuredIn"]));
        let (source, file) = match path.is_empty() {
            false => (self.source(&path, built, &history), path),
            true => {
                (self.generated(&configured, text(&["configuredBy", "kind"]), built), configured)
            }
        };
        let nodes: Vec<&Node> = source.iter().chain([built]).collect();
        let mut identity = Identity::of(&nodes);
        let written = identity.names.last().cloned();
        identity.names = history.names(identity.names.first().map_or("", String::as_str));
        identity.names.extend(written);
        let (removed, also) = (Removed::new(), Removed::new());
        let mut object = Object { built, source, file, identity, history, removed, also };
        self.patch(&mut object);
        object
    }

    fn history(&mut self, text: &str) -> Rc<History> {
        if let Some(known) = self.histories.get(text) {
            return known.clone();
        }
        let history = Rc::new(History::read(text, &mut self.files));
        self.histories.insert(text.to_string(), history.clone());
        history
    }

    fn index(&mut self, path: &str, documents: &[Node]) -> Rc<Index> {
        if let Some(known) = self.indexes.get(path) {
            return known.clone();
        }
        let mut index = Index::default();
        for (at, node) in documents.iter().enumerate() {
            let own = Identity::of(&[node]);
            let kind = (own.kind.clone(), own.group().to_string());
            let name = own.names.into_iter().next().unwrap_or_default();
            index.by_name.entry((kind.0.clone(), kind.1.clone(), name)).or_default().push(at);
            index.by_kind.entry(kind).or_default().push(at);
        }
        let index = Rc::new(index);
        self.indexes.insert(path.to_string(), index.clone());
        index
    }

    /// The object of a file that became this one: the only one of its kind, or the one that had its first
    /// name, else a name that is part of its.
    fn source(&mut self, path: &str, built: &Node, history: &History) -> Option<Node> {
        let documents = self.files.documents(path)?;
        let index = self.index(path, &documents);
        let own = Identity::of(&[built]);
        let kind = (own.kind.clone(), own.group().to_string());
        let of_kind = index.by_kind.get(&kind)?;
        let name = own.names.first().map_or("", String::as_str);
        let called = |name: &str| {
            let key = (kind.0.clone(), kind.1.clone(), name.to_string());
            index.by_name.get(&key).into_iter().flatten().filter_map(|at| documents.get(*at))
        };
        if let [only] = of_kind.as_slice() {
            return documents.get(*only).cloned();
        }
        for name in history.first_name(name).into_iter().chain([name]) {
            // Objects of one name are told apart by their namespaces.
            let same = |node: &&Node| Identity::of(&[*node]).namespaces == own.namespaces;
            if let Some(node) = called(name).find(same).or_else(|| called(name).next()) {
                return Some(node.clone());
            }
        }
        let some = of_kind.iter().take(NAMESAKES).filter_map(|at| documents.get(*at));
        let written = |node: &Node| node.text_at(&["metadata", "name"]).map(str::to_string);
        some.filter_map(|node| written(node).filter(|part| name.contains(part)).zip(Some(node)))
            .max_by_key(|(part, _)| part.len())
            .map(|(_, node)| node.clone())
    }

    /// The entry of a kustomization that made an object, or the file that configures its generator.
    fn generated(&mut self, path: &str, kind: &str, built: &Node) -> Option<Node> {
        let own = self.files.kustomization(path)?;
        let name = built.text_at(&["metadata", "name"]).unwrap_or_default();
        let line = own.node.start_line;
        generated(&own.node, kind, name).or(Some(at(line, Value::Null)))
    }

    fn patch(&mut self, object: &mut Object<'_>) {
        let Object { built, source: Some(source), identity, history, removed, .. } = object else {
            return;
        };
        for step in &history.steps {
            for patch in self.files.patches(&step.file, &step.kind).iter() {
                let Some(left) = self.looks.checked_sub(1) else { return };
                self.looks = left;
                patch.lay_over(source, built, identity, removed, &mut self.work);
            }
        }
    }

    /// Does what replacements do, once all sources are known.
    fn replace(&mut self, objects: &mut [Object<'_>], resources: &BTreeSet<String>) {
        let mut known: BTreeMap<String, Rc<Copies>> = BTreeMap::new();
        for index in 0..objects.len() {
            let history = match objects.get(index) {
                Some(object) if object.source.is_some() => object.history.clone(),
                _ => continue,
            };
            for step in history.steps.iter().filter(|step| step.kind == "ReplacementTransformer") {
                let replacements = match known.get(&step.file) {
                    Some(known) => known.clone(),
                    None => {
                        let read = Rc::new(self.replacements(&step.file, objects, resources));
                        known.insert(step.file.clone(), read.clone());
                        read
                    }
                };
                let Some(Object { built, source: Some(source), identity, also, .. }) =
                    objects.get_mut(index)
                else {
                    continue;
                };
                for (replacement, value) in replacements.iter() {
                    let Some(left) = self.looks.checked_sub(1) else { return };
                    self.looks = left;
                    let mut also = |line, other| also.push((line, other));
                    replacement.put(source, built, identity, value, &mut also);
                }
            }
        }
    }

    /// The replacements of a kustomization with the values that they copy.
    fn replacements(
        &mut self,
        path: &str,
        objects: &[Object<'_>],
        resources: &BTreeSet<String>,
    ) -> Copies {
        let Some(own) = self.files.kustomization(path) else { return Vec::new() };
        let read = |path: &str| self.files.documents(&join(&own.directory, path));
        let found = replace::of(&own, read);
        let with_value = |replacement: replace::Replacement| {
            let value = self.copied(&replacement, objects, resources)?;
            Some((replacement, value))
        };
        found.into_iter().filter_map(with_value).collect()
    }

    /// The value that a replacement copies: of an object that was built, or of one that was only there for that.
    fn copied(
        &mut self,
        replacement: &replace::Replacement,
        objects: &[Object<'_>],
        resources: &BTreeSet<String>,
    ) -> Option<Node> {
        let select = replacement.source()?;
        let chosen = |identity: &Identity| identity.is_chosen_by(select, &[], &[]) == Some(true);
        for object in objects {
            self.looks = self.looks.checked_sub(1)?;
            if chosen(&object.identity)
                && let Some(value) = object.source.as_ref().and_then(|node| replacement.value(node))
            {
                return Some(value.clone());
            }
        }
        for path in resources {
            for node in self.files.documents(path).iter().flat_map(|documents| documents.iter()) {
                self.looks = self.looks.checked_sub(1)?;
                if chosen(&Identity::of(&[node]))
                    && let Some(value) = replacement.value(node)
                {
                    return Some(value.clone());
                }
            }
        }
        None
    }

    /// Follows the kustomizations from the one that was built to everything that they name. `decided`: the file
    /// that the build was decided in; that a kustomization is there names it nowhere.
    fn including(&mut self, decided: &str) -> Including {
        let mut found = Including::default();
        let mut seen = BTreeSet::new();
        let mut open = vec![(self.files.wrapper(), Vec::new(), !is_kustomization(decided))];
        while let Some((own, above, names)) = open.pop() {
            for field in own.node.fields() {
                let is_resource = matches!(
                    field.key.as_str(),
                    "resources" | "bases" | "components" | "transformers" | "generators"
                );
                let is_patch = field.key.starts_with("patches") || field.key == "replacements";
                if !is_resource && !is_patch {
                    continue;
                }
                for item in field.node.items() {
                    let path = item.text().or_else(|| item.text_at(&["path"]));
                    let Some(path) = path.filter(|path| !path.contains('\n')) else { continue };
                    let path = join(&own.directory, path);
                    let mut lines = above.clone();
                    if names && self.files.sources.touched(item.start_line) {
                        lines.push(item.start_line);
                    }
                    if seen.len() >= FOLLOWED || !seen.insert(path.clone()) {
                        continue;
                    }
                    let inner = match self.files.number(&path, 1) {
                        Some(_) => None,
                        None => self.files.kustomization_in(&path),
                    };
                    let file = inner.clone().unwrap_or(path);
                    if let Some(path) = self.files.in_tree(&file) {
                        found.by.insert(path.to_string(), lines.clone());
                    }
                    match inner.and_then(|inner| self.files.kustomization(&inner)) {
                        Some(inner) => open.push((inner, lines, true)),
                        None if is_resource => drop(found.resources.insert(file)),
                        None => {}
                    }
                }
            }
        }
        found
    }

    /// Says where the lines of an object come from.
    fn mark(&mut self, object: &Object<'_>, including: &Including) {
        let lines = object.built.start_line..=object.built.end_line;
        let Some(source) = &object.source else {
            if let Some(number) = self.files.number(&object.file, 1) {
                lines.for_each(|line| self.marks.add(line, number));
            }
            return;
        };
        let mut files: Vec<&str> = Vec::new();
        for step in &object.history.steps {
            if !files.contains(&step.file.as_str()) {
                files.push(&step.file);
            }
        }
        let kustomizations: Vec<Rc<Kustomization>> =
            files.iter().filter_map(|file| self.files.kustomization(file)).collect();
        let items = |own: &Kustomization| {
            let lists = ["labels", "images", "replicas"].map(|key| own.node.get(key));
            lists.into_iter().flatten().map(|list| list.items().len()).sum::<usize>() + 1
        };
        let weight = kustomizations.iter().map(|own| items(own)).sum();
        let mut also: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (line, other) in object.also.iter().chain(&object.removed) {
            also.entry(*line).or_default().push(*other);
        }
        let mut marking = Marking {
            marks: &mut self.marks,
            also,
            kustomizations,
            weight,
            looks: &mut self.looks,
            names: &object.identity.names,
        };
        match source.value {
            Value::Map(_) => align(object.built, source, &mut self.work.looks, &mut marking),
            _ => lines.clone().for_each(|line| marking.marks.add(line, source.start_line)),
        }
        for line in lines {
            let first = self.marks.of(line).first().copied();
            let path = first.and_then(|first| self.files.sources.path(first));
            let by = path.and_then(|path| including.by.get(&**path));
            by.into_iter().flatten().for_each(|by| self.marks.add(line, *by));
        }
    }
}

/// The marks of one object.
struct Marking<'m> {
    marks: &'m mut Marks,
    /// For lines of its source others that stand for the same.
    also: BTreeMap<u32, Vec<u32>>,
    /// Those that changed it.
    kustomizations: Vec<Rc<Kustomization>>,
    /// How much it is to look through those.
    weight: usize,
    looks: &'m mut usize,
    names: &'m [String],
}

impl Sink for Marking<'_> {
    fn same(&mut self, line: u32, source: u32) {
        self.marks.add(line, source);
        for other in self.also.get(&source).into_iter().flatten() {
            self.marks.add(line, *other);
        }
    }

    fn differs(&mut self, path: &[&str], line: u32, node: &Node, source: Option<&Node>) {
        if let (Value::Map(fields), None) = (&node.value, source) {
            for field in fields {
                let mut path = path.to_vec();
                path.push(&field.key);
                self.differs(&path, field.line, &field.node, None);
                // What a map is called comes with what is in it.
                let first = self.marks.of(field.line).first().copied();
                first.into_iter().for_each(|first| self.marks.add(line, first));
            }
            return;
        }
        let left = self.looks.checked_sub(self.weight);
        *self.looks = left.unwrap_or(0);
        let setters = match left {
            Some(_) => setters(&self.kustomizations, path, node, self.names),
            None => Vec::new(),
        };
        let source = source.map(|source| source.start_line);
        // A name is what people write and a prefix before it.
        let (first, rest) = match path {
            ["metadata", "name"] => (source, setters),
            _ => (None, setters.into_iter().chain(source).collect()),
        };
        first.into_iter().chain(rest).for_each(|number| self.same(line, number));
    }
}

/// Marks the lines of the annotations that kustomize was told to add.
fn leave_out(document: &Node, keep: &mut [bool]) {
    let Some(metadata) = document.get("metadata") else { return };
    let Some(own) = metadata.fields().iter().find(|field| field.key == "annotations") else {
        return;
    };
    let added = |key: &str| matches!(key, ORIGIN | CHANGES);
    let mut leave = |from: u32, to: u32| {
        let lines = keep.iter_mut().take(to as usize).skip((from as usize).saturating_sub(1));
        lines.for_each(|keep| *keep = false);
    };
    let fields = own.node.fields();
    for field in fields.iter().filter(|field| added(&field.key)) {
        leave(field.line, field.node.end_line);
    }
    if !fields.is_empty() && fields.iter().all(|field| added(&field.key)) {
        leave(own.line, own.line);
    }
}
