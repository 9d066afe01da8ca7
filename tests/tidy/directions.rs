//! Modules use only those that the table of ARCHITECTURE.md gives them.

use crate::{none, read, sources_below, table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

type Allowed = BTreeMap<String, Option<BTreeSet<String>>>;

/// Module -> those it may use; `None` for "anything".
fn allowed() -> Allowed {
    let rows = table(&read("ARCHITECTURE.md"), "module");
    assert!(rows.len() > 5, "the table of modules was not found in ARCHITECTURE.md");
    rows.into_iter()
        .map(|row| {
            let may_use = match row[1].as_str() {
                "anything" => None,
                list => Some(
                    list.split(',')
                        .map(|m| m.trim().to_string())
                        .filter(|m| !m.is_empty())
                        .collect(),
                ),
            };
            (row[0].clone(), may_use)
        })
        .collect()
}

/// The top-level module that a source file belongs to.
fn module_of(path: &Path) -> String {
    let first = path.components().nth(1).expect("a path below src");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_string()
}

/// The code of a file without comments and without the unit tests at its end.
fn code(text: &str) -> String {
    let mut lines = Vec::new();
    let mut previous = "";
    for line in text.lines() {
        let line = line.trim();
        if previous == "#[cfg(test)]" && line.starts_with("mod ") && line.ends_with('{') {
            break;
        }
        if !line.starts_with("//") {
            lines.push(line);
        }
        previous = line;
    }
    lines.join("\n")
}

/// The top-level modules that a code names behind `crate::`, alone or in braces.
fn uses(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$' || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => found.extend(crate::words(rest).next().map(str::to_string)),
            Some(group) => {
                let mut depth = 1;
                let mut item = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 1 => found.extend(
                            crate::words(&std::mem::take(&mut item)).next().map(str::to_string),
                        ),
                        _ if depth == 1 => item.push(c),
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
                found.extend(crate::words(&item).next().map(str::to_string));
            }
        }
    }
    found
}

#[test]
fn modules_use_only_what_architecture_allows() {
    let allowed = allowed();
    let mut complaints = Vec::new();
    let mut seen = BTreeSet::new();
    for path in sources_below("src") {
        let module = module_of(&path);
        seen.insert(module.clone());
        let is_tests = path.file_stem().is_some_and(|stem| stem == "tests");
        let Some(may_use) = allowed.get(&module) else {
            complaints.push(format!(
                "{}: module `{module}` is missing in the table of ARCHITECTURE.md",
                path.display()
            ));
            continue;
        };
        let (Some(may_use), false) = (may_use, is_tests) else {
            continue;
        };
        let text = code(&read(&path));
        let mut names = uses(&text, "crate::");
        if module == "lib" {
            names.extend(uses(&text, "use "));
        }
        // `src/a.rs` and `src/a/mod.rs` reach the root by one `super`, `src/a/b.rs` by two.
        let parts = path.components().count() - 1;
        let depth = if path.ends_with("mod.rs") { parts - 1 } else { parts };
        names.extend(uses(&text, &"super::".repeat(depth)));
        for name in names {
            if allowed.contains_key(&name) && name != module && !may_use.contains(&name) {
                complaints.push(format!(
                    "{}: `{module}` may not use `{name}` (ARCHITECTURE.md)",
                    path.display()
                ));
            }
        }
    }
    for module in allowed.keys().filter(|module| !seen.contains(*module)) {
        complaints.push(format!("ARCHITECTURE.md: there is no module `{module}`"));
    }
    none(complaints);
}

#[test]
fn directions_have_no_cycle() {
    let allowed = allowed();
    let mut order: BTreeSet<String> = BTreeSet::new();
    loop {
        let next: Vec<_> = allowed
            .iter()
            .filter(|(module, uses)| {
                !order.contains(*module) && uses.as_ref().is_none_or(|uses| uses.is_subset(&order))
            })
            .map(|(module, _)| module.clone())
            .collect();
        if next.is_empty() {
            break;
        }
        order.extend(next);
    }
    none(
        allowed
            .keys()
            .filter(|m| !order.contains(*m))
            .map(|m| {
                format!("ARCHITECTURE.md: `{m}` is part of a cycle or may use an unknown module")
            })
            .collect(),
    );
}

#[test]
fn uses_are_found_in_every_spelling() {
    let code = "use crate::model::{Policy, Peer};\nuse crate::{set, report::{Row, Cause}, tree as t};\nlet x: crate::eval::Flow; my_crate::diff(); $crate::reach";
    let names: Vec<_> = uses(code, "crate::").into_iter().collect();
    assert_eq!(names, ["eval", "model", "report", "set", "tree"]);
}
