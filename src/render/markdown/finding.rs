//! One finding of the comment.

use super::body::Item;
use super::{Writer, sign};
use crate::render::{untrusted, words};
use crate::report::{Finding, Fix, FixKind};

/// Where the pages of rules are.
const PAGES: &str = "https://github.com/netpol-review/netpol-review/blob/main/docs/rules.md";

/// A finding: what and where for everybody, what to write in a fold.
pub fn item(finding: &Finding, writer: Writer<'_>) -> Item {
    let rule = finding.rule;
    let message = writer.phrase(&words::message(&finding.message));
    let about = writer.phrase(&words::about(finding));
    let mut short = format!(
        "- {} **{}** [{rule}]({PAGES}#{rule}): {message}\n  <br>{about}",
        sign(finding.severity),
        finding.severity.as_str()
    );
    if let Some(fix) = &finding.fix {
        short.push_str(&format!("\n  <br>To mend it: {}", writer.phrase(&words::fix(fix))));
    }
    short.push('\n');
    let mut full = short.clone();
    if let Some(text) = finding.fix.as_ref().and_then(to_write) {
        full.push_str("  <details><summary>What to write</summary>\n\n");
        full.push_str(&untrusted::fenced(text, "yaml", 2));
        full.push_str("\n  </details>\n\n");
    }
    Item { full, short }
}

/// The text of a fix that no suggestion offers.
fn to_write(fix: &Fix) -> Option<&str> {
    let text = fix.replacement.as_deref()?;
    (fix.kind == FixKind::Behavioural || fix.location.is_none()).then_some(text)
}
