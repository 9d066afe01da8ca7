//! GitHub's workflow commands: annotations beside lines, out of the log of a job.

use super::annotation::{self, About, Annotation};
use super::{unread, untrusted, words};
use crate::gate::Gate;
use crate::report::merged::merged;
use crate::report::{Hides, Report, Severity};

/// How many annotations of each level GitHub shows for one step.
pub const SHOWN: usize = 10;

/// GitHub's levels, the worst first.
const LEVELS: [&str; 3] = ["error", "warning", "notice"];

/// An annotation for each opened row, each introduced finding and each entry that hides a widening, at most
/// [`SHOWN`] of each level, and then in plain lines how many more there are, the verdict, and what else was not
/// evaluated. With a gate, rows that a waiver covers are notices.
///
/// Our own words hold no `%` and no line break, so that only names have to be escaped.
pub fn report(report: &Report, gate: Option<&Gate>) -> String {
    let report = &merged(report);
    let mut out = String::new();
    let mut written = [0_usize; LEVELS.len()];
    for annotation in annotation::annotations(report, gate) {
        let level = level(&annotation.about);
        for (name, count) in LEVELS.iter().zip(&mut written) {
            if *name == level {
                *count += 1;
                if *count <= SHOWN {
                    out.push_str(&command(level, &annotation));
                }
            }
        }
    }
    let more = LEVELS.iter().zip(written).filter(|(_, count)| *count > SHOWN);
    let more: Vec<String> =
        more.map(|(level, count)| format!("{} of level {level}", count - SHOWN)).collect();
    if !more.is_empty() {
        out.push_str(&format!(
            "netpol-review: and more annotations than GitHub shows: {}; the other formats have all\n",
            more.join(", ")
        ));
    }
    for hides in [Hides::Flow, Hides::Nothing] {
        if words::hiding(&report.not_evaluated, hides) > 0 {
            let heading = unread::heading(&report.not_evaluated, hides, unread::Scope::Change);
            out.push_str(&format!("netpol-review: not evaluated: {heading}\n"));
        }
    }
    out.push_str(&format!("netpol-review: {}\n", words::verdict(report)));
    out
}

fn level(about: &About<'_>) -> &'static str {
    match (about.waiver(), about.severity()) {
        (Some(_), _) => "notice",
        (None, Some(severity)) if severity >= Severity::High => "error",
        (None, Some(Severity::Medium) | None) => "warning",
        (None, Some(_)) => "notice",
    }
}

fn command(level: &str, annotation: &Annotation<'_>) -> String {
    let place = &annotation.place;
    let title: String = match annotation.about {
        about if about.waiver().is_some() => "netpol-review - accepted".into(),
        About::Opened { .. } => "netpol-review - opened".into(),
        About::Finding { finding, .. } => format!("netpol-review - {}", finding.rule),
        About::Hidden(_) => "netpol-review - not evaluated".into(),
    };
    format!(
        "::{level} file={},line={},endLine={},title={title}::{}\n",
        untrusted::command_property(&place.file),
        place.start_line,
        place.end_line,
        annotation::text(&annotation.sentences, "%0A", untrusted::command_text),
    )
}
