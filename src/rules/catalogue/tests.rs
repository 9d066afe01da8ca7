//! What the tests of rules ask: is a rule named?

use crate::config::Config;
use crate::report::{Finding, Persona};
use crate::settings;
use crate::tree::Tree;
use crate::{lint, review};

fn tree(text: &str) -> Tree {
    match text {
        "" => Tree::default(),
        text => Tree::from_texts("t", [("m.yaml", text)]),
    }
}

fn auditor(configuration: &str) -> Config {
    let text = format!("version: 1\n{configuration}");
    let mut config = settings::parse(&text).expect("a configuration").config;
    config.rules.persona = Persona::Auditor;
    config
}

/// What a rule finds in one snapshot.
pub fn findings(rule: &str, manifests: &str, configuration: &str) -> Vec<Finding> {
    let found = lint(&tree(manifests), &auditor(configuration));
    found.findings.into_iter().filter(|finding| finding.rule == rule).collect()
}

/// Does a rule say something of this snapshot?
pub fn fires(rule: &str, manifests: &str) -> bool {
    !findings(rule, manifests, "").is_empty()
}

/// What a rule says that a change introduces.
pub fn introduced(rule: &str, before: &str, after: &str) -> Vec<Finding> {
    let found = of_change("", rule, before, after).into_iter();
    found.filter(|finding| finding.introduced).collect()
}

fn of_change(configuration: &str, rule: &str, before: &str, after: &str) -> Vec<Finding> {
    let report = review(&tree(before), &tree(after), &auditor(configuration));
    let findings = report.environments.into_iter().flat_map(|one| one.findings);
    findings.filter(|finding| finding.rule == rule).collect()
}

/// What a rule says of the rows that a change opens.
pub fn words_on_rows(rule: &str, before: &str, after: &str, configuration: &str) -> Vec<String> {
    let report = review(&tree(before), &tree(after), &auditor(configuration));
    let rows = report.environments.iter().flat_map(|environment| &environment.opened);
    let words = rows.flat_map(|row| &row.rules).filter(|word| word.rule == rule);
    words.map(|word| word.message.to_string()).collect()
}

/// Does a rule say something of a row that a change opens?
pub fn on_rows(rule: &str, before: &str, after: &str) -> bool {
    !words_on_rows(rule, before, after, "").is_empty()
}

/// What a rule tells of manifests that are all new, whoever is shown it.
pub fn told(rule: &str, manifests: &str) -> Vec<Finding> {
    told_with("", rule, manifests)
}

/// The same with a configuration, without its `version`.
pub fn told_with(configuration: &str, rule: &str, manifests: &str) -> Vec<Finding> {
    of_change(configuration, rule, "", manifests)
}
