//! Rules that let pods out, or in, where the other end refuses every one of their flows.

use super::super::grants::{self, Grant};
use crate::model::{
    Direction, NamespaceMatch, Operator, PeerKind, Policy, PortMatch, PortRef, Ports,
    Rule as PolicyRule, Workload,
};
use crate::report::{Message, Persona, Severity};
use crate::rules::confirm::{Shown, Shows};
use crate::rules::evidence;
use crate::rules::granted::Granted;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot};
use crate::set::OverBudget;
use std::collections::BTreeSet;
use std::sync::Arc;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "one-sided-grant",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "A rule that opens nothing, because the policies of the other end refuse all that it admits.",
    why: "Where both ends are isolated a connection needs two rules: egress at the one, ingress at the other. A rule with \
          nothing to meet it is half of a change, or what is left of one. It is only told where both ends have declared \
          workloads and no pod, declared or not, gets through; peers that are addresses are left alone.",
    fix: "Write the other half, as precise as this one, or delete this one.",
    bad: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-egress-to-db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: payments}}
      podSelector: {matchLabels: {app: db}}
    ports: [{port: 5432}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
",
    ),
    good: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-egress-to-db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: payments}}
      podSelector: {matchLabels: {app: db}}
    ports: [{port: 5432}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-web, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
      podSelector: {matchLabels: {app: web}}
    ports: [{port: 5432}]
",
    ),
    check: Check::Side(check),
};

/// How many workloads, and policies, a message names.
const NAMED: usize = 2;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        let selected = snapshot.selected(policy);
        if selected.is_empty() {
            continue;
        }
        for (direction, position, rule) in Snapshot::rules(policy) {
            let matched = pods(snapshot, rule);
            if let Some(matched) = matched.filter(|matched| !matched.is_empty())
                && !surely_through(snapshot, direction, rule, &selected, &matched)
                && let Some(shown) = refused(snapshot, direction, policy, position)?
            {
                let draft = draft(snapshot, direction, policy, rule, &selected, &matched);
                drafts.push(draft.shown(shown));
            }
        }
    }
    Ok(drafts)
}

/// The declared workloads of the peers, where all peers are pods.
fn pods<'a>(snapshot: &Snapshot<'_, '_, 'a>, rule: &PolicyRule) -> Option<Vec<&'a Arc<Workload>>> {
    let peers = rule.peers.as_ref()?;
    let mut matched = Vec::new();
    for peer in peers {
        match &peer.kind {
            PeerKind::Block(_) => return None,
            kind => matched.extend(snapshot.matched(kind).workloads),
        }
    }
    Some(matched)
}

/// How many workloads of an end are tried one by one.
const TRIED: usize = 2;

/// Does a declared workload surely get through to another one, which is most often so? No set has to be built for that:
/// the other end does not isolate the one, or a rule there names the other and a port of this rule.
fn surely_through(
    snapshot: &Snapshot<'_, '_, '_>,
    direction: Direction,
    rule: &PolicyRule,
    selected: &[&Arc<Workload>],
    matched: &[&Arc<Workload>],
) -> bool {
    let pairs = selected.iter().take(TRIED);
    let mut pairs = pairs.flat_map(|own| matched.iter().take(TRIED).map(move |far| (own, far)));
    pairs.any(|(own, far)| {
        let isolating = snapshot.isolating(other(direction), far);
        let mut sections =
            isolating.filter_map(|policy| policy.section(other(direction))).peekable();
        let open = sections.peek().is_none();
        let mut rules = sections.flat_map(|section| &section.rules);
        let receiver = if direction == Direction::Ingress { own } else { far };
        let lets = |far: &PolicyRule| names(snapshot, far, own) && shares_port(rule, far, receiver);
        own.id != far.id && (open || rules.any(lets))
    })
}

/// Does a rule surely name a workload, whatever labels its namespace has that are not known?
fn names(snapshot: &Snapshot<'_, '_, '_>, rule: &PolicyRule, workload: &Workload) -> bool {
    let Some(peers) = &rule.peers else { return true };
    let world = snapshot.world;
    let index = world.namespace(&workload.id.namespace);
    let Some(home) = index.and_then(|index| world.namespaces.get(index)) else { return false };
    peers.iter().any(|peer| match &peer.kind {
        PeerKind::Block(_) => false,
        PeerKind::Pods { namespaces, pods } => {
            let looks = match namespaces {
                NamespaceMatch::Name(name) => *name == workload.id.namespace,
                NamespaceMatch::Labels(selector) => {
                    let mut all = selector.requirements().iter();
                    let known = *home.declared.on(snapshot.side)
                        || all.all(|one| matches!(one.operator, Operator::In(_)));
                    known && selector.matches(home.labels.on(snapshot.side))
                }
            };
            looks && pods.matches(&workload.labels)
        }
    })
}

/// Is there a port of this workload that both rules admit?
fn shares_port(rule: &PolicyRule, far: &PolicyRule, receiver: &Workload) -> bool {
    let numbers = |port: &PortMatch| -> Vec<(u16, u16)> {
        match &port.ports {
            Ports::All => vec![(1, u16::MAX)],
            Ports::Range(first, last) => vec![(*first, *last)],
            Ports::Named(name) => {
                let named = PortRef::Name(name.clone());
                let ports = evidence::pod_ports(receiver, port.protocol, &named).into_iter();
                ports.map(|(_, number)| (number, number)).collect()
            }
        }
    };
    let all = |ports: &[PortMatch]| ports.iter().any(|port| !numbers(port).is_empty());
    match (&rule.ports, &far.ports) {
        (None, None) => true,
        (None, Some(ports)) | (Some(ports), None) => all(ports),
        (Some(ports), Some(others)) => ports.iter().any(|port| {
            let same = others.iter().filter(|other| other.protocol == port.protocol);
            same.flat_map(numbers).any(|(start, end)| {
                numbers(port).iter().any(|(first, last)| *first <= end && start <= *last)
            })
        }),
    }
}

/// A flow that the rule admits, where the other end refuses all of these, whatever pods there are.
fn refused(
    snapshot: &Snapshot<'_, '_, '_>,
    direction: Direction,
    policy: &Policy,
    position: usize,
) -> Result<Option<Shown>, OverBudget> {
    let namespace = policy.id.namespace.as_deref().unwrap_or_default();
    let grants = snapshot.grants(namespace, direction)?;
    let grant =
        |grant: &&Grant<'_>| std::ptr::eq(grant.policy, policy) && grant.position == position;
    let Some(flows) = grants.iter().find(grant).map(|grant| grant.flows) else { return Ok(None) };
    let mut encoder = snapshot.encoder();
    let through = encoder.allowed_at(snapshot.side, other(direction), flows)?;
    if flows.is_empty() || !through.is_empty() {
        return Ok(None);
    }
    let shows = Shows::RefusedAt(other(direction));
    snapshot.example(&mut encoder, flows, shows).map(Some)
}

fn other(direction: Direction) -> Direction {
    match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    }
}

fn draft(
    snapshot: &Snapshot<'_, '_, '_>,
    direction: Direction,
    policy: &Policy,
    rule: &PolicyRule,
    selected: &[&Arc<Workload>],
    matched: &[&Arc<Workload>],
) -> Draft {
    let names = |workloads: &[&Arc<Workload>]| {
        let mut names: Vec<String> = workloads.iter().map(|w| w.id.to_string()).collect();
        names.sort();
        names.dedup();
        names
    };
    let refusing = matched.iter().flat_map(|one| snapshot.isolating(other(direction), one));
    let refusing: BTreeSet<String> = refusing.map(|policy| policy.id.to_string()).collect();
    let (from, to) = match direction {
        Direction::Egress => (names(selected), names(matched)),
        Direction::Ingress => (names(matched), names(selected)),
    };
    let message = match direction {
        Direction::Egress => Message::new("Lets ").names(from, NAMED).words(" out to "),
        Direction::Ingress => Message::new("Lets ").names(from, NAMED).words(" in to "),
    };
    let message = message.names(to, NAMED).words(match direction {
        Direction::Egress => ", where no ingress rule lets it in (policy ",
        Direction::Ingress => ", but no egress rule lets it out (policy ",
    });
    let message = message.names(&refusing, NAMED).words("): this opens no path");
    let subject = format!("{direction} {}", grants::canonical(rule));
    Draft::policy(policy, &rule.origin, subject, message)
        .granted(Granted::by_rule(snapshot, policy, direction, rule))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::catalogue::testing::fires;

    fn fires_after(from: &str, to: &str) -> bool {
        assert!(RULE.bad.after.contains(from));
        fires(RULE.id, &RULE.bad.after.replace(from, to))
    }

    #[test]
    fn an_end_that_is_not_isolated_or_not_known() {
        assert!(!fires_after("  policyTypes: [Ingress]\n", "  policyTypes: [Egress]\n"));
        assert!(!fires_after(
            "metadata: {name: db, namespace: payments}",
            "metadata: {name: db, namespace: other}"
        ));
        let outside = "    - ipBlock: {cidr: 10.0.0.0/8}\n";
        let pods = "    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: payments}}\n      podSelector: \
                    {matchLabels: {app: db}}\n";
        assert!(!fires_after(pods, outside));
    }

    #[test]
    fn a_default_deny_is_no_answer_either() {
        assert!(fires_after(
            "  ingress:\n  - from: [{podSelector: {matchLabels: {app: api}}}]\n    ports: [{port: 5432}]\n",
            ""
        ));
    }

    #[test]
    fn one_port_of_two_gets_through() {
        let web = "  - from: [{namespaceSelector: {}}]\n    ports: [{port: 5432, endPort: 5440}]\n";
        let api =
            "  - from: [{podSelector: {matchLabels: {app: api}}}]\n    ports: [{port: 5432}]\n";
        assert!(!fires_after(api, web));
        assert!(fires_after(api, &web.replace("port: 5432, endPort: 5440", "port: 80")));
    }
}
