//! Waivers in force and expired ones.

use super::fit::{fit, share};
use super::row::Card;
use super::write;
use super::{more, section};
use crate::gate::Gate;
use crate::settings::Waiver;
use maud::{Markup, html};

/// Which row, who, why, until when.
pub fn waivers(gate: Option<&Gate>, cards: &[Card<'_>]) -> Markup {
    let Some(gate) = gate else {
        return html! {};
    };
    let expired = gate.expired.iter().map(|pair| (pair, true));
    let all: Vec<(&(Waiver, String), bool)> =
        expired.chain(gate.waived.iter().map(|pair| (pair, false))).collect();
    if all.is_empty() {
        return html! {};
    }
    let item = |((waiver, fingerprint), expired): &(&(Waiver, String), bool)| {
        let short: String = fingerprint.chars().take(12).collect();
        html! {
            li {
                @match cards.iter().find(|card| card.row.fingerprint == *fingerprint) {
                    Some(card) => a href={ "#" (card.anchor) } { (write::name(&short)) },
                    None => (write::name(&short)),
                }
                @if let Some(by) = &waiver.by { " by " (write::name(by)) }
                @match (waiver.end(), expired) {
                    (Some(end), true) => { " " strong { "expired on " (end) } " and does not count" },
                    (Some(end), false) => { " until " (end) },
                    (None, _) if waiver.given.as_ref().is_some_and(|given| given.approval) => {
                        " for this head alone"
                    },
                    (None, _) => " without an end",
                }
                ": " (write::raw(&waiver.reason))
            }
        }
    };
    let (shown, rest) = fit(share::WAIVERS, &all, item, item);
    section("waivers", "Waivers", &html! { ul.plain { (shown) } (more(rest)) })
}
