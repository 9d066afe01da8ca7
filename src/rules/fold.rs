//! Findings that say of their lines what an opened row says already: they stand under it.

use crate::config::Config;
use crate::report::{Cause, Finding, Row, Severity};

/// The rules whose findings say who is let in or out, and no more: what they name is what opened.
const TOLD_BY_ROWS: [&str; 4] =
    ["rule-without-peers", "any-namespace-peer", "wide-ip-block", "empty-pod-selector-allow"];

/// Puts introduced findings under the most severe row that the lines of the same policy opened. One whose lines open
/// nothing, as where pods are isolated for the first time, is a lesson and no danger: it is not high, unless the
/// configuration says how bad it is, or not all that opened is known.
pub fn under_rows(findings: &mut [Finding], opened: &[Row], all_known: bool, config: &Config) {
    let told = |finding: &&mut Finding| finding.introduced && TOLD_BY_ROWS.contains(&finding.rule);
    for finding in findings.iter_mut().filter(told) {
        let rows = opened.iter().filter(|row| row.causes.iter().any(|cause| at(cause, finding)));
        let worst = rows.max_by(|a, b| {
            a.severity.cmp(&b.severity).then_with(|| b.fingerprint.cmp(&a.fingerprint))
        });
        finding.row = worst.map(|row| row.fingerprint.clone());
        let set = config.rules.settings.get(finding.rule).and_then(|own| own.severity).is_some();
        if finding.row.is_none() && all_known && !set {
            finding.severity = finding.severity.min(Severity::Medium);
        }
    }
    super::sort(findings);
}

/// Is the finding one of the policy and of lines of the edit?
fn at(cause: &Cause, finding: &Finding) -> bool {
    let (edit, place) = (&cause.location, &finding.location);
    cause.rule.is_some()
        && finding.policy.as_ref() == cause.policy.as_ref()
        && (edit.side, &edit.file) == (place.side, &place.file)
        && edit.start_line <= place.end_line
        && place.start_line <= edit.end_line
}
