//! Snapshots of every format, in folders beside this file.

use netpol_review::gate::Gate;
use netpol_review::render::text::Style;
use netpol_review::render::{csv, dot, find, github, json, markdown, mermaid, sarif, text};
use netpol_review::report::*;

use crate::samples;

/// Each report by the name of its idea.
pub fn reports() -> Vec<(&'static str, Report)> {
    use samples::{report, with_rows};
    let mut unknown = report(Verdict::Unknown);
    unknown.not_evaluated = samples::entries();
    unknown.exact = false;
    let mut without_effect = report(Verdict::Unchanged);
    without_effect.environments[0].summary.without_effect =
        vec!["policy payments/db: rule 2 of ingress repeats rule 1".into()];
    let mut environments = report(Verdict::Widened);
    environments.environments = vec![
        samples::environment("production", vec![samples::any_pod()], vec![]),
        samples::environment("staging", vec![], vec![samples::closed()]),
    ];
    environments.environments[0].connections = Some(samples::changes());
    let mut findings = report(Verdict::Unchanged);
    findings.environments[0].findings = samples::findings();
    let mut folded = with_rows(Verdict::Widened, vec![samples::any_pod()], vec![]);
    folded.environments[0].findings = samples::findings();
    folded.environments[0].findings[0].row = Some(samples::any_pod().fingerprint);
    vec![
        ("folded", folded),
        ("one_row", with_rows(Verdict::Widened, vec![samples::any_pod()], vec![])),
        ("everything", samples::everything()),
        ("closed_only", with_rows(Verdict::Narrowed, vec![], vec![samples::closed()])),
        ("unchanged", report(Verdict::Unchanged)),
        ("without_effect", without_effect),
        ("unknown", unknown),
        (
            "assumes",
            with_rows(Verdict::Widened, vec![samples::undeclared_with_assumption()], vec![]),
        ),
        ("environments", environments),
        ("findings", findings),
    ]
}

#[test]
fn reports_as_text() {
    for (name, report) in reports() {
        insta::assert_snapshot!(format!("text_{name}"), text::report(&report, &Style::default()));
    }
}

#[test]
fn reports_as_markdown() {
    for (name, report) in reports() {
        let text = markdown::report(&report, &markdown::Options::default());
        insta::assert_snapshot!(format!("markdown_{name}"), text);
    }
}

#[test]
fn reports_as_workflow_commands() {
    for (name, report) in reports() {
        insta::assert_snapshot!(format!("github_{name}"), github::report(&report, None));
    }
}

#[test]
fn reports_as_sarif() {
    for (name, report) in reports() {
        let text = sarif::report(&report, None);
        if name == "everything" {
            insta::assert_snapshot!("sarif_everything", text);
        } else {
            // The rules are the same everywhere.
            let log: serde_json::Value = serde_json::from_str(&text).unwrap();
            let run = &log["runs"][0];
            let shown = serde_json::json!([run["results"], run["invocations"]]);
            let shown = serde_json::to_string_pretty(&shown).unwrap();
            insta::assert_snapshot!(format!("sarif_{name}"), shown);
        }
    }
}

/// A gate that passes the default deny's deletion because somebody accepted it.
fn gate() -> Gate {
    let waiver = samples::waiver();
    let mut gate = samples::gate();
    gate.waived = vec![(waiver, samples::default_deny_deleted().fingerprint)];
    gate
}

#[test]
fn what_was_accepted_is_said_where_it_opens() {
    let report = samples::with_rows(
        Verdict::Widened,
        vec![samples::default_deny_deleted(), samples::any_pod()],
        vec![],
    );
    insta::assert_snapshot!("github_accepted", github::report(&report, Some(&gate())));
    let log: serde_json::Value =
        serde_json::from_str(&sarif::report(&report, Some(&gate()))).unwrap();
    let results = &log["runs"][0]["results"];
    let expected = serde_json::json!([{
        "kind": "external",
        "status": "accepted",
        "justification": "Accepted by sam until 2026-12-31: the namespace is going away",
    }]);
    assert_eq!(results[0]["suppressions"], expected);
    assert_eq!(results[1].get("suppressions"), None);
}

/// The first location of a row whose causes stand before the change.
fn place(report: &Report) -> (String, u64) {
    let log: serde_json::Value = serde_json::from_str(&sarif::report(report, None)).expect("JSON");
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    let file = place["artifactLocation"]["uri"].as_str().expect("a file").to_owned();
    (file, place["region"]["startLine"].as_u64().expect("a line"))
}

#[test]
fn what_was_deleted_is_shown_in_a_file_that_is_still_there() {
    let deleted = samples::default_deny_deleted();
    let file = "k8s/payments/default-deny.yaml";
    let row = |row: Row| samples::with_rows(Verdict::Widened, vec![row], vec![]);
    // Nothing is known of any file after the change.
    assert_eq!(place(&row(deleted.clone())), (file.into(), 1));
    // A rule that stands after it lets the traffic through.
    let mut admitted = deleted.clone();
    let rule = samples::location(Side::Both, "k8s/other.yaml", 4, 6);
    admitted.admitted_by.ingress = samples::rule("payments/other", 0, rule);
    assert_eq!(place(&row(admitted.clone())), ("k8s/other.yaml".into(), 4));
    // The file holds something else that does.
    let mut report = row(admitted.clone());
    report.not_evaluated =
        vec![samples::unread(Side::After, file, Some(7), "unreadable", Hides::Flow)];
    assert_eq!(place(&report), (file.into(), 1));
    // Another cause does.
    let after = samples::location(Side::After, "k8s/rule.yaml", 12, 18);
    admitted.causes.push(samples::cause(CauseKind::RuleAdded, "ingress", after));
    assert_eq!(place(&row(admitted)), ("k8s/rule.yaml".into(), 12));
}

#[test]
fn annotations_keep_to_what_github_shows() {
    let mut rows = vec![samples::default_deny_deleted(); 13];
    rows.extend(vec![samples::external_ranges(); 10]);
    rows.extend(vec![samples::undeclared_with_assumption(); 11]);
    let mut report = samples::with_rows(Verdict::Widened, rows, vec![]);
    report.not_evaluated = samples::entries();
    let text = github::report(&report, None);
    for level in ["error", "warning", "notice"] {
        let shown = text.lines().filter(|line| line.starts_with(&format!("::{level} ")));
        assert_eq!(shown.count(), github::SHOWN, "{level}");
    }
    assert!(text.contains("3 of level error, 1 of level warning, 1 of level notice"), "{text}");
    // SARIF has all of them.
    let log: serde_json::Value = serde_json::from_str(&sarif::report(&report, None)).unwrap();
    assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 13 + 10 + 11 + 1);
}

#[test]
fn a_report_as_json() {
    let report = samples::with_rows(Verdict::Widened, vec![samples::external_ranges()], vec![]);
    insta::assert_snapshot!(json::report(&report));
}

#[test]
fn colours_only_where_wanted() {
    let report = samples::everything();
    let plain = text::report(&report, &Style::default());
    let style = Style { colour: true, width: 80 };
    let coloured = text::report(&report, &style);
    assert!(!plain.contains('\u{1b}'));
    insta::assert_snapshot!(
        "text_colour_head",
        coloured.lines().take(8).collect::<Vec<_>>().join("\n")
    );
    // Colours change nothing else.
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some(start) = rest.find('\u{1b}') {
        stripped.push_str(&rest[..start]);
        let end = rest[start..].find('m').map_or(rest.len(), |m| start + m + 1);
        rest = &rest[end..];
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain);
}

#[test]
fn text_keeps_to_its_width() {
    for (name, report) in reports() {
        for width in [60, 80, 120] {
            let style = Style { colour: false, width };
            for line in text::report(&report, &style).lines() {
                assert!(line.chars().count() <= width, "{name} at {width}: {line}");
            }
        }
    }
}

#[test]
fn rows_explained() {
    let report = samples::everything();
    for prefix in ["a1b2c3d4e5f6", "0C0D", "7777", "cccc"] {
        let found = find(&report, prefix);
        assert_eq!(found.len(), 1, "{prefix}");
        let text = text::explain(&found[0], &Style::default());
        insta::assert_snapshot!(format!("explain_{}", prefix.to_lowercase()), text);
    }
    assert!(find(&report, "").is_empty());
    assert!(find(&report, "feed").is_empty());
}

#[test]
fn a_listing_in_every_format() {
    let listing = samples::listing();
    insta::assert_snapshot!("listing_text", text::listing(&listing, &Style::default()));
    insta::assert_snapshot!("listing_csv", csv::listing(&listing));
    insta::assert_snapshot!("listing_mermaid", mermaid::listing(&listing));
    insta::assert_snapshot!("listing_dot", dot::listing(&listing));
    insta::assert_snapshot!("listing_json", json::listing(&listing));
}

#[test]
fn answers_in_both_formats() {
    for (name, allowed) in [("yes", true), ("no", false)] {
        let answer = samples::answer(allowed);
        insta::assert_snapshot!(format!("answer_{name}"), text::answer(&answer, &Style::default()));
        insta::assert_snapshot!(format!("answer_{name}_json"), json::answer(&answer));
    }
}

#[test]
fn what_comes_from_an_inventory_is_said() {
    let (mut report, mut listing) = (samples::report(Verdict::Unchanged), samples::listing());
    let mut answer = samples::answer(true);
    report.inventory = samples::inventory();
    listing.inventory = samples::inventory();
    answer.inventory = samples::inventory();
    let style = Style::default();
    insta::assert_snapshot!("inventory_text", text::report(&report, &style));
    insta::assert_snapshot!("inventory_listing", text::listing(&listing, &style));
    insta::assert_snapshot!("inventory_answer", text::answer(&answer, &style));
    let told = markdown::report(&report, &markdown::Options::default());
    insta::assert_snapshot!("inventory_markdown", told);
    let written = [json::report(&report), json::listing(&listing), json::answer(&answer)];
    for text in written {
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let known = serde_json::json!({
            "file": "cluster/prod.yaml", "taken": "2026-11-20", "workloads": 3, "namespaces": 2, "policies": 1
        });
        let unknown = serde_json::json!({
            "file": "elsewhere.json", "workloads": 0, "namespaces": 1, "policies": 0
        });
        assert_eq!(value["inventory"], serde_json::json!([known, unknown]));
    }
}

#[test]
fn places_become_links() {
    let report = samples::with_rows(Verdict::Widened, vec![samples::any_pod()], vec![]);
    let link = |location: &Location| {
        let Location { file, start_line, end_line, .. } = location;
        Some(format!("https://github.example/o/r/blob/2222222/{file}#L{start_line}-L{end_line}"))
    };
    let options = markdown::Options { link: Some(&link), ..markdown::Options::default() };
    let text = markdown::report(&report, &options);
    assert!(text.contains(
        "[`k8s/payments/db.yaml:12-18`](<https://github.example/o/r/blob/2222222/k8s/payments/db.yaml#L12-L18>)"
    ));
    let link = |_: &Location| Some("javascript:alert(1)".to_owned());
    let text = markdown::report(
        &report,
        &markdown::Options { link: Some(&link), ..markdown::Options::default() },
    );
    assert!(!text.contains("javascript"));
}

/// The position of a rule in SARIF's list is that of its own description.
#[test]
fn sarif_points_to_the_rules_that_it_describes() {
    let mut report = samples::everything();
    report.environments[0].findings = samples::findings();
    let log: serde_json::Value = serde_json::from_str(&sarif::report(&report, None)).expect("JSON");
    let run = &log["runs"][0];
    let results = run["results"].as_array().expect("results");
    assert!(results.iter().any(|result| result["ruleId"] == "any-namespace-peer"));
    for result in results {
        let index =
            usize::try_from(result["ruleIndex"].as_i64().expect("an index")).expect("known");
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
}
