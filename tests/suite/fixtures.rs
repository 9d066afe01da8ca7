//! One folder for each idea: a change, and beside it what the report has to say of it.
//!
//! `expected.txt` holds the idea, then the result, the rows, what was not evaluated and which edits are
//! without effect, one a line.

use netpol_review::config::Config;
use netpol_review::report::{Hides, Report, Row, Side, Undeclared, Verdict, ports};
use netpol_review::review;
use netpol_review::tree::Tree;
use std::fmt::Write;
use std::fs;
use std::path::Path;

fn files(folder: &Path, below: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        match entry.path() {
            path if path.is_dir() => files(&path, &format!("{name}/"), found),
            path => found.push((name, fs::read_to_string(path).expect("a text"))),
        }
    }
}

fn tree(folder: &Path) -> Tree {
    let mut found = vec![];
    files(folder, "", &mut found);
    Tree::from_texts("t", found.iter().map(|(path, text)| (path.as_str(), text.as_str())))
}

/// `kebab-case`, as JSON has it.
fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).expect("a value");
    value.as_str().expect("a word").to_string()
}

fn row(name: &str, row: &Row) -> String {
    let mut causes: Vec<String> = row
        .causes
        .iter()
        .map(|cause| {
            let what = cause.policy.as_ref().or(cause.object.as_ref()).expect("something");
            format!("{} {what}", word(&cause.kind))
        })
        .collect();
    causes.sort();
    causes.dedup();
    let undeclared = match row.undeclared {
        Undeclared::None => "none",
        Undeclared::Also => "also",
        Undeclared::Only => "only",
    };
    let assumes = row.assumes.map(|assumed| format!(" assuming {}", word(&assumed)));
    format!(
        "{name} {}: {} -> {} on {} by {} ({undeclared}){}",
        word(&row.severity),
        row.from.text,
        row.to.text,
        ports::words(&row.ports),
        causes.join(", "),
        assumes.unwrap_or_default()
    )
}

fn said(report: &Report) -> String {
    let result = match report.result {
        Verdict::Unchanged => "unchanged",
        Verdict::Narrowed => "narrowed",
        Verdict::Widened => "widened",
        Verdict::Unknown => "unknown",
    };
    let mut text =
        format!("result {result}, {}\n", if report.exact { "exact" } else { "not exact" });
    let environment = &report.environments[0];
    let opened = environment.opened.iter().map(|r| row("opened", r));
    let closed = environment.closed.iter().map(|r| row("closed", r));
    for line in opened.chain(closed) {
        let _ = writeln!(text, "{line}");
    }
    for entry in &report.not_evaluated {
        let hides = match entry.hides {
            Hides::Nothing => "nothing",
            Hides::Flow => "flow",
            Hides::Widening => "widening",
        };
        let side = match entry.side {
            Side::Before => "the before side",
            Side::After => "the after side",
            Side::Both => "both sides",
        };
        let _ = writeln!(text, "hides {hides}: {} on {side}", entry.file);
    }
    for remark in &environment.summary.without_effect {
        let _ = writeln!(text, "without effect: {remark}");
    }
    text
}

#[test]
fn every_fixture_is_as_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut folders: Vec<_> =
        fs::read_dir(root).expect("fixtures").map(|entry| entry.expect("one").path()).collect();
    folders.sort();
    let (mut wrong, mut checked) = (String::new(), 0);
    for folder in folders {
        let Ok(expected) = fs::read_to_string(folder.join("expected.txt")) else { continue };
        let expected = expected.split_once('\n').expect("the idea, then the rest").1;
        let report =
            review(&tree(&folder.join("before")), &tree(&folder.join("after")), &Config::default());
        let is = said(&report);
        checked += 1;
        if is != expected {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let _ = writeln!(wrong, "{name}\nexpected\n{expected}is\n{is}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(checked >= 25, "only {checked} fixtures were found");
}
