//! DNS to more than the resolver.

use crate::model::{Direction, NamespaceMatch, PeerKind, Rule as PolicyRule};
use crate::report::{Message, Persona, Severity};
use crate::rules::snapshot::is_dns_only;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "dns-egress-unscoped",
    severity: Severity::Low,
    persona: Persona::Pedantic,
    lesson: false,
    catches: "A rule for DNS that reaches more than the cluster's resolver.",
    why: "Port 53 to any address is a way out: names can carry data, and any server can answer them. Port 53 to \
          every pod of `kube-system` reaches whatever listens there. Blocks of single addresses, such as that of a \
          node-local cache, are left alone.",
    fix: "Name the resolver's pods: for kube-dns and CoreDNS the namespace `kube-system` and `k8s-app: kube-dns` on 53, for \
          OpenShift the namespace `openshift-dns` and `dns.operator.openshift.io/daemonset-dns: default` on 5353.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-egress-dns, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-egress-dns, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      podSelector: {matchLabels: {k8s-app: kube-dns}}
    - ipBlock: {cidr: 169.254.20.10/32}
    ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
",
    ),
    check: Check::Side(check),
};

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            if direction == Direction::Egress
                && is_dns_only(rule)
                && let Some((whom, severity)) = unscoped(rule)
            {
                let message = Message::new("DNS goes to ")
                    .then(whom)
                    .words(", not only to the cluster's resolver");
                let subject = words::canonical_peers(rule);
                drafts.push(
                    Draft::policy(policy, &rule.origin, subject, message)
                        .severity(severity)
                        .faults(["dns"]),
                );
            }
        }
    }
    Ok(drafts)
}

/// Whom the rule reaches beside a resolver, the widest peer first.
fn unscoped(rule: &PolicyRule) -> Option<(Message, Severity)> {
    let Some(peers) = &rule.peers else {
        return Some((Message::new("every pod and every address"), Severity::Medium));
    };
    let kinds = || peers.iter().map(|peer| &peer.kind);
    let everywhere =
        kinds().find(|kind| matches!(kind, PeerKind::Block(block) if block.cidr.prefix_len() == 0));
    if let Some(block) = everywhere {
        return Some((words::peer(block), Severity::Medium));
    }
    let whole = kinds().find(|kind| {
        matches!(kind, PeerKind::Pods { namespaces: NamespaceMatch::Labels(_), pods } if pods.is_everything())
    });
    whole.map(|kind| (words::peer(kind), Severity::Low))
}
