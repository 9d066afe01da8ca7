//! JSON merge patches over what an Application says.

use crate::parse::{Field, Node, Value};

/// A JSON merge patch. What comes from the patch gets the lines of `at`.
pub(super) fn patched(own: &Node, patch: &Node, at: &Node) -> Node {
    let Value::Map(entries) = &patch.value else {
        let value = match &patch.value {
            Value::List(items) => Value::List(items.iter().map(|item| moved(item, at)).collect()),
            other => other.clone(),
        };
        return Node { start_line: at.start_line, end_line: at.end_line, value };
    };
    let mut fields = own.fields().to_vec();
    for entry in entries {
        let at_key = fields.iter().position(|field| field.key == entry.key);
        if entry.node.value == Value::Null {
            fields.retain(|field| field.key != entry.key);
            continue;
        }
        let empty = Node { value: Value::Null, ..at.clone() };
        let old = at_key.and_then(|index| fields.get(index)).map_or(&empty, |field| &field.node);
        let node = patched(old, &entry.node, at);
        match at_key.and_then(|index| fields.get_mut(index)) {
            Some(field) => field.node = node,
            None => fields.push(Field { key: entry.key.clone(), line: at.start_line, node }),
        }
    }
    Node { value: Value::Map(fields), ..own.clone() }
}

fn moved(node: &Node, at: &Node) -> Node {
    let value = match &node.value {
        Value::List(items) => Value::List(items.iter().map(|item| moved(item, at)).collect()),
        Value::Map(fields) => {
            let field = |field: &Field| Field {
                key: field.key.clone(),
                line: at.start_line,
                node: moved(&field.node, at),
            };
            Value::Map(fields.iter().map(field).collect())
        }
        other => other.clone(),
    };
    Node { start_line: at.start_line, end_line: at.end_line, value }
}
