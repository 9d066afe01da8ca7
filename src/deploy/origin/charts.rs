//! The charts of a release: where the templates are that `# Source:` names.

use super::paths::{join, within};
use super::sources::Sources;
use super::values::{Chart, Key};
use crate::parse::Node;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The charts that were met, the one that is released and those inside of it.
pub(super) struct Charts {
    /// The directory of the one that is released.
    pub(super) root: String,
    known: BTreeMap<String, Option<Inner>>,
}

/// A chart inside of another.
#[derive(Clone)]
enum Inner {
    Directory(Rc<Chart>),
    /// It is packed in this file.
    Packed(String),
}

/// Where a template is.
pub(super) enum Place {
    /// In a file of a chart.
    File(Rc<Chart>, String),
    /// Somewhere in this archive.
    Archive(String),
}

impl Charts {
    /// The charts of a release of the one in a directory.
    pub(super) fn new(root: &str) -> Self {
        Self { root: root.to_string(), known: BTreeMap::new() }
    }

    /// The chart and the file of a template, by what `# Source:` calls it; of one that is packed, the archive.
    pub(super) fn place(&mut self, source: &str, sources: &mut Sources<'_>) -> Option<Place> {
        let (_, path) = source.split_once('/')?;
        let mut rest = path;
        let mut key = String::new();
        let mut chart = Rc::new(Chart::released(&self.root));
        while let Some((name, behind)) =
            rest.strip_prefix("charts/").and_then(|path| path.split_once('/'))
        {
            key = format!("{key}/{name}");
            let found = match self.known.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let found = inner(&chart, name, sources);
                    self.known.insert(key.clone(), found.clone());
                    found
                }
            };
            match found? {
                Inner::Directory(inner) => chart = inner,
                // What else is inside of it is in the same file.
                Inner::Packed(archive) => return Some(Place::Archive(archive)),
            }
            rest = behind;
        }
        let file = join(&chart.directory, rest);
        Some(Place::File(chart, file))
    }
}

/// A chart inside of another, by its name or by the other name that it is given there.
fn inner(outer: &Chart, name: &str, sources: &mut Sources<'_>) -> Option<Inner> {
    let read = |path: &str, sources: &mut Sources<'_>| {
        sources.documents(path).and_then(|documents| documents.first().cloned())
    };
    let own = read(&join(&outer.directory, "Chart.yaml"), sources);
    let requirements = read(&join(&outer.directory, "requirements.yaml"), sources);
    let lists = [own, requirements].into_iter().flatten();
    let dependencies: Vec<Node> = lists
        .filter_map(|node| node.get("dependencies").cloned())
        .flat_map(|list| list.items().to_vec())
        .collect();
    let is = |key| move |node: &&Node| node.text_at(&[key]) == Some(name);
    let dependency = dependencies.iter().find(is("alias"));
    let dependency = dependency.or_else(|| dependencies.iter().find(is("name")));
    let real = dependency.and_then(|node| node.text_at(&["name"])).unwrap_or(name);
    let keys = outer.keys.iter().cloned().map(Key::Field);
    let condition = |text: &str| -> Vec<Key> {
        keys.clone().chain(text.trim().split('.').map(|key| Key::Field(key.into()))).collect()
    };
    let conditions = dependency.and_then(|node| node.text_at(&["condition"]));
    let conditions = conditions.into_iter().flat_map(|text| text.split(',')).map(condition);
    let conditions: Vec<_> = conditions.collect();
    let charts = join(&outer.directory, "charts");
    let expected = join(&charts, real);
    let found = match sources.read(&join(&expected, "Chart.yaml")) {
        Some(_) => Some(expected),
        // The directory is called something else.
        None => sources.below(&charts).iter().find_map(|path| {
            let directory = path.strip_suffix("/Chart.yaml")?;
            let is_direct = within(directory, &charts).is_some_and(|name| !name.contains('/'));
            let node = is_direct.then(|| read(path, sources)).flatten()?;
            (node.text_at(&["name"]) == Some(real)).then(|| directory.to_string())
        }),
    };
    match found {
        Some(found) => Some(Inner::Directory(Rc::new(outer.inner(found, name, conditions)))),
        None => packed(&charts, real, sources).map(Inner::Packed),
    }
}

/// The archive of a chart: `NAME-VERSION.tgz`. `None`: there is none, or several could be it.
fn packed(charts: &str, name: &str, sources: &Sources<'_>) -> Option<String> {
    let below = sources.below(charts);
    let version = |path: &str| -> Option<String> {
        let file = within(path, charts)?.strip_suffix(".tgz")?.strip_prefix(name)?;
        Some(file.strip_prefix('-')?.to_string())
    };
    let is_version =
        |text: &str| text.starts_with(|char: char| char.is_ascii_digit() || char == 'v');
    let mut found = below.iter().filter(|path| version(path).is_some_and(|text| is_version(&text)));
    let only = found.next()?;
    found.next().is_none().then(|| only.to_string())
}
