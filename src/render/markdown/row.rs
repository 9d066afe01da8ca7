//! One opened or closed row of the comment.

use super::body::Item;
use super::finding;
use super::{Writer, sign};
use crate::render::untrusted;
use crate::render::words::{self, Phrase};
use crate::report::ports;
use crate::report::{Cause, Finding, Row};

/// How many causes, and names of workloads, are shown.
const CAUSES: usize = 4;
const NAMES: usize = 5;

/// A row that opened: what and why for everybody, the details in a fold. `findings` are those of its environment.
pub fn opened(row: &Row, findings: &[Finding], writer: Writer<'_>) -> Item {
    let mut short = format!("- {} **{}** {}", sign(row.severity), row.severity.as_str(), ends(row));
    if let Some(assumes) = row.assumes {
        short.push_str(&format!("\n  <br>*{}*", words::assumption(assumes)));
    }
    for cause in row.causes.iter().take(CAUSES) {
        short.push_str(&format!("\n  <br>{}", cause_text(cause, writer)));
    }
    if let Some(more) = more_causes(&row.causes) {
        short.push_str(&format!("\n  <br>{more}"));
    }
    for word in &row.rules {
        let message = writer.phrase(&words::message(&word.message));
        short.push_str(&format!("\n  <br>**{}**: {message}", word.rule));
    }
    short.push('\n');
    let mut full = short.clone();
    let own = findings.iter().filter(|finding| finding.row.as_ref() == Some(&row.fingerprint));
    for item in own.map(|each| finding::under_row(each, writer)) {
        short.push_str(&item.short);
        full.push_str(&item.full);
    }
    full.push_str(&format!("  <details><summary>{}</summary>\n\n", summary(row)));
    for line in details(row, writer) {
        full.push_str(&format!("  - {line}\n"));
    }
    full.push_str("\n  </details>\n\n");
    Item { full, short }
}

/// A row that closed.
pub fn closed(row: &Row, writer: Writer<'_>) -> Item {
    let mut short = format!("- {}", ends(row));
    if let Some(assumes) = row.assumes {
        short.push_str(&format!(" *{}*", words::assumption(assumes)));
    }
    let mut full = short.clone();
    for cause in row.causes.iter().take(CAUSES) {
        full.push_str(&format!("\n  <br>{}", cause_text(cause, writer)));
    }
    if let Some(more) = more_causes(&row.causes) {
        full.push_str(&format!("\n  <br>{more}"));
    }
    full.push('\n');
    short.push('\n');
    Item { full, short }
}

pub(super) fn ends(row: &Row) -> String {
    format!(
        "{} → {} on {}",
        untrusted::markdown(&row.from.text),
        untrusted::markdown(&row.to.text),
        untrusted::markdown(&ports::words(&row.ports)),
    )
}

pub(super) fn cause_text(cause: &Cause, writer: Writer<'_>) -> String {
    let words: Phrase = words::cause(cause);
    format!("{}, {}", writer.phrase(&words), writer.place(&cause.location))
}

fn more_causes(causes: &[Cause]) -> Option<String> {
    let more = causes.len().saturating_sub(CAUSES);
    (more > 0).then(|| format!("and {}", words::count(more, "more edit", "more edits")))
}

/// Who gains it, in figures only: it stands in HTML.
fn summary(row: &Row) -> String {
    words::who(row).map_or("Details and an example".into(), |who| format!("Details: {who}"))
}

fn workloads(count: usize) -> String {
    words::count(count, "declared workload", "declared workloads")
}

fn details(row: &Row, writer: Writer<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (label, peers) in [("From", &row.from), ("To", &row.to)] {
        if let Some(declared) = words::declared(peers) {
            let shown = declared.sample.iter().take(NAMES);
            let names: Vec<String> = shown.map(|name| untrusted::markdown(name)).collect();
            let mut line = format!("{label} {}", workloads(declared.count));
            if !names.is_empty() {
                line.push_str(&format!(": {}", names.join(", ")));
            }
            if declared.count > names.len() && !names.is_empty() {
                line.push_str(&format!(" and {} more", declared.count - names.len()));
            }
            lines.push(line);
        }
    }
    for (words, texts, more) in words::exceptions(row, true, words::EXCEPTIONS) {
        let texts: Vec<String> = texts.iter().map(|text| untrusted::markdown(text)).collect();
        let mut line = format!("Except what is {words}: {}", texts.join("; "));
        if more > 0 {
            line.push_str(&format!("; and {more} more"));
        }
        lines.push(line);
    }
    let witness = &row.witness;
    lines.push(format!(
        "Example: {}{} → {}{}, {}/{}",
        untrusted::markdown(&witness.from),
        words::listed(witness.from_inventory.as_ref()),
        untrusted::markdown(&witness.to),
        words::listed(witness.to_inventory.as_ref()),
        witness.protocol,
        witness.port
    ));
    lines.push(format!(
        "Why it may leave: {}",
        writer.phrase(&words::admission(&row.admitted_by.egress, false))
    ));
    lines.push(format!(
        "Why it may enter: {}",
        writer.phrase(&words::admission(&row.admitted_by.ingress, true))
    ));
    lines.push(format!("Fingerprint: {}", untrusted::markdown(&row.fingerprint)));
    lines
}
