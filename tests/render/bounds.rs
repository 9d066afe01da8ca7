//! What is too much to show is cut by whole items and said.

use netpol_review::render::markdown::{self, LIMIT, RESERVED};
use netpol_review::render::{mermaid, text};
use netpol_review::report::*;

use crate::samples;

pub fn huge(rows: usize, name: &str) -> Report {
    let mut row = samples::default_deny_deleted();
    row.from.text = name.into();
    row.to.text = name.into();
    row.causes =
        (0..9).map(|_| Cause { policy: Some(name.into()), ..row.causes[0].clone() }).collect();
    for exception in &mut row.exceptions {
        exception.text = name.into();
    }
    let mut report = samples::with_rows(Verdict::Widened, vec![row.clone(); rows], vec![row; rows]);
    report.not_evaluated = (0..rows)
        .map(|n| {
            let reason = format!("reason {n} {name}");
            samples::unread(Side::Both, name, Some(1), &reason, Hides::Widening)
        })
        .collect();
    report.environments[0].connections =
        Some(samples::changes().into_iter().cycle().take(rows).collect());
    let summary = &mut report.environments[0].summary;
    summary.without_effect = vec![name.into(); rows];
    summary.reach = (0..rows)
        .map(|after| ReachCount { workload: name.into(), before: None, after: Some(after) })
        .collect();
    report
}

#[test]
fn a_comment_stays_under_the_limit_on_every_path() {
    for rows in [1, 10, 40, 400, 3000] {
        for name in ["x", "@everyone ```", &"@\u{202e}#".repeat(200), &"語".repeat(300)] {
            let mut report = huge(rows, name);
            report.environments = vec![report.environments[0].clone(); 1 + rows % 3];
            let body = markdown::report(&report, &markdown::Options::default());
            assert!(body.len() <= LIMIT - RESERVED, "{} bytes for {rows} rows", body.len());
            for heading in [
                "#### Opened",
                "#### Not evaluated",
                "#### Without effect",
                "Closed:",
                "Run it yourself",
            ] {
                assert!(body.contains(heading), "{heading} is gone with {rows} rows");
            }
            assert_eq!(body.matches("<details>").count(), body.matches("</details>").count());
        }
    }
}

#[test]
fn what_was_cut_is_counted() {
    let report = huge(400, "x");
    let body = markdown::report(&report, &markdown::Options::default());
    let opened = body.split("#### Not evaluated").next().unwrap();
    let shown = opened.matches("\n- 🛑").count();
    assert!(shown > 40, "{shown} rows are shown");
    assert!(opened.contains(&format!("\n- and {} more: see", 400 - shown)));
}

#[test]
fn text_leaves_no_row_out() {
    let text = text::report(&huge(400, "x"), &text::Style::default());
    assert_eq!(text.matches("critical  x -> x").count(), 400);
}

#[test]
fn pictures_are_bounded() {
    let mut listing = samples::listing();
    listing.connections = listing.connections.iter().cycle().take(1000).cloned().collect();
    let picture = mermaid::listing(&listing);
    assert!(picture.contains("and 850 more, not drawn"));
    assert!(mermaid::report(&huge(40, "x")).unwrap().contains("and 28 more, not drawn"));
    assert_eq!(mermaid::report(&samples::report(Verdict::Unchanged)), None);
}
