//! One opened or closed row.

use super::finding;
use super::layout::{self, Lines, Role};
use crate::render::{untrusted, words};
use crate::report::ports;
use crate::report::{Admission, AdmittedBy, Cause, Finding, Location, Row};

/// Columns of the severity, and of the names of details.
pub const SEVERITY: usize = 10;
const LABEL: usize = 9;

/// How many names, causes and exceptions are shown.
const NAMES: usize = 3;
const CAUSES: usize = 4;

/// A row that opened, with everything a reviewer decides by; of each finding, whether what to write is shown above.
pub fn opened<'f>(
    lines: &mut Lines,
    row: &Row,
    findings: impl IntoIterator<Item = (&'f Finding, bool)>,
) {
    let severity = row.severity.as_str();
    lines.item(0, Role::Severity(row.severity), severity, SEVERITY, &ends(row));
    let mut on = format!("on {}", untrusted::plain(&ports::words(&row.ports)));
    if let Some(assumes) = row.assumes {
        on.push_str(&format!(", {}", words::assumption(assumes)));
    }
    lines.line(SEVERITY, &on);
    causes(lines, &row.causes);
    for word in &row.rules {
        let message = layout::phrase(&words::message(&word.message));
        detail(lines, "rule", &format!("{}: {message}", word.rule));
    }
    for (each, above) in findings {
        finding::under_row(lines, each, above);
    }
    touched(lines, row, true);
    exceptions(lines, row, true, words::EXCEPTIONS);
    detail(lines, "example", &example(row));
    let AdmittedBy { egress, ingress } = &row.admitted_by;
    for (label, end, is_ingress) in [("leaves", egress, false), ("enters", ingress, true)] {
        // Lines that a cause has just named need not be read twice.
        let named = |place: &Location| row.causes.iter().any(|cause| cause.location == *place);
        let text = match end {
            Admission::Rule(rule) if named(&rule.location) => {
                let mut phrase = words::admission(end, is_ingress);
                phrase.truncate(phrase.len().saturating_sub(2));
                layout::phrase(&phrase)
            }
            end => layout::phrase(&words::admission(end, is_ingress)),
        };
        detail(lines, label, &text);
    }
    detail(lines, "id", &row.fingerprint);
}

/// A row that closed: what, and why.
pub fn closed(lines: &mut Lines, row: &Row) {
    let mut text = format!("{}, {}", ends(row), untrusted::plain(&ports::words(&row.ports)));
    if let Some(assumes) = row.assumes {
        text.push_str(&format!(", {}", words::assumption(assumes)));
    }
    lines.line(2, &text);
    for cause in row.causes.iter().take(CAUSES) {
        lines.line(4, &cause_text(cause));
    }
    if let Some(more) = more_causes(&row.causes) {
        lines.line(4, &more);
    }
}

/// `from -> to`.
pub fn ends(row: &Row) -> String {
    format!("{} -> {}", untrusted::plain(&row.from.text), untrusted::plain(&row.to.text))
}

/// A cause and its lines.
pub fn cause_text(cause: &Cause) -> String {
    let words = layout::phrase(&words::cause(cause));
    format!("{words}, {}", layout::place(&cause.location))
}

fn more_causes(causes: &[Cause]) -> Option<String> {
    let more = causes.len().saturating_sub(CAUSES);
    (more > 0).then(|| format!("and {}", words::count(more, "more edit", "more edits")))
}

fn causes(lines: &mut Lines, causes: &[Cause]) {
    for (number, cause) in causes.iter().take(CAUSES).enumerate() {
        let label = if number == 0 { "why" } else { "" };
        detail(lines, label, &cause_text(cause));
    }
    if let Some(more) = more_causes(causes) {
        detail(lines, "", &more);
    }
}

/// Who takes part: declared workloads at both ends, and pods that are not declared.
pub fn touched(lines: &mut Lines, row: &Row, opened: bool) {
    for (label, peers) in [("from", &row.from), ("to", &row.to)] {
        if let Some(declared) = words::declared(peers) {
            let count = words::count(declared.count, "declared workload", "declared workloads");
            let names = layout::names(&declared.sample, NAMES, declared.count);
            detail(lines, label, &format!("{count}: {names}"));
        }
    }
    if let Some(undeclared) = words::undeclared(row, opened) {
        detail(lines, "note", undeclared);
    }
}

/// What of the causes' region the row does not hold, at most `shown` of each kind.
pub fn exceptions(lines: &mut Lines, row: &Row, opened: bool, shown: usize) {
    let mut label = "except";
    for (words, texts, more) in words::exceptions(row, opened, shown) {
        if let ([text], 0) = (texts.as_slice(), more) {
            detail(lines, label, &format!("{words}: {}", untrusted::plain(text)));
        } else {
            detail(lines, label, &format!("{words}:"));
            for text in &texts {
                lines.item(SEVERITY + LABEL, Role::Plain, "-", 2, &untrusted::plain(text));
            }
            if more > 0 {
                lines.item(SEVERITY + LABEL, Role::Plain, "-", 2, &format!("and {more} more"));
            }
        }
        label = "";
    }
}

/// The witness.
pub fn example(row: &Row) -> String {
    let witness = &row.witness;
    format!(
        "{}{} -> {}{}, {}/{}",
        untrusted::plain(&witness.from),
        words::listed(witness.from_inventory.as_ref()),
        untrusted::plain(&witness.to),
        words::listed(witness.to_inventory.as_ref()),
        witness.protocol,
        witness.port
    )
}

/// What admits the witness at each end.
pub fn admitted(by: &AdmittedBy) -> [(&'static str, String); 2] {
    [
        ("leaves", layout::phrase(&words::admission(&by.egress, false))),
        ("enters", layout::phrase(&words::admission(&by.ingress, true))),
    ]
}

/// A named detail under a row.
pub fn detail(lines: &mut Lines, label: &str, text: &str) {
    lines.item(SEVERITY, Role::Label, label, LABEL, text);
}
