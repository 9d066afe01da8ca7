//! Rules that `policyTypes` switches off, and directions that it switches on unasked.

use crate::model::{Direction, Policy};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::repair::{Mend, Repair};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "policy-types-mismatch",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "A policy whose `policyTypes`, or their absence, mean something else than its rules.",
    why: "The API server accepts `egress` rules without `Egress` in `policyTypes` and ignores them. Without `policyTypes` \
          the meaning is guessed: `Ingress` always, so that a policy with nothing but `egress` rules denies all ingress as well; \
          `Egress` only where there is a rule, so that `egress: []` denies nothing. Pedants are told wherever the field is \
          missing. `policyTypes: [Ingress, Egress]` without rules is a denial, and right.",
    fix: "Write the directions that the policy is about: those that it means now change nothing. To name one more may cut \
          off what is needed.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-to-api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  egress:
  - to: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 8080}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-deny-all, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
",
    ),
    check: Check::Side(check),
};

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    Ok(snapshot.policies().filter_map(|policy| draft(snapshot, policy)).collect())
}

fn draft(snapshot: &Snapshot<'_, '_, '_>, policy: &Policy) -> Option<Draft> {
    if policy.written.directions {
        let ignored = policy.dead.iter().find(|(_, section)| !section.rules.is_empty());
        let (direction, section) = ignored?;
        let message = Message::default()
            .name(direction)
            .words(" rules are ignored: policyTypes has no ")
            .name(type_name(*direction));
        let subject = format!("{direction} rules are ignored");
        return Some(Draft::policy(policy, &section.origin, subject, message).fix(both()));
    }
    if let Some((direction, section)) = policy.dead.first() {
        let message = Message::default()
            .name("egress: []")
            .words(" without policyTypes denies nothing: Egress must be named there");
        let subject = format!("{direction} is not denied");
        return Some(Draft::policy(policy, &section.origin, subject, message).fix(both()));
    }
    let only_egress = policy.egress.is_some() && !policy.written.ingress;
    let whom = words::pods(&policy.subject);
    if only_egress && !denied_anyway(snapshot, policy) {
        let message = Message::new("No policyTypes means Ingress as well: all ingress to ")
            .then(whom)
            .words(" is denied. Write the directions that are meant");
        let draft = Draft::policy(policy, &policy.origin, "ingress is implied", message);
        return Some(draft.severity(Severity::Medium).repair(said(policy)));
    }
    let meaning = match policy.egress {
        Some(_) => "[Ingress, Egress]",
        None => "[Ingress]",
    };
    let message = Message::new("No policyTypes: it means ").name(meaning).words("; write that");
    let draft = Draft::policy(policy, &policy.origin, "no policyTypes", message);
    Some(draft.severity(Severity::Low).persona(Persona::Pedantic).repair(said(policy)))
}

/// What the policy means, written.
fn said(policy: &Policy) -> Repair {
    let directions = Direction::BOTH.into_iter();
    let types = directions.filter(|direction| policy.section(*direction).is_some());
    Repair {
        kind: FixKind::Equivalent,
        description: Message::new("write the directions that it is about now"),
        mend: Mend::Types {
            subject: policy.subject_origin.clone(),
            types: types.map(type_name).collect(),
        },
    }
}

/// Does another policy isolate the same pods, so that one more changes nothing?
fn denied_anyway(snapshot: &Snapshot<'_, '_, '_>, policy: &Policy) -> bool {
    let namespace = policy.id.namespace.as_deref().unwrap_or_default();
    snapshot.policies_in(namespace).iter().any(|other| {
        other.id != policy.id
            && (other.subject.pods.is_everything() || other.subject == policy.subject)
            && other.ingress.is_some()
            && (other.written.directions || other.written.ingress)
    })
}

fn type_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "Ingress",
        Direction::Egress => "Egress",
    }
}

fn both() -> Fix {
    Fix {
        kind: FixKind::Behavioural,
        description: Message::new("name both directions"),
        replacement: Some("policyTypes: [Ingress, Egress]\n".into()),
        location: None,
        diff: None,
        removes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::RULE;
    use crate::report::{Persona, Severity};

    fn policy(name: &str, spec: &str) -> String {
        format!(
            "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: shop}}, \
             spec: {{podSelector: {{}}, {spec}}}}}\n"
        )
    }

    fn told_of(manifests: &str) -> Vec<(Severity, Persona)> {
        told(RULE.id, manifests).iter().map(|found| (found.severity, found.persona)).collect()
    }

    #[test]
    fn types_and_rules() {
        const HIGH: (Severity, Persona) = (Severity::High, Persona::Regular);
        const MEDIUM: (Severity, Persona) = (Severity::Medium, Persona::Regular);
        const PEDANTIC: (Severity, Persona) = (Severity::Low, Persona::Pedantic);
        for (spec, expected) in [
            ("policyTypes: [Egress], ingress: [{}]", Some(HIGH)),
            ("policyTypes: [Ingress], egress: [{}]", Some(HIGH)),
            ("egress: []", Some(HIGH)),
            ("policyTypes: [], egress: []", Some(HIGH)),
            ("egress: [{}]", Some(MEDIUM)),
            ("ingress: [], egress: [{}]", Some(PEDANTIC)),
            ("ingress: [{}]", Some(PEDANTIC)),
            ("policyTypes: [Ingress]", None),
            ("policyTypes: [Ingress], egress: []", None),
            ("policyTypes: [Ingress, Egress]", None),
            ("policyTypes: [Egress], egress: [{}]", None),
        ] {
            let expected: Vec<_> = expected.into_iter().collect();
            assert_eq!(told_of(&policy("p", spec)), expected, "{spec}");
        }
    }

    #[test]
    fn an_implied_denial_beside_a_written_one() {
        let beside = policy("q", "policyTypes: [Ingress]");
        let found = told_of(&format!("{}{beside}", policy("p", "egress: [{}]")));
        assert_eq!(found, [(Severity::Low, Persona::Pedantic)]);
    }
}
