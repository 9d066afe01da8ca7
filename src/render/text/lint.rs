//! The findings of one snapshot, and the catalogue.

use super::finding::finding;
use super::layout::{Lines, Role, Style};
use super::not_evaluated;
use crate::render::unread::Scope;
use crate::render::words;
use crate::report::Lint;
use crate::rules::catalogue::RULES;

/// The findings of one snapshot.
pub fn lint(lint: &Lint, style: &Style) -> String {
    let mut lines = Lines::new(style);
    let read = words::read(&lint.read);
    match lint.findings.len() {
        0 => lines.say(Role::Calm, &format!("no findings ({read} read)")),
        count => {
            let findings = words::count(count, "finding", "findings");
            lines.say(Role::Heading, &format!("{findings} ({read} read)"));
        }
    }
    for each in &lint.findings {
        lines.gap();
        finding(&mut lines, each);
    }
    not_evaluated(&mut lines, &lint.not_evaluated, Scope::Snapshot);
    lines.finish()
}

/// All rules, a line each.
pub fn rules(style: &Style) -> String {
    let mut lines = Lines::new(style);
    let column = RULES.iter().map(|rule| rule.id.len()).max().unwrap_or_default() + 2;
    for rule in RULES {
        lines.item(0, Role::Severity(rule.severity), rule.id, column, rule.catches);
    }
    lines.finish()
}
