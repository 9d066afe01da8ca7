//! docs/json.md names every field and value that can be written, and no field that can't.

use crate::{none, read, sources_below, words};
use std::collections::BTreeSet;

/// The names that `src/report*` makes serde write.
#[derive(Default)]
struct Written {
    fields: BTreeSet<String>,
    values: BTreeSet<String>,
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |all, part| all + &part[..1].to_uppercase() + &part[1..])
}

fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// Reads the types that derive `Serialize`: fields of structs and of enum variants, and the
/// variants of enums that have no content, renamed as the type's attribute says.
fn written() -> Written {
    let mut written = Written::default();
    for path in sources_below("src")
        .into_iter()
        .filter(|path| path.starts_with("src/report") || path.ends_with("src/report.rs"))
    {
        let text = read(&path);
        let mut attributes = String::new();
        let mut inside: Option<(bool, String)> = None;
        let mut skip = false;
        for line in text.lines() {
            let code = line.trim();
            if code.starts_with("//") {
                continue;
            }
            // What is not written follows.
            if std::mem::replace(&mut skip, code == "#[serde(skip)]") {
                continue;
            }
            match &inside {
                None if code.starts_with("#[") => attributes.push_str(code),
                None => {
                    let is_type = code.starts_with("pub struct") || code.starts_with("pub enum");
                    if is_type && attributes.contains("Serialize") && code.ends_with('{') {
                        inside =
                            Some((code.starts_with("pub enum"), std::mem::take(&mut attributes)));
                    }
                    attributes.clear();
                }
                Some(_) if line == "}" => inside = None,
                Some((is_enum, attributes)) => {
                    let name = code.strip_prefix("pub ").unwrap_or(code);
                    if let Some((field, _)) = name.split_once(": ").filter(|(f, _)| {
                        words(f).count() == 1 && f.chars().all(|c| c.is_lowercase() || c == '_')
                    }) {
                        let renamed = attributes.contains("camelCase");
                        written.fields.insert(if renamed {
                            camel(field)
                        } else {
                            field.to_string()
                        });
                    } else if *is_enum
                        && code.ends_with(',')
                        && code.starts_with(char::is_uppercase)
                        && !attributes.contains("untagged")
                    {
                        let variant = code.trim_end_matches(',');
                        if variant.chars().all(char::is_alphanumeric) {
                            let kebab_case = attributes.contains("kebab-case");
                            written.values.insert(if kebab_case {
                                kebab(variant)
                            } else {
                                variant.to_lowercase()
                            });
                        }
                    }
                }
            }
        }
    }
    assert!(
        written.fields.len() > 50 && written.values.len() > 25,
        "the types of the report were not found"
    );
    written
}

/// The names that docs/json.md has in code spans, also inside `{"a", "b"}`.
fn documented() -> BTreeSet<String> {
    let text = read("docs/json.md");
    let spans = text.split('`').skip(1).step_by(2);
    spans
        .flat_map(|span| span.split(|c: char| !c.is_alphanumeric() && c != '-'))
        .map(str::to_string)
        .collect()
}

#[test]
fn every_field_and_value_is_documented() {
    let (written, documented) = (written(), documented());
    let missing = |kind: &str, names: &BTreeSet<String>| -> Vec<String> {
        names
            .difference(&documented)
            .map(|name| format!("docs/json.md does not name the {kind} `{name}`"))
            .collect()
    };
    none([missing("field", &written.fields), missing("value", &written.values)].concat());
}

#[test]
fn every_documented_field_can_be_written() {
    let written = written();
    // The two ends of `Endpoint` are variants with content, and so are named like fields.
    let variants = ["workload", "external"];
    let mut complaints = Vec::new();
    for line in read("docs/json.md").lines().filter(|line| line.starts_with("| `")) {
        let first = line.split('|').nth(1).unwrap_or_default();
        for name in first.split('`').skip(1).step_by(2) {
            if !written.fields.contains(name) && !variants.contains(&name) {
                complaints.push(format!("docs/json.md: nothing writes a field `{name}`"));
            }
        }
    }
    none(complaints);
}
