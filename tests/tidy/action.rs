//! action.yml, docs/action.md, README.md and the release agree with each other.

use crate::{none, read, table};
use std::collections::BTreeMap;

/// The entries below a key of action.yml, each with its default, if it has one.
fn entries(section: &str) -> BTreeMap<String, Option<String>> {
    let text = read("action.yml");
    let lines = text.lines().skip_while(|line| *line != format!("{section}:")).skip(1);
    let mut entries: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut last = String::new();
    for line in lines.take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let name = line.strip_prefix("  ").filter(|name| !name.starts_with(' '));
        if let Some(name) = name.and_then(|name| name.strip_suffix(':')) {
            last = name.to_string();
            entries.insert(last.clone(), None);
        } else if let Some(default) = line.trim().strip_prefix("default: ") {
            entries.insert(last.clone(), Some(default.trim_matches('\'').to_string()));
        }
    }
    assert!(!entries.is_empty(), "action.yml has no {section}");
    entries
}

/// The rows of the table of docs/action.md with this header, by their first cell.
fn rows(header: &str) -> BTreeMap<String, Vec<String>> {
    let rows = table(&read("docs/action.md"), header);
    rows.into_iter().map(|mut row| (row.remove(0), row)).collect()
}

#[test]
fn inputs_and_outputs_are_those_of_the_documentation() {
    for (section, header) in [("inputs", "input"), ("outputs", "output")] {
        let (declared, documented) = (entries(section), rows(header));
        let declared: Vec<&String> = declared.keys().collect();
        let documented: Vec<&String> = documented.keys().collect();
        assert_eq!(declared, documented, "left: {section} of action.yml, right: docs/action.md");
    }
}

/// Inputs without a default leave it to the configuration, and docs/action.md says what then holds;
/// defaults that action.yml spells out are the same there.
#[test]
fn defaults_are_those_of_the_documentation() {
    let documented = rows("input");
    let mut complaints = Vec::new();
    for (input, default) in entries("inputs") {
        let written = documented.get(&input).map_or("", |row| row[0].as_str());
        match default.as_deref() {
            None => complaints.push(format!("action.yml: `{input}` has no default")),
            Some("") if written.is_empty() => {
                complaints.push(format!("docs/action.md: `{input}` has no default"));
            }
            Some("" | "${{ github.token }}") => {}
            Some(default) if default == written => {}
            Some(default) => complaints.push(format!(
                "`{input}`: action.yml has `{default}`, docs/action.md has `{written}`"
            )),
        }
    }
    none(complaints);
}

/// The six lines are the same in both documents, and no more than six.
#[test]
fn the_workflow_is_the_same_everywhere() {
    let workflow = |path: &str| -> String {
        let text = read(path);
        let begin = "```yaml\n# .github/workflows/netpol-review.yml\n";
        let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{path} has no workflow"));
        rest.split("```").next().unwrap_or_default().to_string()
    };
    assert_eq!(workflow("README.md"), workflow("docs/action.md"));
    assert_eq!(workflow("README.md").lines().count(), 6);
    let major = format!("@v{}}}", env!("CARGO_PKG_VERSION_MAJOR"));
    assert!(workflow("README.md").contains(&major), "the workflow uses {major}");
}

#[test]
fn the_image_is_that_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let image = format!("image: docker://ghcr.io/netpol-review/netpol-review:{version}\n");
    assert!(read("action.yml").contains(&image), "action.yml has no `{}`", image.trim());
    assert!(read("Dockerfile").contains(&format!("ARG VERSION={version}\n")));
}
