//! Namespaces that are chosen by a label that they may not have.

use crate::model::{
    NAMESPACE_NAME_LABEL, NamespaceMatch, Operator, PeerKind, Policy, Requirement, Selector,
};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use std::collections::BTreeSet;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "convention-namespace-label",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "A `namespaceSelector` with a label that the namespace it means does not have.",
    why: "`name: shop` on a namespace is a convention; only `kubernetes.io/metadata.name` is on every one, for the API \
          server sets it. It is told to everybody where the namespace of that name has a manifest without the label. \
          Where no manifest of a namespace shows the label at all, pedants are told, for somebody may set it in the \
          cluster. Labels that OpenShift or Rancher set are left alone. \
          Where `cluster.protectedNamespaceLabels` of the configuration says which labels not everybody can set, auditors \
          are told of all others, which a tenant can give their own namespace.",
    fix: "Select by `kubernetes.io/metadata.name`, or put the label on the namespace. That opens the path.",
    bad: Example::new(
        "apiVersion: v1
kind: Namespace
metadata: {name: monitoring}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-ingress-from-monitoring, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress:
  - from: [{namespaceSelector: {matchLabels: {name: monitoring}}}]
    ports: [{port: 9090}]
",
    ),
    good: Example::new(
        "apiVersion: v1
kind: Namespace
metadata: {name: monitoring, labels: {purpose: metrics}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-ingress-from-monitoring, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}
    - namespaceSelector: {matchLabels: {purpose: metrics}}
    ports: [{port: 9090}]
",
    ),
    check: Check::Side(check),
};

/// Whose labels are set by those who run clusters: the prefix of a key, or its end.
const GIVEN: [&str; 6] = [
    "openshift.io",
    "cattle.io",
    "pod-security.kubernetes.io",
    "kubernetes.azure.com",
    "olm.operatorgroup.uid",
    "gke.io",
];

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    // What namespaces have, read when the first selector asks.
    let mut carried = None;
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            for peer in rule.peers.iter().flatten() {
                let PeerKind::Pods { namespaces: NamespaceMatch::Labels(selector), .. } =
                    &peer.kind
                else {
                    continue;
                };
                for requirement in selector.requirements() {
                    let Some(values) = convention(requirement) else { continue };
                    let carried = carried.get_or_insert_with(|| carried_by(snapshot));
                    let fault = Fault::of(snapshot, carried, requirement, values);
                    let draft = fault.map(|fault| draft(policy, selector, requirement, &fault));
                    drafts.extend(draft.map(|mut draft| {
                        draft.subject = format!("{direction} {}", draft.subject);
                        Draft { origin: peer.origin.clone(), ..draft }
                    }));
                }
            }
        }
    }
    Ok(drafts)
}

/// The values of a label that somebody must have set.
fn convention(requirement: &Requirement) -> Option<&BTreeSet<Box<str>>> {
    let Operator::In(values) = &requirement.operator else { return None };
    let key = &*requirement.key;
    let domain = key.split_once('/').map_or(key, |(domain, _)| domain);
    let given = GIVEN.iter().any(|known| domain.ends_with(known));
    (key != NAMESPACE_NAME_LABEL && !given).then_some(values)
}

/// Keys and values that manifests of namespaces have.
type Carried<'a> = BTreeSet<(&'a str, &'a str)>;

fn carried_by<'a>(snapshot: &Snapshot<'_, '_, 'a>) -> Carried<'a> {
    let labels = snapshot.cluster().namespaces.values().flat_map(|namespace| &namespace.labels);
    labels.map(|(key, value)| (&**key, &**value)).collect()
}

/// What is wrong with a label.
enum Fault {
    /// The namespace of that name has a manifest without it.
    FromNamespace(Box<str>),
    /// No manifest of a namespace has the key.
    Everywhere,
    /// The configuration names labels that are protected, and this is none of them.
    Unprotected,
}

impl Fault {
    fn of(
        snapshot: &Snapshot<'_, '_, '_>,
        carried: &Carried<'_>,
        requirement: &Requirement,
        values: &BTreeSet<Box<str>>,
    ) -> Option<Self> {
        let key = &*requirement.key;
        let protected = &snapshot.config.rules.protected_labels;
        let unprotected = protected.as_ref().is_some_and(|keys| !keys.contains(key));
        let unprotected = unprotected.then_some(Self::Unprotected);
        if values.iter().any(|value| carried.contains(&(key, &**value))) {
            return unprotected;
        }
        let meant =
            values.iter().find(|value| snapshot.cluster().namespaces.contains_key(&***value));
        if let Some(meant) = meant {
            return Some(Self::FromNamespace(meant.clone()));
        }
        let has_key = carried.range((key, "")..).next().is_some_and(|(other, _)| *other == key);
        if has_key { unprotected } else { Some(Self::Everywhere) }
    }
}

fn draft(policy: &Policy, selector: &Selector, requirement: &Requirement, fault: &Fault) -> Draft {
    let (message, severity, persona) = match fault {
        Fault::FromNamespace(name) => (
            Message::new("The manifest of namespace ")
                .name(name)
                .words(" does not have ")
                .name(requirement)
                .words(", so this matches no pod of it; every namespace has ")
                .name(NAMESPACE_NAME_LABEL),
            Severity::Medium,
            Persona::Regular,
        ),
        Fault::Everywhere => (
            Message::new("No manifest puts ")
                .name(requirement)
                .words(" on a namespace; every namespace has ")
                .name(NAMESPACE_NAME_LABEL),
            Severity::Low,
            Persona::Pedantic,
        ),
        Fault::Unprotected => (
            Message::new("Whoever may put ")
                .name(requirement)
                .words(" on a namespace of theirs gets what this peer is let, as it is none of ")
                .name("cluster.protectedNamespaceLabels"),
            Severity::Low,
            Persona::Auditor,
        ),
    };
    let draft = Draft::policy(policy, &policy.origin, requirement.to_string(), message)
        .severity(severity)
        .persona(persona);
    match fault {
        Fault::FromNamespace(name) if selector.requirements().len() == 1 => draft.fix(Fix {
            kind: FixKind::Behavioural,
            description: Message::new("the label that the namespace has"),
            replacement: Some(format!(
                "namespaceSelector: {}\n",
                words::yaml(&words::namespace_named(name))
            )),
            location: None,
            diff: None,
            removes: Vec::new(),
        }),
        _ => draft,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{findings, told};
    use super::RULE;
    use crate::report::Persona;

    fn told_of(labels: &str, selector: &str) -> Vec<Persona> {
        let text = format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: metrics, labels: {labels}}}}}\n---\n\
             {{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: shop}}, \
             spec: {{podSelector: {{}}, ingress: [{{from: [{{namespaceSelector: {{matchLabels: {selector}}}}}]}}]}}}}\n"
        );
        told(RULE.id, &text).iter().map(|finding| finding.persona).collect()
    }

    #[test]
    fn labels_that_a_tenant_can_set() {
        let text = "{apiVersion: v1, kind: Namespace, metadata: {name: metrics, labels: {team: a, tier: b}}}\n---\n\
                    {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: shop}, \
                    spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: a, tier: b}}}]}]}}\n";
        let told = |configuration: &str| -> Vec<_> {
            let found = findings(RULE.id, text, configuration);
            found
                .iter()
                .map(|one| (one.persona, format!("{:?}", one.message).contains("team=a")))
                .collect()
        };
        assert_eq!(told(""), []);
        let cluster = "cluster: {protectedNamespaceLabels: [tier]}\n";
        assert_eq!(told(cluster), [(Persona::Auditor, true)]);
        assert_eq!(told("cluster: {protectedNamespaceLabels: []}\n").len(), 2);
        assert_eq!(told("cluster: {protectedNamespaceLabels: [tier, team]}\n"), []);
    }

    #[test]
    fn labels_that_namespaces_have_and_not() {
        for (labels, selector, expected) in [
            ("{}", "{name: metrics}", Some(Persona::Regular)),
            ("{name: other}", "{name: metrics}", Some(Persona::Regular)),
            ("{}", "{name: kube-system}", Some(Persona::Pedantic)),
            ("{}", "{team: a}", Some(Persona::Pedantic)),
            ("{name: metrics}", "{name: metrics}", None),
            // Another namespace of a kind that is declared.
            ("{team: a}", "{team: b}", None),
            ("{}", "{kubernetes.io/metadata.name: metrics}", None),
            ("{}", "{network.openshift.io/policy-group: ingress}", None),
            ("{}", "{policy-group.network.openshift.io/ingress: \"\"}", None),
        ] {
            let expected: Vec<Persona> = expected.into_iter().collect();
            assert_eq!(told_of(labels, selector), expected, "{labels} {selector}");
        }
    }
}
