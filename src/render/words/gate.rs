//! What the gate says: whether the check passes, and what decides it.

use super::count;
use crate::gate::{Gate, GateVerdict};
use crate::settings::{FailOn, Mode};
use std::collections::BTreeSet;

/// Whether the check passes, and why. Holds no text out of manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// It fails: a format shows it so that nobody overlooks it.
    pub fails: bool,
    /// `The check passes`, `The check fails`, `The check only warns`.
    pub what: &'static str,
    /// Why, to stand behind a colon.
    pub why: String,
}

/// What the gate decided.
pub fn decided(gate: &Gate) -> Decided {
    let level = level(gate.fail_on);
    let waived = match gate.waived.len() {
        0 => String::new(),
        count => format!("; {count} waived"),
    };
    let (fails, what) = match (gate.verdict, gate.mode) {
        (GateVerdict::Pass, _) => (false, "The check passes"),
        (_, Mode::Enforce) => (true, "The check fails"),
        (_, Mode::Warn) => (false, "The check only warns"),
    };
    let why = match (gate.verdict, gate.mode) {
        (GateVerdict::Pass, _) if gate.fail_on == FailOn::Never => {
            format!("by its configuration nothing here fails it{waived}.")
        }
        (GateVerdict::Pass, _) => {
            format!("nothing {level} waits for somebody to accept it{waived}.")
        }
        (GateVerdict::Fail, Mode::Enforce) => format!(
            "{} {level}{waived}. To accept one, {}.",
            blocking(gate),
            match gate.by_comment {
                true => "an approver comments /netpol-review waive FINGERPRINT --reason \"WHY\"",
                false => "merge a waiver of its fingerprint into the configuration",
            }
        ),
        (GateVerdict::Fail, Mode::Warn) => format!("{} {level}{waived}.", blocking(gate)),
        (GateVerdict::Unknown, _) => {
            "what was not evaluated could hide something that opens.".into()
        }
    };
    Decided { fails, what, why }
}

/// `2 opened paths and 1 finding are`. What several environments have stands once.
fn blocking(gate: &Gate) -> String {
    let different = |list: &[(String, String)]| {
        list.iter().map(|(_, print)| print.as_str()).collect::<BTreeSet<_>>().len()
    };
    let (paths, findings) = (different(&gate.blocking), different(&gate.blocking_findings));
    match (paths, findings) {
        (paths, 0) => count(paths, "opened path is", "opened paths are"),
        (0, findings) => count(findings, "finding is", "findings are"),
        (paths, findings) => format!(
            "{} and {} are",
            count(paths, "opened path", "opened paths"),
            count(findings, "finding", "findings")
        ),
    }
}

/// `at or above medium`, to stand behind "nothing" and "paths are".
fn level(fail_on: FailOn) -> &'static str {
    match fail_on {
        FailOn::Never | FailOn::Any => "of any severity",
        FailOn::Low => "at or above low",
        FailOn::Medium => "at or above medium",
        FailOn::High => "at or above high",
        FailOn::Critical => "at critical",
    }
}
