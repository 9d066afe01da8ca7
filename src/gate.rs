//! A report and the settings -> does it pass: severities, thresholds, waivers.

use crate::report::{Hides, NotEvaluated, Report, Row};
use crate::settings::{FINGERPRINT_DIGITS, FailOn, Mode, Settings, Waiver};
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
    /// Waivers that cover an opened row, with the row's whole fingerprint. A row that several
    /// environments have is there once.
    pub waived: Vec<(Waiver, String)>,
    /// Waivers that would cover an opened row but have expired, where no other covers it. Their rows
    /// count as not waived.
    pub expired: Vec<(Waiver, String)>,
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

/// Judges a report on a day. The threshold is the caller's, as commands have defaults of their own.
pub fn judge(report: &Report, settings: &Settings, fail_on: FailOn, today: NaiveDate) -> Gate {
    let mut gate = Gate {
        fail_on,
        mode: settings.mode,
        verdict: GateVerdict::Pass,
        blocking: Vec::new(),
        waived: Vec::new(),
        expired: Vec::new(),
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
        for row in &environment.opened {
            let mut covering = settings.waivers.iter().filter(|waiver| covers(waiver, row));
            let first = covering.clone().next();
            if let Some(waiver) = covering.find(|waiver| waiver.holds_on(today)) {
                note(&mut gate.waived, waiver, row);
                continue;
            }
            if let Some(waiver) = first {
                note(&mut gate.expired, waiver, row);
            }
            let threshold = threshold(&environment.name).threshold();
            if threshold.is_some_and(|threshold| row.severity >= threshold) {
                gate.blocking.push((environment.name.clone(), row.fingerprint.clone()));
            }
        }
    }
    gate.verdict = match (never, hidden, gate.blocking.is_empty()) {
        (true, ..) => GateVerdict::Pass,
        (_, true, _) => GateVerdict::Unknown,
        (_, false, false) => GateVerdict::Fail,
        (_, false, true) => GateVerdict::Pass,
    };
    gate
}

fn note(list: &mut Vec<(Waiver, String)>, waiver: &Waiver, row: &Row) {
    if !list.iter().any(|(_, fingerprint)| *fingerprint == row.fingerprint) {
        list.push((waiver.clone(), row.fingerprint.clone()));
    }
}

/// Too short a beginning could be that of many rows, and an empty one is that of all.
fn covers(waiver: &Waiver, row: &Row) -> bool {
    waiver.fingerprint.len() >= *FINGERPRINT_DIGITS.start()
        && row.fingerprint.starts_with(&waiver.fingerprint)
}
