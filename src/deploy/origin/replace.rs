//! Replacements of a kustomization: values that are copied from one object into another.

use super::patches::Kustomization;
use super::select::Identity;
use crate::parse::{Field, Node, Value};
use std::rc::Rc;

/// Fields that one path may stand for.
const PLACES: usize = 1_000;

/// One item of `replacements`.
pub(super) struct Replacement {
    item: Node,
}

/// The replacements of a kustomization; those in files of their own through `read`.
pub(super) fn of(
    own: &Kustomization,
    mut read: impl FnMut(&str) -> Option<Rc<Vec<Node>>>,
) -> Vec<Replacement> {
    let list = own.node.get("replacements").map(Node::items).unwrap_or_default();
    let mut found = Vec::new();
    for item in list {
        let Some(path) = item.text_at(&["path"]) else {
            found.push(Replacement { item: item.clone() });
            continue;
        };
        for document in read(path).iter().flat_map(|documents| documents.iter()) {
            let items = match document.value {
                Value::List(_) => document.items(),
                _ => std::slice::from_ref(document),
            };
            found.extend(items.iter().map(|item| Replacement { item: item.clone() }));
        }
    }
    found
}

impl Replacement {
    /// The `source`.
    pub(super) fn source(&self) -> Option<&Node> {
        self.item.get("source")
    }

    /// The value that is copied, in its object.
    pub(super) fn value<'n>(&self, object: &'n Node) -> Option<&'n Node> {
        let path = self.source()?.text_at(&["fieldPath"]).unwrap_or("metadata.name");
        steps(path).iter().try_fold(object, |node, step| match step {
            Step::Key(key) => {
                node.get(key).or_else(|| node.items().get(key.parse::<usize>().ok()?))
            }
            Step::Item(key, value) => node.items().iter().find(|item| is(item, key, value)),
            Step::All => None,
        })
    }

    /// Puts the value into an object, if it is a target. `built`: what became of the object; where it shows
    /// another value nothing is put. `also`: told of lines that may stand for the value as well.
    pub(super) fn put(
        &self,
        object: &mut Node,
        built: &Node,
        identity: &Identity,
        value: &Node,
        also: &mut dyn FnMut(u32, u32),
    ) {
        let chosen = |select: Option<&Node>| {
            let labels: Vec<&Node> = built.at(&["metadata", "labels"]).into_iter().collect();
            select.is_some_and(|select| {
                identity.is_chosen_by(select, &labels, &[]).unwrap_or_default()
            })
        };
        for target in self.item.get("targets").map(Node::items).unwrap_or_default() {
            let rejected = target.get("reject").map(Node::items).unwrap_or_default();
            if !chosen(target.get("select")) || rejected.iter().any(|reject| chosen(Some(reject))) {
                continue;
            }
            let paths = target.get("fieldPaths").map(Node::items).unwrap_or_default();
            for path in paths {
                let Some(text) = path.text() else { continue };
                let mut left = PLACES;
                let mut placed = |old| {
                    also(value.start_line, path.start_line);
                    also(value.start_line, old);
                };
                set(object, Some(built), &steps(text), value, &mut left, &mut placed);
            }
        }
    }
}

enum Step {
    Key(String),
    Item(String, String),
    All,
}

/// `a.b.[name=c].d`; a dot inside of brackets or behind `\` is part of a key.
fn steps(path: &str) -> Vec<Step> {
    let mut texts = vec![String::new()];
    let (mut inside, mut escaped) = (false, false);
    for char in path.chars() {
        match char {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            '.' if !inside && !escaped => {
                texts.push(String::new());
                continue;
            }
            '[' => inside = true,
            ']' => inside = false,
            _ => {}
        }
        escaped = false;
        texts.last_mut().into_iter().for_each(|text| text.push(char));
    }
    let step = |text: String| {
        let selector = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match (selector.and_then(|selector| selector.split_once('=')), text.as_str()) {
            (Some((key, value)), _) => Step::Item(key.into(), value.into()),
            (None, "*") => Step::All,
            (None, _) => Step::Key(text),
        }
    };
    texts.into_iter().filter(|text| !text.is_empty()).map(step).collect()
}

fn is(item: &Node, key: &str, value: &str) -> bool {
    item.get(key).is_some_and(|node| match &node.value {
        Value::Text(text) => text == value,
        Value::Number(number) => number.to_string() == value,
        _ => false,
    })
}

/// Puts a value at a path. `placed`: told of the line of what was there.
fn set(
    node: &mut Node,
    built: Option<&Node>,
    steps: &[Step],
    value: &Node,
    left: &mut usize,
    placed: &mut dyn FnMut(u32),
) {
    let Some((step, rest)) = steps.split_first() else { return };
    let Some(less) = left.checked_sub(1) else { return };
    *left = less;
    let mut go = |node: &mut Node, built: Option<&Node>, line: Option<&mut u32>| {
        if !rest.is_empty() {
            return set(node, built, rest, value, left, placed);
        }
        // A later patch may have had the last word; with a delimiter only a part is replaced.
        let text = |node: &Node| node.to_json().to_string().trim_matches('"').to_string();
        if built.is_none_or(|built| text(built).contains(&text(value))) {
            placed(node.start_line);
            line.into_iter().for_each(|line| *line = value.start_line);
            *node = Node { end_line: value.start_line, ..value.clone() };
        }
    };
    match (step, &mut node.value) {
        (Step::Key(key), Value::Map(fields)) => {
            if let Some(Field { line, node, .. }) =
                fields.iter_mut().find(|field| field.key == *key)
            {
                go(node, built.and_then(|built| built.get(key)), Some(line));
            } else if rest.is_empty() {
                let (mut line, mut node) = (0, Node { value: Value::Null, ..value.clone() });
                go(&mut node, built.and_then(|built| built.get(key)), Some(&mut line));
                fields.push(Field { key: key.clone(), line, node });
            }
        }
        (Step::Key(key), Value::List(items)) => {
            let index = key.parse::<usize>().ok();
            if let Some((index, item)) = index.and_then(|at| Some((at, items.get_mut(at)?))) {
                go(item, built.and_then(|built| built.items().get(index)), None);
            }
        }
        (Step::Item(key, name), Value::List(items)) => {
            for item in items.iter_mut().filter(|item| is(item, key, name)) {
                let built = built.map(Node::items).unwrap_or_default();
                go(item, built.iter().find(|item| is(item, key, name)), None);
            }
        }
        (Step::All, Value::List(items)) => {
            for (index, item) in items.iter_mut().enumerate() {
                go(item, built.and_then(|built| built.items().get(index)), None);
            }
        }
        (Step::All, Value::Map(fields)) => {
            for Field { key, line, node } in fields {
                go(node, built.and_then(|built| built.get(key)), Some(line));
            }
        }
        _ => {}
    }
}
