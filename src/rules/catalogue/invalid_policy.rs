//! Policies that no API server takes as they stand.

use crate::model::Origin;
use crate::report::{Message, Persona, Severity};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot};
use crate::tree::{Affects, Problem, Sort};
use std::collections::BTreeSet;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "invalid-policy",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "A policy that the API server refuses, or of which it drops a field that it does not know.",
    why: "A refused policy protects nothing, and a misspelt field (`excepts`) leaves a policy that says less than \
          it seems to. Templates that are not rendered are no policies yet and are left alone. Auditors are told where one \
          policy stands twice and differs, for the last one that is applied wins.",
    fix: "Correct what the message names.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: \"5432\"}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: shop}
spec:
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
",
    ),
    check: Check::Side(check),
};

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let read = snapshot.read;
    let known: BTreeSet<_> =
        read.others.iter().map(|other| (other.identity, &other.reason)).collect();
    let told = |problem: &&Problem| {
        let new = !known.contains(&(problem.identity, &problem.reason));
        new || match &problem.affects {
            Affects::Namespace(namespace) => snapshot.asked(namespace),
            _ => snapshot.asked(""),
        }
    };
    Ok(read.problems.iter().filter(told).filter_map(draft).collect())
}

fn draft(problem: &Problem) -> Option<Draft> {
    let kind = problem.kind.as_deref()?;
    if !kind.eq_ignore_ascii_case("NetworkPolicy") {
        return None;
    }
    // The reader's words quote the manifest, so they are shown as its text.
    let reason = problem.reason.replace('`', "'");
    let (message, severity, persona) = match problem.sort {
        Sort::Refused => {
            let reason = reason.strip_prefix("the API server would refuse it: ").unwrap_or(&reason);
            let message =
                Message::new("The API server refuses this policy, so it protects nothing: ");
            (message.name(reason), Severity::High, Persona::Regular)
        }
        Sort::UnknownField => {
            let what = reason.split_once(", so kubectl").map_or(&*reason, |(what, _)| what);
            let message = Message::new("A field of this policy is dropped or refused: ").name(what);
            match problem.affects {
                Affects::Nothing => (message, Severity::Low, Persona::Pedantic),
                _ => (message, Severity::High, Persona::Regular),
            }
        }
        Sort::Twice => {
            let message =
                Message::new("The policy is there twice, and the last one that is applied wins: ");
            (message.name(reason), Severity::Medium, Persona::Auditor)
        }
        Sort::Other => return None,
    };
    let line = problem.line.unwrap_or(1);
    let origin = Origin { file: problem.file.clone(), start_line: line, end_line: line };
    let name = problem.name.clone().unwrap_or_else(|| problem.file.to_string());
    let draft = Draft::object(name, &origin, subject(problem), message);
    Some(draft.severity(severity).persona(persona))
}

/// What is wrong, without the places in lists and files.
fn subject(problem: &Problem) -> String {
    if problem.sort == Sort::Twice {
        return "twice".into();
    }
    let mut in_index = false;
    let kept = problem.reason.chars().filter(|c| {
        in_index = (in_index || *c == '[') && *c != ']';
        !(in_index && c.is_ascii_digit())
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::RULE;
    use crate::report::Persona;

    fn policy(name: &str, spec: &str) -> String {
        format!(
            "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: shop}}, \
             spec: {{podSelector: {{}}, {spec}}}}}\n"
        )
    }

    fn told_of(manifests: &str) -> Vec<Persona> {
        told(RULE.id, manifests).iter().map(|finding| finding.persona).collect()
    }

    #[test]
    fn what_is_refused_or_dropped() {
        for spec in [
            "ingress: [{from: [{}]}]",
            "egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/7]}}]}]",
            "egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, excepts: [10.1.0.0/16]}}]}]",
            "ingress: [{ports: [{port: 80, protocol: HTTP}]}]",
            "policyTypes: [ingress]",
        ] {
            assert_eq!(told_of(&policy("p", spec)), [Persona::Regular], "{spec}");
        }
    }

    #[test]
    fn what_is_neither() {
        for spec in ["ingress: null", "ingress: [{from: null}]", "policyTypes: []"] {
            assert_eq!(told_of(&policy("p", spec)), [], "{spec}");
        }
        let template = policy("\"{{ .Values.name }}\"", "policyTypes: [Ingress]");
        assert_eq!(told_of(&template), []);
        let pod = "{apiVersion: v1, kind: Pod, metadata: {name: Bad_Name, namespace: shop, labels: {a: b c}}}";
        assert_eq!(told_of(pod), []);
    }

    #[test]
    fn one_policy_twice() {
        let twice = policy("p", "policyTypes: [Ingress]") + &policy("p", "policyTypes: [Egress]");
        assert_eq!(told_of(&twice), [Persona::Auditor]);
    }
}
