//! What kustomizations set in all their objects, and the objects that they make themselves: the lines that
//! say so.

use super::align::same_scalar;
use super::patches::Kustomization;
use crate::parse::{Field, Node, Value};
use std::rc::Rc;

/// The lines that may have set a value: of the kustomizations that changed its object, the last one first.
/// `path`: the keys down to the value; `names`: what the object has been called.
pub(super) fn setters(
    kustomizations: &[Rc<Kustomization>],
    path: &[&str],
    value: &Node,
    names: &[String],
) -> Vec<u32> {
    let (Some(key), parent) = (path.last(), path.iter().rev().nth(1)) else { return Vec::new() };
    let mut lines = Vec::new();
    for kustomization in kustomizations.iter().rev() {
        let own = &kustomization.node;
        let same = |field: &&Field| same_scalar(&field.node, value);
        match (*key, parent.copied().unwrap_or_default()) {
            ("namespace", _) => lines.extend(field(own, "namespace").filter(same).map(line_of)),
            ("name", "metadata") => {
                let affixes = ["namePrefix", "nameSuffix"].map(|key| field(own, key));
                let affixes = affixes.into_iter().flatten();
                let shows = |field: &&Field| {
                    let affix = field.node.text().unwrap_or_default();
                    value.text().is_some_and(|name| name.contains(affix))
                };
                lines.extend(affixes.filter(shows).map(line_of));
            }
            (key, "labels" | "matchLabels" | "selector") => {
                let pairs = items(own, "labels").filter_map(|item| item.get("pairs"));
                let pairs = pairs.chain(own.get("commonLabels"));
                lines.extend(pairs.filter_map(|pairs| field(pairs, key)).filter(same).map(line_of));
            }
            (key, "annotations") => {
                let common = own.get("commonAnnotations").and_then(|pairs| field(pairs, key));
                lines.extend(common.filter(same).map(line_of));
            }
            ("image", _) => {
                let written = value.text().unwrap_or_default();
                let sets = |item: &&Node| {
                    let name = item.text_at(&["newName"]).or_else(|| item.text_at(&["name"]));
                    name.is_some_and(|name| written.starts_with(name))
                };
                lines.extend(items(own, "images").filter(sets).map(|item| item.start_line));
            }
            ("replicas", _) => {
                let sets = |item: &&Node| {
                    item.text_at(&["name"]).is_some_and(|name| names.iter().any(|own| own == name))
                };
                let counts = items(own, "replicas").filter(sets);
                lines.extend(counts.filter_map(|item| field(item, "count")).map(line_of));
            }
            _ => {}
        }
    }
    lines
}

/// The object that a kustomization makes of one of its fields, as a source of what was built. `kind`: of the
/// generator; `name`: of the object, which generators lengthen.
pub(super) fn generated(own: &Node, kind: &str, name: &str) -> Option<Node> {
    let list = match kind {
        "ConfigMapGenerator" => "configMapGenerator",
        "SecretGenerator" => "secretGenerator",
        "HelmChartInflationGenerator" => {
            return field(own, "helmCharts").map(|charts| at(charts.line, Value::Null));
        }
        _ => return None,
    };
    let called = |item: &&Node| item.text_at(&["name"]).is_some_and(|own| name.contains(own));
    let length = |item: &&Node| item.text_at(&["name"]).map_or(0, str::len);
    let entry = items(own, list).filter(called).max_by_key(length)?;
    let mut data = Vec::new();
    for (key, is_file) in [("literals", false), ("files", true), ("envs", true)] {
        for item in entry.get(key).map(Node::items).unwrap_or_default() {
            let Some(text) = item.text() else { continue };
            let (key, value) = match (text.split_once('='), is_file) {
                (Some((key, value)), _) => (key, value),
                (None, true) => (text.rsplit_once('/').map_or(text, |(_, name)| name), ""),
                (None, false) => continue,
            };
            let node = at(item.start_line, Value::Text(value.to_string()));
            data.push(Field { key: key.to_string(), line: item.start_line, node });
        }
    }
    let line = entry.start_line;
    let keyed = |key: &str, value| Field { key: key.into(), line, node: at(line, value) };
    let name = Value::Text(entry.text_at(&["name"]).unwrap_or(name).to_string());
    let metadata = keyed("metadata", Value::Map(vec![keyed("name", name)]));
    let kind = keyed("kind", Value::Text(kind.trim_end_matches("Generator").into()));
    let version = keyed("apiVersion", Value::Text("v1".into()));
    Some(at(line, Value::Map(vec![version, kind, metadata, keyed("data", Value::Map(data))])))
}

/// A node on one line.
pub(super) fn at(line: u32, value: Value) -> Node {
    Node { start_line: line, end_line: line, value }
}

fn field<'n>(node: &'n Node, key: &str) -> Option<&'n Field> {
    node.fields().iter().find(|field| field.key == key)
}

fn items<'n>(node: &'n Node, key: &str) -> impl Iterator<Item = &'n Node> {
    node.get(key).into_iter().flat_map(Node::items)
}

fn line_of(field: &Field) -> u32 {
    field.line
}
