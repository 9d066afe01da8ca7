//! What SARIF's viewers can tell of each kind of result.

use serde_sarif::sarif::{
    MultiformatMessageString, ReportingConfiguration, ReportingDescriptor, ResultLevel,
};

use crate::render::words;
use crate::report::CauseKind;
use crate::rules::Rule;
use crate::rules::catalogue::RULES;
use crate::rules::page::PAGES;
use std::collections::BTreeSet;

/// Where the words of a row are explained.
const HELP: &str = "https://github.com/netpol-review/netpol-review#how-to-read-a-row";

/// The rule of entries that were not evaluated.
pub const NOT_EVALUATED: &str = "not-evaluated";

/// The kinds of edit that open something.
const KINDS: [CauseKind; 9] = [
    CauseKind::RuleAdded,
    CauseKind::RuleWidened,
    CauseKind::SelectorWidened,
    CauseKind::DirectionAdded,
    CauseKind::IsolationLost,
    CauseKind::WorkloadAdded,
    CauseKind::WorkloadChanged,
    CauseKind::NamespaceChanged,
    CauseKind::TierChanged,
];

/// The id of a kind of edit, as JSON has it. Kinds that only close share the id of what opens,
/// should a row ever name one.
pub fn id(kind: CauseKind) -> &'static str {
    match kind {
        CauseKind::RuleAdded | CauseKind::RuleRemoved => "rule-added",
        CauseKind::RuleWidened | CauseKind::RuleNarrowed => "rule-widened",
        CauseKind::SelectorWidened | CauseKind::SelectorNarrowed => "selector-widened",
        CauseKind::DirectionAdded | CauseKind::DirectionRemoved => "direction-added",
        CauseKind::IsolationLost | CauseKind::IsolationAdded => "isolation-lost",
        CauseKind::WorkloadAdded | CauseKind::WorkloadRemoved => "workload-added",
        CauseKind::WorkloadChanged => "workload-changed",
        CauseKind::NamespaceChanged => "namespace-changed",
        CauseKind::TierChanged => "tier-changed",
    }
}

/// The kinds of edit and of entry, always the same and in the same order, and behind them those rules of the
/// catalogue that `used` names.
pub fn all(used: &BTreeSet<&str>) -> Vec<ReportingDescriptor> {
    let edits = KINDS.iter().map(|kind| {
        let (name, short, full) = edit(*kind);
        let help = format!("To take it back: {}.", words::remedy(*kind));
        descriptor(id(*kind), name, short, full, &help)
    });
    let hidden = descriptor(
        NOT_EVALUATED,
        "NotEvaluated",
        "Something could not be evaluated that could hide a widening",
        "The change touches an object or a file that could not be read or understood, or such an object could apply to \
         what the change touches. Whether more opens than the other results say is not known.",
        "Make what the message names readable, or check by hand what it allows before and after the change.",
    );
    edits.chain([hidden]).chain(named(used).map(catalogued)).collect()
}

/// A rule of the catalogue, with its page as help.
fn catalogued(rule: &Rule) -> ReportingDescriptor {
    let mut words = rule.id.split('-').map(capital);
    let name = words.by_ref().collect::<String>();
    let help = format!("{} {}", rule.why, rule.fix);
    let mut descriptor = descriptor(rule.id, &name, rule.catches, rule.why, &help);
    descriptor.help_uri = Some(format!("{PAGES}#{}", rule.id));
    descriptor
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    first + letters.as_str()
}

fn named<'u>(used: &'u BTreeSet<&str>) -> impl Iterator<Item = &'static Rule> + 'u {
    RULES.iter().filter(|rule| used.contains(rule.id))
}

/// The position of a rule in [`all`].
pub fn index(id: &str, used: &BTreeSet<&str>) -> i64 {
    let kinds = KINDS.iter().map(|kind| self::id(*kind)).chain([NOT_EVALUATED]);
    let all = kinds.chain(named(used).map(|rule| rule.id)).zip(0..);
    all.into_iter().find(|(known, _)| *known == id).map_or(-1, |(_, index)| index)
}

fn descriptor(id: &str, name: &str, short: &str, full: &str, help: &str) -> ReportingDescriptor {
    let message = |text: &str| MultiformatMessageString::builder().text(text).build();
    let level = serde_json::json!(ResultLevel::Warning);
    ReportingDescriptor::builder()
        .id(id)
        .name(name)
        .short_description(message(short))
        .full_description(message(full))
        .help(message(help))
        .help_uri(HELP)
        .default_configuration(ReportingConfiguration::builder().level(level).build())
        .build()
}

/// Name, short and full description.
fn edit(kind: CauseKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        CauseKind::RuleWidened | CauseKind::RuleNarrowed => (
            "RuleWidened",
            "A rule of a NetworkPolicy lets more through",
            "An edited ingress or egress rule has peers or ports that it did not have, and traffic that was denied before \
             the change is allowed after it.",
        ),
        CauseKind::RuleAdded | CauseKind::RuleRemoved => (
            "RuleAdded",
            "A new rule of a NetworkPolicy lets more through",
            "An ingress or egress rule was added, alone or with its policy, and traffic that was denied before the change \
             is allowed after it.",
        ),
        CauseKind::SelectorWidened | CauseKind::SelectorNarrowed => (
            "SelectorWidened",
            "The rules of a NetworkPolicy hold for more pods",
            "The policy's podSelector matches pods that it did not match, and its rules allow traffic there that other \
             policies deny.",
        ),
        CauseKind::DirectionAdded | CauseKind::DirectionRemoved => (
            "DirectionAdded",
            "The rules of a NetworkPolicy hold for another direction",
            "The policyTypes of a policy name a direction that they did not name, and the rules of that direction take \
             effect beside those of other policies.",
        ),
        CauseKind::IsolationLost | CauseKind::IsolationAdded => (
            "IsolationLost",
            "Pods are not isolated any more",
            "A policy was deleted or cut back, and no other policy selects these pods for the direction. Kubernetes then \
             allows everything there.",
        ),
        CauseKind::WorkloadAdded | CauseKind::WorkloadRemoved => (
            "WorkloadAdded",
            "A new workload can talk or be reached",
            "No policy changed; the paths of a workload that is new are listed so that somebody has seen them.",
        ),
        CauseKind::WorkloadChanged => (
            "WorkloadChanged",
            "Policies treat a changed workload differently",
            "The labels, ports or network of a workload changed, so other policies and rules match it than before.",
        ),
        CauseKind::NamespaceChanged => (
            "NamespaceChanged",
            "Policies treat a relabelled namespace differently",
            "The labels of a namespace changed or became known, so other namespace selectors match it than before.",
        ),
        CauseKind::TierChanged => (
            "TierChanged",
            "A deny rule, pass rule or priority changed",
            "Traffic that a policy of another tier denied before the change is allowed after it.",
        ),
    }
}
