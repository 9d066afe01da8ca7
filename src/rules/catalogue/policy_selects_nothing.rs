//! Policies without pods.

use super::label_near_miss::near;
use crate::model::Policy;
use crate::report::{Message, Persona, Severity};
use crate::rules::nobody::{Nobody, nobody};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "policy-selects-nothing",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "A policy whose `podSelector` matches no pod of its namespace, so that it protects nothing.",
    why: "Usually the pods run in another namespace, or were renamed. It is told to everybody where that is \
          sure: where such pods run in other namespaces only, where all of them are on the host network, which policies don't \
          see, or where `cluster.closedNamespaces` of the configuration says that every pod of the namespace is known. \
          Otherwise only auditors are told, for charts and operators make pods that no manifest shows. An empty \
          `podSelector` is left alone.",
    fix: "Move the policy to the namespace of the pods, correct the selector, or delete the policy.",
    bad: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: payments}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-deny-all, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
",
    ),
    good: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: payments}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-all, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-deny-all, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
",
    ),
    check: Check::Side(check),
};

/// How many namespaces a message names.
const NAMED: usize = 2;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    Ok(snapshot.policies().filter_map(|policy| draft(snapshot, policy)).collect())
}

fn draft(snapshot: &Snapshot<'_, '_, '_>, policy: &Policy) -> Option<Draft> {
    let subject = &policy.subject;
    let why = nobody(snapshot, policy, &subject.namespaces, &subject.pods)?;
    if why == Nobody::Unknown && !others_select(snapshot, policy) {
        return None;
    }
    if why != Nobody::OnHostNetwork && near(snapshot, &subject.namespaces, &subject.pods).is_some()
    {
        return None;
    }
    let namespace = policy.id.namespace.as_deref().unwrap_or_default();
    let pods = &subject.pods;
    let (message, persona) = match why {
        Nobody::OnHostNetwork => (
            Message::new("All pods with ")
                .name(pods)
                .words(" are on the host network, where most network plugins apply no policy: it protects nothing"),
            Persona::Regular,
        ),
        Nobody::Elsewhere(others) => (
            Message::new("No pod of ")
                .name(namespace)
                .words(" has ")
                .name(pods)
                .words("; those that have it run in ")
                .names(others, NAMED)
                .words(". The policy protects nothing"),
            Persona::Regular,
        ),
        Nobody::Closed => (
            Message::new("No pod of ").name(namespace).words(" has ").name(pods).words(": the policy protects nothing"),
            Persona::Regular,
        ),
        Nobody::Unknown => (
            Message::new("No known pod of ").name(namespace).words(" has ").name(pods).words(". Does one exist?"),
            Persona::Auditor,
        ),
    };
    Some(Draft::policy(policy, &policy.subject_origin, pods.to_string(), message).persona(persona))
}

/// Does at least one of two policies beside this one select a known pod? Otherwise whatever makes the pods is not in
/// the manifests.
fn others_select(snapshot: &Snapshot<'_, '_, '_>, policy: &Policy) -> bool {
    let beside = snapshot.policies_in(policy.id.namespace.as_deref().unwrap_or_default());
    let selective = beside.iter().filter(|other| !other.subject.pods.is_everything());
    let found: Vec<bool> = selective
        .filter(|other| other.id != policy.id)
        .map(|other| !snapshot.selected(other).is_empty())
        .collect();
    found.iter().filter(|found| **found).count() * 2 >= found.len()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{told, told_with};
    use super::RULE;
    use crate::report::Persona;

    fn pod(name: &str, namespace: &str, spec: &str) -> String {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}, \
             spec: {{{spec}}}}}\n"
        )
    }

    fn policy(namespace: &str, selector: &str) -> String {
        format!(
            "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: {namespace}}}, \
             spec: {{podSelector: {selector}}}}}\n"
        )
    }

    fn told_of(texts: &[String]) -> Vec<Persona> {
        told(RULE.id, &texts.concat()).iter().map(|finding| finding.persona).collect()
    }

    const DATABASE: &str = "{matchLabels: {app: database}}";

    #[test]
    fn where_the_pods_are() {
        let web = pod("web", "shop", "");
        for (others, expected) in [
            (vec![web.clone(), pod("database", "pay", "")], Some(Persona::Regular)),
            (vec![web.clone(), pod("database", "\"\"", "")], Some(Persona::Auditor)),
            (
                vec![web.clone(), pod("database", "pay", ""), policy("pay", DATABASE)],
                Some(Persona::Auditor),
            ),
            (vec![web.clone()], Some(Persona::Auditor)),
            // The pods of its neighbour are not in the manifests either.
            (
                vec![
                    web.clone(),
                    policy("shop", "{matchLabels: {app: chart}}").replace("name: p", "name: q"),
                ],
                None,
            ),
            (
                vec![web.clone(), pod("database", "shop", "hostNetwork: true")],
                Some(Persona::Regular),
            ),
            (vec![web.clone(), pod("database", "shop", "")], None),
            // Nothing is known of the namespace.
            (vec![pod("database", "pay", "")], None),
        ] {
            let mut texts = others.clone();
            texts.push(policy("shop", DATABASE));
            assert_eq!(told_of(&texts), expected.into_iter().collect::<Vec<_>>(), "{others:?}");
        }
    }

    #[test]
    fn a_closed_namespace_and_selectors_that_may_match() {
        let closed = "cluster: {closedNamespaces: [shop]}\n";
        for (selector, count) in
            [(DATABASE, 1), ("{}", 0), ("{matchLabels: {job-name: nightly}}", 0)]
        {
            let found = told_with(closed, RULE.id, &policy("shop", selector));
            assert_eq!(found.len(), count, "{selector}");
        }
    }
}
