//! What an edit did, and how to take back what it opened.

use super::Phrase;
use super::Piece::{Count, Name, Words};
use crate::report::{Cause, CauseKind, Side};

/// `ingress rule 1 of policy payments/db was widened`.
pub fn cause(cause: &Cause) -> Phrase {
    let policy = || Name(cause.policy.clone().unwrap_or_else(|| "(unknown)".into()));
    let object = || Name(cause.object.clone().unwrap_or_else(|| "(unknown)".into()));
    let rule = |end: &'static str| {
        let mut phrase = vec![Words(match cause.direction {
            Some("ingress") => "ingress rule",
            Some("egress") => "egress rule",
            _ => "rule",
        })];
        match cause.rule {
            Some(index) => phrase.extend([Words(" "), Count(index + 1)]),
            None => phrase.insert(0, Words("a ")),
        }
        phrase.extend([Words(" of policy "), policy(), Words(end)]);
        phrase
    };
    let of_direction = |ingress, egress, both| match cause.direction {
        Some("ingress") => Words(ingress),
        Some("egress") => Words(egress),
        _ => Words(both),
    };
    // A rule of a policy that is new or gone as a whole.
    let with_policy = |what: &'static str| {
        let rule = match cause.direction {
            Some("ingress") => "its ingress rule ",
            Some("egress") => "its egress rule ",
            _ => "its rule ",
        };
        let number = Count(cause.rule.map_or(1, |index| index + 1));
        vec![Words("policy "), policy(), Words(what), Words(rule), number]
    };
    match cause.kind {
        CauseKind::RuleAdded if cause.whole => with_policy(" is new: by "),
        CauseKind::RuleRemoved if cause.whole => with_policy(" was deleted, and with it "),
        CauseKind::RuleAdded => rule(" was added"),
        CauseKind::RuleWidened => rule(" was widened"),
        CauseKind::RuleRemoved => rule(" was removed"),
        CauseKind::RuleNarrowed => rule(" was narrowed"),
        CauseKind::SelectorWidened => vec![
            Words("policy "),
            policy(),
            of_direction(
                " selects more pods now: they get its ingress rules",
                " selects more pods now: they get its egress rules",
                " selects more pods now: they get its rules",
            ),
        ],
        CauseKind::SelectorNarrowed => vec![
            Words("policy "),
            policy(),
            of_direction(
                " selects fewer pods now: they lose its ingress rules",
                " selects fewer pods now: they lose its egress rules",
                " selects fewer pods now: they lose its rules",
            ),
        ],
        CauseKind::DirectionAdded => vec![
            Words("policy "),
            policy(),
            of_direction(
                " covers ingress now: its ingress rules take effect",
                " covers egress now: its egress rules take effect",
                " covers another direction now: its rules there take effect",
            ),
        ],
        CauseKind::DirectionRemoved => vec![
            Words("policy "),
            policy(),
            of_direction(
                " does not cover ingress any more: its ingress rules are without effect",
                " does not cover egress any more: its egress rules are without effect",
                " covers one direction less: its rules there are without effect",
            ),
        ],
        CauseKind::IsolationLost if cause.whole => vec![
            Words("policy "),
            policy(),
            of_direction(
                " was deleted: these pods are no longer isolated for ingress",
                " was deleted: these pods are no longer isolated for egress",
                " was deleted: these pods are no longer isolated",
            ),
        ],
        CauseKind::IsolationLost => vec![
            Words("policy "),
            policy(),
            of_direction(
                " was cut back: these pods are no longer isolated for ingress",
                " was cut back: these pods are no longer isolated for egress",
                " was cut back: these pods are no longer isolated",
            ),
        ],
        CauseKind::IsolationAdded => vec![
            Words("policy "),
            policy(),
            of_direction(
                " isolates these pods for ingress now",
                " isolates these pods for egress now",
                " isolates these pods now",
            ),
        ],
        CauseKind::WorkloadAdded => vec![Words("workload "), object(), Words(" is new")],
        CauseKind::WorkloadRemoved => vec![Words("workload "), object(), Words(" was removed")],
        CauseKind::WorkloadChanged => {
            vec![Words("labels, ports or network of workload "), object(), Words(" changed")]
        }
        CauseKind::NamespaceChanged if cause.whole => {
            let what = match cause.location.side {
                Side::Before => " lost its manifest: its labels are not known any more",
                _ => " has a manifest now: its labels are known",
            };
            vec![Words("namespace "), object(), Words(what)]
        }
        CauseKind::NamespaceChanged => {
            vec![Words("labels of namespace "), object(), Words(" changed")]
        }
        CauseKind::TierChanged => vec![
            Words("a deny rule, pass rule or priority of policy "),
            policy(),
            Words(" changed"),
        ],
    }
}

/// How one can close what an edit of that kind opened, in general words.
pub fn remedy(kind: CauseKind) -> &'static str {
    match kind {
        CauseKind::RuleAdded => {
            "remove the rule, or narrow its peers to the clients that need it (namespaceSelector \
             and podSelector in one peer) and its ports to those they use"
        }
        CauseKind::RuleWidened => {
            "give the rule back the peers and ports that it had, and add only the clients and \
             ports that are needed"
        }
        CauseKind::SelectorWidened => {
            "narrow the policy's podSelector again, or give the pods that need these rules a \
             policy of their own"
        }
        CauseKind::DirectionAdded => {
            "take the direction out of policyTypes, or narrow the rules that it woke"
        }
        CauseKind::IsolationLost => {
            "keep a policy that selects these pods for this direction: one without any rule (a \
             default deny) is enough to isolate them"
        }
        CauseKind::WorkloadAdded => {
            "if the workload should not take part, give it labels that the policies which allow \
             this do not select, or a policy that isolates it"
        }
        CauseKind::WorkloadChanged => {
            "restore the labels, ports or network of the workload, or narrow the rules that match \
             it now"
        }
        CauseKind::NamespaceChanged => {
            "restore the namespace's labels, or select it by kubernetes.io/metadata.name, which \
             nobody can change"
        }
        CauseKind::TierChanged => "restore the deny rule, pass rule or priority",
        CauseKind::RuleRemoved
        | CauseKind::RuleNarrowed
        | CauseKind::SelectorNarrowed
        | CauseKind::DirectionRemoved
        | CauseKind::IsolationAdded
        | CauseKind::WorkloadRemoved => "nothing: this only closes",
    }
}
