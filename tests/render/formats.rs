//! Snapshots of every format, in folders beside this file.

use netpol_review::render::text::Style;
use netpol_review::render::{csv, dot, find, json, markdown, mermaid, text};
use netpol_review::report::*;

use crate::samples;

/// Each report by the name of its idea.
fn reports() -> Vec<(&'static str, Report)> {
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
    vec![
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
fn places_become_links() {
    let report = samples::with_rows(Verdict::Widened, vec![samples::any_pod()], vec![]);
    let link = |location: &Location| {
        let Location { file, start_line, end_line, .. } = location;
        Some(format!("https://github.example/o/r/blob/2222222/{file}#L{start_line}-L{end_line}"))
    };
    let options = markdown::Options { link: Some(&link) };
    let text = markdown::report(&report, &options);
    assert!(text.contains(
        "[`k8s/payments/db.yaml:12-18`](<https://github.example/o/r/blob/2222222/k8s/payments/db.yaml#L12-L18>)"
    ));
    let link = |_: &Location| Some("javascript:alert(1)".to_owned());
    let text = markdown::report(&report, &markdown::Options { link: Some(&link) });
    assert!(!text.contains("javascript"));
}
