//! One row at length.

use std::collections::BTreeSet;

use super::layout::{Lines, Role, Style};
use super::row;
use crate::render::{Found, untrusted, words};
use crate::report::ports;

/// Everything that is known about one row, and how to close it.
pub fn explain(found: &Found<'_>, style: &Style) -> String {
    let Found { environment, opened, row } = *found;
    let mut lines = Lines::new(style);
    let severity = row.severity.as_str();
    if opened {
        let role = Role::Severity(row.severity);
        lines.say(role, &format!("opened, {severity}"));
    } else {
        lines.say(Role::Calm, "closed");
    }
    lines.line(2, &row::ends(row));
    let ports = untrusted::plain(&ports::words(&row.ports));
    lines.line(2, &format!("on {ports}"));
    if let Some(assumes) = row.assumes {
        lines.gap();
        lines.say(Role::Heading, words::assumption(assumes));
        lines.line(2, words::settle(assumes));
    }

    lines.gap();
    lines.say(Role::Heading, "Which edits did it");
    for cause in &row.causes {
        lines.item(2, Role::Label, "-", 2, &row::cause_text(cause));
    }

    lines.gap();
    let heading = if opened { "Who gains it" } else { "Who loses it" };
    lines.say(Role::Heading, heading);
    let mut anybody = false;
    for (label, peers) in [("from", &row.from), ("to", &row.to)] {
        if let Some(declared) = words::declared(peers) {
            anybody = true;
            let count = words::count(declared.count, "declared workload", "declared workloads");
            let all = declared.sample.len();
            let names = super::layout::names(&declared.sample, all, declared.count);
            lines.item(2, Role::Label, label, 6, &format!("{count}: {names}"));
        }
    }
    match words::undeclared(row, opened) {
        Some(undeclared) => lines.line(2, undeclared),
        None if !anybody => lines.line(2, "no declared workload"),
        None => {}
    }

    lines.gap();
    let heading = if opened {
        "One flow that is allowed now and was not"
    } else {
        "One flow that was allowed and is not any more"
    };
    lines.say(Role::Heading, heading);
    lines.line(2, &row::example(row));
    for (label, text) in row::admitted(&row.admitted_by) {
        lines.item(2, Role::Label, label, 8, &text);
    }

    let exceptions = words::exceptions(row, opened, usize::MAX);
    if !exceptions.is_empty() {
        lines.gap();
        lines.say(Role::Heading, "What the edit covers that does not change");
        for (words, texts, _) in exceptions {
            lines.line(2, &format!("{words}:"));
            for text in texts {
                lines.item(4, Role::Label, "-", 2, &untrusted::plain(&text));
            }
        }
    }

    if opened {
        lines.gap();
        lines.say(Role::Heading, "How to close it");
        let remedies: BTreeSet<&str> = row.causes.iter().map(|c| words::remedy(c.kind)).collect();
        if row.causes.len() > 1 {
            let text = "more than one edit takes part: compare again after changing one of them";
            lines.line(2, text);
        }
        for remedy in remedies {
            lines.item(2, Role::Label, "-", 2, remedy);
        }
    }

    lines.gap();
    let id = format!("fingerprint {}", untrusted::plain(&row.fingerprint));
    lines.line(0, &id);
    if environment != "default" {
        let text = format!("environment {}", untrusted::plain(environment));
        lines.line(0, &text);
    }
    lines.finish()
}
