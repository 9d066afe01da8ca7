//! What was not evaluated.

use super::fit::{fit, share};
use super::section;
use super::write::{self, Writer};
use crate::render::unread::{self, Group, Scope};
use crate::render::words;
use crate::report::{Hides, Location, NotEvaluated};
use maud::{Markup, html};

/// How many places of one group are shown.
const PLACES: usize = 10;

/// The entries by what they could hide and by reason, what could hide most first.
pub fn not_evaluated(entries: &[NotEvaluated], writer: Writer<'_>) -> Markup {
    if entries.is_empty() {
        return html! {};
    }
    let groups = unread::group(entries);
    let mut last = None;
    let mut items: Vec<(bool, &Group<'_>)> = Vec::new();
    for group in &groups {
        items.push((last != Some(group.hides), group));
        last = Some(group.hides);
    }
    let item = |(first, group): &(bool, &Group<'_>), shown: usize| {
        html! {
            @if *first {
                h3.hides.loud[group.hides == Hides::Widening] {
                    (words::capital(&unread::heading(entries, group.hides, Scope::Change)))
                }
            }
            (reason(group, shown, writer))
        }
    };
    let (shown, rest) =
        fit(share::NOT_EVALUATED, &items, |each| item(each, PLACES), |each| item(each, 0));
    let content = html! {
        (shown)
        @if rest > 0 { p.more { "and " (rest) " more reasons: " (words::ELSEWHERE) } }
    };
    section("not-evaluated", "Not evaluated", &content)
}

fn reason(group: &Group<'_>, shown: usize, writer: Writer<'_>) -> Markup {
    let total = group.entries.len();
    let rest = total.saturating_sub(shown);
    html! {
        div.reason.loud[group.hides == Hides::Widening] {
            p {
                @if total > 1 { (total) " times: " }
                (write::mixed(group.reason))
            }
            @if shown > 0 {
                ul.plain {
                    @for entry in group.entries.iter().take(shown) { li { (place(entry, writer)) } }
                    @if rest > 0 { li { "and " (rest) " more" } }
                }
            }
        }
    }
}

fn place(entry: &NotEvaluated, writer: Writer<'_>) -> Markup {
    let line = |line| Location {
        side: entry.side,
        file: entry.file.clone(),
        start_line: line,
        end_line: line,
    };
    html! {
        @match entry.line {
            Some(number) => (writer.linked(&line(number))),
            None => (write::name(&unread::place(entry))),
        }
        @if let Some(object) = unread::object(entry) { " " (write::name(&object)) }
        @if let Some(side) = unread::side(entry) { " (" (side) ")" }
        @if let Some(environments) = unread::environments(&entry.environments) {
            ", in " (write::name(&environments))
        }
    }
}
