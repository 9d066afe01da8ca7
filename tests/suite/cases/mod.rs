//! The cases of tests/cases/cases.yaml: a change and everything that it opens and closes.
//!
//! Whatever computes a table of declared ends is held to the same cases: see [`check`].

pub mod brute;
mod expect;
pub mod fixture;
pub mod table;

use fixture::Spelling;
use netpol_review::config::Config;
use netpol_review::parse::{Affects, parse_both};
use netpol_review::tree::Tree;
use serde_json::{Value, json};
use table::Row;

/// Computes the table of two trees. Pairs that do not differ may be left out.
pub type Differ = fn(before: &Tree, after: &Tree) -> Vec<Row>;

/// Cases about kinds of policy that are not modelled yet.
const WAITING: [&str; 16] = [
    "ANP-01", "ANP-02", "ANP-04", "ANP-05", "ANP-07", "ANP-08", "ANP-10", "ANP-11", "ANP-13",
    "ANP-14", "ANP-16", "ANP-17", "CNP-01", "CNP-02", "CNP-04", "CNP-05",
];

fn file() -> Value {
    let text = include_str!("../../cases/cases.yaml");
    serde_saphyr::from_str(text).expect("cases.yaml is YAML")
}

fn strings(value: &Value) -> Vec<String> {
    let strings = value.as_array().into_iter().flatten();
    strings.map(|string| string.as_str().expect("a string").to_string()).collect()
}

/// Holds a differ to every case, in either spelling, and says all that is wrong at once.
pub fn check(differ: Differ) {
    let file = file();
    let (mut wrong, mut checked, mut waiting) = (String::new(), 0, vec![]);
    for case in file["cases"].as_array().expect("cases") {
        let id = case["id"].as_str().expect("an id");
        if WAITING.contains(&id) {
            waiting.push(id);
            continue;
        }
        checked += 1;
        let workloads = fixture::workloads(&file["fixture"], case);
        let expected =
            expect::rows(&strings(&case["opened"]), &strings(&case["closed"]), &workloads);
        for spelling in [Spelling::Yaml, Spelling::JsonList] {
            let (before, after) = fixture::trees(&file["fixture"], case, spelling);
            let differences =
                table::differences(&table::without_kinds(differ(&before, &after)), &expected);
            if !differences.is_empty() {
                wrong += &format!("{id} ({}) as {spelling:?}:\n{differences}", case["title"]);
            }
        }
    }
    say(&format!(
        "{checked} cases, {} waiting for their kinds of policy: {waiting:?}",
        waiting.len()
    ));
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(waiting.len(), WAITING.len(), "a waiting case is gone");
}

#[allow(clippy::print_stdout, reason = "tells a person how much was checked")]
fn say(text: &str) {
    println!("{text}");
}

#[test]
fn the_specification_answers_every_case() {
    check(brute::table);
}

/// The concrete table of a report is as exact as the specification.
#[test]
fn a_report_answers_every_case() {
    check(reported);
}

/// The concrete table of a report.
pub fn reported(before: &Tree, after: &Tree) -> Vec<Row> {
    let config = Config { connections: true, ..Config::default() };
    let report = netpol_review::review(before, after, &config);
    let tables = report.environments.iter().flat_map(|environment| &environment.connections);
    tables.flat_map(|table| table::rows_of_changes(table)).collect()
}

/// What the API server refuses (V1-V10) is said, with a line, and never guessed around.
#[test]
fn refused_manifests_are_no_policies() {
    let file = file();
    let mut wrong = vec![];
    for reject in file["rejects"].as_array().expect("rejects") {
        let policy = json!({"name": "p", "spec": reject["spec"]});
        let tree = fixture::single(&fixture::network_policy(&policy));
        let (parsed, _) = parse_both(&tree, &tree, &Config::default());
        let said = parsed.problems.iter().any(|problem| {
            problem.line.is_some() && problem.affects == Affects::Namespace("a".into())
        });
        if !said || !parsed.cluster.policies.is_empty() {
            wrong.push(format!("{} ({}): {parsed:#?}", reject["id"], reject["why"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
