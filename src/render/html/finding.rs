//! Findings of rules: those that the change introduces, those under rows, older ones.

use super::fit::{fit, share};
use super::row::{Standing, badge, detail, standing};
use super::write::{self, Writer};
use super::{fold, hunks, more, section};
use crate::gate::Gate;
use crate::render::words::{self, Phrase};
use crate::report::{Finding, Fix, Report};
use maud::{Markup, html};

/// How many flows that a fix closes are shown, and how many lines of what to write.
const REMOVES: usize = 6;
const LINES: usize = 80;

/// Is there a finding with a place of its own?
pub fn has_introduced(report: &Report) -> bool {
    let mut all = report.environments.iter().flat_map(|each| &each.findings);
    all.any(|finding| finding.introduced && finding.row.is_none())
}

/// What the change introduces, but for what stands under rows.
pub fn introduced(report: &Report, gate: Option<&Gate>, writer: Writer<'_>) -> Markup {
    let several = words::several(report);
    let mut items: Vec<(Option<Phrase>, &Finding, bool)> = Vec::new();
    for environment in &report.environments {
        let own = environment.findings.iter();
        let own = own.filter(|finding| finding.introduced && finding.row.is_none());
        for (index, (finding, above)) in words::once(own).enumerate() {
            let heading = (several && index == 0).then(|| words::environment(environment));
            items.push((heading, finding, above));
        }
    }
    if items.is_empty() {
        return html! {};
    }
    let item = |(environment, finding, above): &(Option<Phrase>, &Finding, bool), whole: bool| {
        html! {
            @if let Some(environment) = environment {
                p.environment { "In " (writer.phrase(environment)) }
            }
            (card(finding, gate, whole, *above, writer))
        }
    };
    let (shown, rest) =
        fit(share::FINDINGS, &items, |each| item(each, true), |each| item(each, false));
    let heading = "Findings: least-privilege rules that this change breaks";
    section("findings", heading, &html! { (shown) (more(rest)) })
}

fn card(
    finding: &Finding,
    gate: Option<&Gate>,
    whole: bool,
    above: bool,
    writer: Writer<'_>,
) -> Markup {
    let standing = standing(&finding.fingerprint, gate);
    html! {
        article.card.(finding.severity.as_str()) {
            h3 {
                span.severity.(finding.severity.as_str()) { (finding.severity.as_str()) } " "
                (badge(&standing))
                (write::rule(finding.rule))
            }
            p { (writer.phrase(&words::told(finding))) }
            dl {
                @if let Standing::Accepted(waiver) = &standing { (detail("Waiver", &writer.phrase(waiver))) }
                (detail("In", &writer.phrase(&words::about(finding))))
                @if let Some(accepted) = accepted(finding, writer) { (detail("Accepted", &accepted)) }
                @match &finding.fix {
                    Some(_) if above => (detail("To mend it", &html! { "as above" })),
                    Some(fix) => (detail("To mend it", &mend("", fix, whole, writer))),
                    None => {},
                }
                (detail("Fingerprint", &html! { span.print { (write::name(&finding.fingerprint)) } }))
            }
        }
    }
}

fn accepted(finding: &Finding, writer: Writer<'_>) -> Option<Markup> {
    let place = finding.accepted_by_change.as_ref()?;
    Some(html! {
        "by the change itself (" (writer.place(place)) "), which counts once it is merged"
    })
}

/// A finding under the row that says the same.
pub fn under_row(finding: &Finding, above: bool, writer: Writer<'_>) -> Markup {
    html! {
        p { (write::rule(finding.rule)) ", " span.print { (write::name(&finding.fingerprint)) } }
        @if let Some(accepted) = accepted(finding, writer) { p { "Accepted " (accepted) } }
        @match &finding.fix {
            Some(_) if above => p { "To mend it: as above" },
            Some(fix) => (mend("To mend it: ", fix, true, writer)),
            None => {},
        }
    }
}

/// What to do; what it closes; what to write.
fn mend(before: &str, fix: &Fix, whole: bool, writer: Writer<'_>) -> Markup {
    let removes = fix.removes.iter().take(REMOVES);
    let rest = fix.removes.len().saturating_sub(REMOVES);
    html! {
        p { (before) (writer.phrase(&words::fix(fix))) }
        @if whole {
            @for flows in removes { p { "it closes " (write::name(flows)) } }
            @if rest > 0 { p { "and closes " (rest) " more" } }
            (to_write(fix))
        }
    }
}

/// The edit of lines that stand there, or an example.
fn to_write(fix: &Fix) -> Markup {
    let example = fix.replacement.as_deref().filter(|_| fix.location.is_none());
    html! {
        @match (fix.diff.as_deref(), example) {
            (Some(edit), _) => details { summary { "What to write" } (hunks::unified(edit, LINES)) },
            (None, Some(text)) => details { summary { "What to write" } (hunks::plain(text, LINES)) },
            (None, None) => {},
        }
    }
}

/// What was there before the change, folded away.
pub fn older(report: &Report, writer: Writer<'_>) -> Markup {
    let Some(summary) = words::older(report) else {
        return html! {};
    };
    let all = report.environments.iter().flat_map(|each| &each.findings);
    let older: Vec<&Finding> = all.filter(|finding| !finding.introduced).collect();
    let item = |finding: &&Finding, whole: bool| {
        html! {
            li {
                span.severity.(finding.severity.as_str()) { (finding.severity.as_str()) } " "
                (write::rule(finding.rule))
                @if whole { ": " (writer.phrase(&words::told(finding))) }
                br;
                (writer.phrase(&words::about(finding)))
            }
        }
    };
    let (shown, rest) =
        fit(share::OLDER, &older, |each| item(each, true), |each| item(each, false));
    let content = html! { p { (words::capital(&summary)) "." } ul.plain { (shown) } (more(rest)) };
    let count = words::count(older.len(), "finding", "findings");
    fold("older", &format!("Older: {count} that the change does not introduce"), &content)
}
