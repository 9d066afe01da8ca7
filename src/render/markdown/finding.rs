//! One finding of the comment.

use super::body::Item;
use super::{Writer, sign};
use crate::render::{untrusted, words};
use crate::report::{Finding, Fix, FixKind};
use crate::rules::page::PAGES;

/// A finding: what and where for everybody, what to write in a fold.
pub fn item(finding: &Finding, writer: Writer<'_>) -> Item {
    let about = writer.phrase(&words::about(finding));
    let mut short = format!("{}\n  <br>{about}", head(finding, writer));
    if let Some(place) = &finding.accepted_by_change {
        let place = writer.place(place);
        short.push_str(&format!(
            "\n  <br>The change itself accepts this ({place}), which counts once it is merged"
        ));
    }
    short.push_str(&mend(finding, writer));
    let full = format!("{short}{}", written(finding));
    Item { full, short }
}

/// A finding where it stands.
pub fn on_line(finding: &Finding, writer: Writer<'_>) -> String {
    let (head, mend) = (head(finding, writer), mend(finding, writer));
    format!("{head}{mend}{}", written(finding))
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

/// What to write, in a fold.
fn written(finding: &Finding) -> String {
    match finding.fix.as_ref().and_then(to_write) {
        Some(text) => format!(
            "  <details><summary>What to write</summary>\n\n{}\n  </details>\n\n",
            untrusted::fenced(text, "yaml", 2)
        ),
        None => String::new(),
    }
}

/// The text of a fix that no suggestion offers.
fn to_write(fix: &Fix) -> Option<&str> {
    let text = fix.replacement.as_deref()?;
    (fix.kind == FixKind::Behavioural || fix.location.is_none()).then_some(text)
}
