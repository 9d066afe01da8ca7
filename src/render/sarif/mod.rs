//! SARIF 2.1.0: one result for each opened row, for each introduced finding and for each entry that hides a
//! widening.
//!
//! The types of `serde-sarif` are the schema; `.ci/sarif.sh` holds the output to the published one.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location as SarifLocation, Message, Notification,
    PhysicalLocation, PropertyBag, Region, Result as SarifResult, ResultLevel, Run,
    RunAutomationDetails, Sarif, Suppression, Tool, ToolComponent,
};

use super::annotation::{self, About, Annotation};
use super::words::Phrase;
use super::{unread, untrusted};
use crate::gate::Gate;
use crate::report::merged::merged;
use crate::report::{Hides, Location, Report, Severity};

/// The published schema.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// GitHub refuses a run with more results.
pub const MOST_RESULTS: usize = 25_000;

/// What paths are relative to.
const ROOT: &str = "%SRCROOT%";

/// The key of the fingerprints; the number changes when the same row would get another one.
const FINGERPRINT: &str = "netpolReview/v1";

/// The whole log, indented. With a gate, rows that a waiver covers are suppressed results.
pub fn report(report: &Report, gate: Option<&Gate>) -> String {
    let report = &merged(report);
    let annotations = annotation::annotations(report, gate);
    let used: BTreeSet<&str> = annotations
        .iter()
        .filter_map(|annotation| match annotation.about {
            About::Finding { finding, .. } => Some(finding.rule),
            About::Opened { .. } | About::Hidden(_) => None,
        })
        .collect();
    let results = annotations.iter().take(MOST_RESULTS).map(|annotation| result(annotation, &used));
    let results: Vec<SarifResult> = results.collect();
    let left_out = annotations.len() - results.len();
    let driver = ToolComponent::builder()
        .name(report.tool.name)
        .version(report.tool.version)
        .semantic_version(report.tool.version)
        .information_uri(env!("CARGO_PKG_REPOSITORY"))
        .rules(rules::all(&used))
        .build();
    let root =
        ArtifactLocation::builder().description(message("The root of what was compared.".into()));
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .automation_details(RunAutomationDetails::builder().id("netpol-review/").build())
        .original_uri_base_ids(BTreeMap::from([(ROOT.to_owned(), root.build())]))
        .invocations(vec![invocation(report, left_out)])
        .results(results)
        .build();
    let log = Sarif::builder().schema(SCHEMA).version(json!("2.1.0")).runs(vec![run]).build();
    pretty(&log)
}

fn pretty(log: &impl Serialize) -> String {
    let mut json = serde_json::to_string_pretty(log)
        .expect("derived serializers with string keys have nothing that can fail");
    json.push('\n');
    untrusted::json(&json)
}

fn result(annotation: &Annotation<'_>, used: &BTreeSet<&str>) -> SarifResult {
    let rule = match annotation.about {
        About::Finding { finding, .. } => finding.rule,
        about => about.kind().map_or(rules::NOT_EVALUATED, rules::id),
    };
    let mut text = annotation::text(&annotation.sentences, ". ", untrusted::sarif);
    text.push('.');
    let related: Vec<SarifLocation> = (1..)
        .zip(&annotation.related)
        .map(|(id, (place, phrase))| location(place, Some((id, phrase))))
        .collect();
    let mut result = SarifResult::builder()
        .rule_id(rule)
        .rule_index(rules::index(rule, used))
        .level(level(annotation.about.severity()))
        .message(message(text))
        .locations(vec![location(&annotation.place, None)])
        .build();
    if !related.is_empty() {
        result.related_locations = Some(related);
    }
    let about = annotation.about;
    if let (Some((environment, fingerprint)), Some(severity)) = (about.identity(), about.severity())
    {
        let fingerprint = (FINGERPRINT.to_owned(), fingerprint.to_owned());
        result.partial_fingerprints = Some(BTreeMap::from([fingerprint]));
        result.properties = Some(properties(&[
            ("environment", environment),
            ("security-severity", score(severity)),
            ("severity", severity.as_str()),
        ]));
        // An empty list says that nothing suppresses the result, no list that nobody has looked.
        result.suppressions = about.waiver().map(|waiver| {
            let justification = annotation::write(&annotation::accepted(waiver), untrusted::sarif);
            let accepted = Suppression::builder().kind(json!("external")).status(json!("accepted"));
            vec![accepted.justification(justification).build()]
        });
    }
    result
}

fn level(severity: Option<Severity>) -> ResultLevel {
    match severity {
        Some(Severity::Critical | Severity::High) => ResultLevel::Error,
        Some(Severity::Medium) | None => ResultLevel::Warning,
        Some(Severity::Low | Severity::Info) => ResultLevel::Note,
    }
}

/// A number in the range that GitHub calls by the severity's name.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.5",
        Severity::Info => "0.0",
    }
}

fn properties(values: &[(&str, &str)]) -> PropertyBag {
    let all: BTreeMap<String, Value> =
        values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    PropertyBag::builder().additional_properties(all).build()
}

fn message(text: String) -> Message {
    Message::builder().text(text).build()
}

/// Lines of a file; with a number and words where it is one of several.
fn location(place: &Location, related: Option<(i64, &Phrase)>) -> SarifLocation {
    let region = Region::builder()
        .start_line(i64::from(place.start_line.max(1)))
        .end_line(i64::from(place.end_line.max(place.start_line).max(1)))
        .build();
    let artifact =
        ArtifactLocation::builder().uri(untrusted::uri_path(&place.file)).uri_base_id(ROOT).build();
    let physical = PhysicalLocation::builder().artifact_location(artifact).region(region).build();
    let mut location = SarifLocation::builder().physical_location(physical).build();
    if let Some((id, phrase)) = related {
        let mut text = annotation::write(phrase, untrusted::sarif);
        if place.side == crate::report::Side::Before {
            text.push_str(" (before the change)");
        }
        location.id = Some(id);
        location.message = Some(message(text));
    }
    location
}

/// What the run itself has to say: entries that hide less than a widening, grouped by reason.
fn invocation(report: &Report, left_out: usize) -> Invocation {
    let mut notifications = Vec::new();
    for group in unread::group(&report.not_evaluated) {
        let level = match group.hides {
            // These are results.
            Hides::Widening => continue,
            Hides::Flow => "warning",
            Hides::Nothing => "note",
        };
        let meaning = unread::heading(&report.not_evaluated, group.hides, unread::Scope::Change);
        let reason = untrusted::sarif(group.reason);
        let text = format!("Not evaluated, one of {meaning}: {reason}.");
        let places = group.entries.iter().map(|entry| {
            let line = entry.line.unwrap_or(1);
            let file = entry.file.clone();
            location(&Location { side: entry.side, file, start_line: line, end_line: line }, None)
        });
        notifications.push(
            Notification::builder()
                .level(json!(level))
                .message(message(text))
                .locations(places.collect::<Vec<_>>())
                .build(),
        );
    }
    if left_out > 0 {
        let text = format!("{left_out} results were left out; the JSON format has all.");
        notifications
            .push(Notification::builder().level(json!("warning")).message(message(text)).build());
    }
    let invocation = Invocation::builder().execution_successful(true);
    invocation.tool_execution_notifications(notifications).build()
}
