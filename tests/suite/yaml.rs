//! Writes YAML in block style, as people write it.

use serde_json::Value;
use std::fmt::Write as _;

/// One document.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    put(&mut text, value, 0);
    text
}

/// Writes a value after a key or a dash on the same line, or at the start of the document.
fn put(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (index, (key, value)) in fields.iter().enumerate() {
                if index > 0 {
                    text.push_str(&indent);
                }
                write!(text, "{}:", Value::from(key.as_str())).expect("writing to a string");
                put_below(text, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(&indent);
                }
                text.push_str("- ");
                put(text, item, depth + 1);
            }
        }
        // Scalars and empty collections of JSON are YAML as they stand.
        other => writeln!(text, "{other}").expect("writing to a string"),
    }
}

/// Writes the value of a key: collections on lines of their own.
fn put_below(text: &mut String, value: &Value, depth: usize) {
    let nested = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    } else {
        text.push(' ');
    }
    put(text, value, depth);
}
