//! Blocks of addresses that hold some of the cluster's own.

use crate::model::{Direction, IpBlock, PeerKind, Policy};
use crate::report::{Persona, Severity};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use ipnet::IpNet;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "ip-block-covers-cluster",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "An `ipBlock` that holds addresses of pods, Services or nodes.",
    why: "Whether a block matches pods is the network plugin's choice: with most of them one that holds the pods' range \
          admits every pod, whatever the pod selectors beside it say; with Cilium it admits none. The address of a Service is \
          replaced by that of a pod before most plugins look, so a block for it matches nothing. It is told only where \
          `cluster.podCIDRs`, `serviceCIDRs` or `nodeCIDRs` of the configuration say what the ranges are; private ranges alone \
          prove nothing. Of `0.0.0.0/0` pedants are told.",
    fix: "Select the pods by their labels, and leave the cluster's ranges out with `except`.",
    bad: Example {
        before: "",
        after: "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-office, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]
    ports: [{port: 5432}]
",
        configuration: "cluster:\n  podCIDRs: [10.244.0.0/16]\n",
    },
    good: Example {
        before: "",
        after: "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-office, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.244.0.0/16]}}]
    ports: [{port: 5432}]
",
        configuration: "cluster:\n  podCIDRs: [10.244.0.0/16]\n",
    },
    check: Check::Side(check),
};

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let config = snapshot.config;
    let kinds = [
        (Kind::Pods, &config.pod_ranges),
        (Kind::Services, &config.service_ranges),
        (Kind::Nodes, &config.node_ranges),
    ];
    let mut drafts = Vec::new();
    if kinds.iter().all(|(_, ranges)| ranges.is_empty()) {
        return Ok(drafts);
    }
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            for peer in rule.peers.iter().flatten() {
                let PeerKind::Block(block) = &peer.kind else { continue };
                for (kind, ranges) in kinds {
                    let held = ranges.iter().find(|range| kind.matters(block, range));
                    let draft = held.map(|range| draft(policy, direction, block, kind, range));
                    drafts
                        .extend(draft.map(|draft| Draft { origin: peer.origin.clone(), ..draft }));
                }
            }
        }
    }
    Ok(drafts)
}

/// Whose addresses a range has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pods,
    Services,
    Nodes,
}

impl Kind {
    /// Is it worth a word that a block holds some of these addresses?
    fn matters(self, block: &IpBlock, range: &IpNet) -> bool {
        // A block that lies inside the range of the nodes, or around that of the Services, is meant so.
        let is_inside = range.contains(&block.cidr);
        let odd = match self {
            Kind::Pods => true,
            Kind::Services => is_inside,
            Kind::Nodes => !is_inside,
        };
        odd && overlap(block, range)
    }
}

/// Does a block hold an address of a range?
fn overlap(block: &IpBlock, range: &IpNet) -> bool {
    let common = match (block.cidr.contains(range), range.contains(&block.cidr)) {
        (true, _) => *range,
        (false, true) => block.cidr,
        (false, false) => return false,
    };
    let holes: Vec<IpNet> = block.except.clone();
    !filled(common, &holes)
}

/// Do the holes cover the whole of a net?
fn filled(net: IpNet, holes: &[IpNet]) -> bool {
    if holes.iter().any(|hole| hole.contains(&net)) {
        return true;
    }
    let inside: Vec<IpNet> = holes.iter().filter(|hole| net.contains(*hole)).copied().collect();
    // A net with a hole inside is wider than one address, so it has two halves.
    match (inside.is_empty(), net.subnets(net.prefix_len() + 1)) {
        (false, Ok(mut halves)) => halves.all(|half| filled(half, &inside)),
        _ => false,
    }
}

fn draft(
    policy: &Policy,
    direction: Direction,
    block: &IpBlock,
    kind: Kind,
    range: &IpNet,
) -> Draft {
    let who = words::peer(&PeerKind::Block(block.clone()));
    let all = block.cidr.prefix_len() == 0;
    let (message, severity) = match kind {
        Kind::Pods => (
            who.words(" holds the addresses of pods (").name(range).words(
                "): most network plugins take it for every such pod, whatever the pod selectors say; Cilium for none",
            ),
            Severity::Medium,
        ),
        Kind::Services => (
            who.words(" is in the range of Services (").name(range).words(
                "): most network plugins see the address of the pod behind it, so it matches nothing",
            ),
            Severity::Medium,
        ),
        Kind::Nodes => (
            who.words(" holds the addresses of nodes (").name(range).words(
                "), and with them pods on the host network and what comes through a node's port",
            ),
            Severity::Low,
        ),
    };
    let cidr = words::canonical_peer(&PeerKind::Block(block.clone()));
    let subject = format!("{direction} {cidr} {kind:?}");
    let draft = Draft::policy(policy, &policy.origin, subject, message);
    match all {
        true => draft.severity(Severity::Info).persona(Persona::Pedantic),
        false => draft.severity(severity),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::told_with;
    use super::RULE;
    use crate::report::Severity;

    const RANGES: &str = "cluster: {podCIDRs: [10.244.0.0/16], serviceCIDRs: [10.96.0.0/12], nodeCIDRs: [192.168.0.0/24]}\n";

    fn told_of(configuration: &str, block: &str) -> Vec<Severity> {
        let policy = format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: shop}}, \
             spec: {{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {block}}}]}}]}}}}"
        );
        let found = told_with(configuration, RULE.id, &policy);
        found.iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn ranges() {
        for (block, expected) in [
            ("{cidr: 10.0.0.0/8}", vec![Severity::Medium]),
            ("{cidr: 10.244.3.0/24}", vec![Severity::Medium]),
            ("{cidr: 10.96.0.1/32}", vec![Severity::Medium]),
            ("{cidr: 192.168.0.0/16}", vec![Severity::Low]),
            ("{cidr: 192.168.0.7/32}", vec![]),
            ("{cidr: 203.0.113.0/24}", vec![]),
            ("{cidr: \"2001:db8::/32\"}", vec![]),
            ("{cidr: 10.0.0.0/8, except: [10.244.0.0/16]}", vec![]),
            ("{cidr: 10.0.0.0/8, except: [10.244.0.0/17, 10.244.128.0/17]}", vec![]),
            ("{cidr: 10.0.0.0/8, except: [10.244.0.0/17]}", vec![Severity::Medium]),
            ("{cidr: 0.0.0.0/0}", vec![Severity::Info, Severity::Info]),
        ] {
            assert_eq!(told_of(RANGES, block), expected, "{block}");
            assert_eq!(told_of("", block), [], "{block}");
        }
    }
}
