//! What must always be allowed, and is not.

use crate::config::Demand;
use crate::reach::Side;
use crate::report::{Persona, Severity};
use crate::rules::guardrail::{self, Asked, Guarded};
use crate::rules::{Check, Drafts, Example, Rule};
use crate::set::{OverBudget, Set};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "guardrail-must-reach",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "Flows between declared workloads that a `must-reach` guardrail of the configuration needs and that are refused.",
    why: "Every declared workload of one end must reach every one of the other, and every address that the guardrail \
          names, on every port of it. The message says which end refuses it and which policies isolate that end. A path that \
          another policy lets through is none; nor is one from a workload to itself. Paths that were refused before the \
          change are listed and do not count against it.",
    fix: "Add the missing rule: egress at the source, ingress at the destination, or both.",
    bad: Example { before: "", after: BAD, configuration: CONFIGURATION },
    good: Example { before: "", after: GOOD, configuration: CONFIGURATION },
    check: Check::Guardrail(check),
};

const CONFIGURATION: &str = "guardrails:
- id: web-must-reach-api
  must-reach:
    from: {namespace: shop, labels: {app: web}}
    to: {namespace: shop, labels: {app: api}}
    ports: [TCP/8080]
";

const BAD: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-all, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, ports: [{containerPort: 8080}]}]}
";

const GOOD: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-all, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-egress-to-api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, ports: [{containerPort: 8080}]}]}
";

fn check(guarded: &mut Guarded<'_, '_, '_>) -> Drafts {
    Ok(guardrail::each(guarded, |demand| *demand == Demand::MustReach, ask))
}

fn ask(asked: &mut Asked<'_, '_, '_>) -> Result<(), OverBudget> {
    let after = asked.declared_region(Side::After)?;
    asked.note_what_could_be_refused(after)?;
    let allowed = asked.allowed(Side::After, after, false)?;
    let refused = asked.encoder.d.minus(after, allowed)?;
    let mut old = Set::EMPTY;
    if asked.compare {
        let before = asked.declared_region(Side::Before)?;
        let guarded = asked.encoder.d.and(refused, before)?;
        let then = asked.allowed(Side::Before, guarded, false)?;
        old = asked.encoder.d.minus(guarded, then)?;
    }
    let new = asked.encoder.d.minus(refused, old)?;
    let maybe = match asked.in_doubt() {
        true => asked.allowed(Side::After, refused, true)?,
        false => Set::EMPTY,
    };
    asked.tell_refused(new, maybe, false)?;
    asked.tell_refused(old, maybe, true)
}
