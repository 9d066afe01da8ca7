//! Whether a report passes: thresholds, waivers, modes, and what the Action's inputs may change.

use chrono::NaiveDate;
use netpol_review::config::Config;
use netpol_review::gate::{Gate, GateVerdict, Thresholds, judge};
use netpol_review::report::{
    Finding, Hides, Location, Message, NotEvaluated, Persona, Report, Severity, Side,
};
use netpol_review::review;
use netpol_review::settings::{FailOn, Inputs, Mode, Settings, Waiver};
use netpol_review::tree::Tree;

const FINGERPRINT: &str = "0123456789abcdef0123456789abcdef";

/// One critical row with [`FINGERPRINT`].
fn report() -> Report {
    let policy = |ingress: &str| {
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: a}}\n\
             spec: {{podSelector: {{}}, policyTypes: [Ingress], ingress: [{ingress}]}}\n"
        );
        Tree::from_texts("t", [("p.yaml", text.as_str())])
    };
    let mut report = review(&policy(""), &policy("{}"), &Config::default());
    let [row] = report.environments[0].opened.as_mut_slice() else { panic!("one row") };
    row.fingerprint = FINGERPRINT.into();
    // Findings have tests of their own.
    report.environments[0].findings.clear();
    report
}

fn hidden() -> NotEvaluated {
    NotEvaluated {
        side: Side::After,
        file: "p.yaml".into(),
        line: None,
        kind: None,
        name: None,
        reason: String::new(),
        hides: Hides::Widening,
        environments: vec![],
    }
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn waiver(fingerprint: &str, expires: Option<&str>) -> Waiver {
    Waiver {
        fingerprint: fingerprint.into(),
        reason: "known".into(),
        expires: expires.map(day),
        by: None,
        line: 1,
        given: None,
    }
}

fn judged(report: &Report, waivers: Vec<Waiver>, fail_on: FailOn) -> Gate {
    let settings = Settings { waivers, ..Settings::default() };
    judge(report, &settings, fail_on, day("2027-01-31"))
}

#[test]
fn waivers_cover_by_fingerprint_until_they_expire() {
    let (yes, no) = (GateVerdict::Pass, GateVerdict::Fail);
    for (fingerprint, expires, verdict, waived, expired) in [
        (FINGERPRINT, None, yes, 1, 0),
        (FINGERPRINT, Some("2027-01-31"), yes, 1, 0),
        (FINGERPRINT, Some("2027-01-30"), no, 0, 1),
        ("0123456789abcdee", None, no, 0, 0),
        // A part could be that of two rows, and nothing is that of all.
        (&FINGERPRINT[..FINGERPRINT.len() - 1], None, no, 0, 0),
        ("", None, no, 0, 0),
    ] {
        let gate = judged(&report(), vec![waiver(fingerprint, expires)], FailOn::Any);
        assert_eq!(gate.verdict, verdict, "{fingerprint} {expires:?}");
        assert_eq!((gate.waived.len(), gate.expired.len()), (waived, expired), "{fingerprint}");
        assert_eq!(gate.blocking.is_empty(), verdict == yes);
    }
}

#[test]
fn of_several_waivers_one_that_holds_counts() {
    let (old, new) = (waiver(FINGERPRINT, Some("2026-01-01")), waiver(FINGERPRINT, None));
    for waivers in [vec![old.clone(), new.clone()], vec![new, old]] {
        let gate = judged(&report(), waivers, FailOn::Any);
        assert_eq!(gate.verdict, GateVerdict::Pass);
        assert_eq!((gate.waived.len(), gate.expired.len()), (1, 0));
    }
}

#[test]
fn environments_block_each_and_a_waiver_covers_all() {
    let mut report = report();
    let mut second = report.environments[0].clone();
    second.name = "second".into();
    report.environments.push(second);
    let gate = judged(&report, Vec::new(), FailOn::Low);
    let names: Vec<&str> = gate.blocking.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["default", "second"]);
    let gate = judged(&report, vec![waiver(FINGERPRINT, None)], FailOn::Low);
    assert_eq!((gate.verdict, gate.waived.len()), (GateVerdict::Pass, 1));
}

#[test]
fn what_could_not_be_evaluated_beats_everything_but_never() {
    let mut report = report();
    report.not_evaluated.push(hidden());
    let waivers = || vec![waiver(FINGERPRINT, None)];
    assert_eq!(judged(&report, waivers(), FailOn::Critical).verdict, GateVerdict::Unknown);
    assert_eq!(judged(&report, Vec::new(), FailOn::Any).verdict, GateVerdict::Unknown);
    assert_eq!(judged(&report, Vec::new(), FailOn::Never).verdict, GateVerdict::Pass);
}

#[test]
fn warn_keeps_the_verdict_and_fails_nothing() {
    let settings = Settings { mode: Mode::Warn, ..Settings::default() };
    let gate = judge(&report(), &settings, FailOn::Any, day("2027-01-31"));
    assert_eq!((gate.verdict, gate.outcome()), (GateVerdict::Fail, GateVerdict::Pass));
}

#[test]
fn inputs_fill_and_tighten_and_never_loosen() {
    use FailOn::{Any, Critical, High, Never};
    for (written, typed, result) in [
        (None, None, None),
        (None, Some(High), Some(High)),
        (Some(High), None, Some(High)),
        (Some(High), Some(Any), Some(Any)),
        (Some(High), Some(Critical), Some(High)),
        (Some(High), Some(Never), Some(High)),
        (Some(Never), Some(High), Some(High)),
    ] {
        let settings = Settings { fail_on: written, ..Settings::default() };
        let inputs = Inputs { fail_on: typed, ..Inputs::default() };
        assert_eq!(settings.tightened_by(&inputs).fail_on, result, "{written:?} {typed:?}");
    }
    use Mode::{Enforce, Warn};
    for (written, typed, result) in [
        (Enforce, None, Enforce),
        (Warn, None, Warn),
        (Enforce, Some(Warn), Warn),
        (Warn, Some(Enforce), Warn),
        (Enforce, Some(Enforce), Enforce),
    ] {
        let settings = Settings { mode: written, ..Settings::default() };
        let inputs = Inputs { mode: typed, ..Inputs::default() };
        assert_eq!(settings.tightened_by(&inputs).mode, result, "{written:?} {typed:?}");
    }
    let inputs = Inputs { paths: vec!["b".into()], ..Inputs::default() };
    let settings = Settings { paths: vec!["a".into()], ..Settings::default() };
    assert_eq!(settings.tightened_by(&inputs).paths, ["a"]);
    assert_eq!(Settings::default().tightened_by(&inputs).paths, ["b"]);
}

/// Findings count like rows: at their level, with waivers, and only those of the change.
#[test]
fn findings_count() {
    let location =
        Location { side: Side::After, file: "p.yaml".into(), start_line: 1, end_line: 1 };
    let finding = |introduced| Finding {
        rule: "vague-name",
        severity: Severity::Medium,
        persona: Persona::Regular,
        introduced,
        message: Message::new("m"),
        policy: None,
        object: None,
        location: location.clone(),
        fix: None,
        fingerprint: FINGERPRINT.into(),
        unfixed: None,
        row: None,
        environments: Vec::new(),
        witness: None,
        accepted_by_change: None,
    };
    let report = |introduced| {
        let mut report = report();
        report.environments[0].opened.clear();
        report.environments[0].findings = vec![finding(introduced)];
        report
    };
    for (introduced, fail_on, waivers, verdict) in [
        (true, FailOn::Medium, vec![], GateVerdict::Fail),
        (true, FailOn::High, vec![], GateVerdict::Pass),
        (false, FailOn::Any, vec![], GateVerdict::Pass),
        (true, FailOn::Any, vec![waiver(FINGERPRINT, None)], GateVerdict::Pass),
    ] {
        let gate = judged(&report(introduced), waivers, fail_on);
        assert_eq!(gate.verdict, verdict, "{introduced} {fail_on:?}");
        assert_eq!(gate.blocking_findings.is_empty(), verdict == GateVerdict::Pass);
    }
    let thresholds = Thresholds { rows: FailOn::Any, findings: FailOn::High };
    let gate = judge(&report(true), &Settings::default(), thresholds, day("2027-01-31"));
    assert_eq!(gate.verdict, GateVerdict::Pass);
}

/// Two policies, each with a rule of everybody: two rows, and under each what is wrong with its lines.
fn told_under_rows() -> Report {
    let policies = |peers: &str| {
        let policy = |name: &str, port: u16| {
            format!(
                "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: a}}\n\
                 spec:\n  podSelector: {{matchLabels: {{app: {name}}}}}\n  ingress:\n  - from:\n    - {peers}\n    \
                 ports: [{{port: {port}}}]\n"
            )
        };
        let text = format!("{}---\n{}", policy("web", 80), policy("db", 5432));
        Tree::from_texts("t", [("p.yaml", text.as_str())])
    };
    let (narrow, wide) = ("podSelector: {matchLabels: {app: api}}", "namespaceSelector: {}");
    review(&policies(narrow), &policies(wide), &Config::default())
}

/// The fingerprints of rows, and of what stands under each.
fn rows_and_findings(report: &Report) -> Vec<(String, String)> {
    let environment = &report.environments[0];
    let mut findings = environment.findings.iter().filter(|finding| finding.introduced);
    assert!(findings.clone().all(|finding| finding.row.is_some()), "{:#?}", environment.findings);
    let under = |row: &str| {
        let found = findings.clone().find(|finding| finding.row.as_deref() == Some(row));
        found.expect("a finding under each").fingerprint.clone()
    };
    let rows = environment.opened.iter().map(|row| &row.fingerprint);
    let pairs: Vec<(String, String)> = rows.map(|row| (row.clone(), under(row))).collect();
    assert_eq!((pairs.len(), findings.by_ref().count()), (2, 2));
    pairs
}

#[test]
fn whoever_accepts_a_row_accepts_what_stands_under_it_and_nothing_else() {
    let report = told_under_rows();
    let pairs = rows_and_findings(&report);
    let left = |gate: &Gate| -> (Vec<String>, Vec<String>) {
        let names = |all: &[(String, String)]| all.iter().map(|(_, print)| print.clone()).collect();
        (names(&gate.blocking), names(&gate.blocking_findings))
    };
    let gate = |waivers| judged(&report, waivers, FailOn::Any);
    for (accepted, other) in [(0, 1), (1, 0)] {
        let (row, finding) = &pairs[accepted];
        let (other_row, other_finding) = &pairs[other];
        let one = left(&gate(vec![waiver(row, None)]));
        assert_eq!(one, (vec![other_row.clone()], vec![other_finding.clone()]));
        // The other way round nothing is accepted but the finding itself.
        let (rows, findings) = left(&gate(vec![waiver(finding, None)]));
        assert_eq!((rows.len(), findings), (2, vec![other_finding.clone()]));
    }
    let both = |expires| pairs.iter().map(|(row, _)| waiver(row, expires)).collect::<Vec<_>>();
    assert_eq!(gate(both(None)).verdict, GateVerdict::Pass);
    assert_eq!(gate(both(Some("2027-01-31"))).verdict, GateVerdict::Pass);
    let (rows, findings) = left(&gate(both(Some("2027-01-30"))));
    assert_eq!((rows.len(), findings.len()), (2, 2), "its end takes both back");
}

#[test]
fn a_finding_is_accepted_with_rows_only_where_all_that_its_lines_open_is() {
    let mut report = told_under_rows();
    let pairs = rows_and_findings(&report);
    // The second row is opened by the lines of the first one's finding as well.
    let cause = report.environments[0].opened[0].causes[0].clone();
    report.environments[0].opened[1].causes.push(cause);
    let blocked = |report: &Report, rows: &[usize]| -> bool {
        let waivers = rows.iter().map(|row| waiver(&pairs[*row].0, None)).collect();
        let gate = judged(report, waivers, FailOn::Any);
        gate.blocking_findings.iter().any(|(_, print)| *print == pairs[0].1)
    };
    assert!(blocked(&report, &[0]) && blocked(&report, &[1]) && !blocked(&report, &[0, 1]));
    // What has a place of its own in the review was not seen under the row.
    let findings = report.environments[0].findings.iter_mut();
    findings.for_each(|finding| finding.row = None);
    assert!(blocked(&report, &[0, 1]));
}
