//! What was not evaluated, grouped so that it can be said in few lines without leaving any out.

use std::collections::BTreeMap;

use crate::report::{Hides, NotEvaluated, Side};

/// Entries that share a reason.
#[derive(Debug)]
pub struct Group<'a> {
    /// What they could hide.
    pub hides: Hides,
    /// Why, and what to do; out of manifests in part.
    pub reason: &'a str,
    /// The entries, in the order of files and lines.
    pub entries: Vec<&'a NotEvaluated>,
}

/// Groups by what is hidden, the worst first, and then by reason, in the order of appearance.
pub fn group(entries: &[NotEvaluated]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: BTreeMap<(Hides, &str), usize> = BTreeMap::new();
    for entry in entries {
        let key = (entry.hides, entry.reason.as_str());
        let index = *known.entry(key).or_insert_with(|| {
            groups.push(Group {
                hides: entry.hides,
                reason: &entry.reason,
                entries: vec![],
            });
            groups.len() - 1
        });
        groups[index].entries.push(entry);
    }
    // Stable, so groups that hide the same keep their order.
    groups.sort_by_key(|group| std::cmp::Reverse(group.hides));
    groups
}

/// What that kind of entry could hide, as a heading.
pub fn heading(hides: Hides) -> &'static str {
    match hides {
        Hides::Widening => "could hide a path that this change opens",
        Hides::Flow => "could hide a path that exists before and after alike",
        Hides::Nothing => "hides no path",
    }
}

/// Where it is: `k8s/db.yaml:12`.
pub fn place(entry: &NotEvaluated) -> String {
    match entry.line {
        Some(line) => format!("{}:{line}", entry.file),
        None => entry.file.clone(),
    }
}

/// What it is: `NetworkPolicy payments/db`, where that is known.
pub fn object(entry: &NotEvaluated) -> Option<String> {
    match (&entry.kind, &entry.name) {
        (Some(kind), Some(name)) => Some(format!("{kind} {name}")),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    }
}

/// On which side, where it is not on both.
pub fn side(entry: &NotEvaluated) -> Option<&'static str> {
    match entry.side {
        Side::Before => Some("before the change"),
        Side::After => Some("after the change"),
        Side::Both => None,
    }
}
