//! The reports of environments -> one.

use crate::parse::Problem;
use crate::report::{
    Environment, Finding, Fix, Hides, Inventory, Lint, NotEvaluated, ReadCounts, Report,
    SCHEMA_VERSION, Snapshot, Tool, Verdict,
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

/// What could not be told on either side, where one thing is said of both in the same words and only what is behind
/// them changed: once, of the side after.
pub(super) fn once([mut before, after]: [Vec<Problem>; 2]) -> [Vec<Problem>; 2] {
    let same = |problem: &Problem| {
        let Problem { kind, name, affects, identity, .. } = problem.clone();
        (identity, kind, name, affects)
    };
    let words = |problem: &Problem| {
        let Problem { file, kind, name, reason, affects, .. } = problem.clone();
        (file, kind, name, reason, affects)
    };
    let mut here: BTreeMap<_, usize> = BTreeMap::new();
    before.iter().for_each(|problem| *here.entry(same(problem)).or_default() += 1);
    let mut stays: BTreeMap<_, usize> = BTreeMap::new();
    let mut changed: BTreeMap<_, usize> = BTreeMap::new();
    for problem in &after {
        match here.get_mut(&same(problem)).filter(|count| **count > 0) {
            Some(count) => {
                *count -= 1;
                *stays.entry(same(problem)).or_default() += 1;
            }
            None => *changed.entry(words(problem)).or_default() += 1,
        }
    }
    let take = |counts: Option<&mut usize>| match counts {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    };
    before.retain(|problem| {
        take(stays.get_mut(&same(problem))) || !take(changed.get_mut(&words(problem)))
    });
    [before, after]
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
    let inventory = in_order(inventory);
    let several = environments.len() > 1;
    if several {
        untried(&mut environments);
    }
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
        isolation: None,
    }
}

/// Takes back the edits of lines that were not tried in every environment: a file may be part of others.
fn untried(environments: &mut [Environment]) {
    let fixes: Vec<BTreeMap<String, Fix>> = environments
        .iter()
        .map(|each| {
            let fixes = each.findings.iter().filter_map(|finding| {
                let fix = finding.fix.as_ref().filter(|fix| fix.location.is_some())?;
                Some((finding.fingerprint.clone(), fix.clone()))
            });
            fixes.collect()
        })
        .collect();
    for finding in environments.iter_mut().flat_map(|each| &mut each.findings) {
        let fix = finding.fix.as_ref();
        let same = |known: &BTreeMap<String, Fix>| same_edit(known.get(&finding.fingerprint), fix);
        if !fixes.iter().all(same) {
            take_back(finding);
        }
    }
}

/// Do two fixes write the same lines, or none of them any?
fn same_edit(one: Option<&Fix>, other: Option<&Fix>) -> bool {
    let edit = |fix: Option<&Fix>| {
        let fix = fix.filter(|fix| fix.location.is_some())?;
        Some((fix.replacement.clone(), fix.location.clone(), fix.kind))
    };
    edit(one) == edit(other)
}

/// Takes an edit of lines back that was not tried in every environment.
fn take_back(finding: &mut Finding) {
    if finding.fix.as_ref().is_some_and(|fix| fix.location.is_some()) {
        finding.fix = None;
        finding.unfixed = Some("its edit was not tried in every environment".into());
    }
}

/// Makes one answer of those of several environments: what several say stands once, with their names.
pub(super) fn lints(lints: Vec<(String, Lint)>) -> Lint {
    let count = lints.len();
    let several = count > 1;
    let mut findings: BTreeMap<_, Finding> = BTreeMap::new();
    let mut ignored = BTreeMap::new();
    let mut entries = Vec::new();
    let mut read = ReadCounts::default();
    let mut inventory = BTreeMap::new();
    for (name, lint) in lints {
        for (position, finding) in lint.findings.into_iter().enumerate() {
            let place = &finding.location;
            let key = (
                // Those of one snapshot stay in their order.
                if several { 0 } else { position },
                std::cmp::Reverse(finding.severity),
                place.file.clone(),
                place.start_line,
                finding.rule,
                finding.fingerprint.clone(),
                finding.message.to_string(),
            );
            let fix = finding.fix.clone();
            let known = findings.entry(key).or_insert(finding);
            if several {
                known.environments.push(name.clone());
                if !same_edit(known.fix.as_ref(), fix.as_ref()) {
                    take_back(known);
                }
            }
        }
        for one in lint.ignored {
            ignored.entry((one.fingerprint.clone(), one.location.file.clone())).or_insert(one);
        }
        entries.extend(lint.not_evaluated.into_iter().map(|entry| (name.clone(), entry)));
        read.add(&lint.read);
        for file in lint.inventory {
            add(&mut inventory, file);
        }
    }
    let mut findings: Vec<Finding> = findings.into_values().collect();
    let elsewhere = |finding: &&mut Finding| several && finding.environments.len() < count;
    findings.iter_mut().filter(elsewhere).for_each(take_back);
    Lint {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        findings,
        ignored: ignored.into_values().collect(),
        not_evaluated: one_each(entries, several),
        read,
        inventory: in_order(inventory),
        fixed: Vec::new(),
    }
}

/// Files in the order in which they were named.
fn in_order(inventory: BTreeMap<String, (usize, Inventory)>) -> Vec<Inventory> {
    let mut inventory: Vec<(usize, Inventory)> = inventory.into_values().collect();
    inventory.sort_by_key(|(number, _)| *number);
    inventory.into_iter().map(|(_, file)| file).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Affects, Sort};

    #[test]
    fn what_changed_behind_the_same_words_is_told_once_and_what_went_is_told() {
        let problem = |reason: &str, identity| Problem {
            file: "a.yaml".into(),
            line: None,
            kind: None,
            name: None,
            reason: reason.to_string(),
            affects: Affects::Anything,
            identity,
            sort: Sort::Other,
        };
        for (before, after, left) in [
            (vec![1], vec![2], vec![]),
            (vec![1], vec![1], vec![1]),
            (vec![1, 2], vec![2], vec![1, 2]),
            (vec![1, 2], vec![2, 3], vec![2]),
            (vec![1, 2], vec![3], vec![2]),
            (vec![1, 1], vec![1], vec![1, 1]),
            (vec![1], vec![], vec![1]),
        ] {
            let of = |all: &[u128]| all.iter().map(|id| problem("r", *id)).collect::<Vec<_>>();
            let [found, same] = once([of(&before), of(&after)]);
            assert_eq!(found, of(&left), "{before:?} {after:?}");
            assert_eq!(same, of(&after));
        }
        let [found, _] = once([vec![problem("r", 1)], vec![problem("s", 2)]]);
        assert_eq!(found.len(), 1, "other words are another thing");
    }

    #[test]
    fn an_edit_has_to_be_tried_in_every_environment() {
        use crate::rules::catalogue::RULES;
        let rule = RULES.iter().find(|rule| rule.id == "accidental-or");
        let text = rule.map(|rule| rule.bad.after).unwrap_or_default();
        let tree = |text| crate::tree::Tree::from_texts("t", [("m.yaml", text)]);
        let report = || crate::review(&tree(""), &tree(text), &crate::config::Config::default());
        let fixed = |reports: Vec<Option<Report>>| -> Vec<bool> {
            let reports = reports.into_iter().enumerate().map(|(nth, report)| Reviewed {
                name: nth.to_string(),
                report,
                told: [vec![], vec![]],
            });
            let all = merge(reports.collect()).environments;
            let findings = all.into_iter().flat_map(|each| each.findings);
            let findings = findings.filter(|finding| finding.rule == "accidental-or");
            findings.map(|finding| finding.fix.is_some() && finding.unfixed.is_none()).collect()
        };
        assert_eq!(fixed(vec![Some(report())]), [true]);
        assert_eq!(fixed(vec![Some(report()), Some(report())]), [true, true]);
        assert_eq!(fixed(vec![Some(report()), None]), [false]);
    }
}
