//! The Markdown body of a review comment, in the order of what a reviewer needs.

mod body;
mod finding;
mod gate;
mod note;
mod row;

use super::{mermaid, unread, untrusted, words};
use crate::gate::Gate;
use crate::report::merged::merged;
use crate::report::ports;
use crate::report::{
    Change, Environment, Hides, Inventory, Location, NotEvaluated, Report, Severity, Verdict,
};
use body::{Body, Item};
use unread::Scope;
use words::{Phrase, Piece};

pub use body::{LIMIT, RESERVED};
pub use gate::line as gate_line;
pub use note::{Note, on_lines};

/// Makes the URL of some lines, where there is one. Only `https` ones are used.
pub type Link<'a> = &'a dyn Fn(&Location) -> Option<String>;

/// What the comment can use besides the report.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Links for places; without it they are shown as `file:12-18`.
    pub link: Option<Link<'a>>,
    /// Whether the check passes, with the waivers.
    pub gate: Option<&'a Gate>,
    /// What the reader has to know about how the report came about; each is a sentence.
    pub notes: &'a [Phrase],
    /// Something had opened here, and nothing does any more.
    pub resolved: bool,
}

/// How many bytes each section may use; together they stay under [`LIMIT`].
mod share {
    pub const OPENED: usize = 25_000;
    pub const FINDINGS: usize = 6_000;
    pub const NOT_EVALUATED: usize = 8_000;
    pub const WAIVERS: usize = 3_000;
    pub const NOTES: usize = 2_000;
    pub const WITHOUT_EFFECT: usize = 2_000;
    pub const REACH: usize = 3_000;
    pub const PICTURE: usize = 5_000;
    pub const CLOSED: usize = 4_000;
    pub const CONNECTIONS: usize = 3_000;
    pub const INVENTORY: usize = 1_000;
}

/// How many places of one group of entries are shown.
const PLACES: usize = 5;

/// The body, at most [`LIMIT`] less [`RESERVED`] bytes.
pub fn report(report: &Report, options: &Options<'_>) -> String {
    let report = &merged(report);
    let mut body = Body::default();
    head(&mut body, report, options);
    let several = words::several(report);
    let writer = Writer { options };
    opened(&mut body, report, writer, several);
    findings(&mut body, report, writer, several);
    not_evaluated(&mut body, &report.not_evaluated);
    if let Some(gate) = options.gate {
        gate::waivers(&mut body, gate);
    }
    without_effect(&mut body, report);
    reach(&mut body, report, writer, several);
    picture(&mut body, report);
    closed(&mut body, report, writer, several);
    connections(&mut body, report);
    inventory(&mut body, report);
    foot(&mut body, report);
    body.finish()
}

/// A phrase, with places as they are without links.
pub fn phrase(phrase: &Phrase) -> String {
    Writer { options: &Options::default() }.phrase(phrase)
}

/// Everything about the opened rows and the findings that count whose fingerprint begins so, at most a share of a comment.
/// `None` where there are none.
pub fn explained(report: &Report, fingerprint: &str, options: &Options<'_>) -> Option<String> {
    let report = &merged(report);
    let writer = Writer { options };
    let items = items(report, writer, words::several(report), |environment| {
        let Environment { opened, findings, .. } = environment;
        let rows = opened.iter().filter(|row| row.fingerprint.starts_with(fingerprint));
        let own = findings.iter().filter(|finding| finding.introduced);
        let own = own.filter(|finding| finding.fingerprint.starts_with(fingerprint));
        rows.map(|row| row::opened(row, findings, writer))
            .chain(own.map(|each| finding::item(each, false, writer)))
            .collect()
    });
    if items.is_empty() {
        return None;
    }
    let mut body = Body::default();
    body.section(share::OPENED, "", &items, more, "");
    Some(body.finish())
}

fn head(body: &mut Body, report: &Report, options: &Options<'_>) {
    let worst = report.environments.iter().flat_map(|e| &e.opened).map(|row| row.severity).max();
    let sign = match (report.result, worst) {
        (Verdict::Widened, Some(worst)) => sign(worst),
        (Verdict::Widened | Verdict::Unknown, _) => "⚠️",
        (Verdict::Narrowed | Verdict::Unchanged, _) => {
            let findings = report.environments.iter().flat_map(|e| &e.findings);
            let introduced = findings.filter(|finding| finding.introduced);
            introduced.map(|finding| finding.severity).max().map_or("✅", sign)
        }
    };
    let verdict = words::capital(&words::verdict(report));
    let resolved = if options.resolved { "Resolved, nothing opens any more: " } else { "" };
    body.put(&format!("### {sign} {resolved}{verdict}\n\n"));
    if let Some(gate) = options.gate {
        body.put(&format!("{}\n\n", gate::line(gate)));
    }
    let sides = [&report.before, &report.after].map(|side| {
        let commit = side.commit.as_deref().unwrap_or("");
        let short: String = commit.chars().take(7).collect();
        match (side.name.is_empty(), short.is_empty()) {
            (true, true) => None,
            (false, true) => Some(untrusted::markdown(&side.name)),
            (true, false) => Some(untrusted::markdown(&short)),
            (false, false) if commit.starts_with(&side.name) => Some(untrusted::markdown(&short)),
            (false, false) => Some(format!(
                "{} ({})",
                untrusted::markdown(&side.name),
                untrusted::markdown(&short)
            )),
        }
    });
    if let [Some(before), Some(after)] = sides {
        body.put(&format!("<sub>{before} → {after}</sub>\n\n"));
    }
    let writer = Writer { options };
    let notes = options.notes.iter();
    let notes: Vec<Item> =
        notes.map(|note| Item::new(format!("> {}\n>\n", writer.phrase(note)))).collect();
    if !notes.is_empty() {
        body.section(share::NOTES, "> [!NOTE]\n", &notes, more, "\n");
    }
    if let Some(warning) = words::warning(report) {
        body.put(&format!(
            "> [!WARNING]\n> **{}.** See \"Not evaluated\".\n\n",
            words::capital(&warning)
        ));
    }
}

/// A coloured sign for a severity, beside its name.
fn sign(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "🛑",
        Severity::High => "🔴",
        Severity::Medium => "🟠",
        Severity::Low => "🟡",
        Severity::Info => "⚪",
    }
}

/// Writes phrases, with links where there are any.
#[derive(Clone, Copy)]
struct Writer<'a> {
    options: &'a Options<'a>,
}

impl Writer<'_> {
    fn phrase(self, phrase: &Phrase) -> String {
        let mut out = String::new();
        for piece in phrase {
            match piece {
                Piece::Words(words) => out.push_str(words),
                Piece::Text(text) => out.push_str(text),
                Piece::Count(count) => out.push_str(&count.to_string()),
                Piece::Name(name) => out.push_str(&untrusted::markdown(name)),
                Piece::Place(location) => out.push_str(&self.place(location)),
            }
        }
        out
    }

    fn place(self, location: &Location) -> String {
        let code = untrusted::markdown(&words::place(location));
        let url = self.options.link.and_then(|link| link(location));
        let place = match url.and_then(|url| untrusted::link_target(&url)) {
            Some(url) => format!("[{code}](<{url}>)"),
            None => code,
        };
        match location.side {
            crate::report::Side::Before => format!("{place} (before the change)"),
            _ => place,
        }
    }
}

/// The rows of one kind of all environments, with the environment's name where there are several.
fn items(
    report: &Report,
    writer: Writer<'_>,
    several: bool,
    rows: impl Fn(&Environment) -> Vec<Item>,
) -> Vec<Item> {
    let mut all = Vec::new();
    for environment in &report.environments {
        let rows = rows(environment);
        if several && !rows.is_empty() {
            let name = writer.phrase(&words::environment(environment));
            all.push(Item::new(format!("**In {name}:**\n\n")));
        }
        all.extend(rows);
    }
    all
}

fn opened(body: &mut Body, report: &Report, writer: Writer<'_>, several: bool) {
    let items = items(report, writer, several, |environment| {
        let Environment { opened, findings, .. } = environment;
        opened.iter().map(|row| row::opened(row, findings, writer)).collect()
    });
    if !items.is_empty() {
        body.section(share::OPENED, "#### Opened: allowed now, not before\n\n", &items, more, "\n");
    }
}

fn findings(body: &mut Body, report: &Report, writer: Writer<'_>, several: bool) {
    let items = items(report, writer, several, |environment| {
        let introduced = environment.findings.iter().filter(|finding| finding.introduced);
        let own = introduced.filter(|finding| finding.row.is_none());
        words::once(own).map(|(each, above)| finding::item(each, above, writer)).collect()
    });
    if !items.is_empty() {
        let before = "#### Findings: least-privilege rules that this change breaks\n\n";
        body.section(share::FINDINGS, before, &items, more, "\n");
    }
    if let Some(older) = words::older(report) {
        body.put(&format!("<sub>{older}</sub>\n\n"));
    }
}

fn closed(body: &mut Body, report: &Report, writer: Writer<'_>, several: bool) {
    let items = items(report, writer, several, |environment| {
        environment.closed.iter().map(|row| row::closed(row, writer)).collect()
    });
    if items.is_empty() {
        return;
    }
    let total: usize = report.environments.iter().map(|e| e.closed.len()).sum();
    let before =
        fold(&format!("Closed: {} allowed before, not now", words::count(total, "path", "paths")));
    body.section(share::CLOSED, &before, &items, more, FOLD_END);
}

fn not_evaluated(body: &mut Body, entries: &[NotEvaluated]) {
    if entries.is_empty() {
        return;
    }
    let groups = unread::group(entries);
    let mut items = Vec::new();
    let mut last = None;
    for group in &groups {
        let mut heading = String::new();
        if last != Some(group.hides) {
            let words = unread::heading(entries, group.hides, Scope::Change);
            heading = match group.hides {
                Hides::Widening => format!("⚠️ **{words}:**\n\n"),
                Hides::Flow | Hides::Nothing => format!("\n{words}:\n\n"),
            };
            last = Some(group.hides);
        }
        let reason = untrusted::markdown(group.reason);
        let times = group.entries.len();
        let short = format!("{heading}- {times} times: {reason}\n");
        let places = group.entries.iter().take(PLACES).map(|entry| entry_text(entry));
        let places: Vec<String> = places.collect();
        let places = places.join(", ");
        let full = match times {
            1 => format!("{heading}- {places}\n  <br>{reason}\n"),
            2..=PLACES => format!("{heading}- {times} times: {reason}\n  <br>{places}\n"),
            _ => format!(
                "{heading}- {times} times: {reason}\n  <br>{places} and {} more\n",
                times - PLACES
            ),
        };
        items.push(Item { full, short });
    }
    let more = |rest| format!("- and {rest} more reasons: {}\n", words::ELSEWHERE);
    body.section(share::NOT_EVALUATED, "#### Not evaluated\n\n", &items, more, "\n");
}

fn entry_text(entry: &NotEvaluated) -> String {
    let mut text = untrusted::markdown(&unread::place(entry));
    if let Some(object) = unread::object(entry) {
        text.push_str(&format!(" {}", untrusted::markdown(&object)));
    }
    if let Some(side) = unread::side(entry) {
        text.push_str(&format!(" ({side})"));
    }
    if let Some(environments) = unread::environments(&entry.environments) {
        text.push_str(&format!(", in {}", untrusted::markdown(&environments)));
    }
    text
}

fn without_effect(body: &mut Body, report: &Report) {
    let edits = report.environments.iter().flat_map(|e| &e.summary.without_effect);
    let items: Vec<Item> =
        edits.map(|edit| Item::new(format!("- {}\n", untrusted::markdown(edit)))).collect();
    if !items.is_empty() {
        let before = "#### Without effect: edits that change no path\n\n";
        body.section(share::WITHOUT_EFFECT, before, &items, more, "\n");
    }
}

fn reach(body: &mut Body, report: &Report, writer: Writer<'_>, several: bool) {
    let mut items = Vec::new();
    for environment in &report.environments {
        for (workload, figures) in words::reach(&environment.summary) {
            let mut workload = untrusted::markdown(workload);
            if several {
                workload
                    .push_str(&format!(" in {}", writer.phrase(&words::environment(environment))));
            }
            items.push(Item::new(format!("- {workload}: {figures}\n")));
        }
    }
    if !items.is_empty() {
        let before = fold("Reach: from how many declared workloads, on any port");
        body.section(share::REACH, &before, &items, more, FOLD_END);
    }
}

fn picture(body: &mut Body, report: &Report) {
    if let Some(picture) = mermaid::report(report) {
        let before = fold("Picture of what opened");
        let text = format!("{before}```mermaid\n{picture}```\n{FOLD_END}");
        if text.len() <= share::PICTURE {
            body.put(&text);
        }
    }
}

fn connections(body: &mut Body, report: &Report) {
    let mut changes = report.environments.iter().filter_map(|e| e.connections.as_ref());
    if report.environments.iter().all(|e| e.connections.is_none()) {
        return;
    }
    let items: Vec<Item> =
        changes.by_ref().flatten().map(|change| Item::new(connection(change))).collect();
    let before = fold(&match items.len() {
        0 => "Connections of declared workloads: none differs".to_owned(),
        count => format!("Connections of declared workloads: {count} differ"),
    });
    body.section(share::CONNECTIONS, &before, &items, more, FOLD_END);
}

fn connection(change: &Change) -> String {
    let ports = |ports: &[_]| match ports {
        [] => "nothing".to_owned(),
        ports => untrusted::markdown(&ports::words(ports)),
    };
    format!(
        "- {} → {}: {}, before: {}\n",
        untrusted::markdown(&words::endpoint(&change.source)),
        untrusted::markdown(&words::endpoint(&change.destination)),
        ports(&change.after),
        ports(&change.before),
    )
}

fn inventory(body: &mut Body, report: &Report) {
    let line = |source: &Inventory| {
        let [before, behind] = words::inventory(source);
        let name = untrusted::markdown(&source.file);
        Item::new(format!("- {}{name}{behind}\n", words::capital(&before)))
    };
    let items: Vec<Item> = report.inventory.iter().map(line).collect();
    if !items.is_empty() {
        body.section(share::INVENTORY, "#### Declared elsewhere\n\n", &items, more, "\n");
    }
}

fn foot(body: &mut Body, report: &Report) {
    let command = words::command(report);
    let before = fold("Run it yourself");
    body.put(&format!("{before}```sh\n{command}\n```\n{FOLD_END}"));
    body.put(&format!(
        "<sub>{} {}, read on both sides together: {}</sub>\n",
        report.tool.name,
        report.tool.version,
        words::read(&report.read),
    ));
}

const FOLD_END: &str = "\n</details>\n\n";

/// Opens a fold. The summary is HTML, so it never holds text out of manifests.
fn fold(summary: &str) -> String {
    format!("<details><summary>{summary}</summary>\n\n")
}

fn more(rest: usize) -> String {
    format!("- and {rest} more: {}\n", words::ELSEWHERE)
}
