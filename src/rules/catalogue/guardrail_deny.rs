//! What must never be allowed, and is.

use crate::config::Demand;
use crate::reach::Side;
use crate::report::{Persona, Severity};
use crate::rules::guardrail::{self, Asked, Guarded, Telling};
use crate::rules::{Check, Drafts, Example, Rule};
use crate::set::{OverBudget, Set};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "guardrail-deny",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "Flows that a `deny` guardrail of the configuration says must never be allowed.",
    why: "All policies of both ends are taken together, declared pods and undeclared ones alike, so a path counts \
          wherever it comes from; one that only one end lets through is none. Flows that break the guardrail after the \
          change and did not before count against it; older ones are listed, and count with `enforce: always`. A guardrail \
          that matches nothing counts as well: it guards nobody. Its level is the guardrail's `severity`.",
    fix: "Narrow one of the two rules that the message names, or have the guardrail changed by those who own it.",
    bad: Example { before: "", after: AFTER_BAD, configuration: CONFIGURATION },
    good: Example {
        before: "",
        after: "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
      podSelector: {matchLabels: {app: api}}
    ports: [{port: 5432}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: payments}
spec:
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}
",
        configuration: CONFIGURATION,
    },
    check: Check::Guardrail(check),
};

const CONFIGURATION: &str = "guardrails:
- id: db-only-from-api
  deny:
    from: {any: true, except: [{namespace: shop, labels: {app: api}}]}
    to: {namespace: payments, labels: {app: db}}
    ports: [TCP/5432]
";

const AFTER_BAD: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-shop, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]
    ports: [{port: 5432}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: payments}
spec:
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}
";

fn check(guarded: &mut Guarded<'_, '_, '_>) -> Drafts {
    Ok(guardrail::each(guarded, |demand| matches!(demand, Demand::Deny { .. }), ask))
}

fn ask(asked: &mut Asked<'_, '_, '_>) -> Result<(), OverBudget> {
    let after = asked.region(Side::After)?;
    let before = asked.region(Side::Before)?;
    let always = asked.guardrail.always();
    let mut told = Set::EMPTY;
    for assumed in [false, true] {
        if assumed && !asked.in_doubt() {
            break;
        }
        let now = asked.allowed(Side::After, after, assumed)?;
        let now = asked.encoder.d.minus(now, told)?;
        if !assumed {
            asked.note_what_could_be_allowed(after, now)?;
        }
        let mut old = Set::EMPTY;
        if asked.compare {
            let guarded = asked.encoder.d.and(now, before)?;
            old = asked.allowed(Side::Before, guarded, assumed)?;
        }
        let new = asked.encoder.d.minus(now, old)?;
        let telling = Telling {
            start: " is broken: ",
            verb: " may connect to ",
            counts: true,
            older: false,
            assumed,
        };
        asked.tell_allowed(new, telling)?;
        asked.tell_allowed(old, Telling { counts: always, older: true, ..telling })?;
        told = asked.encoder.d.or(told, now)?;
    }
    Ok(())
}
