//! The values of a release: which lines say what a template reads.

use super::paths::join;
use super::sources::{Sources, inside};
use super::transformers::at;
use crate::deploy::{Release, Values as Given};
use crate::model::Origin;
use crate::parse::{Field, Node, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Fields that are looked at for the values of a release.
const LOOKS: usize = 50_000_000;

/// Items that are put before one that `--set` names by its place.
const ITEMS: usize = 100;

/// A step to a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A field.
    Field(String),
    /// What a loop reaches in its round of this number: an item, or the field that comes there by its name.
    Round(usize),
}

/// A chart of a release: the one that is released, or one inside of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Chart {
    /// Its directory.
    pub(super) directory: String,
    /// The fields under which its values are among those of the release.
    pub(super) keys: Vec<String>,
    /// What has to be true for it to be there, as paths in the values of the release.
    pub(super) conditions: Vec<Vec<Key>>,
    /// The directories of the charts around it, the outermost first.
    around: Vec<String>,
}

impl Chart {
    /// The chart that is released.
    pub(super) fn released(directory: &str) -> Self {
        Self { directory: directory.to_string(), ..Self::default() }
    }

    /// A chart in this one: its directory, the field of its values, what has to be true for it.
    pub(super) fn inner(&self, directory: String, key: &str, conditions: Vec<Vec<Key>>) -> Self {
        let mut inner = self.clone();
        inner.around.push(std::mem::replace(&mut inner.directory, directory));
        inner.keys.push(key.to_string());
        inner.conditions.extend(conditions);
        inner
    }
}

/// All values of a release.
pub(super) struct Values {
    /// Those that it is given, the likeliest first.
    given: Vec<Rc<Node>>,
    /// Those of the `values.yaml` of charts, by their directories.
    defaults: BTreeMap<String, Option<Rc<Node>>>,
    /// The fields of maps that loops run over, by chart and path.
    fields: BTreeMap<(String, Vec<Key>), Rc<Vec<String>>>,
    looks: usize,
}

/// A value that a template reads.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The line of its key.
    pub(super) line: u32,
    root: Rc<Node>,
    path: Vec<Key>,
}

impl Found {
    /// What it holds.
    pub(super) fn node(&self) -> Option<&Node> {
        walk(&self.root, &self.path, &mut LOOKS.clone()).map(|(_, node)| node)
    }
}

impl Values {
    /// Reads what a release is given.
    pub(super) fn of(release: &Release, sources: &mut Sources<'_>) -> Self {
        let read = |given: &Given| match given {
            Given::File { path, .. } => sources.documents(path)?.first().cloned(),
            Given::Inline { values, origin } => Some(inline(values, origin, sources)),
            Given::Set { name, value, origin, .. } => {
                let line = sources.number(&origin.file, origin.start_line)?;
                Some(set(name, value, line))
            }
        };
        let given = release.values.iter().rev().filter_map(read).map(Rc::new).collect();
        let (defaults, fields) = (BTreeMap::new(), BTreeMap::new());
        Self { given, defaults, fields, looks: LOOKS }
    }

    /// The values at a path that a template of a chart reads, the likeliest first. `path`: without `Values`.
    pub(super) fn find(
        &mut self,
        chart: &Chart,
        path: &[Key],
        sources: &mut Sources<'_>,
    ) -> Vec<Found> {
        let layers = self.layers(chart, path, sources);
        let mut resolved = Vec::new();
        for (at, key) in path.iter().enumerate() {
            // What a loop over fields reaches depends on the fields of all files.
            let named = match key {
                Key::Round(round) => {
                    let fields = self.fields(chart, path.get(..at).unwrap_or_default(), &layers);
                    fields.get(*round).cloned().map(Key::Field)
                }
                Key::Field(_) => None,
            };
            resolved.push(named.unwrap_or_else(|| key.clone()));
        }
        let mut found = Vec::new();
        for (root, prefix) in layers {
            let path: Vec<Key> = prefix.into_iter().chain(resolved.iter().cloned()).collect();
            if let Some((line, _)) = walk(&root, &path, &mut self.looks) {
                found.push(Found { line, root, path });
            }
        }
        found
    }

    /// The files that may hold a value, and the path in each to where a template of the chart begins.
    fn layers(
        &mut self,
        chart: &Chart,
        path: &[Key],
        sources: &mut Sources<'_>,
    ) -> Vec<(Rc<Node>, Vec<Key>)> {
        let keys: Vec<Key> = chart.keys.iter().cloned().map(Key::Field).collect();
        // Global values are the same in all charts.
        let global = path.first() == Some(&Key::Field("global".to_string())) && !keys.is_empty();
        let mut layers = Vec::new();
        let mut add = |node: &Rc<Node>, keys: &[Key]| {
            layers.push((node.clone(), keys.to_vec()));
            if global && !keys.is_empty() {
                layers.push((node.clone(), Vec::new()));
            }
        };
        self.given.iter().for_each(|node| add(node, &keys));
        for (depth, directory) in chart.around.iter().chain([&chart.directory]).enumerate() {
            let node = self.defaults.entry(directory.clone()).or_insert_with(|| {
                let documents = sources.documents(&join(directory, "values.yaml"))?;
                documents.first().cloned().map(Rc::new)
            });
            if let Some(node) = node {
                add(node, keys.get(depth..).unwrap_or_default());
            }
        }
        layers
    }

    /// The fields of a map in their order, of all files; none if it is a list.
    fn fields(
        &mut self,
        chart: &Chart,
        path: &[Key],
        layers: &[(Rc<Node>, Vec<Key>)],
    ) -> Rc<Vec<String>> {
        let key = (chart.directory.clone(), path.to_vec());
        if let Some(known) = self.fields.get(&key) {
            return known.clone();
        }
        let mut fields = BTreeSet::new();
        for (root, prefix) in layers {
            let path: Vec<Key> = prefix.iter().chain(path).cloned().collect();
            if let Some((_, node)) = walk(root, &path, &mut self.looks) {
                fields.extend(node.fields().iter().map(|field| field.key.clone()));
            }
        }
        let fields = Rc::new(fields.into_iter().collect::<Vec<_>>());
        self.fields.insert(key, fields.clone());
        fields
    }
}

/// The value at a path and the line of its key. `looks`: how many fields may still be looked at.
fn walk<'n>(node: &'n Node, path: &[Key], looks: &mut usize) -> Option<(u32, &'n Node)> {
    path.iter().try_fold((node.start_line, node), |(_, node), key| match key {
        Key::Field(key) => {
            *looks = looks.checked_sub(node.fields().len())?;
            let field = node.fields().iter().find(|field| field.key == *key)?;
            Some((field.line, &field.node))
        }
        Key::Round(round) => {
            let item = node.items().get(*round)?;
            Some((item.start_line, item))
        }
    })
}

/// Values that stand in another object, with their lines there.
fn inline(values: &serde_json::Value, origin: &Origin, sources: &mut Sources<'_>) -> Node {
    let line = sources.number(&origin.file, origin.start_line).unwrap_or(0);
    let last = line + (origin.end_line - origin.start_line.min(origin.end_line));
    let documents = sources.documents(&origin.file).unwrap_or_default();
    let mut open: Vec<&Node> = documents.iter().collect();
    while let Some(node) = open.pop() {
        if node.end_line < line || node.start_line > last {
            continue;
        }
        if node.start_line >= line {
            if matches!(node.value, Value::Map(_)) && node.to_json() == *values {
                return node.clone();
            }
            let written = inside(node).into_iter().next();
            if let Some(written) = written.filter(|written| written.to_json() == *values) {
                return written;
            }
        }
        open.extend(node.items());
        open.extend(node.fields().iter().map(|field| &field.node));
    }
    Node::on_line(values, line)
}

/// The values of `--set a.b[0].c=value`.
fn set(name: &str, value: &str, line: u32) -> Node {
    let plain = name.replace("\\.", "\0");
    let mut keys: Vec<Result<String, usize>> = Vec::new();
    for part in plain.split('.') {
        let mut parts = part.split('[');
        let key = parts.next().unwrap_or_default();
        keys.push(Ok(key.replace('\0', ".")));
        let places = parts.filter_map(|place| place.trim_end_matches(']').parse().ok());
        keys.extend(places.filter(|place| *place < ITEMS).map(Err));
    }
    let leaf = at(line, Value::Text(value.to_string()));
    keys.into_iter().take(ITEMS * 2).rev().fold(leaf, |node, key| {
        at(
            line,
            match key {
                Ok(key) => Value::Map(vec![Field { key, line, node }]),
                Err(place) => {
                    let mut items = vec![at(line, Value::Null); place];
                    items.push(node);
                    Value::List(items)
                }
            },
        )
    })
}
