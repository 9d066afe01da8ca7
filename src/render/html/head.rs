//! What is seen first: the verdict, whether the check passes, the figures, what was compared.

use super::write::{self, Writer};
use crate::gate::Gate;
use crate::render::words;
use crate::report::{Report, Severity, Verdict};
use maud::{Markup, html};

/// How the page begins to look: a severity's name, `unknown`, or `calm`.
fn tone(report: &Report) -> &'static str {
    let rows = report.environments.iter().flat_map(|each| &each.opened).map(|row| row.severity);
    let findings = report.environments.iter().flat_map(|each| &each.findings);
    let introduced = findings.filter(|finding| finding.introduced).map(|finding| finding.severity);
    match report.result {
        Verdict::Widened => rows.max().map_or("unknown", Severity::as_str),
        Verdict::Unknown => "unknown",
        Verdict::Narrowed | Verdict::Unchanged => introduced.max().map_or("calm", Severity::as_str),
    }
}

/// `OWNER/NAME #42`.
fn subject(writer: Writer<'_>) -> String {
    let about = writer.about;
    match about.number {
        Some(number) => format!("{} #{number}", about.repository),
        None => about.repository.clone(),
    }
}

/// What the window is called.
pub fn title(report: &Report, writer: Writer<'_>) -> Markup {
    let subject = subject(writer);
    html! { (words::capital(&words::verdict(report))) " · " (write::raw(&subject)) }
}

/// The head of the page.
pub fn head(report: &Report, gate: Option<&Gate>, writer: Writer<'_>) -> Markup {
    let about = writer.about;
    let verdict = words::verdict(report);
    let (word, figures) = verdict.split_once(": ").unwrap_or((&verdict, ""));
    let subject = subject(writer);
    let link = about.number.and_then(|number| writer.at(&format!("/pull/{number}")));
    html! {
        header {
            p.subject {
                @match link.or_else(|| writer.at("")) {
                    Some(link) => a href=(link) { (write::raw(&subject)) },
                    None => (write::raw(&subject)),
                }
                @if let Some(title) = &about.title { " " span.title { (write::raw(title)) } }
            }
            div class={ "banner " (tone(report)) } {
                h1 {
                    span.verdict { (words::capital(word)) }
                    @if !figures.is_empty() { span.hidden { ": " } span.figures { (figures) } }
                }
                @if let Some(warning) = words::warning(report) {
                    p { strong { (words::capital(&warning)) "." } " " a href="#not-evaluated" { "What was not" } }
                }
                @if let Some(gate) = gate { (decided(gate)) }
            }
            (counts(report, gate))
            p.compared {
                (write::name_of_side(&report.before.name)) (writer.commit(&about.base))
                " → "
                (write::name_of_side(&report.after.name)) (writer.commit(&about.head))
                @if !about.made.is_empty() { ", made " (write::raw(&about.made)) }
            }
            @for note in &about.notes { p.note { (writer.phrase(note)) } }
        }
    }
}

fn decided(gate: &Gate) -> Markup {
    let words::Decided { what, why, .. } = words::decided(gate);
    html! { p.gate { strong { (what) } ": " (why) } }
}

/// A figure that leads to its part of the page.
struct Figure {
    id: &'static str,
    count: usize,
    what: &'static str,
    detail: String,
    class: &'static str,
}

fn counts(report: &Report, gate: Option<&Gate>) -> Markup {
    let totals = words::Totals::of(report);
    let severities = totals.by_severity.iter().filter(|(count, _)| *count > 0);
    let severities: Vec<String> =
        severities.map(|(count, name)| format!("{count} {name}")).collect();
    let older = report.environments.iter().flat_map(|each| &each.findings);
    let older = older.filter(|finding| !finding.introduced).count();
    let hiding = match totals.hides_widening {
        0 => String::new(),
        count => format!("{count} could hide a widening"),
    };
    let figure = |id, count, what, detail| Figure { id, count, what, detail, class: "" };
    let mut figures = vec![
        Figure {
            class: if totals.opened > 0 { "high" } else { "" },
            ..figure("opened", totals.opened, "opened", severities.join(", "))
        },
        figure("closed", totals.closed, "closed", String::new()),
        figure(
            "findings",
            totals.findings,
            if totals.findings == 1 { "finding" } else { "findings" },
            if older > 0 { format!("{older} older") } else { String::new() },
        ),
        Figure {
            class: if totals.hides_widening > 0 { "unknown" } else { "" },
            ..figure("not-evaluated", report.not_evaluated.len(), "not evaluated", hiding)
        },
    ];
    if let Some(gate) = gate.filter(|gate| !gate.waived.is_empty() || !gate.expired.is_empty()) {
        let detail = match gate.expired.len() {
            0 => String::new(),
            count => format!("{count} expired"),
        };
        figures.push(figure("waivers", gate.waived.len(), "waived", detail));
    }
    // A finding under its row has no place of its own.
    let told = |figure: &Figure| match figure.id {
        "findings" => super::finding::has_introduced(report),
        "waivers" => true,
        _ => figure.count > 0,
    };
    html! {
        nav aria-label="Figures" {
            ul.counts {
                @for each in &figures {
                    li.(each.class).none[each.count == 0] {
                        @if told(each) {
                            a href={ "#" (each.id) } { (inside(each)) }
                        } @else {
                            div { (inside(each)) }
                        }
                    }
                }
            }
        }
    }
}

fn inside(figure: &Figure) -> Markup {
    html! {
        span.count { (figure.count) } " " span.what { (figure.what) }
        @if !figure.detail.is_empty() { " " span.detail { (figure.detail) } }
    }
}
