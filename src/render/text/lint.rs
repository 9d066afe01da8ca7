//! The findings of one snapshot, and the catalogue.

use super::finding::{finding, fixed};
use super::layout::{Lines, Role, Style};
use super::not_evaluated;
use crate::render::unread::Scope;
use crate::render::words;
use crate::report::Lint;
use crate::rules::catalogue::RULES;
use std::collections::BTreeSet;

/// The findings of one snapshot.
pub fn lint(lint: &Lint, style: &Style) -> String {
    let mut lines = Lines::new(style);
    let read = words::read(&lint.read);
    if !lint.fixed.is_empty() {
        let fixes = words::count(lint.fixed.len(), "fix", "fixes");
        let files: BTreeSet<&str> =
            lint.fixed.iter().map(|each| each.location.file.as_str()).collect();
        let files = words::count(files.len(), "file", "files");
        lines.say(Role::Heading, &format!("{fixes} written into {files}"));
    }
    match lint.findings.len() {
        0 if !lint.fixed.is_empty() => {
            lines.say(Role::Calm, &format!("no findings left ({read} read)"));
        }
        0 => lines.say(Role::Calm, &format!("no findings ({read} read)")),
        count => {
            let findings = words::count(count, "finding", "findings");
            lines.say(Role::Heading, &format!("{findings} ({read} read)"));
        }
    }
    if !lint.fixed.is_empty() {
        lines.gap();
    }
    for each in &lint.fixed {
        fixed(&mut lines, each);
    }
    for (each, above) in words::once(&lint.findings) {
        lines.gap();
        finding(&mut lines, each, above);
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
