//! Findings of rules.

use super::layout::{self, Lines, Role};
use super::row::{SEVERITY, detail};
use crate::render::{unread, untrusted, words};
use crate::report::{Finding, Fix, Fixed};

/// A finding with everything that a reviewer decides by; what to write may be shown above.
pub fn finding(lines: &mut Lines, finding: &Finding, above: bool) {
    let severity = finding.severity.as_str();
    let message = layout::phrase(&words::told(finding));
    let text = format!("{}: {message}", finding.rule);
    lines.item(0, Role::Severity(finding.severity), severity, SEVERITY, &text);
    detail(lines, "in", &layout::phrase(&words::about(finding)));
    if let Some(names) = unread::environments(&finding.environments) {
        detail(lines, "", &format!("of {}", untrusted::plain(&names)));
    }
    fix(lines, finding, above);
    if let Some(why) = &finding.unfixed {
        detail(lines, "left", why);
    }
    detail(lines, "id", &finding.fingerprint);
}

/// A finding under the row that says the same; what to write may be shown above.
pub fn under_row(lines: &mut Lines, finding: &Finding, above: bool) {
    detail(lines, "breaks", &format!("{}, {}", finding.rule, finding.fingerprint));
    fix(lines, finding, above);
}

fn fix(lines: &mut Lines, finding: &Finding, above: bool) {
    match &finding.fix {
        Some(_) if above => detail(lines, "fix", "as above"),
        Some(fix) => mend(lines, fix),
        None => {}
    }
}

/// What to do; the text to write, where it is an object of its own or an example.
fn mend(lines: &mut Lines, fix: &Fix) {
    detail(lines, "fix", &layout::phrase(&words::fix(fix)));
    for removed in &fix.removes {
        detail(lines, "", &format!("closes {}", untrusted::plain(removed)));
    }
    // The edit of lines that stand there, or an example.
    let text = fix.diff.as_ref().or(fix.replacement.as_ref());
    for line in text.iter().flat_map(|text| text.lines()) {
        lines.verbatim(SEVERITY + 11, &untrusted::plain(line));
    }
}

/// A finding that was mended in its file.
pub fn fixed(lines: &mut Lines, fixed: &Fixed) {
    let about = layout::phrase(&words::fixed(fixed));
    lines.item(0, Role::Calm, "fixed", SEVERITY, &format!("{}: {about}", fixed.rule));
    for removed in &fixed.removes {
        detail(lines, "", &format!("closes {}", untrusted::plain(removed)));
    }
}
