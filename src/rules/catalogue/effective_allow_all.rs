//! Policies whose pods are as open as if nothing isolated them.

use super::super::grants::{self, Grant, canonical};
use crate::model::{Direction, PeerKind, Policy, Rule as PolicyRule};
use crate::reach::{Encoder, Side};
use crate::report::{Message, Persona, Severity};
use crate::rules::confirm::Shows;
use crate::rules::granted::Granted;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use crate::set::{OverBudget, Set};
use std::collections::BTreeMap;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "effective-allow-all",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "Pods that policies isolate and for which the rules together admit everybody on every port.",
    why: "Two halves of the address space and every namespace are everything, and so is a second policy that voids the \
          default deny. Everything is every pod on the pod network, every IPv4 address and every TCP port. One rule `- {}` \
          by itself says so openly, and `rule-without-peers` says it; here it counts where it voids a policy that denies. \
          Where a change opens this, the row that opened says it.",
    fix: "Narrow the widest of the rules, or take the policy away and say openly that these pods are not isolated.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-all, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-ingress, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress: [{}]
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
metadata: {name: web-allow-ingress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress: [{}]
",
    ),
    check: Check::Side(check),
};

/// How many policies a message names.
const NAMED: usize = 3;

/// How many rules a message names.
const RULES_NAMED: usize = 4;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for namespace in grants::namespaces(snapshot) {
        for direction in Direction::BOTH {
            of_namespace(snapshot, namespace, direction, &mut drafts)?;
        }
    }
    Ok(drafts)
}

fn of_namespace(
    snapshot: &Snapshot<'_, '_, '_>,
    namespace: &str,
    direction: Direction,
    drafts: &mut Vec<Draft>,
) -> Result<(), OverBudget> {
    let policies = snapshot.policies_in(namespace);
    let sections = policies.iter().filter_map(|policy| policy.section(direction));
    // Addresses outside are part of everything, so without a rule for any of them there is nothing to ask.
    if !sections.flat_map(|section| &section.rules).any(admits_addresses) {
        return Ok(());
    }
    let grants = snapshot.grants(namespace, direction)?;
    let mut encoder = snapshot.encoder();
    let all = encoder.d.union(grants.iter().map(|grant| grant.flows).collect())?;
    // The policies that are void, by the rules that make them so.
    let mut void: BTreeMap<Vec<usize>, Vec<&Policy>> = BTreeMap::new();
    for policy in policies.iter().filter(|policy| policy.section(direction).is_some()) {
        let everything = grants::everything(&mut encoder, snapshot.side, direction, policy, all)?;
        let Some(everything) = everything else { continue };
        let rules = needed(&mut encoder, &grants, everything)?;
        if !is_opened(&mut encoder, snapshot.side, direction, everything)? {
            void.entry(rules).or_default().push(policy);
        }
    }
    for (rules, policies) in void {
        let rules: Vec<&Grant<'_>> = rules.iter().filter_map(|index| grants.get(*index)).collect();
        let Some(draft) = draft(direction, &rules, &policies) else { continue };
        let flows = rules.iter().map(|grant| grant.flows).collect();
        let flows = encoder.d.union(flows)?;
        drafts.push(draft.shown(snapshot.example(&mut encoder, flows, Shows::Allowed)?));
    }
    Ok(())
}

/// Does the rule admit addresses outside of the cluster?
fn admits_addresses(rule: &PolicyRule) -> bool {
    let Some(peers) = &rule.peers else { return true };
    peers.iter().any(|peer| matches!(peer.kind, PeerKind::Block(_)))
}

/// A smallest choice of grants that admit all of this, as all of them together do, by their indexes; one alone
/// where one does.
fn needed(
    encoder: &mut Encoder<'_, '_>,
    grants: &[Grant<'_>],
    everything: Set,
) -> Result<Vec<usize>, OverBudget> {
    let mut chosen: Vec<usize> = Vec::new();
    for (index, grant) in grants.iter().enumerate() {
        if encoder.d.minus(everything, grant.flows)?.is_empty() {
            return Ok(vec![index]);
        }
        if !encoder.d.and(everything, grant.flows)?.is_empty() {
            chosen.push(index);
        }
    }
    // One after the other is left out, the narrow ones first, if the rest does.
    let mut order = chosen.clone();
    order.sort_by_cached_key(|index| {
        grants.get(*index).map(|grant| (grant.rule.peers.is_none(), canonical(grant.rule)))
    });
    for index in order {
        let rest = chosen.iter().filter(|other| **other != index);
        let rest = rest.filter_map(|other| grants.get(*other)).map(|grant| grant.flows).collect();
        let rest = encoder.d.union(rest)?;
        if encoder.d.minus(everything, rest)?.is_empty() {
            chosen.retain(|other| *other != index);
        }
    }
    Ok(chosen)
}

/// Is some of it only admitted since the other side? Then a row that opened says so.
fn is_opened(
    encoder: &mut Encoder<'_, '_>,
    side: Side,
    direction: Direction,
    everything: Set,
) -> Result<bool, OverBudget> {
    let existed = encoder.possible(side.other(), everything)?;
    let known = encoder.allowed_at(side.other(), direction, existed)?;
    Ok(!encoder.d.minus(existed, known)?.is_empty())
}

fn draft(direction: Direction, rules: &[&Grant<'_>], policies: &[&Policy]) -> Option<Draft> {
    let widest =
        rules.iter().max_by_key(|grant| (grant.rule.peers.is_none(), canonical(grant.rule)))?;
    let openly = rules.len() == 1
        && rules.iter().all(|grant| grant.rule.peers.is_none() && grant.rule.ports.is_none());
    let denying = |policy: &&&Policy| {
        policy.section(direction).is_some_and(|section| section.rules.is_empty())
    };
    let denials: Vec<String> =
        policies.iter().filter(denying).map(|policy| policy.id.to_string()).collect();
    if openly && denials.is_empty() {
        return None;
    }
    let pods = words::pods(&policies.first()?.subject);
    let message = match direction {
        Direction::Ingress => {
            Message::new("Everybody may connect to ").then(pods).words(" on every TCP port")
        }
        Direction::Egress => {
            Message::default().then(pods).words(" may connect to everything on every TCP port")
        }
    };
    let mut names: Vec<String> = rules.iter().map(|grant| grant.policy.id.to_string()).collect();
    names.sort();
    names.dedup();
    let message = match denials.is_empty() {
        true => message.words(", though policies isolate them: "),
        false => message.words(", so ").names(&denials, NAMED).words(" denies nothing: "),
    };
    let count = rules.len();
    let message = message
        .count(count, "rule of ", "rules of ")
        .names(names, RULES_NAMED)
        .words(if count == 1 { " admits it all" } else { " together admit it all" });
    let mut subject: Vec<String> = rules
        .iter()
        .map(|grant| format!("{} {}", grant.policy.id, canonical(grant.rule)))
        .chain(denials.iter().map(|id| format!("denies {id}")))
        .collect();
    subject.sort();
    let subject = format!("{direction} {}", subject.join("; "));
    // The same pods and, of these, those that something denies: whatever admits it and is called.
    let pods = |denied: bool| {
        let denies = |policy: &&&Policy| !denied || denying(policy);
        let mut pods: Vec<String> = policies
            .iter()
            .filter(denies)
            .map(|one| words::pods(&one.subject).to_string())
            .collect();
        pods.sort();
        pods.dedup();
        pods.join(", ")
    };
    let whole = format!("{direction} {} denied {}", pods(false), pods(true));
    let draft = Draft::policy(widest.policy, &widest.rule.origin, subject, message);
    Some(draft.granted(Granted::whole(whole)))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::catalogue::testing::{fires, introduced};

    fn policy(name: &str, pods: &str, egress: &str) -> String {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: \
             shop}}\nspec: {{podSelector: {pods}, policyTypes: [Egress], egress: {egress}}}\n"
        )
    }

    const UNION: &str = "[{to: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}, {namespaceSelector: {}}]}]";

    #[test]
    fn unions() {
        assert!(fires(RULE.id, &policy("web", "{}", UNION)));
        assert!(fires(RULE.id, &policy("web", "{}", "[{ports: [{port: 1, endPort: 65535}]}]")));
        let in_two = format!(
            "{}---\n{}",
            policy("web", "{}", "[{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]"),
            policy("more", "{}", "[{to: [{namespaceSelector: {}}]}]")
        );
        assert!(fires(RULE.id, &in_two));
    }

    #[test]
    fn not_quite_everything() {
        for egress in [
            "[{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]",
            "[{to: [{namespaceSelector: {}}]}]",
            "[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}, {namespaceSelector: {}}]}]",
            "[{ports: [{port: 2, endPort: 65535}]}]",
            "[{ports: [{protocol: UDP}]}]",
        ] {
            assert!(!fires(RULE.id, &policy("web", "{}", egress)), "{egress}");
        }
    }

    #[test]
    fn said_openly() {
        assert!(!fires(RULE.id, &policy("allow-all", "{}", "[{}]")));
    }

    #[test]
    fn nodes_are_not_everybody() {
        let agent = "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: agent, namespace: shop}\nspec: {template: \
                     {metadata: {labels: {app: agent}}, spec: {hostNetwork: true}}}\n";
        assert!(fires(RULE.id, &format!("{}{agent}", policy("web", "{}", UNION))));
    }

    #[test]
    fn where_a_row_says_it_no_finding_does() {
        let closed = policy("web", "{}", "[]");
        assert!(introduced(RULE.id, &closed, &policy("web", "{}", UNION)).is_empty());
        assert_eq!(introduced(RULE.id, "", &policy("web", "{}", UNION)).len(), 1);
    }
}
