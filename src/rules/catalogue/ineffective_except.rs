//! Exceptions that another rule lets in again.

use super::super::grants::{self, Grant, addresses, container};
use crate::model::{Direction, IpBlock, PeerKind, PortMatch, Rule as PolicyRule};
use crate::reach::Encoder;
use crate::report::{FixKind, Message, Persona, Severity};
use crate::rules::confirm::Shows;
use crate::rules::granted::Granted;
use crate::rules::repair::{Mend, Repair};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use crate::set::{OverBudget, Set};
use ipnet::IpNet;
use std::collections::BTreeMap;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "ineffective-except",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "An `except` whose addresses another rule admits for the same pods and ports.",
    why: "An `except` denies nothing: it is only left out of its own block. Policies add up, so any other rule for the \
          same pods can let it in again. It is told where all of the exception is admitted after all, for every pod of \
          the policy and on all of the rule's ports; a smaller hole, fewer pods or fewer ports are taken for meant. Pods \
          in the range that a selector admits are too.",
    fix: "Give the other block the same `except`, or delete this one.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-egress-internet, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-egress-private, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 10.0.0.0/8}}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-egress-internet, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-egress-private, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 10.0.0.0/8}}]
    ports: [{port: 5432}]
",
    ),
    check: Check::Side(check),
};

/// How many exceptions a message names.
const NAMED: usize = 3;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for namespace in grants::namespaces(snapshot) {
        for direction in Direction::BOTH {
            let policies = snapshot.policies_in(namespace);
            let excepts = |policy: &crate::model::Policy| {
                Snapshot::rules(policy).any(|(d, _, rule)| {
                    d == direction && blocks(rule).any(|block| !block.except.is_empty())
                })
            };
            if !policies.iter().any(|policy| excepts(policy)) {
                continue;
            }
            let grants = snapshot.grants(namespace, direction)?;
            let mut encoder = snapshot.encoder();
            let all = encoder.d.union(grants.iter().map(|grant| grant.flows).collect())?;
            for grant in grants.iter() {
                for block in blocks(grant.rule) {
                    for (void, ports) in void(snapshot, &mut encoder, grant, block, all)? {
                        let found = Void { block, void, ports };
                        drafts.push(draft(snapshot, &mut encoder, grant, &found, &grants)?);
                    }
                }
            }
        }
    }
    Ok(drafts)
}

fn blocks(rule: &crate::model::Rule) -> impl Iterator<Item = &IpBlock> {
    rule.peers.iter().flatten().filter_map(|peer| match &peer.kind {
        PeerKind::Block(block) => Some(block),
        PeerKind::Pods { .. } => None,
    })
}

/// Exceptions of a block without effect on ports of its rule.
struct Void<'a> {
    block: &'a IpBlock,
    void: Vec<&'a IpNet>,
    /// `None`: on all ports.
    ports: Option<Vec<PortMatch>>,
}

/// The exceptions of a block that others admit all the same, by the ports of the rule for which that is so. Each port is
/// asked about alone, so that two rules say what one of both their ports does.
type Voids<'a> = BTreeMap<Vec<&'a IpNet>, Option<Vec<PortMatch>>>;

fn void<'a>(
    snapshot: &Snapshot<'_, '_, '_>,
    encoder: &mut Encoder<'_, '_>,
    grant: &Grant<'_>,
    block: &'a IpBlock,
    all: Set,
) -> Result<Voids<'a>, OverBudget> {
    let mut voids = Voids::new();
    let entries: Vec<Option<&PortMatch>> = match &grant.rule.ports {
        None => vec![None],
        Some(ports) => ports.iter().map(Some).collect(),
    };
    for entry in entries {
        let left_out = left_out(snapshot, encoder, grant, entry.map(std::slice::from_ref))?;
        let mut void = Vec::new();
        for except in &block.except {
            let there = excepted(encoder, grant, except, left_out)?;
            if !there.is_empty() && encoder.d.minus(there, all)?.is_empty() {
                void.push(except);
            }
        }
        if let (false, Some(port)) = (void.is_empty(), entry) {
            voids.entry(void).or_insert_with(|| Some(Vec::new())).iter_mut().for_each(|ports| {
                ports.push(port.clone());
            });
        } else if !void.is_empty() {
            voids.insert(void, None);
        }
    }
    Ok(voids)
}

/// The flows of the pods of a rule with addresses outside on these ports; `None`: on all.
fn left_out(
    snapshot: &Snapshot<'_, '_, '_>,
    encoder: &mut Encoder<'_, '_>,
    grant: &Grant<'_>,
    ports: Option<&[PortMatch]>,
) -> Result<Set, OverBudget> {
    let outside = encoder.outside(Encoder::subject_end(grant.direction).other())?;
    let left_out = encoder.d.and(grant.subject, outside)?;
    let Some(ports) = ports else { return Ok(left_out) };
    let ports = encoder.ports(snapshot.side, ports, left_out)?;
    encoder.d.and(left_out, ports)
}

/// Those of these flows with an address of an exception.
fn excepted(
    encoder: &mut Encoder<'_, '_>,
    grant: &Grant<'_>,
    except: &IpNet,
    left_out: Set,
) -> Result<Set, OverBudget> {
    let there = addresses(encoder, Encoder::subject_end(grant.direction).other(), except)?;
    encoder.d.and(left_out, there)
}

fn draft(
    snapshot: &Snapshot<'_, '_, '_>,
    encoder: &mut Encoder<'_, '_>,
    grant: &Grant<'_>,
    Void { block, void, ports }: &Void<'_>,
    grants: &[Grant<'_>],
) -> Result<Draft, OverBudget> {
    let ports = ports.as_deref();
    let left_out = left_out(snapshot, encoder, grant, ports)?;
    let mut flows = Set::EMPTY;
    for except in void {
        let there = excepted(encoder, grant, except, left_out)?;
        flows = encoder.d.or(flows, there)?;
    }
    let by = container(encoder, grants, flows)?;
    let rule = PolicyRule { ports: ports.map(<[PortMatch]>::to_vec), ..grant.rule.clone() };
    let message = Message::new("`except` ").names(void, NAMED).words(" has no effect");
    let message = match ports.map(<[PortMatch]>::len) == grant.rule.ports.as_ref().map(Vec::len) {
        true => message.words(": "),
        false => message.words(" on ").then(words::ports(&rule)).words(": "),
    };
    let message = match by {
        Some(by) if by.policy.id == grant.policy.id && by.rule == grant.rule => {
            message.words("another peer of this rule admits it")
        }
        Some(by) if by.policy.id == grant.policy.id => {
            message.words("another rule of this policy admits it")
        }
        Some(by) => {
            message.words("policy ").name(&by.policy.id).words(" admits it for the same pods")
        }
        None => message.words("other rules for these pods admit it"),
    };
    let direction = grant.direction;
    let subject = format!("{direction} {} on {}", block.cidr, words::canonical_ports(&rule));
    let shown = snapshot.example(encoder, flows, Shows::Allowed)?;
    let own = |kind: &PeerKind| matches!(kind, PeerKind::Block(other) if other.cidr == block.cidr);
    let granted = Granted::of(snapshot, grant.policy, direction, grant.rule, own, ports);
    let draft = Draft::policy(grant.policy, &grant.rule.origin, subject, message);
    let draft = draft.granted(granted).shown(shown);
    Ok(match by.and_then(|by| same_except(by, void)) {
        Some(repair) => draft.repair(repair),
        None => draft,
    })
}

/// The same exceptions in the block that lets them in, where it is a larger one without any.
fn same_except(by: &Grant<'_>, void: &[&IpNet]) -> Option<Repair> {
    let peers = by.rule.peers.iter().flatten();
    let mut larger = peers.filter_map(|peer| match &peer.kind {
        PeerKind::Block(block) => {
            let inside = |net: &&IpNet| block.cidr.contains(*net) && block.cidr != **net;
            (block.except.is_empty() && void.iter().all(inside)).then_some((peer, block))
        }
        PeerKind::Pods { .. } => None,
    });
    let (peer, block) = larger.next()?;
    Some(Repair {
        kind: FixKind::Narrowing,
        description: Message::new("give ")
            .name(block.cidr)
            .words(" in policy ")
            .name(&by.policy.id)
            .words(" the same `except`"),
        mend: Mend::Except {
            peer: peer.origin.clone(),
            block: block.cidr.to_string(),
            except: void.iter().map(ToString::to_string).collect(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::catalogue::testing::{findings, fires};

    fn egress(rules: &str) -> String {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: web, namespace: shop}}\nspec: \
             {{podSelector: {{matchLabels: {{app: web}}}}, policyTypes: [Egress], egress: [{rules}]}}\n"
        )
    }

    const INTERNET: &str = "{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}";

    #[test]
    fn another_peer_or_rule_lets_it_in() {
        let block = "{ipBlock: {cidr: 10.0.0.0/8}}";
        assert!(fires(RULE.id, &egress(&format!("{{to: [{INTERNET}, {block}]}}"))));
        assert!(fires(RULE.id, &egress(&format!("{{to: [{INTERNET}]}}, {{to: [{block}]}}"))));
        assert!(fires(RULE.id, &egress(&format!("{{to: [{INTERNET}]}}, {{}}"))));
        let halves = "{ipBlock: {cidr: 10.0.0.0/9}}, {ipBlock: {cidr: 10.128.0.0/9}}";
        assert!(fires(RULE.id, &egress(&format!("{{to: [{INTERNET}, {halves}]}}"))));
    }

    #[test]
    fn on_some_of_its_ports() {
        let block = "{ipBlock: {cidr: 10.0.0.0/8}}";
        let words = |ports: &str| -> Vec<String> {
            let rules = format!(
                "{{to: [{INTERNET}], ports: [{ports}]}}, {{to: [{block}], ports: [{{port: 80}}, {{port: 81}}]}}"
            );
            let found = findings(RULE.id, &egress(&rules), "");
            found.iter().map(|finding| finding.message.to_string()).collect()
        };
        let admits = "another rule of this policy admits it";
        let whole = format!("`except` `10.0.0.0/8` has no effect: {admits}");
        let part = format!("`except` `10.0.0.0/8` has no effect on `TCP 80`: {admits}");
        assert_eq!(words("{port: 80}, {port: 81}"), [whole]);
        assert_eq!(words("{port: 80}, {port: 443}"), [part]);
        assert!(words("{port: 443}").is_empty());
    }

    #[test]
    fn holes_that_are_meant() {
        for rule in [
            "{to: [{ipBlock: {cidr: 10.1.2.3/32}}]}",
            "{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 5432}]}",
            "{to: [{namespaceSelector: {}}]}",
            "{to: [{ipBlock: {cidr: 172.16.0.0/12}}]}",
        ] {
            assert!(!fires(RULE.id, &egress(&format!("{{to: [{INTERNET}]}}, {rule}"))), "{rule}");
        }
    }

    #[test]
    fn other_pods() {
        let other = egress("{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}")
            .replace("name: web", "name: db")
            .replace("app: web", "app: db");
        let both = format!("{}---\n{other}", egress(&format!("{{to: [{INTERNET}]}}")));
        assert!(!fires(RULE.id, &both));
    }
}
