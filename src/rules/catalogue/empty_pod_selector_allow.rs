//! Rules for every pod of a namespace that few of them need.

use super::any_namespace_peer;
use crate::model::{Direction, NamespaceMatch, PeerKind, Policy, Rule as PolicyRule, Workload};
use crate::report::{Message, Persona, Severity};
use crate::rules::granted::Granted;
use crate::rules::snapshot::is_dns_only;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, serves, words};
use std::sync::Arc;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "empty-pod-selector-allow",
    severity: Severity::Low,
    persona: Persona::Pedantic,
    lesson: true,
    catches: "A policy for every pod of its namespace that allows more than what every pod needs.",
    why: "An empty `podSelector` stands for all pods of the namespace, those of tomorrow included. That is right for a \
          default deny, for DNS and for traffic inside of the namespace. Anything else is needed by some of them. Where all \
          pods of the namespace are known and only some declare the port, it is more than likely wrong and shown to everybody.",
    fix: "Select the pods that need it. This policy may be what isolates the others: add a default deny first.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-ingress-from-nginx, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
  - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]
    ports: [{port: 8080}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-all, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-same-namespace, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {}}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-egress-dns, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]
    ports: [{port: 53, protocol: UDP}]
",
    ),
    check: Check::Side(check),
};

/// How many workloads a message names.
const NAMED: usize = 3;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies().filter(|policy| policy.subject.pods.is_everything()) {
        for (direction, _, rule) in Snapshot::rules(policy) {
            if !is_ubiquitous(snapshot, policy, direction, rule) {
                let granted = Granted::by_rule(snapshot, policy, direction, rule);
                drafts.push(draft(snapshot, policy, direction, rule).granted(granted));
            }
        }
    }
    Ok(drafts)
}

/// What every pod needs, and what other rules tell: rules without peers, and peers in any namespace.
fn is_ubiquitous(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    direction: Direction,
    rule: &PolicyRule,
) -> bool {
    let Some(peers) = &rule.peers else { return true };
    let own = policy.id.namespace.as_deref();
    let inside = |kind: &PeerKind| match kind {
        PeerKind::Pods { namespaces: NamespaceMatch::Name(name), .. } => Some(&**name) == own,
        PeerKind::Pods { namespaces: NamespaceMatch::Labels(selector), .. } => {
            any_namespace_peer::any_namespace(snapshot, selector)
        }
        PeerKind::Block(_) => false,
    };
    (direction == Direction::Egress && is_dns_only(rule))
        || peers.iter().all(|peer| inside(&peer.kind))
}

fn draft(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    direction: Direction,
    rule: &PolicyRule,
) -> Draft {
    let namespace = policy.id.namespace.as_deref().unwrap_or_default();
    let message = Message::default().words(match direction {
        Direction::Ingress => "Lets ",
        Direction::Egress => "Lets every present and future pod of ",
    });
    let on = words::ports(rule);
    let message = match direction {
        Direction::Ingress => message
            .then(words::peers(rule))
            .words(" connect to every present and future pod of ")
            .name(namespace),
        Direction::Egress => message.name(namespace).words(" connect to ").then(words::peers(rule)),
    };
    let message = message.words(" on ").then(on);
    let canonical =
        format!("{direction} {} {}", words::canonical_peers(rule), words::canonical_ports(rule));
    let few = match direction {
        Direction::Ingress => listeners(snapshot, namespace, rule),
        Direction::Egress => None,
    };
    let draft = |message| Draft::policy(policy, &rule.origin, canonical, message);
    match few {
        Some(few) => draft(message.words("; only these listen there: ").names(few, NAMED))
            .severity(Severity::Medium)
            .persona(Persona::Regular),
        None => draft(message),
    }
}

/// The workloads that declare a port of the rule, where all pods are known and others do not declare it.
fn listeners(
    snapshot: &Snapshot<'_, '_, '_>,
    namespace: &str,
    rule: &PolicyRule,
) -> Option<Vec<String>> {
    let workloads = snapshot.workloads_in(namespace);
    let declares = workloads.iter().all(|workload| !workload.ports.is_empty());
    let ports = rule.ports.as_ref()?;
    if !snapshot.closed(namespace) || !declares {
        return None;
    }
    let listens =
        |workload: &&&Arc<Workload>| ports.iter().any(|port| serves::listens(workload, port));
    let few: Vec<String> =
        workloads.iter().filter(listens).map(|workload| workload.id.name.to_string()).collect();
    (!few.is_empty() && few.len() < workloads.len()).then_some(few)
}
