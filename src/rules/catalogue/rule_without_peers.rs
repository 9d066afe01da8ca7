//! Rules that name nobody and so mean everybody.

use crate::model::{Direction, Policy, Rule as PolicyRule};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::granted::Granted;
use crate::rules::snapshot::is_dns_only;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "rule-without-peers",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: true,
    catches: "A rule without `from` or `to`, which means every pod in every namespace and every address.",
    why: "An absent, null or empty `from` does not mean nobody. It means everybody who can route here: all pods of \
          the cluster and, through load balancers and nodes, the rest of the world. `- {}` also means all ports. Rules \
          for DNS alone are another rule's.",
    fix: "Name the pods, with their namespace, or the block of addresses that needs this.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - ports: [{port: 5432, protocol: TCP}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432, protocol: TCP}]
",
    ),
    check: Check::Side(check),
};

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            if rule.peers.is_none() && !(direction == Direction::Egress && is_dns_only(rule)) {
                drafts.push(
                    draft(policy, direction, rule)
                        .granted(Granted::by_rule(snapshot, policy, direction, rule)),
                );
            }
        }
    }
    Ok(drafts)
}

fn draft(policy: &Policy, direction: Direction, rule: &PolicyRule) -> Draft {
    let subject = words::pods(&policy.subject);
    let on = words::ports(rule);
    let message = match direction {
        Direction::Ingress => Message::new(
            "No `from`: every pod in every namespace and every address that can route here may connect to ",
        )
        .then(subject),
        Direction::Egress => Message::default()
            .words("No `to`: ")
            .then(subject)
            .words(" may connect to every pod in every namespace and to every address"),
    };
    let severity = if rule.ports.is_none() { Severity::High } else { Severity::Medium };
    let peers = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let canonical = format!("{direction} {}", words::canonical_ports(rule));
    Draft::policy(policy, &rule.origin, canonical, message.words(" on ").then(on))
        .severity(severity)
        .fix(Fix {
            kind: FixKind::Behavioural,
            description: Message::new("name who needs it"),
            replacement: Some(format!(
                "{peers}:\n- namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: CHANGE-ME}}}}\n  \
                 podSelector: {{matchLabels: {{app: CHANGE-ME}}}}\n"
            )),
            location: None,
            diff: None,
            removes: Vec::new(),
        })
}
