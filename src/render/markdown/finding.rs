//! One finding of the comment.

use super::body::Item;
use super::{Writer, sign};
use crate::render::{untrusted, words};
use crate::report::{Finding, Fix};
use crate::rules::page::PAGES;

/// A finding: what and where for everybody, what to write in a fold, unless it is shown above.
pub fn item(finding: &Finding, above: bool, writer: Writer<'_>) -> Item {
    let about = writer.phrase(&words::about(finding));
    let mut short = format!("{}\n  <br>{about}", head(finding, writer));
    short.push_str(&accepted(finding, writer));
    short.push_str(&named(finding, writer));
    if above {
        short.push_str("\n  <br>To mend it: as above\n");
        return Item::new(short);
    }
    short.push_str(&mend(finding, writer));
    let full = format!("{short}{}", written(finding));
    Item { full, short }
}

/// A finding under the row that says the same.
pub fn under_row(finding: &Finding, writer: Writer<'_>) -> Item {
    let rule = finding.rule;
    let mut short = format!("  <br>This breaks [{rule}]({PAGES}#{rule})");
    if let Some(fix) = &finding.fix {
        short.push_str(&format!("; to mend it: {}", writer.phrase(&words::fix(fix))));
    }
    short.push_str(&accepted(finding, writer));
    short.push_str(&named(finding, writer));
    short.push('\n');
    let written = written(finding);
    let full = if written.is_empty() { short.clone() } else { format!("{short}\n{written}") };
    Item { full, short }
}

/// A finding where it stands. Of one whose fix a suggestion beside it offers, what to write is not told again.
/// Under the row that says the same only the rule is named.
pub fn on_line(finding: &Finding, suggested: bool, beside_row: bool, writer: Writer<'_>) -> String {
    let head = match beside_row {
        true => format!("- This breaks [{0}]({PAGES}#{0})", finding.rule),
        false => head(finding, writer),
    };
    let mend = mend(finding, writer);
    let written = if suggested { closes(finding) } else { written(finding) };
    format!("{head}{mend}{written}")
}

/// The fingerprint of a finding that waits for somebody to accept it.
fn named(finding: &Finding, writer: Writer<'_>) -> String {
    let mut blocking = writer.options.gate.iter().flat_map(|gate| &gate.blocking_findings);
    match blocking.any(|(_, print)| *print == finding.fingerprint) {
        true => format!("\n  <br>Fingerprint: {}", untrusted::markdown(&finding.fingerprint)),
        false => String::new(),
    }
}

fn accepted(finding: &Finding, writer: Writer<'_>) -> String {
    let place = finding.accepted_by_change.as_ref().map(|place| writer.place(place));
    place.map_or_else(String::new, |place| {
        format!("\n  <br>The change itself accepts this ({place}), which counts once it is merged")
    })
}

fn head(finding: &Finding, writer: Writer<'_>) -> String {
    let rule = finding.rule;
    let message = writer.phrase(&words::told(finding));
    let severity = finding.severity;
    format!("- {} **{}** [{rule}]({PAGES}#{rule}): {message}", sign(severity), severity.as_str())
}

fn mend(finding: &Finding, writer: Writer<'_>) -> String {
    match &finding.fix {
        Some(fix) => format!("\n  <br>To mend it: {}\n", writer.phrase(&words::fix(fix))),
        None => "\n".into(),
    }
}

/// The flows that a fix takes away.
fn closes(finding: &Finding) -> String {
    let removes = finding.fix.iter().flat_map(|fix| &fix.removes);
    let lines = removes.map(|flows| format!("  - it closes {}\n", untrusted::markdown(flows)));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\n{lines}\n") }
}

/// What to write, in a fold: the edit, or an example.
fn written(finding: &Finding) -> String {
    let closes = closes(finding);
    match finding.fix.as_ref().and_then(to_write) {
        Some((text, language)) => format!(
            "{closes}  <details><summary>What to write</summary>\n\n{}\n  </details>\n\n",
            untrusted::fenced(text, language, 2)
        ),
        None => closes,
    }
}

fn to_write(fix: &Fix) -> Option<(&str, &'static str)> {
    let edit = fix.diff.as_deref().map(|text| (text, "diff"));
    edit.or_else(|| {
        let example = fix.location.is_none();
        fix.replacement.as_deref().filter(|_| example).map(|text| (text, "yaml"))
    })
}
