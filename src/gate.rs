//! A report and the settings -> does it pass: severities, thresholds, waivers.

use crate::report::{Hides, Report, Row};
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
    /// Waivers that cover an opened row, with the row's whole fingerprint.
    pub waived: Vec<(Waiver, String)>,
    /// Waivers that would cover an opened row but have expired. Their rows count as not waived.
    pub expired: Vec<(Waiver, String)>,
}

/// Whether a report passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateVerdict {
    /// Nothing at or above the threshold, or all of it is waived.
    Pass,
    /// Something at or above the threshold opened.
    Fail,
    /// Something that could hide a widening was not evaluated.
    Unknown,
}

/// Judges a report on a day.
pub fn judge(report: &Report, settings: &Settings, fail_on: FailOn, today: NaiveDate) -> Gate {
    let mut gate = Gate {
        fail_on,
        mode: settings.mode,
        verdict: GateVerdict::Pass,
        blocking: Vec::new(),
        waived: Vec::new(),
        expired: Vec::new(),
    };
    let hidden = report.not_evaluated.iter().any(|entry| entry.hides == Hides::Widening);
    for environment in &report.environments {
        for row in &environment.opened {
            let waiver = settings.waivers.iter().find(|waiver| covers(waiver, row));
            match waiver {
                Some(waiver) if waiver.expires.is_none_or(|last| last >= today) => {
                    gate.waived.push((waiver.clone(), row.fingerprint.clone()));
                    continue;
                }
                Some(waiver) => gate.expired.push((waiver.clone(), row.fingerprint.clone())),
                None => {}
            }
            if fail_on.threshold().is_some_and(|threshold| row.severity >= threshold) {
                gate.blocking.push((environment.name.clone(), row.fingerprint.clone()));
            }
        }
    }
    gate.verdict = match (fail_on, hidden, gate.blocking.is_empty()) {
        (FailOn::Never, ..) => GateVerdict::Pass,
        (_, true, _) => GateVerdict::Unknown,
        (_, false, false) => GateVerdict::Fail,
        (_, false, true) => GateVerdict::Pass,
    };
    gate
}

fn covers(waiver: &Waiver, row: &Row) -> bool {
    row.fingerprint.starts_with(&waiver.fingerprint)
}
