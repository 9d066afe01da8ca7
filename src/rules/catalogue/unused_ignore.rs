//! Acceptances that accept nothing.

use super::UNUSED_IGNORE;
use crate::report::{Persona, Severity};
use crate::rules::{Check, Example, Rule};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: UNUSED_IGNORE,
    severity: Severity::Info,
    persona: Persona::Pedantic,
    lesson: false,
    catches: "A comment or an annotation that accepts a finding which is not there, or gives no reason.",
    why: "What is accepted for ever hides the next mistake in the same place. An acceptance without a reason does \
          not count, as nobody can tell later whether it still holds.",
    fix: "Remove it, or say why.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-all, namespace: shop}
spec:
  # netpol-review: ignore[rule-without-peers] the webhook is called by the API server
  podSelector: {}
  policyTypes: [Ingress, Egress]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: webhook-allow-ingress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: webhook}}
  policyTypes: [Ingress]
  ingress:
  # netpol-review: ignore[rule-without-peers] it is called by the API server
  - ports: [{port: 9443}]
",
    ),
    check: Check::Acceptances,
};
