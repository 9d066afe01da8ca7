//! Plain text for a terminal: the verdict first, then what opened, then the rest.

mod answer;
mod environments;
mod explain;
mod finding;
mod layout;
mod lint;
mod listing;
mod row;

pub use answer::answer;
pub use environments::environments;
pub use explain::explain;
pub use layout::Style;
pub use lint::{lint, rules};
pub use listing::listing;

use super::{unread, untrusted, words};
use crate::report::merged::merged;
use crate::report::ports;
use crate::report::{
    Change, Environment, Hides, Inventory, Isolation, NotEvaluated, PortRange, Report, Verdict,
};
use layout::{Lines, Role};
use unread::Scope;

/// How many places of one group of entries are shown, how many edits without effect, and how
/// many figures on reach.
const SHOWN: usize = 10;

/// The outcome of a comparison.
pub fn report(report: &Report, style: &Style) -> String {
    let report = &merged(report);
    let mut lines = Lines::new(style);
    let role = match report.result {
        Verdict::Widened | Verdict::Unknown => Role::Loud,
        Verdict::Narrowed | Verdict::Unchanged => Role::Calm,
    };
    let mut verdict = words::verdict(report);
    if report.result == Verdict::Unchanged {
        verdict.push_str(&format!(" ({} read)", words::read(&report.read)));
    }
    lines.say(role, &verdict);
    if let Some(warning) = words::warning(report) {
        lines.say(Role::Loud, &warning);
    }
    let several = words::several(report);
    for environment in &report.environments {
        if several && has_content(environment) {
            lines.gap();
            let text = layout::phrase(&words::environment(environment));
            lines.say(Role::Heading, &format!("IN {text}"));
        }
        rows(&mut lines, environment);
    }
    for environment in &report.environments {
        findings(&mut lines, environment, several);
    }
    if let Some(older) = words::older(report) {
        lines.gap();
        lines.line(0, &older);
    }
    not_evaluated(&mut lines, &report.not_evaluated, Scope::Change);
    for environment in &report.environments {
        figures(&mut lines, environment, several);
    }
    // Where nothing changed the verdict's line has said it.
    if report.result != Verdict::Unchanged {
        lines.gap();
        let read = words::read(&report.read);
        let text = format!("read on both sides together: {read}");
        lines.line(0, &text);
    } else if !report.inventory.is_empty() || words::isolation(report.isolation).is_some() {
        lines.gap();
    }
    inventory(&mut lines, &report.inventory);
    isolation(&mut lines, report.isolation);
    lines.finish()
}

/// What came from elsewhere, a line for each file.
pub(super) fn inventory(lines: &mut Lines, sources: &[Inventory]) {
    for source in sources {
        let [before, behind] = words::inventory(source);
        let text = format!("{before}`{}`{behind}", untrusted::plain(&source.file));
        lines.line(0, &text);
    }
}

/// A line where builds are less shut off than they should be.
fn isolation(lines: &mut Lines, isolation: Option<Isolation>) {
    if let Some(text) = words::isolation(isolation) {
        lines.line(0, text);
    }
}

fn has_content(environment: &Environment) -> bool {
    let Environment { opened, closed, connections, .. } = environment;
    !opened.is_empty() || !closed.is_empty() || connections.is_some()
}

fn rows(lines: &mut Lines, environment: &Environment) {
    // No heading: the verdict stands right above, and the worst row is the third line.
    let told: Vec<_> = words::once(environment.opened.iter().flat_map(|row| {
        let own = environment.findings.iter();
        own.filter(|finding| finding.row.as_ref() == Some(&row.fingerprint))
    }))
    .collect();
    for row in &environment.opened {
        lines.gap();
        let own = told.iter().filter(|(one, _)| one.row.as_ref() == Some(&row.fingerprint));
        row::opened(lines, row, own.copied());
    }
    if !environment.closed.is_empty() {
        lines.gap();
        lines.say(Role::Heading, "CLOSED: allowed before, not now");
        for row in &environment.closed {
            row::closed(lines, row);
        }
    }
    if let Some(connections) = &environment.connections {
        lines.gap();
        if connections.is_empty() {
            lines.say(Role::Heading, "CONNECTIONS of declared workloads: none differs");
        } else {
            lines.say(Role::Heading, "CONNECTIONS of declared workloads that differ");
        }
        for change in connections {
            connection(lines, change);
        }
    }
}

/// What a change introduces.
fn findings(lines: &mut Lines, environment: &Environment, several: bool) {
    let all = environment.findings.iter();
    let introduced: Vec<_> = all.filter(|each| each.introduced && each.row.is_none()).collect();
    if introduced.is_empty() {
        return;
    }
    let place = match several {
        true => format!(" in {}", layout::phrase(&words::environment(environment))),
        false => String::new(),
    };
    lines.gap();
    lines.say(
        Role::Heading,
        &format!("FINDINGS{place}: least-privilege rules that this change breaks"),
    );
    for (each, above) in words::once(introduced) {
        finding::finding(lines, each, above);
    }
}

fn connection(lines: &mut Lines, change: &Change) {
    let ends = format!(
        "{} -> {}",
        listing::endpoint(&change.source),
        listing::endpoint(&change.destination)
    );
    lines.line(2, &ends);
    let ports = |ports: &[PortRange]| match ports {
        [] => "nothing".to_owned(),
        ports => untrusted::plain(&ports::words(ports)),
    };
    let text = format!("{}, before: {}", ports(&change.after), ports(&change.before));
    lines.line(4, &text);
}

/// Entries that were not evaluated, grouped, what could hide most first.
pub(super) fn not_evaluated(lines: &mut Lines, entries: &[NotEvaluated], scope: Scope) {
    let mut last = None;
    for group in unread::group(entries) {
        if last != Some(group.hides) {
            lines.gap();
            let heading = unread::heading(entries, group.hides, scope);
            let heading = format!("NOT EVALUATED: {heading}");
            let loud = group.hides == Hides::Widening;
            lines.say(if loud { Role::Loud } else { Role::Heading }, &heading);
            last = Some(group.hides);
        }
        let reason = untrusted::plain(group.reason);
        if let [entry] = group.entries.as_slice() {
            lines.line(2, &entry_text(entry, scope));
            lines.line(4, &reason);
            continue;
        }
        let text = format!("{} times: {reason}", group.entries.len());
        lines.line(2, &text);
        for entry in group.entries.iter().take(SHOWN) {
            lines.line(4, &entry_text(entry, scope));
        }
        more(lines, 4, group.entries.len());
    }
}

/// Where and what an entry is; of one snapshot there are no sides.
fn entry_text(entry: &NotEvaluated, scope: Scope) -> String {
    let mut text = untrusted::plain(&unread::place(entry));
    if let Some(object) = unread::object(entry) {
        text.push_str(&format!(": {}", untrusted::plain(&object)));
    }
    if let Some(side) = unread::side(entry).filter(|_| scope == Scope::Change) {
        text.push_str(&format!(" ({side})"));
    }
    if let Some(environments) = unread::environments(&entry.environments) {
        text.push_str(&format!(", in {}", untrusted::plain(&environments)));
    }
    text
}

fn more(lines: &mut Lines, indent: usize, total: usize) {
    if total > SHOWN {
        let text = format!("and {} more (all with --format json)", total - SHOWN);
        lines.line(indent, &text);
    }
}

fn figures(lines: &mut Lines, environment: &Environment, several: bool) {
    let summary = &environment.summary;
    let place = match several {
        true => format!(" in {}", layout::phrase(&words::environment(environment))),
        false => String::new(),
    };
    if !summary.without_effect.is_empty() {
        lines.gap();
        let heading = format!("WITHOUT EFFECT{place}: edits that change no path");
        lines.say(Role::Heading, &heading);
        for edit in summary.without_effect.iter().take(SHOWN) {
            lines.line(2, &untrusted::plain(edit));
        }
        more(lines, 2, summary.without_effect.len());
    }
    let reach = words::reach(summary);
    if !reach.is_empty() {
        lines.gap();
        let heading = format!("REACH{place}: from how many declared workloads, on any port");
        lines.say(Role::Heading, &heading);
        for (workload, figures) in reach.iter().take(SHOWN) {
            let text = format!("{}: {figures}", untrusted::plain(workload));
            lines.line(2, &text);
        }
        more(lines, 2, reach.len());
    }
}
