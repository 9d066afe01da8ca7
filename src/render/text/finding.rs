//! Findings of rules.

use super::layout::{self, Lines, Role};
use super::row::{SEVERITY, detail, short};
use crate::render::{untrusted, words};
use crate::report::{Finding, Fix, FixKind};

/// A finding with everything that a reviewer decides by.
pub fn finding(lines: &mut Lines, finding: &Finding) {
    let severity = finding.severity.as_str();
    let message = layout::phrase(&words::told(finding));
    let text = format!("{}: {message}", finding.rule);
    lines.item(0, Role::Severity(finding.severity), severity, SEVERITY, &text);
    detail(lines, "in", &layout::phrase(&words::about(finding)));
    if let Some(fix) = &finding.fix {
        mend(lines, fix);
    }
    detail(lines, "id", &short(&finding.fingerprint));
}

/// What to do; the text to write, where it is an object of its own or an example.
fn mend(lines: &mut Lines, fix: &Fix) {
    detail(lines, "fix", &layout::phrase(&words::fix(fix)));
    for removed in &fix.removes {
        detail(lines, "", &format!("closes {}", untrusted::plain(removed)));
    }
    if let Some(text) = fix.replacement.as_ref().filter(|_| fix.kind == FixKind::Behavioural) {
        for line in text.lines() {
            lines.verbatim(SEVERITY + 11, &untrusted::plain(line));
        }
    }
}
