//! The catalogue: each rule on its own examples, and on those of the lessons.

use netpol_review::config::Config;
use netpol_review::report::{Finding, Persona, Report};
use netpol_review::rules::catalogue::RULES;
use netpol_review::rules::{Check, Example, Rule};
use netpol_review::settings;
use netpol_review::tree::Tree;
use netpol_review::{lint, review};
use serde_json::Value;
use std::collections::BTreeSet;

fn tree(text: &str) -> Tree {
    match text {
        "" => Tree::default(),
        text => Tree::from_texts("t", [("m.yaml", text)]),
    }
}

fn config(example: &Example) -> Config {
    let text = format!("version: 1\n{}", example.configuration);
    let mut config = settings::parse(&text).expect("a configuration").config;
    config.rules.persona = Persona::Auditor;
    config
}

/// The ids of the rules that a comparison names, in findings that it introduces and on rows.
fn named(report: &Report) -> BTreeSet<&str> {
    let environment = &report.environments[0];
    let findings = environment.findings.iter().filter(|finding| finding.introduced);
    let rows = environment.opened.iter().flat_map(|row| &row.rules);
    findings.map(|finding| finding.rule).chain(rows.map(|word| word.rule)).collect()
}

fn of_example(example: &Example) -> Report {
    review(&tree(example.before), &tree(example.after), &config(example))
}

/// Runs a check on every rule, and tells all that fail at once.
fn every_rule(check: impl Fn(&Rule) -> Result<(), String>) {
    let failed: Vec<String> = RULES
        .iter()
        .filter_map(|rule| check(rule).err().map(|why| format!("{}: {why}", rule.id)))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_rule_fires_on_its_bad_example() {
    every_rule(|rule| {
        let report = of_example(&rule.bad);
        match named(&report).contains(rule.id) {
            true => Ok(()),
            false => Err(format!("only {:?}", named(&report))),
        }
    });
}

#[test]
fn every_rule_is_silent_on_its_good_example() {
    every_rule(|rule| {
        let report = of_example(&rule.good);
        match named(&report).contains(rule.id) {
            false => Ok(()),
            true => Err(format!("{:?}", report.environments[0].findings)),
        }
    });
}

/// A good example that says nothing at all, or cannot be read, shows nothing.
#[test]
fn examples_are_understood() {
    every_rule(|rule| {
        for example in [&rule.bad, &rule.good] {
            let report = of_example(example);
            if !report.not_evaluated.is_empty() && rule.id != "invalid-policy" {
                return Err(format!("{:?}", report.not_evaluated));
            }
            if report.read.policies + report.read.workloads == 0 && rule.id != "invalid-policy" {
                return Err("nothing was read".into());
            }
        }
        Ok(())
    });
}

#[test]
fn nothing_changed_introduces_nothing() {
    every_rule(|rule| {
        for example in [&rule.bad, &rule.good] {
            let side = tree(example.after);
            let report = review(&side, &side, &config(example));
            if !named(&report).is_empty() {
                return Err(format!("{:?}", named(&report)));
            }
        }
        Ok(())
    });
}

/// A finding that says what a row says of the same lines stands under it, and still counts.
#[test]
fn what_a_row_says_is_not_said_twice() {
    let policy = |rules: &str| {
        tree(&format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: web, namespace: shop}}\nspec:\n  \
             podSelector: {{matchLabels: {{app: web}}}}\n  policyTypes: [Ingress]\n  ingress:\n{rules}"
        ))
    };
    let old = "  - from: [{podSelector: {matchLabels: {app: a}}}]\n    ports: [{port: 80}]\n";
    let new = "  - from: [{namespaceSelector: {}}]\n    ports: [{port: 81}]\n";
    let (before, after) = (policy(old), policy(&format!("{old}{new}")));
    let report = review(&before, &after, &Config::default());
    let environment = &report.environments[0];
    let row = environment.opened.iter().map(|row| row.fingerprint.clone()).collect::<Vec<_>>();
    let told = |rule: &str| {
        let of_rule = environment.findings.iter().filter(|finding| finding.rule == rule);
        of_rule.map(|finding| (finding.introduced, finding.row.clone())).collect::<Vec<_>>()
    };
    assert_eq!(row.len(), 1);
    assert_eq!(told("any-namespace-peer"), [(true, row.first().cloned())]);
    // Nothing opened at lines where the same stood before, and where only the other end decides.
    let report = review(&after, &after, &Config::default());
    assert!(report.environments[0].findings.iter().all(|finding| finding.row.is_none()));
}

/// What a comparison with nothing tells of one side, `lint` tells as well.
#[test]
fn lint_tells_the_same() {
    every_rule(|rule| {
        let compares = matches!(rule.check, Check::Change(_) | Check::Row(_));
        if compares || rule.id == "guardrail-frozen" {
            return Ok(());
        }
        let found = lint(&tree(rule.bad.after), &config(&rule.bad));
        match found.findings.iter().any(|finding| finding.rule == rule.id) {
            true => Ok(()),
            false => Err(format!("{:?}", found.findings)),
        }
    });
}

/// Two edits that mean nothing: objects in another order, and lines that moved.
#[test]
fn fingerprints_survive_moved_lines() {
    every_rule(|rule| {
        let texts: Vec<&str> = rule.bad.after.split("---\n").collect();
        let moved: Vec<&str> = texts.iter().rev().copied().collect();
        let moved = format!("# a word\n\n{}", moved.join("---\n"));
        let report = review(&tree(rule.bad.after), &tree(&moved), &config(&rule.bad));
        match named(&report).is_empty() {
            true => Ok(()),
            false => Err(format!("{:?}", named(&report))),
        }
    });
}

#[test]
fn a_rule_that_is_switched_off_says_nothing() {
    every_rule(|rule| {
        let mut config = config(&rule.bad);
        config.rules.settings.entry(rule.id.into()).or_default().disable = true;
        let report = review(&tree(rule.bad.before), &tree(rule.bad.after), &config);
        match named(&report).contains(rule.id) {
            false => Ok(()),
            true => Err("it speaks".into()),
        }
    });
}

/// The lessons: policies told apart, each bad one named for the right reason.
mod lessons {
    use super::*;

    const LESSONS: &str = include_str!("../cases/best-practices.yaml");

    fn manifest(policy: &Value) -> String {
        serde_json::json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": policy["name"], "namespace": "my-ns"},
            "spec": policy["spec"],
        })
        .to_string()
    }

    const PLACE: &str = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"my-ns"}}"#;
    const CRON_JOB: &str = r#"{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"fetch","namespace":"my-ns"},"spec":{"jobTemplate":{"spec":{"template":{"metadata":{"labels":{"app.kubernetes.io/component":"cronjob"}},"spec":{"containers":[{"name":"fetch"}]}}}}}}"#;

    fn findings(before: &[String], after: &[String]) -> Vec<Finding> {
        let tree = |texts: &[String]| {
            let files =
                texts.iter().enumerate().map(|(i, text)| (format!("{i}.json"), text.clone()));
            let files: Vec<(String, String)> = files.collect();
            Tree::from_texts("t", files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
        };
        let report = review(&tree(before), &tree(after), &Config::default());
        let findings = report.environments[0].findings.iter();
        findings.filter(|finding| finding.introduced).cloned().collect()
    }

    /// With nothing else there, with the namespace, and with the CronJob.
    fn places() -> Vec<Vec<String>> {
        vec![vec![], vec![PLACE.into()], vec![PLACE.into(), CRON_JOB.into()]]
    }

    fn cases() -> Value {
        serde_saphyr::from_str(LESSONS).expect("cases")
    }

    #[test]
    fn good_policies_get_nothing() {
        let cases = cases();
        let good: Vec<String> =
            cases["good"].as_array().expect("a list").iter().map(manifest).collect();
        for place in places() {
            let after: Vec<String> = place.iter().chain(&good).cloned().collect();
            let found = findings(&place, &after);
            assert!(found.is_empty(), "{found:#?}");
        }
    }

    #[test]
    fn bad_policies_are_named_for_the_right_reason() {
        let cases = cases();
        let good = cases["good"].as_array().expect("a list");
        let mut failed = Vec::new();
        for bad in cases["bad"].as_array().expect("a list") {
            let rule = bad["rule"].as_str().expect("a rule");
            let beside = bad["beside"].as_array().expect("a list");
            for place in places() {
                let known = good.iter().filter(|policy| beside.contains(&policy["name"]));
                let before: Vec<String> =
                    place.iter().cloned().chain(known.map(manifest)).collect();
                let after: Vec<String> = before.iter().cloned().chain([manifest(bad)]).collect();
                let found: BTreeSet<&str> =
                    findings(&before, &after).iter().map(|f| f.rule).collect();
                // That of the product is also for every pod, as its comment says.
                let mut right = BTreeSet::from([rule]);
                if rule == "cross-product-rule" {
                    right.insert("empty-pod-selector-allow");
                }
                if found != right {
                    failed.push(format!("{rule} in a place of {}: {found:?}", place.len()));
                }
            }
        }
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    }
}

/// What is accepted, and when that counts.
mod acceptances {
    use super::*;

    fn policy(comment: &str, annotations: &str) -> String {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: webhook-allow-ingress, namespace: shop{annotations}}}\n\
             spec:\n  podSelector: {{matchLabels: {{app: webhook}}}}\n  policyTypes: [Ingress]\n  ingress:\n{comment}  - ports: [{{port: 9443}}]\n"
        )
    }

    const COMMENT: &str = "  # netpol-review: ignore[rule-without-peers] the API server calls it\n";
    const ANNOTATION: &str =
        ", annotations: {netpol-review/ignore: \"rule-without-peers: the API server calls it\"}";
    const OTHER: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: default-deny-all, namespace: shop}\nspec: {podSelector: {}, policyTypes: [Ingress, Egress]}\n";

    fn of(before: &str, after: &str, configuration: &str) -> Report {
        let text = format!("version: 1\n{configuration}");
        let config = settings::parse(&text).expect("a configuration").config;
        let tree = |text: &str| {
            let files = [("other.yaml", OTHER), ("m.yaml", text)];
            Tree::from_texts("t", files.into_iter().filter(|(_, text)| !text.is_empty()))
        };
        review(&tree(before), &tree(after), &config)
    }

    fn left(report: &Report) -> Vec<(&str, bool, bool)> {
        let findings = report.environments[0].findings.iter();
        findings.map(|f| (f.rule, f.introduced, f.accepted_by_change.is_some())).collect()
    }

    #[test]
    fn an_acceptance_of_the_change_itself_does_not_count() {
        for after in [policy(COMMENT, ""), policy("", ANNOTATION)] {
            let report = of("", &after, "");
            assert_eq!(left(&report), [("rule-without-peers", true, true)]);
            assert!(report.environments[0].ignored.is_empty());
        }
    }

    #[test]
    fn an_acceptance_of_the_base_counts() {
        for (comment, annotation) in [(COMMENT, ""), ("", ANNOTATION)] {
            let before = policy(comment, annotation);
            // Another port makes another finding in the same place.
            let after = before.replace("9443", "8443");
            let report = of(&before, &after, "");
            assert_eq!(left(&report), []);
            let ignored = &report.environments[0].ignored;
            assert_eq!(ignored[0].reason, "the API server calls it");
            assert_eq!(ignored.len(), 1);
        }
    }

    #[test]
    fn the_configuration_is_that_of_the_base() {
        let accepted = "rules: {rule-without-peers: {ignore: [{policy: 'shop/webhook-*', reason: its caller has no pods}]}}\n";
        let report = of("", &policy("", ""), accepted);
        assert_eq!(left(&report), []);
        assert_eq!(report.environments[0].ignored[0].reason, "its caller has no pods");
    }

    #[test]
    fn an_acceptance_needs_a_reason() {
        let before = policy(&COMMENT.replace(" the API server calls it", ""), "");
        let after = before.replace("9443", "8443");
        let report = of(&before, &after, "persona: pedantic\n");
        assert_eq!(
            left(&report),
            [("rule-without-peers", true, false), ("unused-ignore", false, false)]
        );
    }

    #[test]
    fn a_comment_is_about_the_next_line_alone() {
        let before = policy(&format!("{COMMENT}  - ports: [{{port: 1}}]\n"), "");
        let after = before.replace("9443", "8443");
        assert_eq!(left(&of(&before, &after, "")), [("rule-without-peers", true, false)]);
    }
}
