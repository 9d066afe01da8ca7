//! What the gate says: whether the check passes and why, waivers in force and expired ones.

use super::body::{Body, Item};
use super::{more, share};
use crate::gate::Gate;
use crate::render::{untrusted, words};
use crate::settings::Waiver;

/// One line below the verdict: does the check pass, and what decides it. Holds no text out of manifests.
pub fn line(gate: &Gate) -> String {
    let words::Decided { fails, what, why } = words::decided(gate);
    let bold = if fails { "**" } else { "" };
    format!("{bold}{what}{bold}: {why}")
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
    match (waiver.end(), expired, &waiver.given) {
        (Some(end), true, _) => text.push_str(&format!(" **expired on {end}** and does not count")),
        (Some(end), false, _) => text.push_str(&format!(" until {end}")),
        (None, _, Some(given)) if given.approval => text.push_str(" for this head alone"),
        (None, ..) => text.push_str(" without an end"),
    }
    if let Some(given) = &waiver.given
        && let Some(url) = untrusted::link_target(&given.url)
    {
        let what = if given.approval { "review" } else { "comment" };
        text.push_str(&format!(" ([{what}](<{url}>))"));
    }
    text.push_str(&format!(": {}\n", untrusted::markdown(&waiver.reason)));
    text
}
