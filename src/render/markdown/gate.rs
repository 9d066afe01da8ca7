//! What the gate says: whether the check passes and why, waivers in force and expired ones.

use super::body::{Body, Item};
use super::{more, share};
use crate::gate::{Gate, GateVerdict};
use crate::render::{untrusted, words};
use crate::settings::{FailOn, Mode, Waiver};
use std::collections::BTreeSet;

/// One line below the verdict: does the check pass, and what decides it. Holds no text out of manifests.
pub fn line(gate: &Gate) -> String {
    let level = level(gate.fail_on);
    let waived = match gate.waived.len() {
        0 => String::new(),
        count => format!("; {count} waived"),
    };
    let blocking = blocking(gate);
    match (gate.verdict, gate.mode) {
        (GateVerdict::Pass, _) if gate.fail_on == FailOn::Never => {
            format!("The check passes: by its configuration nothing here fails it{waived}.")
        }
        (GateVerdict::Pass, _) => {
            format!("The check passes: nothing {level} waits for somebody to accept it{waived}.")
        }
        (GateVerdict::Fail, Mode::Enforce) => format!(
            "**The check fails**: {} {level}{waived}. To accept one, merge a waiver of its fingerprint into \
             the configuration.",
            blocking
        ),
        (GateVerdict::Fail, Mode::Warn) => {
            format!("The check only warns: {blocking} {level}{waived}.")
        }
        (GateVerdict::Unknown, Mode::Enforce) => {
            "**The check fails**: what was not evaluated could hide something that opens.".into()
        }
        (GateVerdict::Unknown, Mode::Warn) => {
            "The check only warns: what was not evaluated could hide something that opens.".into()
        }
    }
}

/// `2 opened paths and 1 finding are`. What several environments have stands once.
fn blocking(gate: &Gate) -> String {
    let different = |list: &[(String, String)]| {
        list.iter().map(|(_, print)| print.as_str()).collect::<BTreeSet<_>>().len()
    };
    let (paths, findings) = (different(&gate.blocking), different(&gate.blocking_findings));
    match (paths, findings) {
        (paths, 0) => words::count(paths, "opened path is", "opened paths are"),
        (0, findings) => words::count(findings, "finding is", "findings are"),
        (paths, findings) => format!(
            "{} and {} are",
            words::count(paths, "opened path", "opened paths"),
            words::count(findings, "finding", "findings")
        ),
    }
}

/// `at or above medium`, to stand behind "nothing" and "paths are".
pub fn level(fail_on: FailOn) -> &'static str {
    match fail_on {
        FailOn::Never | FailOn::Any => "of any severity",
        FailOn::Low => "at or above low",
        FailOn::Medium => "at or above medium",
        FailOn::High => "at or above high",
        FailOn::Critical => "at critical",
    }
}

/// Waivers in force and expired ones: which row, who, why, until when.
pub fn waivers(body: &mut Body, gate: &Gate) {
    let mut items = Vec::new();
    let all = gate.expired.iter().map(|pair| (pair, true));
    for ((waiver, fingerprint), expired) in all.chain(gate.waived.iter().map(|pair| (pair, false)))
    {
        items.push(Item::new(waiver_text(waiver, fingerprint, expired)));
    }
    if !items.is_empty() {
        body.section(share::WAIVERS, "#### Waivers\n\n", &items, more, "\n");
    }
}

fn waiver_text(waiver: &Waiver, fingerprint: &str, expired: bool) -> String {
    let short: String = fingerprint.chars().take(12).collect();
    let mut text = format!("- {}", untrusted::markdown(&short));
    if let Some(by) = &waiver.by {
        text.push_str(&format!(" by {}", untrusted::markdown(by)));
    }
    match (waiver.expires, expired) {
        (Some(day), true) => text.push_str(&format!(" **expired on {day}** and does not count")),
        (Some(day), false) => text.push_str(&format!(" until {day}")),
        (None, _) => text.push_str(" without an end"),
    }
    text.push_str(&format!(": {}\n", untrusted::markdown(&waiver.reason)));
    text
}
