//! Opened rows as cards, closed rows as a list.

use super::fit::{fit, share};
use super::write::{self, Writer};
use super::{finding, fold, more, section};
use crate::gate::Gate;
use crate::render::annotation;
use crate::render::words::{self, Phrase};
use crate::report::ports;
use crate::report::{Admission, Cause, Environment, Finding, Peers, Report, Row};
use crate::settings::Mode;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// How many causes, names of workloads, rules' words and findings a card shows.
const CAUSES: usize = 6;
const NAMES: usize = 8;
const RULES: usize = 6;
const FINDINGS: usize = 8;

/// An opened row, and what stands with it.
pub struct Card<'r> {
    /// Counted from 1 over the whole page: the picture and the files name it so.
    pub number: usize,
    /// Where it stands on the page.
    pub anchor: String,
    /// The row.
    pub row: &'r Row,
    /// Where it opens, if the report has several environments.
    pub environment: Option<Phrase>,
    /// It is the first one of its environment.
    first: bool,
    /// The findings that say the same, each with whether what to write is shown above.
    findings: Vec<(&'r Finding, bool)>,
    /// What the gate says of it.
    standing: Standing,
}

/// What the gate says of one row, or of one finding.
pub enum Standing {
    /// Nothing.
    Silent,
    /// It fails the check, or would.
    Blocks(&'static str),
    /// Who accepted it.
    Accepted(Phrase),
}

/// The opened rows of a merged report, in its order.
pub fn cards<'r>(report: &'r Report, gate: Option<&Gate>) -> Vec<Card<'r>> {
    let several = words::several(report);
    let mut cards: Vec<Card<'r>> = Vec::new();
    let mut taken = BTreeSet::new();
    for environment in &report.environments {
        let mut findings = under_rows(environment);
        for (index, row) in environment.opened.iter().enumerate() {
            let number = cards.len() + 1;
            let print = row.fingerprint.as_str();
            let named = print.bytes().all(|byte| byte.is_ascii_hexdigit()) && taken.insert(print);
            cards.push(Card {
                number,
                anchor: if named { format!("f-{print}") } else { format!("row-{number}") },
                row,
                environment: several.then(|| words::environment(environment)),
                first: index == 0,
                findings: findings.remove(print).unwrap_or_default(),
                standing: standing(print, gate),
            });
        }
    }
    cards
}

/// The findings of an environment that stand under its rows, by the rows' fingerprints.
fn under_rows(environment: &Environment) -> BTreeMap<&str, Vec<(&Finding, bool)>> {
    let mut by_row: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &environment.findings {
        if let Some(row) = &finding.row {
            by_row.entry(row).or_default().push(finding);
        }
    }
    let rows = environment.opened.iter();
    let ordered = rows.filter_map(|row| by_row.remove(row.fingerprint.as_str())).flatten();
    let mut told: BTreeMap<&str, Vec<(&Finding, bool)>> = BTreeMap::new();
    for (finding, above) in words::once(ordered) {
        if let Some(row) = &finding.row {
            told.entry(row).or_default().push((finding, above));
        }
    }
    told
}

/// What the gate says of a fingerprint.
pub fn standing(print: &str, gate: Option<&Gate>) -> Standing {
    if let Some(waiver) = annotation::waiver(gate, print) {
        return Standing::Accepted(annotation::accepted(waiver));
    }
    let blocks = |gate: &&Gate| {
        let mut all = gate.blocking.iter().chain(&gate.blocking_findings);
        all.any(|(_, blocking)| blocking == print)
    };
    match gate.filter(blocks) {
        Some(Gate { mode: Mode::Enforce, .. }) => Standing::Blocks("fails the check"),
        Some(Gate { mode: Mode::Warn, .. }) => Standing::Blocks("would fail the check"),
        None => Standing::Silent,
    }
}

/// Everything that opened, and how many of the cards are on the page.
pub fn opened(cards: &[Card<'_>], writer: Writer<'_>) -> (Markup, usize) {
    if cards.is_empty() {
        return (html! {}, 0);
    }
    let (shown, rest) =
        fit(share::OPENED, cards, |card| whole(card, writer), |card| short(card, writer));
    let content = html! { (shown) (more(rest)) };
    (section("opened", "Opened: allowed now, not before", &content), cards.len() - rest)
}

fn short(card: &Card<'_>, writer: Writer<'_>) -> Markup {
    html! {
        (environment(card, writer))
        article.card.(card.row.severity.as_str()) id=(card.anchor) {
            (heading(card))
            p.more { "For more " (words::ELSEWHERE) }
        }
    }
}

fn environment(card: &Card<'_>, writer: Writer<'_>) -> Markup {
    html! {
        @if let Some(environment) = card.environment.as_ref().filter(|_| card.first) {
            p.environment { "In " (writer.phrase(environment)) }
        }
    }
}

fn whole(card: &Card<'_>, writer: Writer<'_>) -> Markup {
    let row = card.row;
    html! {
        (environment(card, writer))
        article.card.(row.severity.as_str()) id=(card.anchor) {
            (heading(card))
            dl {
                @if let Standing::Accepted(phrase) = &card.standing {
                    (detail("Waiver", &writer.phrase(phrase)))
                }
                @if let Some(assumes) = row.assumes {
                    (detail("Condition", &html! { (words::assumption(assumes)) ". " (words::settle(assumes)) }))
                }
                (detail("Why", &causes(&row.causes, writer)))
                (detail("Example", &example(row)))
                @for word in row.rules.iter().take(RULES) {
                    (detail("Rule", &html! {
                        (write::rule(word.rule)) ": " (writer.phrase(&words::message(&word.message)))
                    }))
                }
                @for (each, above) in card.findings.iter().take(FINDINGS) {
                    (detail("Breaks", &finding::under_row(each, *above, writer)))
                }
                @if card.findings.len() > FINDINGS {
                    (detail("Breaks", &html! { (card.findings.len() - FINDINGS) " more" }))
                }
                @for (words, texts, rest) in words::exceptions(row, true, words::EXCEPTIONS) {
                    (detail("Except", &html! { "what is " (words) ": " (several(&texts, rest)) }))
                }
                (detail("Fingerprint", &html! { span.print { (write::name(&row.fingerprint)) } }))
            }
            details {
                summary { "Details" @if let Some(who) = words::who(row) { ": " (who) } }
                dl {
                    (who(row))
                    (admitted(row, writer))
                }
            }
        }
    }
}

fn several(texts: &[String], rest: usize) -> Markup {
    html! {
        @for (index, text) in texts.iter().enumerate() {
            @if index > 0 { "; " }
            (write::name(text))
        }
        @if rest > 0 { "; and " (rest) " more" }
    }
}

/// The standing in a word, and a space behind it.
pub fn badge(standing: &Standing) -> Markup {
    html! {
        @match standing {
            Standing::Silent => {},
            Standing::Blocks(what) => { span.standing { (what) } " " },
            Standing::Accepted(_) => { span.standing { "waived" } " " },
        }
    }
}

/// What opens, as people say it.
fn heading(card: &Card<'_>) -> Markup {
    let row = card.row;
    html! {
        h3 {
            span.number { (card.number) } " "
            span.severity.(row.severity.as_str()) { (row.severity.as_str()) } " "
            (badge(&card.standing))
            (ends(row))
        }
    }
}

/// From, to and ports.
fn ends(row: &Row) -> Markup {
    html! {
        span.ends {
            span.end { (write::name(&row.from.text)) }
            span.way {
                span.arrow { " → " }
            }
            span.end { (write::name(&row.to.text)) }
            span.ports { " on " (write::name(&ports::words(&row.ports))) }
        }
    }
}

/// A named line of a card.
pub fn detail(label: &str, content: &Markup) -> Markup {
    html! { div { dt { (label) } dd { (content) } } }
}

fn causes(causes: &[Cause], writer: Writer<'_>) -> Markup {
    let rest = causes.len().saturating_sub(CAUSES);
    html! {
        @for cause in causes.iter().take(CAUSES) {
            p { (writer.phrase(&words::cause(cause))) ", " (writer.place(&cause.location)) }
        }
        @if rest > 0 { p { "and " (words::count(rest, "more edit", "more edits")) } }
    }
}

fn example(row: &Row) -> Markup {
    let witness = &row.witness;
    html! {
        (write::name(&witness.from)) (words::listed(witness.from_inventory.as_ref()))
        " → "
        (write::name(&witness.to)) (words::listed(witness.to_inventory.as_ref()))
        ", " (witness.protocol) "/" (witness.port)
    }
}

/// Which declared workloads take part; the summary above tells of the others.
fn who(row: &Row) -> Markup {
    let end = |peers: &Peers| words::declared(peers).filter(|declared| declared.count > 0);
    html! {
        @for (label, peers) in [("From", &row.from), ("To", &row.to)] {
            @if let Some(declared) = end(peers) {
                (detail(label, &html! {
                    (words::count(declared.count, "declared workload", "declared workloads"))
                    @if !declared.sample.is_empty() {
                        ": " (write::names(&declared.sample, NAMES, declared.count))
                    }
                }))
            }
        }
    }
}

/// Why the example may pass. Lines that a cause has just named need not be read twice.
fn admitted(row: &Row, writer: Writer<'_>) -> Markup {
    let ends =
        [("Leaves", &row.admitted_by.egress, false), ("Enters", &row.admitted_by.ingress, true)];
    html! {
        @for (label, end, ingress) in ends {
            (detail(label, &writer.phrase(&admission(row, end, ingress))))
        }
    }
}

fn admission(row: &Row, end: &Admission, ingress: bool) -> Phrase {
    let mut phrase = words::admission(end, ingress);
    if let Admission::Rule(rule) = end
        && row.causes.iter().any(|cause| cause.location == rule.location)
    {
        phrase.truncate(phrase.len().saturating_sub(2));
    }
    phrase
}

/// Everything that closed, folded away.
pub fn closed(report: &Report, writer: Writer<'_>) -> Markup {
    let several = words::several(report);
    let rows: Vec<(Option<Phrase>, &Row)> = report
        .environments
        .iter()
        .flat_map(|each| {
            each.closed.iter().enumerate().map(move |(index, row)| {
                ((several && index == 0).then(|| words::environment(each)), row)
            })
        })
        .collect();
    if rows.is_empty() {
        return html! {};
    }
    let item = |(environment, row): &(Option<Phrase>, &Row), whole: bool| {
        html! {
            @if let Some(environment) = environment {
                p.environment { "In " (writer.phrase(environment)) }
            }
            article.card.closed {
                h3 { (ends(row)) }
                @if let Some(assumes) = row.assumes { p { (words::assumption(assumes)) } }
                @if whole { div.why { (causes(&row.causes, writer)) } }
            }
        }
    };
    let (shown, rest) = fit(share::CLOSED, &rows, |row| item(row, true), |row| item(row, false));
    let count = words::count(rows.len(), "path", "paths");
    let summary = format!("Closed: {count} allowed before, not now");
    fold("closed", &summary, &html! { (shown) (more(rest)) })
}
