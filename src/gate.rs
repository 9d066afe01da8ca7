//! A report and the settings -> does it pass: severities, thresholds, waivers.

use crate::report::{Environment, Finding, Hides, Lint, NotEvaluated, Report, Row, Severity};
use crate::settings::{FailOn, Mode, Settings, Waiver};
use chrono::NaiveDate;

/// What the gate says of a report.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The threshold that was applied.
    pub fail_on: FailOn,
    /// Whether it fails or only warns.
    pub mode: Mode,
    /// The verdict, before the mode softens it.
    pub verdict: GateVerdict,
    /// Opened rows at or above the threshold that no waiver covers: environment's name, fingerprint.
    pub blocking: Vec<(String, String)>,
    /// The same of findings that the change introduces.
    pub blocking_findings: Vec<(String, String)>,
    /// Waivers that cover an opened row or a finding, with its whole fingerprint. One that several
    /// environments have is there once.
    pub waived: Vec<(Waiver, String)>,
    /// Waivers that would cover something but have expired, where no other covers it. It counts as not
    /// waived.
    pub expired: Vec<(Waiver, String)>,
    /// Somebody may accept what opens in a comment.
    pub by_comment: bool,
}

/// Whether a report passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateVerdict {
    /// Nothing at or above the threshold, or all of it is waived.
    Pass,
    /// Something at or above the threshold opened.
    Fail,
    /// Something that could hide a widening was not evaluated. No waiver covers that.
    Unknown,
}

impl Gate {
    /// The verdict as the mode leaves it: where it only warns, everything passes.
    pub fn outcome(&self) -> GateVerdict {
        match self.mode {
            Mode::Enforce => self.verdict,
            Mode::Warn => GateVerdict::Pass,
        }
    }
}

/// The least that fails.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Of opened rows.
    pub rows: FailOn,
    /// Of findings that the change introduces.
    pub findings: FailOn,
}

/// One threshold for both.
impl From<FailOn> for Thresholds {
    fn from(fail_on: FailOn) -> Self {
        Self { rows: fail_on, findings: fail_on }
    }
}

/// Judges a report on a day. The thresholds are the caller's, as commands have defaults of their own.
pub fn judge(
    report: &Report,
    settings: &Settings,
    fail_on: impl Into<Thresholds>,
    today: NaiveDate,
) -> Gate {
    let Thresholds { rows: fail_on, findings: findings_fail_on } = fail_on.into();
    let mut gate = Gate {
        fail_on,
        mode: settings.mode,
        verdict: GateVerdict::Pass,
        blocking: Vec::new(),
        blocking_findings: Vec::new(),
        waived: Vec::new(),
        expired: Vec::new(),
        by_comment: settings.approvers.is_anybody(),
    };
    // An environment can have a threshold of its own, where the configuration gives it one.
    let threshold = |name: &str| settings.environment_fail_on.get(name).copied().unwrap_or(fail_on);
    let names = || report.environments.iter().map(|each| each.name.as_str());
    let gated = |entry: &NotEvaluated| {
        let gated = |name: &str| threshold(name) != FailOn::Never;
        match entry.environments.as_slice() {
            [] => names().any(gated),
            some => some.iter().any(|name| gated(name)),
        }
    };
    let mut hiding = report.not_evaluated.iter().filter(|entry| entry.hides == Hides::Widening);
    let hidden = hiding.any(gated);
    let never = names().all(|name| threshold(name) == FailOn::Never);
    for environment in &report.environments {
        let own = settings.environment_fail_on.get(&environment.name).copied();
        for row in &environment.opened {
            let counts = !waived(&mut gate, settings, &row.fingerprint, today);
            if counts && reaches(own.unwrap_or(fail_on), row.severity) {
                gate.blocking.push((environment.name.clone(), row.fingerprint.clone()));
            }
        }
        for finding in environment.findings.iter().filter(|finding| finding.introduced) {
            let counts = !waived(&mut gate, settings, &finding.fingerprint, today)
                && !told_by_waived_rows(&gate, environment, finding, settings);
            if counts && reaches(own.unwrap_or(findings_fail_on), finding.severity) {
                gate.blocking_findings
                    .push((environment.name.clone(), finding.fingerprint.clone()));
            }
        }
    }
    let nothing = gate.blocking.is_empty() && gate.blocking_findings.is_empty();
    gate.verdict = match (never, hidden, nothing) {
        (true, ..) => GateVerdict::Pass,
        (_, true, _) => GateVerdict::Unknown,
        (_, false, false) => GateVerdict::Fail,
        (_, false, true) => GateVerdict::Pass,
    };
    gate
}

/// Judges the findings of one snapshot. What was not evaluated of it hides no widening.
pub fn judge_lint(lint: &Lint, fail_on: FailOn) -> GateVerdict {
    let worst = lint.findings.iter().map(|finding| finding.severity).max();
    match (worst, fail_on.threshold()) {
        (Some(worst), Some(threshold)) if worst >= threshold => GateVerdict::Fail,
        _ => GateVerdict::Pass,
    }
}

/// Does the finding stand under a row, and has somebody accepted every row that the same lines open? Whoever accepts a
/// path accepts how it is written, as the review shows the one under the other. A finding with a place of its own has
/// a fingerprint of its own. And where a guardrail names whose word it needs, what others said of rows on the pull
/// request is not that.
fn told_by_waived_rows(
    gate: &Gate,
    environment: &Environment,
    finding: &Finding,
    settings: &Settings,
) -> bool {
    let mut rows = environment.opened.iter().filter(|row| row.is_caused_in(&finding.location));
    let named = !named_approvers(settings, finding).is_empty();
    let waived = |row: &Row| {
        let mut waived = gate.waived.iter().filter(|(_, covered)| *covered == row.fingerprint);
        waived.any(|(waiver, _)| waiver.given.is_none() || !named)
    };
    let mut shown = environment.opened.iter();
    let shown = shown.any(|row| finding.row.as_ref() == Some(&row.fingerprint) && waived(row));
    shown && rows.all(waived)
}

/// Whose word a finding needs, where it is of a guardrail that names them.
pub fn named_approvers<'a>(settings: &'a Settings, finding: &Finding) -> &'a [String] {
    if finding.rule != "guardrail-frozen" {
        return &[];
    }
    let mut guardrails = settings.config.guardrails.iter();
    let own = guardrails.find(|one| finding.object.as_deref() == Some(one.id.as_str()));
    own.map_or(&[], |guardrail| guardrail.approvers())
}

fn reaches(fail_on: FailOn, severity: Severity) -> bool {
    fail_on.threshold().is_some_and(|threshold| severity >= threshold)
}

/// Does a waiver that holds cover this fingerprint? Notes which, and which would but has expired.
fn waived(gate: &mut Gate, settings: &Settings, fingerprint: &str, today: NaiveDate) -> bool {
    let mut covering = settings.waivers.iter().filter(|waiver| covers(waiver, fingerprint));
    let first = covering.clone().next();
    let holds = covering.find(|waiver| waiver.holds_on(today));
    match (holds, first) {
        (Some(waiver), _) => note(&mut gate.waived, waiver, fingerprint),
        (None, Some(waiver)) => note(&mut gate.expired, waiver, fingerprint),
        (None, None) => {}
    }
    holds.is_some()
}

fn note(list: &mut Vec<(Waiver, String)>, waiver: &Waiver, fingerprint: &str) {
    if !list.iter().any(|(_, known)| known == fingerprint) {
        list.push((waiver.clone(), fingerprint.to_string()));
    }
}

fn covers(waiver: &Waiver, fingerprint: &str) -> bool {
    waiver.fingerprint == fingerprint
}
