//! A report for people: rows that are the same in several environments are one row, with their names.

use super::{Cause, Environment, Finding, Report, Row, Summary};
use std::collections::BTreeMap;

/// The report with its rows by the environments that have them: each distinct set of environments is one entry,
/// whose [`Environment::same_in`] has their names. The worst come first. A report
/// of one environment, and one that is merged already, stays as it is.
pub fn merged(report: &Report) -> Report {
    let done = report.environments.iter().any(|each| !each.same_in.is_empty());
    if done || report.environments.len() < 2 {
        return report.clone();
    }
    let mut groups: BTreeMap<Vec<usize>, Environment> = BTreeMap::new();
    for (opened, rows) in
        [(true, rows(report, |each| &each.opened)), (false, rows(report, |each| &each.closed))]
    {
        for (row, members) in rows {
            let group = group(&mut groups, report, members);
            if opened { group.opened.push(row) } else { group.closed.push(row) }
        }
    }
    for (finding, members) in findings(report) {
        group(&mut groups, report, members).findings.push(finding);
    }
    for (members, edits) in same(report, |summary| &summary.without_effect) {
        group(&mut groups, report, members).summary.without_effect.extend(edits);
    }
    for (index, each) in report.environments.iter().enumerate() {
        let own = each.connections.is_some() || !each.ignored.is_empty();
        if own || !each.summary.reach.is_empty() {
            let group = group(&mut groups, report, vec![index]);
            group.connections.clone_from(&each.connections);
            group.ignored.clone_from(&each.ignored);
            group.summary.reach.clone_from(&each.summary.reach);
        }
    }
    let mut environments: Vec<(Vec<usize>, Environment)> = groups.into_iter().collect();
    for (_, group) in &mut environments {
        group.opened.sort_by_key(|row| std::cmp::Reverse(row.severity));
        group.summary.opened_rows = group.opened.len();
        group.summary.closed_rows = group.closed.len();
    }
    environments.sort_by_key(|(members, group)| {
        let rows = group.opened.iter().map(|row| row.severity);
        let findings = group.findings.iter().filter(|finding| finding.introduced);
        let worst = rows.chain(findings.map(|finding| finding.severity)).max();
        (std::cmp::Reverse((worst, members.len())), members.clone())
    });
    let environments = environments.into_iter().map(|(_, group)| group).collect();
    Report { environments, ..report.clone() }
}

fn group<'g>(
    groups: &'g mut BTreeMap<Vec<usize>, Environment>,
    report: &Report,
    members: Vec<usize>,
) -> &'g mut Environment {
    let names = members.iter().filter_map(|index| report.environments.get(*index));
    let names: Vec<String> = names.map(|each| each.name.clone()).collect();
    groups.entry(members).or_insert_with(|| Environment {
        name: names.join(", "),
        everywhere: names.len() == report.environments.len(),
        same_in: names,
        ..Environment::default()
    })
}

/// Every distinct row, in the order of the report, with the environments that have it. The causes are those of
/// all of them, as an overlay can be edited where another's base is.
fn rows(report: &Report, of: fn(&Environment) -> &Vec<Row>) -> Vec<(Row, Vec<usize>)> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut all: Vec<(Row, Vec<usize>)> = Vec::new();
    for (index, environment) in report.environments.iter().enumerate() {
        for row in of(environment) {
            let at = *places.entry(&row.fingerprint).or_insert(all.len());
            let Some((known, members)) = all.get_mut(at) else {
                all.push((row.clone(), vec![index]));
                continue;
            };
            if members.last() != Some(&index) {
                members.push(index);
            }
            known.severity = known.severity.max(row.severity);
            for cause in &row.causes {
                // Who reads it is shown the lines of the edit, and not what else it is of.
                let shown = |one: &Cause| Cause { files: cause.files.clone(), ..one.clone() };
                if !known.causes.iter().any(|one| shown(one) == *cause) {
                    known.causes.push(cause.clone());
                }
            }
        }
    }
    all
}

/// Every distinct finding, in the order of the report, with the environments that have it.
fn findings(report: &Report) -> Vec<(Finding, Vec<usize>)> {
    let mut places: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    let mut all: Vec<(Finding, Vec<usize>)> = Vec::new();
    for (index, environment) in report.environments.iter().enumerate() {
        for finding in &environment.findings {
            let key = (finding.fingerprint.as_str(), finding.introduced);
            let at = *places.entry(key).or_insert(all.len());
            match all.get_mut(at) {
                None => all.push((finding.clone(), vec![index])),
                Some((known, members)) => {
                    known.severity = known.severity.max(finding.severity);
                    members.push(index);
                }
            }
        }
    }
    all
}

fn same(report: &Report, of: fn(&Summary) -> &Vec<String>) -> BTreeMap<Vec<usize>, Vec<String>> {
    let mut members: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (index, environment) in report.environments.iter().enumerate() {
        for text in of(&environment.summary) {
            members.entry(text).or_default().push(index);
        }
    }
    let mut groups: BTreeMap<Vec<usize>, Vec<String>> = BTreeMap::new();
    for (text, members) in members {
        groups.entry(members).or_default().push(text.clone());
    }
    groups
}
