//! Ports that a rule admits and on which nobody listens.

use super::super::evidence;
use crate::model::{
    Direction, PeerKind, Policy, PortMatch, Ports, Protocol, Rule as PolicyRule, Workload,
};
use crate::report::{FixKind, Message, Persona, Severity};
use crate::rules::granted::Granted;
use crate::rules::repair::{Mend, Repair};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use std::collections::BTreeSet;
use std::sync::Arc;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "unused-grant",
    severity: Severity::Low,
    persona: Persona::Pedantic,
    lesson: false,
    catches: "A port of a rule on which none of the pods that it leads to listens.",
    why: "A port that is open and not used waits for whatever listens there one day: a debugger, an old admin page. It is \
          told where all the pods that the rule leads to declare their ports and some use other ports of the same rule; \
          a Service's `targetPort` counts as declared. As Kubernetes asks nobody to declare ports, it is for auditors \
          unless the configuration says that every pod of the namespace is known. Pods with a sidecar that a mesh adds \
          are left alone.",
    fix: "Drop the port from the rule, or declare it as `containerPort` where it is used.",
    bad: Example::new(
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}, {port: 8080}]
",
    ),
    good: Example::new(
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: db-admin, namespace: payments}
spec: {selector: {app: db}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}, {port: 8080}]
",
    ),
    check: Check::Side(check),
};

/// How many workloads, and ports, a message names.
const NAMED: usize = 3;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            drafts.extend(of_rule(snapshot, policy, direction, rule));
        }
    }
    Ok(drafts)
}

fn of_rule(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    direction: Direction,
    rule: &PolicyRule,
) -> Option<Draft> {
    let ports = rule.ports.as_ref().filter(|ports| ports.len() > 1)?;
    let (receivers, known) = receivers(snapshot, policy, direction, rule)?;
    let listening = listening(snapshot, &receivers)?;
    let (used, unused): (Vec<&PortMatch>, Vec<&PortMatch>) =
        ports.iter().partition(|port| is_used(port, &listening));
    let indexes = ports.iter().enumerate().filter(|(_, port)| !is_used(port, &listening));
    let dropped = indexes.map(|(index, _)| index).collect();
    if used.is_empty() || unused.is_empty() {
        return None;
    }
    let mut names: Vec<String> = receivers.iter().map(|workload| workload.id.to_string()).collect();
    names.sort();
    names.dedup();
    let ports: Vec<PortMatch> = unused.iter().copied().cloned().collect();
    let granted = Granted::of(snapshot, policy, direction, rule, |_| true, Some(&ports));
    let mut unused: Vec<String> = unused.into_iter().map(words::port).collect();
    unused.sort();
    unused.dedup();
    let one = unused.len() == 1;
    let listening = listening.iter().map(|(protocol, number)| format!("{protocol} {number}"));
    let message = Message::default()
        .names(&unused, NAMED)
        .words(if one { " is admitted to " } else { " are admitted to " })
        .names(&names, NAMED)
        .words(if names.len() == 1 {
            ", which listens only on "
        } else {
            ", which listen only on "
        })
        .names(listening, NAMED);
    let subject = format!("{direction} {} of {}", unused.join(","), words::canonical_peers(rule));
    let draft =
        Draft::policy(policy, &rule.origin, subject, message).granted(granted).repair(Repair {
            kind: FixKind::Narrowing,
            description: Message::new(if one { "drop the port" } else { "drop the ports" }),
            mend: Mend::DropPorts { rule: rule.origin.clone(), dropped },
        });
    Some(if known { draft } else { draft.persona(Persona::Auditor) })
}

/// The declared workloads that the rule leads to, and whether these are sure to be all. `None`: it leads elsewhere too.
fn receivers<'a>(
    snapshot: &Snapshot<'_, '_, 'a>,
    policy: &Policy,
    direction: Direction,
    rule: &PolicyRule,
) -> Option<(Vec<&'a Arc<Workload>>, bool)> {
    if direction == Direction::Ingress {
        let namespace = policy.id.namespace.as_deref()?;
        return Some((snapshot.selected(policy), snapshot.closed(namespace)));
    }
    let (mut receivers, mut known) = (Vec::new(), true);
    for peer in rule.peers.as_ref()? {
        let PeerKind::Pods { .. } = &peer.kind else { return None };
        let matched = snapshot.matched(&peer.kind);
        known &= matched.namespaces.iter().all(|namespace| snapshot.closed(namespace));
        receivers.extend(matched.workloads);
    }
    Some((receivers, known))
}

/// The ports on which these listen; `None` where one of them does not say.
fn listening(
    snapshot: &Snapshot<'_, '_, '_>,
    receivers: &[&Arc<Workload>],
) -> Option<BTreeSet<(Protocol, u16)>> {
    let mut listening = BTreeSet::new();
    for workload in receivers {
        if workload.ports.is_empty() || workload.injected {
            return None;
        }
        listening.extend(workload.ports.iter().map(|port| (port.protocol, port.number)));
        for service in evidence::services_of(snapshot.cluster(), workload) {
            listening.extend(evidence::targets(workload, service));
        }
    }
    (!listening.is_empty()).then_some(listening)
}

/// Does somebody listen on it? Names are another rule's.
fn is_used(port: &PortMatch, listening: &BTreeSet<(Protocol, u16)>) -> bool {
    match &port.ports {
        Ports::All | Ports::Named(_) => true,
        Ports::Range(first, last) => {
            let range = (port.protocol, *first)..=(port.protocol, *last);
            listening.range(range).next().is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::report::Persona;
    use crate::rules::catalogue::testing::findings;

    fn personas(from: &str, to: &str, configuration: &str) -> Vec<Persona> {
        let manifests = RULE.bad.after.replace(from, to);
        findings(RULE.id, &manifests, configuration).iter().map(|f| f.persona).collect()
    }

    #[test]
    fn who_is_told() {
        assert_eq!(personas("", "", ""), [Persona::Auditor]);
        let closed = "cluster: {closedNamespaces: [payments]}\n";
        assert_eq!(personas("", "", closed), [Persona::Pedantic]);
    }

    #[test]
    fn pods_that_do_not_say() {
        assert!(personas("ports: [{containerPort: 5432}]", "image: postgres", "").is_empty());
        let mesh = "labels: {app: db, sidecar.istio.io/inject: 'true'}";
        assert!(personas("labels: {app: db}", mesh, "").is_empty());
    }

    #[test]
    fn names_ranges_and_rules_of_which_no_port_is_declared() {
        assert!(personas("{port: 8080}", "{port: http}", "").is_empty());
        assert!(personas("{port: 8080}", "{port: 5400, endPort: 5500}", "").is_empty());
        assert!(!personas("{port: 8080}", "{port: 8080, endPort: 8090}", "").is_empty());
        assert!(
            personas("[{port: 5432}, {port: 8080}]", "[{port: 8080}, {port: 9090}]", "").is_empty()
        );
    }
}
