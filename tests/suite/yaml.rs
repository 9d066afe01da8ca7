//! Writes YAML in block style, as people write it.

use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One document, fields in the order of their names.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    put(&mut text, value, 0, &|fields| fields.iter().collect());
    text
}

/// One document, fields in an order that depends on the seed.
pub fn write_in_order(value: &Value, seed: u64) -> String {
    let mut text = String::new();
    put(&mut text, value, 0, &|fields| {
        let mut fields: Vec<_> = fields.iter().collect();
        fields.sort_by_cached_key(|(key, _)| mix(seed, key));
        fields
    });
    text
}

/// A number that depends on all of the seed and the text.
pub fn mix(seed: u64, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, text).hash(&mut hasher);
    hasher.finish()
}

type Order<'a> = &'a dyn for<'m> Fn(&'m Map<String, Value>) -> Vec<(&'m String, &'m Value)>;

/// Writes a value behind a dash, or at the start of a line.
fn put(text: &mut String, value: &Value, depth: usize, order: Order<'_>) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (index, (key, value)) in order(fields).into_iter().enumerate() {
                let indent = if index > 0 { &indent } else { "" };
                write!(text, "{indent}{}:", Value::from(key.as_str())).expect("a string takes all");
                put_below(text, value, depth + 1, order);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                let indent = if index > 0 { &indent } else { "" };
                write!(text, "{indent}- ").expect("a string takes all");
                put(text, item, depth + 1, order);
            }
        }
        // Scalars and empty collections of JSON are YAML as they stand.
        other => writeln!(text, "{other}").expect("a string takes all"),
    }
}

/// Writes the value of a key: on lines of its own unless it is a scalar or empty.
fn put_below(text: &mut String, value: &Value, depth: usize, order: Order<'_>) {
    let nested = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        let indent = "  ".repeat(depth);
        write!(text, "\n{indent}").expect("a string takes all");
    } else {
        text.push(' ');
    }
    put(text, value, depth, order);
}
