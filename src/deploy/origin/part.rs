//! The part of an object that stands on some lines of its text.

use crate::parse::{Field, Node, Value};

/// What of an object stands on some lines. `alone`: it is all of these lines; otherwise what begins behind a key
/// or a dash on the first.
pub(super) fn part(object: &Node, first: u32, last: u32, alone: bool) -> Option<Node> {
    match alone {
        true => inside(object, first, last),
        false => beside(object, first, last).cloned(),
    }
}

/// The largest part of an object that lies within some lines, as a value.
fn inside(node: &Node, first: u32, last: u32) -> Option<Node> {
    let within = |from: u32, to: u32| first <= from && to <= last;
    if within(node.start_line, node.end_line) {
        return Some(node.clone());
    }
    let (items, fields) = overlapping(node, first, last);
    let own_items = items.iter().filter(|item| within(item.start_line, item.end_line));
    let own_fields = fields.iter().filter(|field| within(field.line, field.node.end_line));
    let (own_items, own_fields): (Vec<Node>, Vec<Field>) =
        (own_items.cloned().collect(), own_fields.cloned().collect());
    if !own_items.is_empty() {
        return Some(Node { value: Value::List(own_items), ..*node });
    }
    if !own_fields.is_empty() {
        return Some(Node { value: Value::Map(own_fields), ..*node });
    }
    let inner = items.first().or_else(|| fields.first().map(|field| &field.node));
    inner.and_then(|node| inside(node, first, last))
}

/// The value that begins on the first of some lines, or below, behind its key or the dash of a list.
fn beside(node: &Node, first: u32, last: u32) -> Option<&Node> {
    let (items, fields) = overlapping(node, first, last);
    if let Some(item) = items.first() {
        if item.start_line > first {
            return Some(item);
        }
        if item.start_line == first {
            // What is written first behind the dash may be a key.
            let field = item.fields().iter().find(|field| is_long(&field.node));
            let value = field.filter(|field| field.line == first).map(|field| &field.node);
            return value.or(Some(item));
        }
        return beside(item, first, last);
    }
    let field = fields.first()?;
    match field.line >= first {
        true => Some(&field.node).filter(|node| is_long(node)),
        false => beside(&field.node, first, last),
    }
}

/// Is it a list or a map?
pub(super) fn is_long(node: &Node) -> bool {
    matches!(node.value, Value::Map(_) | Value::List(_))
}

/// The items or fields of a node that are on some lines. What was printed stands in the order of its lines.
fn overlapping(node: &Node, first: u32, last: u32) -> (&[Node], &[Field]) {
    let (items, fields) = (node.items(), node.fields());
    let items = {
        let from = items.partition_point(|item| item.end_line < first);
        let to = items.partition_point(|item| item.start_line <= last);
        items.get(from..to).unwrap_or_default()
    };
    let from = fields.partition_point(|field| field.node.end_line < first);
    let to = fields.partition_point(|field| field.line <= last);
    (items, fields.get(from..to).unwrap_or_default())
}
