//! Rules that name nobody and so mean everybody.

use crate::model::{Direction, Policy, PortRef, Ports, Rule as PolicyRule};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::evidence;
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
          for DNS alone are another rule's. It is milder where no peer could name who has to get in: on the ports of a \
          webhook, which the API server calls from the address of a node, and of a Service that lets clients from \
          outside in.",
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
                let draft = match direction {
                    Direction::Ingress => {
                        draft(policy, direction, rule, meant(snapshot, policy, rule))
                    }
                    Direction::Egress => draft(policy, direction, rule, None),
                };
                drafts.push(draft.granted(Granted::by_rule(snapshot, policy, direction, rule)));
            }
        }
    }
    Ok(drafts)
}

/// Why everybody is meant, where it is: each port of the rule is one on which clients that no peer can name connect to
/// every declared pod of the policy that has it.
fn meant(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    rule: &PolicyRule,
) -> Option<&'static str> {
    let ports = rule.ports.as_ref()?;
    let mut why = None;
    let selected = snapshot.selected(policy);
    for port in ports {
        let wanted = match &port.ports {
            Ports::Range(first, last) if first == last => PortRef::Number(*first),
            Ports::Named(name) => PortRef::Name(name.clone()),
            _ => return None,
        };
        for workload in &selected {
            let clients = evidence::unnameable_clients(snapshot, workload);
            for known in evidence::pod_ports(workload, port.protocol, &wanted) {
                why = Some(*clients.get(&known)?);
            }
        }
    }
    why
}

fn draft(
    policy: &Policy,
    direction: Direction,
    rule: &PolicyRule,
    meant: Option<&'static str>,
) -> Draft {
    let start = Message::new(match direction {
        Direction::Ingress => "No `from`. ",
        Direction::Egress => "No `to`. ",
    });
    let everybody = Message::new("every pod in every namespace and every address");
    let message = start.then(words::lets(direction, &policy.subject, everybody));
    let severity = match (&rule.ports, meant) {
        (None, _) => Severity::High,
        (Some(_), None) => Severity::Medium,
        (Some(_), Some(_)) => Severity::Low,
    };
    let peers = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let canonical = format!("{direction} {}", words::canonical_ports(rule));
    let message = message.words(" on ").then(words::ports(rule));
    let message = match meant {
        Some(why) => message.words(". That may be meant: ").words(why),
        None => message,
    };
    Draft::policy(policy, &rule.origin, canonical, message)
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

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::report::Severity;
    use crate::rules::catalogue::testing::{findings, told};

    /// A webhook with a port for metrics beside its own, and what stands before it.
    fn world(policy_ports: &str, more: &str) -> String {
        format!(
            "apiVersion: apps/v1
kind: Deployment
metadata: {{name: hook, namespace: shop}}
spec:
  template:
    metadata: {{labels: {{app: hook}}}}
    spec: {{containers: [{{name: a, ports: [{{name: https, containerPort: 8443}}, {{name: metrics, containerPort: 9090}}]}}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: hook-allow-ingress, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: hook}}}}
  policyTypes: [Ingress]
  ingress: [{policy_ports}]
{more}"
        )
    }

    fn service(kind: &str) -> String {
        format!(
            "---
apiVersion: v1
kind: Service
metadata: {{name: hook, namespace: shop}}
spec: {{type: {kind}, selector: {{app: hook}}, ports: [{{port: 443, targetPort: https}}]}}
"
        )
    }

    const WEBHOOK: &str = "---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks: [{name: a.example.org, clientConfig: {service: {name: hook, namespace: shop, port: 443}}}]
";

    #[test]
    fn milder_where_nobody_can_be_named() {
        let hook = format!("{}{WEBHOOK}", service("ClusterIP"));
        let balanced = service("LoadBalancer");
        for (ports, more, severity, word) in [
            ("{ports: [{port: 8443}]}", &*hook, Severity::Low, "the API server"),
            ("{ports: [{port: https}]}", &*hook, Severity::Low, "the API server"),
            ("{ports: [{port: 8443}]}", &*balanced, Severity::Low, "from outside the cluster"),
            ("{ports: [{port: 8443}]}", &*service("ClusterIP"), Severity::Medium, ""),
            ("{ports: [{port: 8443}, {port: metrics}]}", &*hook, Severity::Medium, ""),
            ("{ports: [{port: 8000, endPort: 9000}]}", &*hook, Severity::Medium, ""),
            ("{}", &*hook, Severity::High, ""),
            ("{ports: [{port: 8443}]}", WEBHOOK, Severity::Medium, ""),
        ] {
            // Nothing was denied before, so the level is that of a snapshot.
            let found = findings(RULE.id, &world(ports, more), "");
            let found: Vec<_> =
                found.iter().map(|one| (one.severity, one.message.to_string())).collect();
            let [(level, message)] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(*level, severity, "{ports} {more}");
            assert_eq!(message.contains("may be meant"), !word.is_empty(), "{message}");
            assert!(message.contains(word), "{message}");
        }
        assert!(!told(RULE.id, &world("{ports: [{port: 8443}]}", &hook)).is_empty());
    }
}
