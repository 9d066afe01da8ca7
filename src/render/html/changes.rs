//! What the change does to the files that causes lie in. Lines that open something say which row.

use super::fit::share;
use super::hunks::{self, Fate, Line};
use super::row::Card;
use super::write::{self, Writer};
use super::{FileChange, more, section};
use crate::report::Side;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// How many files are shown.
const FILES: usize = 40;

/// How many lines of one file are shown, where there is room, and where there is less.
const LINES: [usize; 2] = [300, 30];

/// How many lines around one that opens something come before all others where not all are shown.
const AROUND: usize = 8;

/// How many causes of one file are looked for in its lines.
const MARKS: usize = 200;

/// How many rows one line names.
const NAMED: usize = 3;

/// The rows that lines of one file open: side, first and last line, index of the card.
type Marks<'c> = BTreeMap<&'c str, Vec<(Side, u32, u32, usize)>>;

/// The differences, file by file.
pub fn changes(cards: &[Card<'_>], writer: Writer<'_>) -> Markup {
    let marks = marks(cards);
    let files = writer.about.changes.iter().filter(|file| file.before != file.after);
    let files: Vec<&FileChange> = files.collect();
    let mut shown = Vec::new();
    let mut left = share::CHANGES;
    for (index, change) in files.iter().enumerate().take(FILES) {
        let own = marks.get(change.path.as_str()).map(Vec::as_slice).unwrap_or_default();
        // Of a file whose lines are too long for that, fewer are shown.
        let texts = LINES.map(|most| file(index + 1, change, own, cards, most));
        let Some(text) = texts.into_iter().find(|text| text.0.len() <= left) else { break };
        left -= text.0.len();
        shown.push(text);
    }
    if files.is_empty() {
        return html! {};
    }
    let rest = files.len() - shown.len();
    let content = html! {
        @if !marks.is_empty() {
            p { "Numbers at the left lead to the path that a line opens." }
        }
        @for each in &shown { (each) }
        (more(rest))
    };
    section("files", "Changed files", &content)
}

fn marks<'c>(cards: &'c [Card<'_>]) -> Marks<'c> {
    let mut marks: Marks<'c> = BTreeMap::new();
    for (index, card) in cards.iter().enumerate() {
        for cause in &card.row.causes {
            let place = &cause.location;
            let mark = (place.side, place.start_line, place.end_line, index);
            let of_file = marks.entry(place.file.as_str()).or_default();
            if of_file.len() < MARKS {
                of_file.push(mark);
            }
        }
    }
    marks
}

/// A line, and the cards that name it.
struct Marked<'t> {
    line: Line<'t>,
    cards: Vec<usize>,
}

fn file(
    number: usize,
    change: &FileChange,
    marks: &[(Side, u32, u32, usize)],
    cards: &[Card<'_>],
    most: usize,
) -> Markup {
    let before = change.before.as_deref().unwrap_or_default();
    let after = change.after.as_deref().unwrap_or_default();
    let hunks = hunks::hunks(before, after);
    let count = |fate| hunks.iter().flatten().filter(|line| line.fate == fate).count();
    let what = match (&change.before, &change.after) {
        (None, _) => Some("new"),
        (_, None) => Some("deleted"),
        _ => None,
    };
    let id = format!("file-{number}");
    let mut rows: Vec<Option<Marked<'_>>> = Vec::new();
    for (index, hunk) in hunks.iter().enumerate() {
        // A gap stands between two groups.
        if index > 0 {
            rows.push(None);
        }
        let mut above = None;
        for line in hunk {
            rows.push(Some(marked(*line, above, marks)));
            above = line.after.or(above);
        }
    }
    let shown = choose(&rows, most);
    let mut last = None;
    let rest = rows.iter().zip(&shown).filter(|(row, shown)| row.is_some() && !**shown).count();
    html! {
        article.file aria-labelledby=(id) {
            h3 id=(id) {
                (write::name(&change.path))
                @if let Some(what) = what { " " span.standing { (what) } }
                " " span.plus { "+" (count(Fate::New)) } " " span.minus { "−" (count(Fate::Gone)) }
            }
            div.scroll tabindex="0" role="region" aria-labelledby=(id) {
                table.diff {
                    @for (row, shown) in rows.iter().zip(&shown) {
                        @match row {
                            Some(row) if *shown => (line(row, cards, &mut last)),
                            _ => (gap(&mut last)),
                        }
                    }
                }
            }
            @if rest > 0 { p.more { "and " (rest) " more lines" } }
        }
    }
}

/// The cards whose causes a line belongs to; `above` is the number after the change of the last line above that has
/// one. What was taken out of lines that are a cause belongs to it.
fn marked<'t>(line: Line<'t>, above: Option<u32>, marks: &[(Side, u32, u32, usize)]) -> Marked<'t> {
    let mut cards = Vec::new();
    for (side, first, last, card) in marks {
        let within = |number: Option<u32>| number.is_some_and(|at| (*first..=*last).contains(&at));
        let own = match side {
            Side::Before => within(line.before),
            Side::After | Side::Both => within(line.after.or(above)),
        };
        if own && !cards.contains(card) {
            cards.push(*card);
        }
    }
    Marked { line, cards }
}

/// Which lines are shown, where there are too many: those that open something and what is around them first.
fn choose(rows: &[Option<Marked<'_>>], most: usize) -> Vec<bool> {
    if rows.len() <= most {
        return vec![true; rows.len()];
    }
    let mut near = vec![false; rows.len()];
    for (at, row) in rows.iter().enumerate() {
        if row.as_ref().is_some_and(|row| !row.cards.is_empty()) {
            let end = (at + AROUND + 1).min(rows.len());
            near.get_mut(at.saturating_sub(AROUND)..end).unwrap_or_default().fill(true);
        }
    }
    let mut left = most;
    let mut shown = vec![false; rows.len()];
    for wanted in [true, false] {
        for (near, shown) in near.iter().zip(&mut shown) {
            if *near == wanted && left > 0 {
                *shown = true;
                left -= 1;
            }
        }
    }
    shown
}

/// One row of the table for any number of lines that are not shown.
fn gap(last: &mut Option<Vec<usize>>) -> Markup {
    let told = last.is_none();
    *last = None;
    html! {
        @if !told { tr.gap { td colspan="5" { "⋯" } } }
    }
}

/// `last` has the cards of the line above, if there is one: a number stands at the first line only.
fn line(row: &Marked<'_>, cards: &[Card<'_>], last: &mut Option<Vec<usize>>) -> Markup {
    let Marked { line, cards: own } = row;
    let (class, sign) = match line.fate {
        Fate::Kept => ("kept", " "),
        Fate::Gone => ("gone", "−"),
        Fate::New => ("new", "+"),
    };
    // A carriage return that stands on both sides is no news.
    let text = if line.fate == Fate::Kept { line.text.trim_end_matches('\r') } else { line.text };
    let begins = !own.is_empty() && last.as_ref() != Some(own);
    *last = Some(own.clone());
    let worst = own.iter().filter_map(|card| cards.get(*card)).map(|card| card.row.severity).max();
    html! {
        tr class=(class) {
            td class={ "mark" @if let Some(worst) = worst { " on " (worst.as_str()) } } {
                @if begins {
                    @for card in own.iter().take(NAMED).filter_map(|card| cards.get(*card)) {
                        a.(card.row.severity.as_str()) href={ "#" (card.anchor) } { (card.number) }
                    }
                    @if own.len() > NAMED { "…" }
                }
            }
            td.n { (line.before.map(|n| n.to_string()).unwrap_or_default()) }
            td.n { (line.after.map(|n| n.to_string()).unwrap_or_default()) }
            td.sign { (sign) }
            td.text { (write::raw(text)) @if line.unended && line.fate != Fate::Kept { span.at { " (no line break at the end)" } } }
        }
    }
}
