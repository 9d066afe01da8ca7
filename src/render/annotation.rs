//! One text at one place: what the formats share that show a report as notes beside lines of files.
//!
//! Such a format names one file, which should exist after the change, and says the rest in words.

use std::collections::BTreeSet;

use super::unread;
use super::words::{self, Phrase, Piece};
use crate::gate::Gate;
use crate::report::ports;
use crate::report::{
    Admission, Cause, CauseKind, Environment, Finding, Hides, Location, NotEvaluated, Report, Row,
    Severity, Side,
};
use crate::settings::Waiver;

use Piece::{Count, Name, Place, Text, Words};

/// A note beside some lines.
#[derive(Clone, Debug)]
pub struct Annotation<'a> {
    /// What it is about.
    pub about: About<'a>,
    /// The lines to show it at. On the side before only where nothing after is known to be better.
    pub place: Location,
    /// Other places that belong to it, with what happened there.
    pub related: Vec<(Location, Phrase)>,
    /// What it says, one sentence an entry, without full stops.
    pub sentences: Vec<Phrase>,
}

/// What an annotation is about.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// A row that opened.
    Opened {
        /// The environment's name.
        environment: &'a str,
        /// The row.
        row: &'a Row,
        /// Who accepted it, if somebody has.
        waiver: Option<&'a Waiver>,
    },
    /// A finding that the change introduces.
    Finding {
        /// The environment's name.
        environment: &'a str,
        /// The finding.
        finding: &'a Finding,
        /// Who accepted it, if somebody has.
        waiver: Option<&'a Waiver>,
    },
    /// Something that was not evaluated and could hide a widening.
    Hidden(&'a NotEvaluated),
}

impl<'a> About<'a> {
    /// The kind of a row's main cause; nothing for anything else.
    pub fn kind(&self) -> Option<CauseKind> {
        match self {
            About::Opened { row, .. } => main_cause(row).map(|cause| cause.kind),
            About::Finding { .. } | About::Hidden(_) => None,
        }
    }

    /// The severity of a row or a finding; nothing where it was not evaluated.
    pub fn severity(&self) -> Option<Severity> {
        match self {
            About::Opened { row, .. } => Some(row.severity),
            About::Finding { finding, .. } => Some(finding.severity),
            About::Hidden(_) => None,
        }
    }

    /// Who accepted it, if somebody has.
    pub fn waiver(&self) -> Option<&'a Waiver> {
        match self {
            About::Opened { waiver, .. } | About::Finding { waiver, .. } => *waiver,
            About::Hidden(_) => None,
        }
    }

    /// Environment and fingerprint of a row or a finding.
    pub fn identity(&self) -> Option<(&'a str, &'a str)> {
        match self {
            About::Opened { environment, row, .. } => Some((environment, &row.fingerprint)),
            About::Finding { environment, finding, .. } => {
                Some((environment, &finding.fingerprint))
            }
            About::Hidden(_) => None,
        }
    }
}

/// An annotation for each opened row, for each finding that the change introduces and for each entry that hides a
/// widening, in the order of the report. With a gate, what a waiver covers says so.
pub fn annotations<'a>(report: &'a Report, gate: Option<&'a Gate>) -> Vec<Annotation<'a>> {
    let known = files_after(report);
    let several = words::several(report);
    let mut all = Vec::new();
    for environment in &report.environments {
        let rows = environment.opened.iter();
        all.extend(rows.map(|row| {
            let waiver = waiver(gate, &row.fingerprint);
            opened(environment, row, waiver, several, &known)
        }));
    }
    for environment in &report.environments {
        let findings = environment.findings.iter().filter(|finding| finding.introduced);
        all.extend(findings.map(|finding| {
            let waiver = waiver(gate, &finding.fingerprint);
            introduced(environment, finding, waiver, several)
        }));
    }
    let hiding = report.not_evaluated.iter().filter(|entry| entry.hides == Hides::Widening);
    all.extend(hiding.map(hidden));
    all
}

/// The waiver in force that covers a row or a finding.
pub fn waiver<'a>(gate: Option<&'a Gate>, fingerprint: &str) -> Option<&'a Waiver> {
    let mut waived = gate.into_iter().flat_map(|gate| &gate.waived);
    waived.find(|(_, covered)| covered == fingerprint).map(|(waiver, _)| waiver)
}

fn introduced<'a>(
    environment: &'a Environment,
    finding: &'a Finding,
    waiver: Option<&'a Waiver>,
    several: bool,
) -> Annotation<'a> {
    let mut first = vec![Words(finding.severity.as_str()), Words(": ")];
    first.extend(words::message(&finding.message));
    let mut about = vec![Words("In ")];
    about.extend(words::about(finding));
    let mut sentences = vec![first, about];
    if let Some(fix) = &finding.fix {
        let mut text = vec![Words("To mend it: ")];
        text.extend(words::fix(fix));
        sentences.push(text);
    }
    if several {
        sentences.push(vec![Words("Environment: "), Name(environment.name.clone())]);
    }
    if let Some(waiver) = waiver {
        sentences.push(accepted(waiver));
    }
    sentences.push(vec![Words("Fingerprint: "), Name(finding.fingerprint.clone())]);
    Annotation {
        about: About::Finding { environment: &environment.name, finding, waiver },
        place: finding.location.clone(),
        related: Vec::new(),
        sentences,
    }
}

/// The files that the report knows to exist after the change.
fn files_after(report: &Report) -> BTreeSet<&str> {
    let mut files = BTreeSet::new();
    for row in report.environments.iter().flat_map(|e| e.opened.iter().chain(&e.closed)) {
        let causes = row.causes.iter().map(|cause| &cause.location);
        let places = causes.chain(admissions(row).map(|(location, _)| location));
        files.extend(places.filter(|place| stands_after(place)).map(|place| place.file.as_str()));
    }
    let entries = report.not_evaluated.iter().filter(|entry| entry.side != Side::Before);
    files.extend(entries.map(|entry| entry.file.as_str()));
    files
}

fn stands_after(location: &Location) -> bool {
    location.side != Side::Before
}

/// The rules that admit a row's witness, where they stand and in words.
fn admissions(row: &Row) -> impl Iterator<Item = (&Location, Phrase)> {
    let ends = [(&row.admitted_by.ingress, true), (&row.admitted_by.egress, false)];
    ends.into_iter().filter_map(|(end, ingress)| match end {
        Admission::Rule(rule) => {
            let direction = if ingress { "ingress rule " } else { "egress rule " };
            let policy = Name(rule.policy.clone());
            let number = Count(rule.rule + 1);
            let words = vec![
                Words(direction),
                number,
                Words(" of policy "),
                policy,
                Words(" lets it through"),
            ];
            Some((&rule.location, words))
        }
        Admission::Open(_) => None,
    })
}

fn opened<'a>(
    environment: &'a Environment,
    row: &'a Row,
    waiver: Option<&'a Waiver>,
    several: bool,
    known: &BTreeSet<&str>,
) -> Annotation<'a> {
    let place = best_place(row, known);
    let mut related: Vec<(Location, Phrase)> = Vec::new();
    let causes = row.causes.iter().map(|cause| (&cause.location, words::cause(cause)));
    for (location, words) in causes.chain(admissions(row)) {
        if *location != place && related.iter().all(|(other, _)| other != location) {
            related.push((location.clone(), words));
        }
    }
    let about = About::Opened { environment: &environment.name, row, waiver };
    Annotation { about, place, related, sentences: sentences(environment, row, waiver, several) }
}

/// The first cause that stands after the change, or else the first of all.
fn main_cause(row: &Row) -> Option<&Cause> {
    let after = row.causes.iter().find(|cause| stands_after(&cause.location));
    after.or(row.causes.first())
}

/// Where the main cause stands. What was deleted has no lines after it: then the
/// file in which it was, if it is still there, or the rule that now lets the traffic through, or
/// else the file that was. Lines of the side before mean nothing after, so a file's first line
/// stands for them.
fn best_place(row: &Row, known: &BTreeSet<&str>) -> Location {
    let main = main_cause(row).map(|cause| &cause.location);
    if let Some(after) = main.filter(|place| stands_after(place)) {
        return after.clone();
    }
    let mut causes = row.causes.iter().map(|cause| &cause.location);
    let top = |place: &Location, side| Location {
        side,
        file: place.file.clone(),
        start_line: 1,
        end_line: 1,
    };
    if let Some(same_file) = causes.find(|place| known.contains(place.file.as_str())) {
        return top(same_file, Side::After);
    }
    if let Some((admitting, _)) = admissions(row).find(|(place, _)| stands_after(place)) {
        return admitting.clone();
    }
    let nowhere = Location { side: Side::Before, file: String::new(), start_line: 1, end_line: 1 };
    main.map_or(nowhere, |place| top(place, Side::Before))
}

/// How many causes are told.
const CAUSES: usize = 4;

fn sentences(
    environment: &Environment,
    row: &Row,
    waiver: Option<&Waiver>,
    several: bool,
) -> Vec<Phrase> {
    let mut all = vec![vec![
        Words(row.severity.as_str()),
        Words(": "),
        Name(row.from.text.clone()),
        Words(" -> "),
        Name(row.to.text.clone()),
        Words(" on "),
        Name(ports::words(&row.ports)),
        Words(" is allowed now, and was not before"),
    ]];
    all.extend(row.causes.iter().take(CAUSES).map(why));
    if row.causes.len() > CAUSES {
        all.push(vec![Words("And "), Count(row.causes.len() - CAUSES), Words(" more edits")]);
    }
    if let Some(assumes) = row.assumes {
        all.push(vec![Words("Opens "), Words(words::assumption(assumes))]);
    }
    if let Some(undeclared) = words::undeclared(row, true) {
        all.push(vec![Words("Note: "), Words(undeclared)]);
    }
    let witness = &row.witness;
    all.push(vec![
        Words("Example: "),
        Name(witness.from.clone()),
        Name(words::listed(witness.from_inventory.as_ref())),
        Words(" -> "),
        Name(witness.to.clone()),
        Name(words::listed(witness.to_inventory.as_ref())),
        Words(", "),
        Words(witness.protocol),
        Words("/"),
        Count(usize::from(witness.port)),
    ]);
    if several {
        all.push(vec![Words("Environment: "), Name(environment.name.clone())]);
    }
    if let Some(waiver) = waiver {
        all.push(accepted(waiver));
    }
    all.push(vec![Words("Fingerprint: "), Name(row.fingerprint.clone())]);
    all
}

fn why(cause: &Cause) -> Phrase {
    let mut phrase = vec![Words("Why: ")];
    phrase.extend(words::cause(cause));
    phrase.extend([Words(", "), Place(cause.location.clone())]);
    if !stands_after(&cause.location) {
        phrase.push(Words(" (before the change)"));
    }
    phrase
}

/// Who accepted a row, why, and until when.
pub fn accepted(waiver: &Waiver) -> Phrase {
    let mut phrase = vec![Words("Accepted")];
    if let Some(by) = &waiver.by {
        phrase.extend([Words(" by "), Name(by.clone())]);
    }
    if let Some(end) = waiver.end() {
        phrase.extend([Words(" until "), Name(end)]);
    }
    phrase.extend([Words(": "), Name(waiver.reason.clone())]);
    phrase
}

fn hidden(entry: &NotEvaluated) -> Annotation<'_> {
    let mut first = vec![Words("not evaluated: ")];
    first.extend(unread::object(entry).map(Name).or(Some(Words("this"))));
    first.push(Words(" could hide a path that this change opens"));
    if let Some(side) = unread::side(entry) {
        first.extend([Words(" ("), Words(side), Words(")")]);
    }
    let line = entry.line.unwrap_or(1);
    let place =
        Location { side: entry.side, file: entry.file.clone(), start_line: line, end_line: line };
    Annotation {
        about: About::Hidden(entry),
        place,
        related: vec![],
        sentences: vec![first, vec![Name(entry.reason.clone())]],
    }
}

/// The sentences as one text: our own words as they are, `name` makes those of manifests harmless.
pub fn text(sentences: &[Phrase], between: &str, name: fn(&str) -> String) -> String {
    let texts: Vec<String> = sentences.iter().map(|phrase| write(phrase, name)).collect();
    texts.join(between)
}

/// One phrase, as [`text`] writes it.
pub fn write(phrase: &Phrase, name: fn(&str) -> String) -> String {
    let mut out = String::new();
    for piece in phrase {
        match piece {
            Words(words) => out.push_str(words),
            Text(own) => out.push_str(own),
            Count(count) => out.push_str(&count.to_string()),
            Name(text) => out.push_str(&name(text)),
            Place(location) => out.push_str(&name(&words::place(location))),
        }
    }
    out
}
