//! An object that is being read: its name, its lines, and what is said of it.

use super::{Decision, Facts, Object, Told};
use crate::model::Origin;
use crate::parse::{Affects, Field, Node, Problem, Sort, Value, digest, source_of};
use std::cell::Cell;

/// What deciding looks at besides the object itself.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) objects: &'a [Object],
    pub(super) facts: &'a Facts<'a>,
    pub(super) bounds: &'a Bounds,
}

/// What all objects together may still take, so that hostile ones end.
pub(super) struct Bounds {
    /// Steps of matching paths.
    steps: Cell<usize>,
    /// Bytes of filled in templates.
    bytes: Cell<usize>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { steps: Cell::new(2_000_000_000), bytes: Cell::new(64 << 20) }
    }
}

impl Bounds {
    pub(super) fn spend_steps(&self, steps: usize) -> Result<(), String> {
        spend(&self.steps, steps)
    }

    pub(super) fn spend_bytes(&self, bytes: usize) -> Result<(), String> {
        spend(&self.bytes, bytes)
    }
}

fn spend(left: &Cell<usize>, amount: usize) -> Result<(), String> {
    let rest = left.get().checked_sub(amount);
    left.set(rest.unwrap_or_default());
    rest.map(|_| ()).ok_or_else(|| "it generates too much; split it".to_string())
}

/// Why something could not be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Where in the object's file; none: the object as a whole.
    pub(super) line: Option<u32>,
    /// Completes "it was not evaluated: ...".
    pub(super) reason: String,
    /// What is deployed comes from elsewhere.
    pub(super) elsewhere: Option<Elsewhere>,
}

/// Where something comes from that is not in the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// Another repository, or another revision of this one: it may hold policies of any namespace.
    Repository,
    /// A packaged chart: a program that somebody else makes, whose policies are about its own pods.
    Charts,
}

impl Trouble {
    pub(super) fn at(node: &Node, reason: impl Into<String>) -> Self {
        Self { line: Some(node.start_line), reason: reason.into(), elsewhere: None }
    }

    pub(super) fn because_of(self, elsewhere: Elsewhere) -> Self {
        Self { elsewhere: Some(elsewhere), ..self }
    }
}

impl From<String> for Trouble {
    fn from(reason: String) -> Self {
        Self { line: None, reason, elsewhere: None }
    }
}

impl Object {
    /// Where some of its lines stand, in the file that people edit.
    fn place(&self, start_line: u32, end_line: u32) -> Origin {
        match &self.built {
            Some(built) => source_of(built, start_line, end_line),
            None => {
                let end_line = end_line.max(start_line);
                Origin { file: self.file.clone(), start_line, end_line }
            }
        }
    }
}

/// The namespace that an object of Flux deploys to.
fn object_namespace(node: &Node) -> Option<&str> {
    text(node, &["spec", "targetNamespace"]).or(namespace(node))
}

/// The object of which problems and decisions are told.
#[derive(Clone)]
pub(super) struct Subject<'a> {
    pub(super) object: &'a Object,
    kind: &'static str,
    because: String,
}

impl<'a> Subject<'a> {
    pub(super) fn new(object: &'a Object, kind: &'static str) -> Self {
        let because = format!("{kind} `{}`", full_name(&object.node));
        Self { object, kind, because }
    }

    /// The same for something that the object generates.
    pub(super) fn generates(&self, kind: &str, name: &str) -> Self {
        Self { because: format!("{kind} `{name}` of {}", self.because), ..self.clone() }
    }

    pub(super) fn decision(&self) -> Decision {
        Decision { origin: self.origin(&self.object.node), because: self.because.clone() }
    }

    pub(super) fn origin(&self, node: &Node) -> Origin {
        self.object.place(node.start_line, node.end_line)
    }

    /// From the key of a field to the end of its value.
    pub(super) fn field_origin(&self, field: &Field) -> Origin {
        self.object.place(field.line.min(field.node.start_line), field.node.end_line)
    }

    /// The reason is part of the identity: a change elsewhere can bring a second one to an object that had one.
    pub(super) fn problem(&self, trouble: Trouble) -> Told {
        let environment = self.object.environment.clone();
        self.problem_in(trouble, environment, object_namespace(&self.object.node))
    }

    /// [`Subject::problem`] of what goes into an environment, and there into a namespace.
    pub(super) fn problem_in(
        &self,
        trouble: Trouble,
        environment: Option<String>,
        namespace: Option<&str>,
    ) -> Told {
        let node = &self.object.node;
        let identity = digest(format!("{}\0{}", node.to_json(), trouble.reason).as_bytes());
        let name = full_name(node);
        let line = trouble.line.unwrap_or(node.start_line);
        let place = self.object.place(line, line);
        let affects = match (trouble.elsewhere, namespace) {
            (Some(Elsewhere::Charts), Some(namespace)) => Affects::Namespace(namespace.into()),
            _ => Affects::Anything,
        };
        let problem = Problem {
            file: place.file,
            line: Some(place.start_line),
            kind: Some(self.kind.to_string()),
            name: (!name.is_empty()).then_some(name),
            reason: format!("what it deploys was not evaluated: {}", trouble.reason),
            affects,
            identity,
            sort: Sort::Other,
        };
        Told { environment, problem, elsewhere: trouble.elsewhere.is_some() }
    }
}

/// The group of an object's `apiVersion`; "" for the core's.
pub(super) fn group(node: &Node) -> &str {
    let version = node.text_at(&["apiVersion"]).unwrap_or_default();
    version.split_once('/').map_or("", |(group, _)| group)
}

pub(super) fn kind(node: &Node) -> &str {
    node.text_at(&["kind"]).unwrap_or_default()
}

pub(super) fn name(node: &Node) -> &str {
    node.text_at(&["metadata", "name"]).unwrap_or_default()
}

pub(super) fn namespace(node: &Node) -> Option<&str> {
    text(node, &["metadata", "namespace"])
}

/// `namespace/name`, or the name.
pub(super) fn full_name(node: &Node) -> String {
    match namespace(node) {
        Some(namespace) => format!("{namespace}/{}", name(node)),
        None => name(node).to_string(),
    }
}

/// A text that is there and not empty.
pub(super) fn text<'n>(node: &'n Node, path: &[&str]) -> Option<&'n str> {
    node.text_at(path).filter(|text| !text.is_empty())
}

/// Is a boolean there, and true?
pub(super) fn flag(node: &Node, path: &[&str]) -> bool {
    node.at(path).is_some_and(|node| node.value == Value::Bool(true))
}

/// A field that is there and not null.
pub(super) fn field<'n>(node: &'n Node, key: &str) -> Option<&'n Field> {
    node.fields().iter().find(|field| field.key == key && field.node.value != Value::Null)
}

/// A field that is there and holds something: no null, no empty text, list or map.
pub(super) fn filled<'n>(node: &'n Node, key: &str) -> Option<&'n Field> {
    field(node, key).filter(|field| match &field.node.value {
        Value::Text(text) => !text.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(fields) => !fields.is_empty(),
        _ => true,
    })
}

/// The texts of a list; one that is no text is trouble.
pub(super) fn texts<'n>(node: &'n Node, key: &str) -> Result<Vec<(&'n str, &'n Node)>, Trouble> {
    let Some(list) = field(node, key) else { return Ok(Vec::new()) };
    if !matches!(list.node.value, Value::List(_)) {
        return Err(Trouble::at(&list.node, format!("`{key}` is no list; correct it")));
    }
    let text = |item: &'n Node| {
        let text = item.text().ok_or_else(|| {
            Trouble::at(item, format!("an item of `{key}` is no text; quote it, or correct it"))
        })?;
        Ok((text, item))
    };
    list.node.items().iter().map(text).collect()
}

/// A map of texts; one that is no text is trouble.
pub(super) fn text_map<'n>(node: &'n Node, key: &str) -> Result<Vec<(&'n str, &'n str)>, Trouble> {
    let fields = field(node, key).map(|field| field.node.fields()).unwrap_or_default();
    let text = |entry: &'n Field| {
        let text = entry.node.text().ok_or_else(|| {
            Trouble::at(&entry.node, format!("`{}` in `{key}` is no text; quote it", entry.key))
        })?;
        Ok((entry.key.as_str(), text))
    };
    fields.iter().map(text).collect()
}

/// Trouble about the first field that is not among those that are known: it could mean anything.
pub(super) fn only(node: &Node, known: &[&str]) -> Result<(), Trouble> {
    let unknown =
        |field: &&Field| field.node.value != Value::Null && !known.contains(&field.key.as_str());
    match node.fields().iter().find(unknown) {
        None => Ok(()),
        Some(field) => Err(Trouble {
            line: Some(field.line),
            reason: format!(
                "the field `{}` is not known here; correct it, or review what it deploys",
                field.key
            ),
            elsewhere: None,
        }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Facts, Found, Object, units};
    use super::*;
    use crate::parse::manifests;
    use crate::tree::Tree;

    /// The objects of a text, as in a file of this name.
    pub(in super::super) fn objects(
        file: &str,
        text: &str,
        environment: Option<&str>,
    ) -> Vec<Object> {
        let object = |node| Object {
            node,
            file: file.into(),
            environment: environment.map(str::to_string),
            built: None,
        };
        manifests(text.as_bytes()).into_iter().map(|node| object(node.unwrap())).collect()
    }

    /// What a text deploys in a repository of these files, of which nothing else is known.
    pub(in super::super) fn found(text: &str, files: &[(&str, &str)]) -> Found {
        let tree = Tree::from_texts("t", files.iter().copied());
        let facts = Facts { urls: &[], branches: &[], files: &tree };
        units(&objects("apps.yaml", text, None), &facts)
    }

    /// The reasons of problems, in order.
    pub(in super::super) fn reasons(found: &Found) -> Vec<&str> {
        found.problems.iter().map(|told| told.problem.reason.as_str()).collect()
    }

    /// Nothing is deployed, and the only reason holds these words.
    #[track_caller]
    pub(in super::super) fn refused(found: &Found, words: &str) {
        let [reason] = reasons(found)[..] else { panic!("{words}: {found:?}") };
        assert!(reason.contains(words), "{words}: {reason}");
        assert!(found.units.is_empty(), "{words}: {:?}", found.units);
    }

    #[test]
    fn identities_follow_content_and_reason() {
        let [first, moved, other] = &objects(
            "a.yaml",
            "kind: A\nmetadata: {name: a}\n---\n\nkind: A\nmetadata:\n  name: a\n---\nkind: A\nmetadata: {name: b}\n",
            None,
        )[..] else {
            panic!("three objects");
        };
        let identity = |object, reason: &str| {
            Subject::new(object, "A").problem(Trouble::from(reason.to_string())).problem.identity
        };
        assert_eq!(identity(first, "r"), identity(moved, "r"), "lines do not count");
        assert_ne!(identity(first, "r"), identity(other, "r"));
        assert_ne!(identity(first, "r"), identity(first, "s"));
    }
}
