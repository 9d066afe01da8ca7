//! The check run of a review: its conclusion, its words, its annotations.

use super::api::Annotation;
use super::review::Facts;
use crate::gate::{Gate, GateVerdict};
use crate::render::{markdown, untrusted, words};
use crate::report::{Hides, Severity, Side};
use crate::settings::Mode;

/// The one stable name, so that it can be a required check.
pub const NAME: &str = "netpol-review";

/// The most annotations of one check: two requests of fifty.
const MOST: usize = 100;

/// The longest title and message of an annotation, in characters; GitHub takes 255 and 64 KB.
const TITLE: usize = 200;
const MESSAGE: usize = 2_000;

/// What a check run says in the end.
#[derive(Clone, Debug)]
pub struct Check {
    /// `success`, `failure` or `neutral`.
    pub conclusion: &'static str,
    /// One line.
    pub title: String,
    /// Markdown.
    pub summary: String,
    /// On lines.
    pub annotations: Vec<Annotation>,
    /// The address of the report page, where one is kept.
    pub details: Option<String>,
}

/// What the title of such a check has, by which it is known again.
const SHARED: &str = " has the same head, and fails";

/// Is this the title of a check that fails for another one's sake?
pub fn is_shared(title: &str) -> bool {
    let number = title.strip_prefix("pull request #");
    let rest = number.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest.is_some_and(|rest| rest.starts_with(SHARED))
}

/// The check of a commit that is also the head of another pull request, whose check fails. GitHub takes the newest check
/// of a commit for all its pull requests, so this one must not undo the other.
pub fn shared(check: Check, number: u64) -> Check {
    let title = format!("pull request #{number}{SHARED}; here: {}", check.title);
    let summary = format!(
        "The check of pull request #{number}, which has the same head, fails. A check belongs to a commit, so this one fails \
         with it. Close that pull request or mend it, and this one is reviewed again.\n\n{}",
        check.summary
    );
    Check { conclusion: "failure", title, summary, ..check }
}

/// The check of a review, whose comment has this body.
pub fn check(facts: &Facts<'_>, body: &str) -> Check {
    Check {
        conclusion: conclusion(facts.gate),
        title: title(facts),
        summary: body.to_string(),
        annotations: annotations(facts),
        details: None,
    }
}

/// REVIEW.md's table. GitHub lets `neutral` pass a required check.
pub fn conclusion(gate: &Gate) -> &'static str {
    match (gate.verdict, gate.mode) {
        (GateVerdict::Pass, _) => "success",
        (_, Mode::Enforce) => "failure",
        (_, Mode::Warn) => "neutral",
    }
}

fn title(facts: &Facts<'_>) -> String {
    let verdict = words::verdict(facts.report);
    let waived = match facts.gate.waived.len() {
        0 => String::new(),
        count => format!("; {} waived", words::count(count, "path", "paths")),
    };
    match facts.gate.verdict {
        GateVerdict::Unknown => {
            let entries = words::hiding(&facts.report.not_evaluated, Hides::Widening);
            match entries {
                0 => format!("not evaluated: the configuration; {verdict}"),
                entries => format!(
                    "{} not evaluated that could hide a widening; {verdict}",
                    words::count(entries, "thing", "things")
                ),
            }
        }
        GateVerdict::Fail | GateVerdict::Pass => format!("{verdict}{waived}"),
    }
}

/// One for each edit that opens a row, and for each entry that could hide one.
fn annotations(facts: &Facts<'_>) -> Vec<Annotation> {
    let mut annotations = Vec::new();
    for environment in &facts.report.environments {
        for row in &environment.opened {
            let blocking = facts.gate.blocking.iter().any(|(_, print)| *print == row.fingerprint);
            let level = match (blocking && facts.gate.mode == Mode::Enforce, row.severity) {
                (true, _) => "failure",
                (false, Severity::Info) => "notice",
                (false, _) => "warning",
            };
            for cause in &row.causes {
                let place = &cause.location;
                let Some((first, last)) =
                    lines(facts, place.side, &place.file, place.start_line, place.end_line)
                else {
                    continue;
                };
                let message = format!(
                    "{}\n{} -> {} on {}\nfor example {} -> {}, {}/{}",
                    words::plain(&words::cause(cause)),
                    row.from.text,
                    row.to.text,
                    crate::report::ports::words(&row.ports),
                    row.witness.from,
                    row.witness.to,
                    row.witness.protocol,
                    row.witness.port,
                );
                annotations.push(Annotation {
                    path: place.file.clone(),
                    start_line: first,
                    end_line: last,
                    annotation_level: level,
                    title: format!("{}: this opens a path", row.severity.as_str()),
                    message: capped(&message, MESSAGE),
                });
            }
        }
    }
    for environment in &facts.report.environments {
        for finding in environment.findings.iter().filter(|finding| finding.introduced) {
            let mut blocking = facts.gate.blocking_findings.iter();
            let blocks = blocking.any(|(_, print)| *print == finding.fingerprint);
            let level = match (blocks && facts.gate.mode == Mode::Enforce, finding.severity) {
                (true, _) => "failure",
                (false, Severity::Info | Severity::Low) => "notice",
                (false, _) => "warning",
            };
            let place = &finding.location;
            let Some((first, last)) =
                lines(facts, place.side, &place.file, place.start_line, place.end_line)
            else {
                continue;
            };
            annotations.push(Annotation {
                path: place.file.clone(),
                start_line: first,
                end_line: last,
                annotation_level: level,
                title: format!("{}: {}", finding.severity.as_str(), finding.rule),
                message: capped(&words::plain(&words::message(&finding.message)), MESSAGE),
            });
        }
    }
    for entry in facts.report.not_evaluated.iter().filter(|e| e.hides == Hides::Widening) {
        let line = entry.line.unwrap_or(1);
        let Some((line, _)) = lines(facts, entry.side, &entry.file, line, line) else { continue };
        annotations.push(Annotation {
            path: entry.file.clone(),
            start_line: line,
            end_line: line,
            annotation_level: if facts.gate.mode == Mode::Enforce { "failure" } else { "warning" },
            title: "not evaluated, and could hide something that opens".to_string(),
            message: capped(&entry.reason, MESSAGE),
        });
    }
    annotations.truncate(MOST);
    for annotation in &mut annotations {
        annotation.title = capped(&annotation.title, TITLE);
    }
    annotations
}

/// Where an annotation stands: on lines of the head, or for what is gone, where it was. The check's own page
/// lists both; beside the code GitHub shows the former.
fn lines(facts: &Facts<'_>, side: Side, file: &str, first: u32, last: u32) -> Option<(u32, u32)> {
    match side {
        Side::Before => Some((first, last)),
        Side::After | Side::Both => facts.files.in_head(file, first, last),
    }
}

/// At most so many characters, with nothing that steers a display. Annotations are plain text.
fn capped(text: &str, most: usize) -> String {
    let lines: Vec<String> = text.lines().map(untrusted::plain).collect();
    let text = lines.join("\n");
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// The check of a run that came to no report.
pub fn failed(mode: Mode, what: &str) -> Check {
    Check {
        conclusion: if mode == Mode::Enforce { "failure" } else { "neutral" },
        title: "could not evaluate this change".to_string(),
        summary: format!(
            "netpol-review could not evaluate this change, so nobody knows what it opens.\n\n{}\n",
            untrusted::markdown(what)
        ),
        annotations: Vec::new(),
        details: None,
    }
}

/// The check of a run that gives way to one of a newer head.
pub fn cancelled() -> Check {
    Check {
        conclusion: "cancelled",
        title: "a newer head came".to_string(),
        summary: "The pull request has a newer head; its own check tells of it.\n".to_string(),
        annotations: Vec::new(),
        details: None,
    }
}

/// The longest summary of a check run, in bytes; the limit of comments is the same.
pub const SUMMARY: usize = markdown::LIMIT;
