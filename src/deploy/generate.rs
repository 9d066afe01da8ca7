//! The generators of ApplicationSets that need nothing but the repository: list, git, matrix and merge.

use super::application_set::APPLICATIONS;
use super::expression::{normalized, print};
use super::glob::{Glob, Style};
use super::object::{Context, Trouble, field, filled, flag, text, text_map, texts};
use super::template::{Parameters, Templates, is_template};
use crate::parse::{Node, manifests};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Generators inside of generators.
const DEPTH: usize = 4;

/// The parameters that a generator gives, those of each Application.
pub(super) fn generated(
    generator: &Node,
    templates: &Templates<'_>,
    context: &Context<'_>,
) -> Result<Vec<Parameters>, Trouble> {
    Generators { templates, context }.all(generator, 0)
}

struct Generators<'a> {
    templates: &'a Templates<'a>,
    context: &'a Context<'a>,
}

impl Generators<'_> {
    fn all(&self, generator: &Node, depth: usize) -> Result<Vec<Parameters>, Trouble> {
        if depth > DEPTH {
            return Err(Trouble::at(generator, "its generators are nested too deeply"));
        }
        if let Some(selector) = filled(generator, "selector") {
            let reason = "the selector of a generator is not evaluated; review what it generates";
            return Err(Trouble::at(&selector.node, reason));
        }
        let mut kinds = generator.fields().iter().filter(|field| field.key != "selector");
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return Err(Trouble::at(generator, "a generator is not of one kind; correct it"));
        };
        let options = &kind.node;
        if filled(options, "template").is_some() {
            let reason = "the template of a generator is not evaluated; review what it generates";
            return Err(Trouble::at(options, reason));
        }
        let parameters = match kind.key.as_str() {
            "list" => self.list(options),
            "git" => self.git(options),
            "matrix" => self.matrix(options, depth),
            "merge" => self.merge(options, depth),
            other => {
                let reason = format!(
                    "its generator `{other}` asks something outside of the repository; review what it generates"
                );
                Err(Trouble::at(options, reason))
            }
        }?;
        if parameters.len() > APPLICATIONS {
            let reason = format!("it generates more than {APPLICATIONS} Applications; split it");
            return Err(Trouble::at(options, reason));
        }
        Ok(parameters)
    }

    fn list(&self, options: &Node) -> Result<Vec<Parameters>, Trouble> {
        let elements = field(options, "elements").map(|field| field.node.items());
        let mut all = Vec::new();
        for element in elements.unwrap_or_default() {
            let Value::Object(map) = element.to_json() else {
                return Err(Trouble::at(element, "an element of its list is no map; correct it"));
            };
            if self.templates.go {
                all.push(map);
                continue;
            }
            let mut flat = Parameters::new();
            for (key, value) in map {
                match value {
                    Value::Object(values) if key == "values" => {
                        flat.extend(
                            values.into_iter().map(|(key, value)| (format!("values.{key}"), value)),
                        );
                    }
                    value => {
                        flat.insert(key, value);
                    }
                }
            }
            if let Some((key, _)) = flat.iter().find(|(_, value)| !value.is_string()) {
                let reason = format!("`{key}` in an element of its list is no text; quote it");
                return Err(Trouble::at(element, reason));
            }
            all.push(flat);
        }
        if let Some(elements) = filled(options, "elementsYaml") {
            let wrong =
                || Trouble::at(&elements.node, "its `elementsYaml` is no list of maps; correct it");
            let text = elements.node.text().ok_or_else(wrong)?;
            all.extend(maps(text.as_bytes()).ok_or_else(wrong)?);
        }
        Ok(all)
    }

    fn git(&self, options: &Node) -> Result<Vec<Parameters>, Trouble> {
        let facts = self.context.facts;
        let url = text(options, &["repoURL"]).unwrap_or_default();
        let elsewhere = || {
            let reason = format!(
                "its generator looks into another repository, `{url}`; review what it generates"
            );
            Trouble::at(options, reason)
        };
        if !facts.is_this(url, || true) {
            return Err(elsewhere());
        }
        let revision = text(options, &["revision"]).unwrap_or_default();
        if facts.is_pinned(revision) {
            let reason = format!(
                "its generator is pinned to `{revision}`, which is not the branch under review; review it where it \
                 moves there"
            );
            return Err(Trouble::at(options, reason));
        }
        let prefix = text(options, &["pathParamPrefix"]);
        let mut all = Vec::new();
        if let Some(directories) = filled(options, "directories") {
            for path in self.directories(&directories.node)? {
                all.push(self.of_path(Parameters::new(), &path, None, prefix));
            }
        } else if let Some(files) = filled(options, "files") {
            for path in self.files(&files.node)? {
                let content = facts.files.read(&path);
                let maps = content.and_then(|content| maps(content.bytes())).ok_or_else(|| {
                    let reason = format!(
                        "`{path}` of its generator is no map and no list of maps; correct it"
                    );
                    Trouble::at(&files.node, reason)
                })?;
                let (directory, name) = path.rsplit_once('/').unwrap_or((".", &path));
                for map in maps {
                    all.push(self.of_path(
                        self.flat(map, &files.node)?,
                        directory,
                        Some(name),
                        prefix,
                    ));
                }
                if all.len() > APPLICATIONS {
                    break;
                }
            }
        } else {
            return Err(Trouble::at(options, "its generator names no directories and no files"));
        }
        if facts.urls.is_empty() && all.is_empty() {
            return Err(elsewhere());
        }
        for parameters in &mut all {
            self.add_values(options, parameters)?;
        }
        Ok(all)
    }

    /// The directories that patterns choose; none below a hidden one.
    fn directories(&self, patterns: &Node) -> Result<BTreeSet<String>, Trouble> {
        let mut directories = BTreeSet::new();
        for file in self.context.facts.files.below("") {
            let mut path = file.as_ref();
            while let Some((directory, _)) = path.rsplit_once('/') {
                path = directory;
                if !directories.insert(directory.to_string()) {
                    break;
                }
            }
        }
        directories.retain(|path| !path.split('/').any(|part| part.starts_with('.')));
        self.choose(patterns, &directories, Style::Go)
    }

    /// The files that patterns choose. Argo CD has two ways to read them, by its configuration.
    fn files(&self, patterns: &Node) -> Result<BTreeSet<String>, Trouble> {
        let paths: BTreeSet<String> =
            self.context.facts.files.below("").iter().map(ToString::to_string).collect();
        let chosen = self.choose(patterns, &paths, Style::Git)?;
        if chosen != self.choose(patterns, &paths, Style::Directories)? {
            let reason = "a pattern of its generator chooses other files as Argo CD is configured \
                          (`*` that takes `/`, or not); write one that is clear";
            return Err(Trouble::at(patterns, reason));
        }
        Ok(chosen)
    }

    /// Those of some paths that a pattern chooses and none excludes.
    fn choose(
        &self,
        patterns: &Node,
        paths: &BTreeSet<String>,
        style: Style,
    ) -> Result<BTreeSet<String>, Trouble> {
        let mut globs = Vec::new();
        for item in patterns.items() {
            let pattern = text(item, &["path"]).ok_or_else(|| {
                Trouble::at(item, "its generator has an item without a path; correct it")
            })?;
            globs.push((Glob::new(pattern, style), flag(item, &["exclude"])));
        }
        let steps =
            |path: &String| 50 + globs.iter().map(|(glob, _)| glob.steps(path)).sum::<usize>();
        self.context
            .bounds
            .spend_steps(paths.iter().map(steps).sum())
            .map_err(|reason| Trouble::at(patterns, reason))?;
        let is_chosen = |path: &&String| {
            let matched = |exclude: bool| {
                globs.iter().any(|(glob, excludes)| *excludes == exclude && glob.matches(path))
            };
            matched(false) && !matched(true)
        };
        Ok(paths.iter().filter(is_chosen).cloned().collect())
    }

    /// The content of a file as parameters.
    fn flat(&self, map: Parameters, at: &Node) -> Result<Parameters, Trouble> {
        if self.templates.go {
            return Ok(map);
        }
        let mut flat = Parameters::new();
        let mut open: Vec<(String, Value)> = map.into_iter().collect();
        while let Some((key, value)) = open.pop() {
            match value {
                Value::Object(map) => {
                    open.extend(
                        map.into_iter().map(|(name, value)| (format!("{key}.{name}"), value)),
                    );
                }
                Value::Array(items) => {
                    open.extend(
                        items
                            .into_iter()
                            .enumerate()
                            .map(|(index, value)| (format!("{key}.{index}"), value)),
                    );
                }
                value => {
                    // What can't be printed can't be asked for.
                    if let Some(text) = print(&value) {
                        flat.insert(key, text.into());
                    }
                }
            }
            if flat.len() + open.len() > 100_000 {
                return Err(Trouble::at(at, "a file of its generator holds too much; split it"));
            }
        }
        Ok(flat)
    }

    /// With what the path of a directory, or of a file in it, gives.
    fn of_path(
        &self,
        mut parameters: Parameters,
        directory: &str,
        file: Option<&str>,
        prefix: Option<&str>,
    ) -> Parameters {
        let base = directory.rsplit_once('/').map_or(directory, |(_, base)| base);
        let segments: Vec<&str> = directory.split('/').collect();
        if self.templates.go {
            let mut path = json!({
                "path": directory,
                "basename": base,
                "basenameNormalized": normalized(base),
                "segments": segments,
            });
            if let (Some(file), Value::Object(path)) = (file, &mut path) {
                path.insert("filename".into(), file.into());
                path.insert("filenameNormalized".into(), normalized(file).into());
            }
            match prefix {
                Some(prefix) => parameters.insert(prefix.to_string(), json!({"path": path})),
                None => parameters.insert("path".into(), path),
            };
            return parameters;
        }
        let path = prefix.map_or_else(|| "path".to_string(), |prefix| format!("{prefix}.path"));
        let mut set = |name: String, value: &str| parameters.insert(name, value.into());
        set(path.clone(), directory);
        set(format!("{path}.basename"), base);
        set(format!("{path}.basenameNormalized"), &normalized(base));
        for (index, segment) in segments.iter().enumerate() {
            set(format!("{path}[{index}]"), segment);
        }
        if let Some(file) = file {
            set(format!("{path}.filename"), file);
            set(format!("{path}.filenameNormalized"), &normalized(file));
        }
        parameters
    }

    /// With the `values` of a generator, which may use its parameters.
    fn add_values(&self, options: &Node, parameters: &mut Parameters) -> Result<(), Trouble> {
        let mut values = Parameters::new();
        for (key, value) in text_map(options, "values")? {
            let value = self
                .templates
                .text(value, parameters)
                .map_err(|reason| Trouble::at(options, reason))?;
            values.insert(key.to_string(), value.into());
        }
        if self.templates.go && !values.is_empty() {
            parameters.insert("values".into(), values.into());
        } else {
            parameters
                .extend(values.into_iter().map(|(key, value)| (format!("values.{key}"), value)));
        }
        Ok(())
    }

    /// Each of the first with each of the second, which may use the parameters of the first.
    fn matrix(&self, options: &Node, depth: usize) -> Result<Vec<Parameters>, Trouble> {
        let generators = options.get("generators").map(Node::items).unwrap_or_default();
        let [first, rest @ ..] = generators else {
            return Err(Trouble::at(options, "its matrix has no generators; correct it"));
        };
        let mut all = self.all(first, depth + 1)?;
        for generator in rest {
            let same =
                if is_template(generator) { None } else { Some(self.all(generator, depth + 1)?) };
            let mut combined = Vec::new();
            for one in &all {
                let others = match &same {
                    Some(others) => others.clone(),
                    None => {
                        let generator = self
                            .templates
                            .generator(generator, one)
                            .map_err(|reason| Trouble::at(generator, reason))?;
                        self.all(&generator, depth + 1)?
                    }
                };
                for other in others {
                    let both = self.both(one, other).ok_or_else(|| {
                        let reason = "two generators of its matrix give one parameter different values, or one that \
                                      is no text; rename it";
                        Trouble::at(options, reason)
                    })?;
                    combined.push(both);
                    if combined.len() > APPLICATIONS {
                        let reason =
                            format!("it generates more than {APPLICATIONS} Applications; split it");
                        return Err(Trouble::at(options, reason));
                    }
                }
            }
            all = combined;
        }
        Ok(all)
    }

    /// Both together; `None`: they contradict each other.
    fn both(&self, one: &Parameters, other: Parameters) -> Option<Parameters> {
        let mut both = one.clone();
        if self.templates.go {
            return union(&mut both, other).then_some(both);
        }
        for (_, value) in &mut both {
            *value = print(value)?.into();
        }
        for (key, value) in other {
            let value = Value::from(print(&value)?);
            if both.get(&key).is_some_and(|own| *own != value) {
                return None;
            }
            both.insert(key, value);
        }
        Some(both)
    }

    /// The first generator, with what those after it have for the same keys.
    fn merge(&self, options: &Node, depth: usize) -> Result<Vec<Parameters>, Trouble> {
        let generators = options.get("generators").map(Node::items).unwrap_or_default();
        let keys = texts(options, "mergeKeys")?;
        let ([first, rest @ ..], false) = (generators, keys.is_empty()) else {
            return Err(Trouble::at(
                options,
                "its merge has no generators, or no keys; correct it",
            ));
        };
        let key_of = |parameters: &Parameters| -> Vec<Value> {
            keys.iter().map(|(key, _)| parameters.get(*key).cloned().unwrap_or_default()).collect()
        };
        let unique = |all: &[Parameters]| {
            let mut by_key: BTreeMap<String, usize> = BTreeMap::new();
            for (index, parameters) in all.iter().enumerate() {
                if by_key.insert(Value::from(key_of(parameters)).to_string(), index).is_some() {
                    let reason = "a generator of its merge gives the same keys twice; correct it";
                    return Err(Trouble::at(options, reason));
                }
            }
            Ok(by_key)
        };
        let mut all = self.all(first, depth + 1)?;
        unique(&all)?;
        for generator in rest {
            let others = self.all(generator, depth + 1)?;
            let by_key = unique(&others)?;
            for parameters in &mut all {
                let key = Value::from(key_of(parameters)).to_string();
                let other = by_key.get(&key).and_then(|index| others.get(*index));
                let Some(other) = other else { continue };
                if self.templates.go && other.values().any(has_empty) {
                    let reason = "a generator of its merge gives an empty value, which Argo CD passes over; leave \
                                  it out";
                    return Err(Trouble::at(options, reason));
                }
                override_with(parameters, other, self.templates.go);
            }
        }
        Ok(all)
    }
}

/// A map, or a list of maps.
fn maps(bytes: &[u8]) -> Option<Vec<Parameters>> {
    let mut documents = manifests(bytes).into_iter();
    let (Some(Ok(document)), None) = (documents.next(), documents.next()) else { return None };
    let map = |value| match value {
        Value::Object(map) => Some(map),
        _ => None,
    };
    match document.to_json() {
        Value::Array(items) => items.into_iter().map(map).collect(),
        value => map(value).map(|map| vec![map]),
    }
}

/// Adds what is not there, maps inside as well. False: they contradict each other.
fn union(into: &mut Parameters, from: Parameters) -> bool {
    from.into_iter().all(|(key, value)| match (into.get_mut(&key), value) {
        (None, value) => {
            into.insert(key, value);
            true
        }
        (Some(Value::Object(into)), Value::Object(from)) => union(into, from),
        (Some(own), value) => *own == value,
    })
}

fn override_with(into: &mut Parameters, from: &Parameters, deep: bool) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(into)), Value::Object(from)) if deep => {
                override_with(into, from, deep)
            }
            (_, value) => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

fn has_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty() || fields.values().any(has_empty),
    }
}
