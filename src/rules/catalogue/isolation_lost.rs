//! Pods that no policy isolates any more, although none was taken away.

use crate::model::Direction;
use crate::reach::{Encoder, Side, Slot};
use crate::report::{CauseKind, Message, Persona, Severity};
use crate::rules::{Check, Example, Opened, Rule};
use crate::set::OverBudget;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "isolation-lost",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "Workloads that policies isolated and that, relabelled, no policy selects any more.",
    why: "A policy holds for the pods that its selector matches. Change the labels of a Deployment and its policies \
          stay where they are, unharmed and without effect: nothing in the diff looks like a policy, and every port is \
          open, those of tomorrow too. Where a policy itself was deleted or cut back, the row says so already.",
    fix: "Change the selector of the policy together with the labels, or keep a policy with an empty `podSelector` that \
          isolates every pod of the namespace.",
    bad: Example {
        before: "apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
",
        after: "apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: postgres}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
",
        configuration: "",
    },
    good: Example {
        before: "apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
",
        after: "apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: postgres}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: payments}
spec:
  podSelector: {matchLabels: {app: postgres}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
",
        configuration: "",
    },
    check: Check::Row(check),
};

/// How many workloads a message names.
const NAMED: usize = 3;

fn check(opened: &mut Opened<'_, '_, '_>) -> Result<Option<Message>, OverBudget> {
    let told = |kind| matches!(kind, CauseKind::IsolationLost);
    let relabelled =
        |kind| matches!(kind, CauseKind::WorkloadChanged | CauseKind::NamespaceChanged);
    let kinds = || opened.row.causes.iter().map(|cause| cause.kind);
    if kinds().any(told) || !kinds().any(relabelled) {
        return Ok(None);
    }
    for direction in Direction::BOTH {
        let lost = lost(opened, direction)?;
        if !lost.is_empty() {
            let message = Message::new("No policy isolates ").names(lost, NAMED).words(" for ");
            let message = message.words(direction.as_str());
            return Ok(Some(message.words(
                " any more: those that did no longer match it as it is now, and every port is open",
            )));
        }
    }
    Ok(None)
}

/// The declared workloads of the row that a policy isolated before and none does now.
fn lost(opened: &mut Opened<'_, '_, '_>, direction: Direction) -> Result<Vec<String>, OverBudget> {
    let encoder = &mut *opened.encoder;
    let end = Encoder::subject_end(direction);
    let mut names = Vec::new();
    for (first, last) in encoder.slots(opened.flows, end)? {
        for slot in first..=last.min(encoder.world.external().0) {
            let Slot::Workload(index) = encoder.world.slot(slot) else { break };
            let Some(workload) = encoder.world.workloads.get(index) else { continue };
            let isolated = |side| {
                let policies =
                    encoder.world.namespaces.get(workload.namespace).map(|n| n.policies.on(side));
                let pods = *workload.on.on(side);
                policies.into_iter().flatten().any(|policy| {
                    policy.section(direction).is_some()
                        && pods.is_some_and(|pods| {
                            !pods.host_network && policy.subject.pods.matches(&pods.labels)
                        })
                })
            };
            if isolated(Side::Before) && !isolated(Side::After) {
                names.push(workload.id.to_string());
            }
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use crate::rules::catalogue::testing::on_rows;

    const POLICY: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: payments}
spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}
";

    fn with(labels: &str, policies: &str) -> String {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: db, namespace: payments}}\nspec: {{template: \
             {{metadata: {{labels: {{{labels}}}}}}}}}\n---\n{policies}"
        )
    }

    #[test]
    fn relabelled_to_where_another_policy_selects() {
        let other = POLICY.replace("name: db,", "name: other,").replace("app: db", "tier: data");
        let both = format!("{POLICY}---\n{other}");
        let before = with("app: db", &both);
        assert!(!on_rows("isolation-lost", &before, &with("tier: data", &both)));
        assert!(on_rows("isolation-lost", &before, &with("tier: web", &both)));
    }

    #[test]
    fn a_policy_that_was_deleted_is_told_by_the_row() {
        assert!(!on_rows("isolation-lost", &with("app: db", POLICY), &with("app: db", "")));
    }

    #[test]
    fn on_the_host_network_is_no_relabelling_but_nothing_binds_it_either() {
        let moved =
            with("app: db", POLICY).replace("}}}\n---", "}, spec: {hostNetwork: true}}}\n---");
        assert!(on_rows("isolation-lost", &with("app: db", POLICY), &moved));
    }
}
