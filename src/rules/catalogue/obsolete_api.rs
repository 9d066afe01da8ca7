//! What Kubernetes no longer knows.

use crate::model::{Obsolete, ObsoleteKind};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot};
use std::collections::BTreeSet;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "obsolete-api",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "A policy or an annotation of a version that Kubernetes has removed, so that it does nothing.",
    why: "The annotation `net.beta.kubernetes.io/network-policy` was a default deny until Kubernetes 1.7, which ignores it \
          without a word: the namespace is open. `extensions/v1beta1` was removed in Kubernetes 1.16, whose API server refuses \
          the policy.",
    fix: "Write `networking.k8s.io/v1`, and a policy that denies by default instead of the annotation. It takes effect \
          for the first time in years, so allow first what is needed.",
    bad: Example::new(
        "apiVersion: v1
kind: Namespace
metadata:
  name: shop
  annotations:
    net.beta.kubernetes.io/network-policy: '{\"ingress\": {\"isolation\": \"DefaultDeny\"}}'
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
",
    ),
    good: Example::new(
        "apiVersion: v1
kind: Namespace
metadata:
  name: shop
  annotations:
    owner: team-shop
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-ingress, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
",
    ),
    check: Check::Side(check),
};

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let obsolete = |side| snapshot.world.cluster(side).evidence.obsolete.iter();
    let key = |one: &Obsolete| (one.namespace.clone(), one.name.clone(), one.what);
    let known: BTreeSet<_> = obsolete(snapshot.side.other()).map(key).collect();
    let told = obsolete(snapshot.side)
        .filter(|one| snapshot.asked(&one.namespace) || !known.contains(&key(one)));
    Ok(told.map(draft).collect())
}

fn draft(obsolete: &Obsolete) -> Draft {
    let namespace = &obsolete.namespace;
    let (name, subject, message, description, text) = match obsolete.what {
        ObsoleteKind::NamespaceAnnotation => (
            namespace.to_string(),
            "annotation",
            Message::default()
                .name("net.beta.kubernetes.io/network-policy")
                .words(" is ignored since Kubernetes 1.7: it denies nothing in ")
                .name(namespace),
            "deny by default; first allow what is needed",
            format!(
                "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: default-deny-ingress, \
                 namespace: {namespace}}}\nspec: {{podSelector: {{}}, policyTypes: [Ingress]}}\n"
            ),
        ),
        ObsoleteKind::PolicyVersion => (
            format!("{namespace}/{}", obsolete.name),
            "version",
            Message::default()
                .name("extensions/v1beta1")
                .words(" was removed in Kubernetes 1.16: the API server refuses this policy, so it protects nothing"),
            "the version that there is",
            "apiVersion: networking.k8s.io/v1\n".into(),
        ),
    };
    Draft::object(name, &obsolete.origin, subject, message).fix(Fix {
        kind: FixKind::Behavioural,
        description: Message::new(description),
        replacement: Some(text),
        location: None,
        removes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::fires;
    use super::RULE;

    #[test]
    fn versions() {
        for (version, kind, expected) in [
            ("extensions/v1beta1", "NetworkPolicy", true),
            ("networking.k8s.io/v1", "NetworkPolicy", false),
            ("crd.projectcalico.org/v1", "NetworkPolicy", false),
            ("extensions/v1beta1", "Ingress", false),
        ] {
            let text = format!(
                "{{apiVersion: {version}, kind: {kind}, metadata: {{name: p, namespace: shop}}, spec: {{podSelector: {{}}}}}}"
            );
            assert_eq!(fires(RULE.id, &text), expected, "{version} {kind}");
        }
    }
}
