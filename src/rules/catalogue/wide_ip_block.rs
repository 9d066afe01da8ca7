//! Blocks that hold much of the Internet.

use crate::model::{Direction, PeerKind, Rule as PolicyRule};
use crate::report::{Persona, Severity};
use crate::rules::addresses::{self, Spans};
use crate::rules::granted::Granted;
use crate::rules::snapshot::is_dns_only;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use ipnet::IpNet;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "wide-ip-block",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: true,
    catches: "Blocks of addresses that together hold more of the Internet than any named place.",
    why: "`0.0.0.0/0`, or its two halves, is everybody: for ingress whoever finds the load balancer, for egress \
          every place to take data to. More than a /8 of public IPv4 addresses, or a /32 of IPv6, counts as wide, with all \
          blocks of a rule taken together and their exceptions left out. Egress that leaves out all private ranges and the \
          link-local one says \"the Internet, and nothing else\" and is shown to pedantics. Rules for DNS alone are left to \
          another rule.",
    fix: "Name the ranges that are meant. Where the other end is in the cluster, name its pods.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api-allow-egress-anywhere, namespace: shop}
spec:
  podSelector: {matchLabels: {app: api}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}]
    ports: [{port: 443}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api-allow-egress-to-partner, namespace: shop}
spec:
  podSelector: {matchLabels: {app: api}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 203.0.113.0/24}}]
    ports: [{port: 443}]
",
    ),
    check: Check::Side(check),
};

/// More addresses than a block of this length holds are wide: IPv4, IPv6.
const WIDE: (u32, u32) = (8, 32);

/// What a rule that means the Internet alone leaves out.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"];

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            if direction == Direction::Egress && is_dns_only(rule) {
                continue;
            }
            let Some((v4, spans)) = wide(snapshot, rule) else { continue };
            let only_internet = direction == Direction::Egress && v4 && leaves_private(&spans);
            let blocks = words::blocks(rule);
            let message = words::lets(direction, &policy.subject, blocks);
            let message =
                message.words(" on ").then(words::ports(rule)).words(match only_internet {
                    true => ": the whole Internet without private ranges",
                    false => ": that is more of the Internet than any named place",
                });
            let canonical = format!(
                "{direction} {} {}",
                words::canonical_blocks(rule),
                words::canonical_ports(rule)
            );
            let block = |kind: &PeerKind| matches!(kind, PeerKind::Block(_));
            let ports = rule.ports.as_deref();
            let draft = Draft::policy(policy, &rule.origin, canonical, message)
                .granted(Granted::of(snapshot, policy, direction, rule, block, ports));
            drafts.push(match (direction, only_internet) {
                (Direction::Ingress, _) => draft.severity(Severity::High),
                (Direction::Egress, true) => {
                    draft.severity(Severity::Low).persona(Persona::Pedantic)
                }
                (Direction::Egress, false) => draft,
            });
        }
    }
    Ok(drafts)
}

/// The family in which the rule's blocks are wide, and all addresses of that family that they match.
fn wide(snapshot: &Snapshot<'_, '_, '_>, rule: &PolicyRule) -> Option<(bool, Spans)> {
    [(true, 32 - WIDE.0), (false, 128 - WIDE.1)].into_iter().find_map(|(v4, bits)| {
        let spans = addresses::matched(rule, v4);
        let public = addresses::public(&spans, v4, snapshot.config);
        (addresses::count(&public) > 1_u128 << bits).then_some((v4, spans))
    })
}

fn leaves_private(spans: &Spans) -> bool {
    let nets = PRIVATE.iter().filter_map(|text| text.parse::<IpNet>().ok());
    nets.into_iter().all(|net| !addresses::meets(spans, &net))
}
