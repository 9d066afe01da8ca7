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
            groups.push(Group { hides: entry.hides, reason: &entry.reason, entries: vec![] });
            groups.len() - 1
        });
        groups[index].entries.push(entry);
    }
    // Stable, so groups that hide the same keep their order.
    groups.sort_by_key(|group| std::cmp::Reverse(group.hides));
    groups
}

/// What the entries stand beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A comparison of two snapshots.
    Change,
    /// One snapshot.
    Snapshot,
}

/// How many entries hide just that, and what that means: `2 things that could hide a path that
/// this change opens`.
pub fn heading(entries: &[NotEvaluated], hides: Hides, scope: Scope) -> String {
    let total = entries.iter().filter(|entry| entry.hides == hides).count();
    let meaning = match (hides, scope) {
        (Hides::Nothing, _) if total == 1 => "hides no path",
        (Hides::Nothing, _) => "hide no path",
        (_, Scope::Snapshot) => "could add or remove paths",
        (Hides::Widening, Scope::Change) => "could hide a path that this change opens",
        (Hides::Flow, Scope::Change) => "could hide a path that does not change",
    };
    let things = if total == 1 { "thing" } else { "things" };
    format!("{total} {things} that {meaning}")
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

/// How many environments an entry names.
const NAMED: usize = 4;

/// The environments that something is about, where there are several: `prod, staging`.
pub fn environments(names: &[String]) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("{}{more}", shown.join(", ")))
}
