//! Named peers, and any port.

use crate::model::{
    Direction, NamespaceMatch, PeerKind, Policy, Ports, Protocol, Rule as PolicyRule, Workload,
};
use crate::report::{FixKind, Message, Persona, Severity};
use crate::rules::granted::Granted;
use crate::rules::repair::{Mend, Repair};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use std::collections::BTreeSet;
use std::sync::Arc;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "unbounded-ports",
    severity: Severity::Low,
    persona: Persona::Pedantic,
    lesson: false,
    catches: "A rule that names its peers and lets them use every port, or a thousand of them.",
    why: "What listens beside the port that is meant (metrics, debuggers, admin pages) is open as well. Traffic \
          between all pods of one namespace is left alone. Where all receiving pods are known and declare a few ports, and a \
          peer is outside of the namespace, it is shown to everybody.",
    fix: "List the ports that the receiving pods declare.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-shop, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-same-namespace, namespace: payments}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {}}]
",
    ),
    check: Check::Side(check),
};

/// So many ports in one entry are as good as all.
const MANY: u16 = 1_000;

/// With more declared ports than this, naming them is no help.
const FEW: usize = 8;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            if is_unbounded(rule) && !is_same_namespace(policy, rule) {
                let granted = Granted::by_rule(snapshot, policy, direction, rule);
                drafts.push(draft(snapshot, policy, direction, rule).granted(granted));
            }
        }
    }
    Ok(drafts)
}

fn is_unbounded(rule: &PolicyRule) -> bool {
    rule.peers.is_some()
        && rule.ports.as_ref().is_none_or(|ports| {
            ports.iter().any(|port| match port.ports {
                Ports::All => true,
                Ports::Range(first, last) => last - first >= MANY - 1,
                Ports::Named(_) => false,
            })
        })
}

/// Every peer is every pod of the policy's own namespace.
fn is_same_namespace(policy: &Policy, rule: &PolicyRule) -> bool {
    rule.peers.iter().flatten().all(|peer| match &peer.kind {
        PeerKind::Pods { namespaces: NamespaceMatch::Name(name), pods } => {
            pods.is_everything() && Some(name) == policy.id.namespace.as_ref()
        }
        _ => false,
    })
}

fn draft(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    direction: Direction,
    rule: &PolicyRule,
) -> Draft {
    let message = words::lets(direction, &policy.subject, words::peers(rule));
    let message = message.words(" on ").then(words::ports(rule));
    let canonical =
        format!("{direction} {} {}", words::canonical_peers(rule), words::canonical_ports(rule));
    let kinds = || rule.peers.iter().flatten().map(|peer| &peer.kind);
    let outside = kinds().any(|kind| match kind {
        PeerKind::Pods { namespaces: NamespaceMatch::Name(name), .. } => {
            Some(name) != policy.id.namespace.as_ref()
        }
        _ => true,
    });
    let receivers = match direction {
        Direction::Ingress => snapshot.selected(policy),
        Direction::Egress => kinds().flat_map(|kind| snapshot.matched(kind).workloads).collect(),
    };
    let draft = |message| Draft::policy(policy, &rule.origin, canonical, message);
    match declared(snapshot, &receivers) {
        Some(ports) if outside => {
            let names = ports.iter().map(|(protocol, number)| format!("{protocol} {number}"));
            let message =
                message.words("; the pods that receive it declare only ").names(names, FEW);
            let ports =
                ports.iter().map(|(protocol, number)| (protocol.to_string(), *number)).collect();
            draft(message).severity(Severity::Medium).persona(Persona::Regular).repair(Repair {
                kind: FixKind::Narrowing,
                description: Message::new("list the ports that are declared"),
                mend: Mend::Ports { rule: rule.origin.clone(), ports },
            })
        }
        _ => draft(message),
    }
}

/// The ports that all receivers declare together, where all of them are known and they are few.
fn declared(
    snapshot: &Snapshot<'_, '_, '_>,
    receivers: &[&Arc<Workload>],
) -> Option<BTreeSet<(Protocol, u16)>> {
    let known = receivers
        .iter()
        .all(|workload| snapshot.closed(&workload.id.namespace) && !workload.ports.is_empty());
    let ports: BTreeSet<(Protocol, u16)> = receivers
        .iter()
        .flat_map(|workload| workload.ports.iter().map(|port| (port.protocol, port.number)))
        .collect();
    (known && (1..=FEW).contains(&ports.len())).then_some(ports)
}
