//! The exit codes: a contract, people script against them.

use crate::gate::{GateVerdict, judge};
use crate::report::Report;
use crate::settings::{FailOn, Settings};
use chrono::NaiveDate;

/// A bug in this program.
pub(super) const INTERNAL_ERROR: u8 = 1;
/// The arguments make no sense.
pub(super) const WRONG_USAGE: u8 = 2;
/// No manifest was found on either side.
pub(super) const NOTHING_TO_ANALYSE: u8 = 3;
/// A file or a repository could not be read or written.
pub(super) const UNREADABLE: u8 = 4;

/// A signal asked it to end, whose number is added: as shells say it.
const SIGNALLED: u8 = 128;

/// The code of a run that a signal ended.
pub(super) fn signal(number: u8) -> u8 {
    SIGNALLED.saturating_add(number)
}

/// How a command that did its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing at or above the threshold.
    Done,
    /// Something at or above the threshold opened.
    Failed,
    /// Something was not evaluated that could hide a widening, so nobody can say.
    Unknown,
}

impl Outcome {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Outcome::Done => 0,
            Outcome::Failed => 10,
            Outcome::Unknown => 11,
        }
    }
}

impl From<GateVerdict> for Outcome {
    fn from(verdict: GateVerdict) -> Self {
        match verdict {
            GateVerdict::Pass => Outcome::Done,
            GateVerdict::Fail => Outcome::Failed,
            GateVerdict::Unknown => Outcome::Unknown,
        }
    }
}

/// How a comparison ends under a threshold and no settings. The format has no say in it.
pub fn outcome(report: &Report, fail_on: FailOn) -> Outcome {
    judge(report, &Settings::default(), fail_on, NaiveDate::default()).outcome().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::report::*;
    use crate::tree::Tree;

    fn report(severities: &[Severity], hides: &[Hides]) -> Report {
        let mut report = crate::review(&Tree::default(), &Tree::default(), &Config::default());
        let location =
            Location { side: Side::After, file: "p.yaml".into(), start_line: 1, end_line: 1 };
        let rows = severities.iter().map(|severity| Row {
            fingerprint: "0".repeat(32),
            from: Peers::default(),
            to: Peers::default(),
            ports: vec![],
            severity: *severity,
            causes: vec![Cause {
                kind: CauseKind::RuleAdded,
                direction: None,
                policy: None,
                object: None,
                rule: None,
                whole: false,
                location: location.clone(),
                files: Default::default(),
            }],
            admitted_by: AdmittedBy { egress: Admission::Open(""), ingress: Admission::Open("") },
            already_allowed: None,
            still_denied: None,
            exceptions: vec![],
            undeclared: Undeclared::None,
            assumes: None,
            witness: Witness { protocol: "TCP", port: 1, ..Witness::default() },
            rules: Vec::new(),
        });
        report.environments[0].opened = rows.collect();
        report.not_evaluated = hides
            .iter()
            .map(|hides| NotEvaluated {
                side: Side::After,
                file: "p.yaml".into(),
                line: None,
                kind: None,
                name: None,
                reason: String::new(),
                hides: *hides,
                environments: vec![],
            })
            .collect();
        report
    }

    #[test]
    fn thresholds() {
        use Severity::*;
        let all = [
            FailOn::Never,
            FailOn::Any,
            FailOn::Low,
            FailOn::Medium,
            FailOn::High,
            FailOn::Critical,
        ];
        for (opened, codes) in [
            (vec![], [0, 0, 0, 0, 0, 0]),
            (vec![Info], [0, 10, 0, 0, 0, 0]),
            (vec![Low], [0, 10, 10, 0, 0, 0]),
            (vec![Info, Medium], [0, 10, 10, 10, 0, 0]),
            (vec![High, Low], [0, 10, 10, 10, 10, 0]),
            (vec![Critical], [0, 10, 10, 10, 10, 10]),
        ] {
            let report = report(&opened, &[]);
            assert_eq!(all.map(|fail_on| outcome(&report, fail_on).code()), codes, "{opened:?}");
        }
    }

    #[test]
    fn what_could_hide_a_widening_beats_everything_but_never() {
        for (hides, fail_on, code) in [
            (vec![Hides::Widening], FailOn::Never, 0),
            (vec![Hides::Widening], FailOn::Critical, 11),
            (vec![Hides::Nothing, Hides::Widening], FailOn::Any, 11),
            (vec![Hides::Flow, Hides::Nothing], FailOn::Any, 10),
        ] {
            let report = report(&[Severity::High], &hides);
            let expected = if fail_on == FailOn::Critical && code != 11 { 0 } else { code };
            assert_eq!(outcome(&report, fail_on).code(), expected, "{hides:?} {fail_on:?}");
        }
    }

    #[test]
    fn closed_rows_never_fail() {
        let mut report = report(&[Severity::Critical], &[]);
        let environment = &mut report.environments[0];
        environment.closed = std::mem::take(&mut environment.opened);
        assert_eq!(outcome(&report, FailOn::Any), Outcome::Done);
    }
}
