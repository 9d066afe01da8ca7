//! The reports of environments -> one.

use crate::parse::Problem;
use crate::report::{
    Environment, Hides, Inventory, NotEvaluated, ReadCounts, Report, SCHEMA_VERSION, Snapshot,
    Tool, Verdict,
};
use std::collections::BTreeMap;

/// What became of an environment.
pub(super) struct Reviewed {
    pub(super) name: String,
    /// `None`: the change does not touch it.
    pub(super) report: Option<Report>,
    /// What could not be told of each side; the report has it already.
    pub(super) told: [Vec<Problem>; 2],
}

/// Makes one report of several.
pub(super) fn merge(reports: Vec<Reviewed>) -> Report {
    let mut environments = Vec::new();
    let mut entries: Vec<(String, NotEvaluated)> = Vec::new();
    let mut read = ReadCounts::default();
    let mut inventory: BTreeMap<String, (usize, Inventory)> = BTreeMap::new();
    for Reviewed { name, report, told: [before, after] } in reports {
        match report {
            Some(report) => {
                entries.extend(report.not_evaluated.into_iter().map(|entry| (name.clone(), entry)));
                read.add(&report.read);
                for file in report.inventory {
                    add(&mut inventory, file);
                }
                environments.extend(
                    report
                        .environments
                        .into_iter()
                        .map(|each| Environment { name: name.clone(), ..each }),
                );
            }
            None => {
                let told = crate::review::told(&before, &after);
                entries.extend(told.into_iter().map(|entry| (name.clone(), entry)));
                environments.push(Environment { name, ..Environment::default() });
            }
        }
    }
    let mut inventory: Vec<(usize, Inventory)> = inventory.into_values().collect();
    inventory.sort_by_key(|(number, _)| *number);
    let inventory = inventory.into_iter().map(|(_, file)| file).collect();
    let several = environments.len() > 1;
    let not_evaluated = one_each(entries, several);
    let hidden = |hides| not_evaluated.iter().any(|entry| entry.hides == hides);
    let any = |rows: fn(&Environment) -> bool| environments.iter().any(rows);
    Report {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        before: Snapshot::default(),
        after: Snapshot::default(),
        result: Verdict::of(
            any(|each| !each.opened.is_empty()),
            any(|each| !each.closed.is_empty()),
            hidden(Hides::Widening),
        ),
        exact: !hidden(Hides::Widening) && !hidden(Hides::Flow),
        environments,
        not_evaluated,
        read,
        inventory,
    }
}

/// Adds what one environment used of a file: of several, the most that one did.
fn add(inventory: &mut BTreeMap<String, (usize, Inventory)>, file: Inventory) {
    let number = inventory.len();
    match inventory.get_mut(&file.file) {
        Some((_, known)) => {
            known.workloads = known.workloads.max(file.workloads);
            known.namespaces = known.namespaces.max(file.namespaces);
            known.policies = known.policies.max(file.policies);
        }
        None => drop(inventory.insert(file.file.clone(), (number, file))),
    }
}

/// One entry where several environments say the same; of what each says it could hide, the worst.
fn one_each(entries: Vec<(String, NotEvaluated)>, several: bool) -> Vec<NotEvaluated> {
    type Key = (String, Option<u32>, crate::report::Side, Option<String>, Option<String>, String);
    let mut merged: BTreeMap<Key, NotEvaluated> = BTreeMap::new();
    for (name, entry) in entries {
        let key = (
            entry.file.clone(),
            entry.line,
            entry.side,
            entry.kind.clone(),
            entry.name.clone(),
            entry.reason.clone(),
        );
        let known = merged.entry(key).or_insert_with(|| entry.clone());
        known.hides = known.hides.max(entry.hides);
        // They come in the order of the environments.
        if several && known.environments.last() != Some(&name) {
            known.environments.push(name);
        }
    }
    merged.into_values().collect()
}
