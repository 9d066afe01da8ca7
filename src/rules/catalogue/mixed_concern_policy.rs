//! DNS beside something else in one policy.

use crate::model::{Direction, Rule as PolicyRule};
use crate::report::{FixKind, Message, Persona, Severity};
use crate::rules::repair::{Mend, Repair};
use crate::rules::snapshot::is_dns_only;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "mixed-concern-policy",
    severity: Severity::Low,
    persona: Persona::Pedantic,
    lesson: true,
    catches: "A policy that lets pods resolve names and, in other rules, reach something else.",
    why: "Every pod needs DNS, and few need the rest. As a policy of its own DNS is written once for all pods, and it \
          survives when this policy is narrowed or deleted. A policy whose egress rules are all for DNS is right, and so \
          is one without any.",
    fix: "Move the DNS rule into a policy of its own, with the same `podSelector` or with an empty one. This policy \
          keeps `Egress` in its `policyTypes`.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api-allow-egress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: api}}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      podSelector: {matchLabels: {k8s-app: kube-dns}}
    ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  - to: [{podSelector: {matchLabels: {app: db}}}]
    ports: [{port: 5432}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-egress-dns, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      podSelector: {matchLabels: {k8s-app: kube-dns}}
    ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api-allow-egress-to-db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: api}}
  policyTypes: [Egress]
  egress:
  - to: [{podSelector: {matchLabels: {app: db}}}]
    ports: [{port: 5432}]
",
    ),
    check: Check::Side(check),
};

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        let Some(section) = policy.section(Direction::Egress) else { continue };
        let (dns, rest): (Vec<&PolicyRule>, Vec<_>) =
            section.rules.iter().partition(|rule| is_dns_only(rule));
        let (Some(rule), false) = (dns.first(), rest.is_empty()) else { continue };
        let message = Message::new("DNS stands in ")
            .name(&policy.id)
            .words(" beside ")
            .count(rest.len(), "other rule", "other rules")
            .words("; in a policy of its own it survives when this one is narrowed or deleted");
        let mut draft = Draft::policy(policy, &rule.origin, "egress", message);
        // Several rules for DNS take several steps.
        if let (1, Some(namespace)) = (dns.len(), &policy.id.namespace) {
            draft = draft.repair(Repair {
                kind: FixKind::Equivalent,
                description: Message::new("move DNS into a policy of its own"),
                mend: Mend::Extract {
                    policy: policy.origin.clone(),
                    rule: rule.origin.clone(),
                    subject: policy.subject_origin.clone(),
                    name: format!("{}-dns", policy.id.name),
                    namespace: namespace.to_string(),
                },
            });
        }
        drafts.push(draft);
    }
    Ok(drafts)
}
