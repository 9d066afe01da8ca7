//! What may not be opened further without a word of its owners, and is.

use crate::config::Demand;
use crate::reach::Side;
use crate::report::{Persona, Severity};
use crate::rules::guardrail::{self, Asked, Guarded, Telling};
use crate::rules::{Check, Drafts, Example, Rule};
use crate::set::{OverBudget, Set};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "guardrail-frozen",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "A newly allowed flow between the ends of a `frozen` guardrail of the configuration.",
    why: "Whatever the change newly allows there counts against it, whether the change looks harmless or not: it needs a \
          word of those whom the guardrail names. Narrower policies, and the same flows written in another way, are left \
          alone. What was in the scope before the change counts as well as what is in it afterwards. On a pull request one of \
          them accepts it by a command in a comment or by approving the head; everywhere, the configuration of the base \
          branch does. It compares two sides, so of a single one `lint` tells only where the guardrail matches nothing.",
    fix: "Ask the approvers that the message names to accept it, or leave what is reachable as it was.",
    bad: Example { before: BEFORE, after: BAD, configuration: CONFIGURATION },
    good: Example { before: BAD, after: BEFORE, configuration: CONFIGURATION },
    check: Check::Guardrail(check),
};

const CONFIGURATION: &str = "guardrails:
- id: pci-frozen
  frozen: {to: {namespace-labels: {pci: \"true\"}}, approvers: [security]}
";

const BEFORE: &str = "apiVersion: v1
kind: Namespace
metadata: {name: payments, labels: {pci: \"true\"}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: payments}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
";

const BAD: &str = "apiVersion: v1
kind: Namespace
metadata: {name: payments, labels: {pci: \"true\"}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: payments}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}, {podSelector: {matchLabels: {app: report}}}]
    ports: [{port: 5432}]
";

fn check(guarded: &mut Guarded<'_, '_, '_>) -> Drafts {
    Ok(guardrail::each(guarded, |demand| matches!(demand, Demand::Frozen { .. }), ask))
}

fn ask(asked: &mut Asked<'_, '_, '_>) -> Result<(), OverBudget> {
    if !asked.compare {
        return Ok(());
    }
    let (after, before) = (asked.region(Side::After)?, asked.region(Side::Before)?);
    let either = asked.encoder.d.or(after, before)?;
    let mut told = Set::EMPTY;
    for assumed in [false, true] {
        if assumed && !asked.in_doubt() {
            break;
        }
        let now = asked.allowed(Side::After, either, assumed)?;
        if !assumed {
            asked.note_what_could_be_allowed(after, now)?;
        }
        let then = asked.allowed(Side::Before, now, assumed)?;
        let gained = asked.encoder.d.minus(now, then)?;
        let gained = asked.encoder.d.minus(gained, told)?;
        let telling = Telling {
            start: " is frozen, and this change opens it: ",
            verb: " may now connect to ",
            counts: true,
            older: false,
            assumed,
        };
        asked.tell_allowed(gained, telling)?;
        told = asked.encoder.d.or(told, gained)?;
    }
    Ok(())
}
