//! Peers in whatever namespace.

use super::super::evidence::SYSTEM_NAMESPACES;
use crate::model::{Direction, NAMESPACE_NAME_LABEL, NamespaceMatch, Operator, PeerKind, Selector};
use crate::report::{FixKind, Message, Persona, Severity};
use crate::rules::granted::Granted;
use crate::rules::repair::{Mend, Repair};
use crate::rules::snapshot::is_dns_only;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "any-namespace-peer",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: true,
    catches: "A peer whose `namespaceSelector` matches every namespace.",
    why: "Whoever can create a pod in any namespace of the cluster is such a peer, and a `podSelector` beside it does \
          not help: labels are the pod's owner's to choose. A selector that only asks whether \
          `kubernetes.io/metadata.name` exists, or that it is not some namespace that nobody has, matches every namespace as \
          well. Rules for DNS alone are left to another rule. \
          An edit of such a rule that leaves it no worse introduces nothing.",
    fix: "Pin the namespace with `kubernetes.io/metadata.name`, which only the API server sets.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-metrics, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: prometheus}}}]
    ports: [{port: 9187}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-metrics, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: prometheus}}}]
    ports: [{port: 9187}]
",
    ),
    check: Check::Side(check),
};

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            if direction == Direction::Egress && is_dns_only(rule) {
                continue;
            }
            for peer in rule.peers.iter().flatten() {
                let PeerKind::Pods { namespaces: NamespaceMatch::Labels(namespaces), pods } =
                    &peer.kind
                else {
                    continue;
                };
                if !any_namespace(snapshot, namespaces) {
                    continue;
                }
                let whom = match pods.is_everything() {
                    true => Message::new("every pod in every namespace"),
                    false => Message::new("pods ").name(pods).words(" in every namespace"),
                };
                let message = words::lets(direction, &policy.subject, whom);
                let severity = match (direction, pods.is_everything()) {
                    (Direction::Ingress, true) => Severity::High,
                    (Direction::Ingress, false) | (Direction::Egress, true) => Severity::Medium,
                    (Direction::Egress, false) => Severity::Low,
                };
                let canonical = format!("{direction} {pods} {}", words::canonical_ports(rule));
                let message = message.words(" on ").then(words::ports(rule));
                let mut draft =
                    Draft::policy(policy, &peer.origin, canonical, message).severity(severity);
                let own = |kind: &PeerKind| *kind == peer.kind;
                let ports = rule.ports.as_deref();
                draft = draft.granted(Granted::of(snapshot, policy, direction, rule, own, ports));
                if let Some(namespace) = only_namespace(snapshot, &peer.kind) {
                    let description = Message::new("such pods are declared in ")
                        .name(&namespace)
                        .words(" only: pin that namespace");
                    draft = draft.repair(Repair {
                        kind: FixKind::Narrowing,
                        description,
                        mend: Mend::Pin { peer: peer.origin.clone(), namespace },
                    });
                }
                drafts.push(draft);
            }
        }
    }
    Ok(drafts)
}

/// Does the selector match every namespace that could exist?
pub(super) fn any_namespace(snapshot: &Snapshot<'_, '_, '_>, selector: &Selector) -> bool {
    selector.requirements().iter().all(|requirement| {
        &*requirement.key == NAMESPACE_NAME_LABEL
            && match &requirement.operator {
                Operator::Exists => true,
                Operator::NotIn(values) => values.iter().all(|name| {
                    snapshot.policies_in(name).is_empty()
                        && snapshot.workloads_in(name).is_empty()
                        && !snapshot.cluster().namespaces.contains_key(&**name)
                        && **name != *"default"
                        && !SYSTEM_NAMESPACES.contains(&&**name)
                }),
                Operator::In(_) | Operator::DoesNotExist => false,
            }
    })
}

/// The namespace in which declared pods match, where it is the only one and so surely meant.
fn only_namespace(snapshot: &Snapshot<'_, '_, '_>, peer: &PeerKind) -> Option<String> {
    let PeerKind::Pods { pods, .. } = peer else { return None };
    if pods.is_everything() {
        return None;
    }
    let matched = snapshot.matched(peer).workloads;
    let namespace = &matched.first()?.id.namespace;
    let elsewhere = matched.iter().any(|workload| workload.id.namespace != *namespace);
    (!elsewhere).then(|| namespace.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{findings, introduced};
    use super::RULE;

    fn policy(rules: &str) -> String {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: web, namespace: shop}}, spec: \
             {{podSelector: {{matchLabels: {{app: web}}}}, policyTypes: [Ingress], ingress: [{rules}]}}}}\n"
        )
    }

    const ALL: &str = "{from: [{namespaceSelector: {}}], ports: [{port: 8080}, {protocol: TCP}]}";
    const ONE: &str = "{from: [{namespaceSelector: {}}], ports: [{port: 8080}]}";
    const OTHER: &str = "{from: [{namespaceSelector: {}}], ports: [{port: 9090}]}";
    const SOME_PODS: &str = "{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: prometheus}}}], ports: \
                             [{port: 8080}]}";

    #[test]
    fn an_edit_that_leaves_it_no_worse_introduces_nothing() {
        let both = format!("{ONE}, {OTHER}");
        for (before, after, expected) in [
            (ALL, ONE, 0),
            (ONE, ALL, 1),
            (ONE, SOME_PODS, 0),
            (SOME_PODS, ONE, 1),
            (ONE, &*both, 1),
            (&*both, ONE, 0),
            ("", ONE, 1),
        ] {
            let found = introduced(RULE.id, &policy(before), &policy(after)).len();
            assert_eq!(found, expected, "{before} -> {after}");
        }
    }

    #[test]
    fn a_port_beside_all_ports_is_not_named() {
        let found = findings(RULE.id, &policy(ALL), "");
        let words: Vec<String> = found.iter().map(|finding| finding.message.to_string()).collect();
        assert_eq!(
            words,
            ["Lets every pod in every namespace in to pods `app=web` of `shop` on `all TCP ports`"]
        );
    }
}
