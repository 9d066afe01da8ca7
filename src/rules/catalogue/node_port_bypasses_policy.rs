//! Blocks of client addresses that never arrive.

use super::super::evidence;
use crate::diff::facts;
use crate::model::{Direction, IpBlock, PeerKind, Policy, Service, Workload};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::serves;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot};
use ipnet::IpNet;
use std::sync::Arc;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "node-port-bypasses-policy",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "A rule that lists addresses of clients for pods that a Service exposes in a way that hides these addresses.",
    why: "With `externalTrafficPolicy: Cluster`, which is what counts where nothing is written, the node that takes a connection \
          from outside puts its own address in the place of the client's. So a block of client addresses neither lets \
          these clients in nor keeps others out; and where a block holds the addresses of nodes, everybody comes in. It is \
          told of public blocks, of any block outside `cluster.nodeCIDRs` where that is configured, and of blocks that hold \
          nodes then. Blocks of all addresses, Services with `externalTrafficPolicy: Local`, those inside the cluster, and \
          other ports than the exposed ones are left alone.",
    fix: "Set `externalTrafficPolicy: Local` on the Service, or filter where the clients' addresses are still there.",
    bad: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, ports: [{containerPort: 8443}]}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 443, targetPort: 8443}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-ingress-from-office, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress:
  - from: [{ipBlock: {cidr: 93.184.216.0/24}}]
    ports: [{port: 8443}]
",
    ),
    good: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, ports: [{containerPort: 8443}]}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  selector: {app: web}
  ports: [{port: 443, targetPort: 8443}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-ingress-from-office, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress:
  - from: [{ipBlock: {cidr: 93.184.216.0/24}}]
    ports: [{port: 8443}]
",
    ),
    check: Check::Side(check),
};

/// What a block does behind a Service that hides clients.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It lists clients.
    Clients,
    /// It holds addresses of nodes.
    Nodes,
}

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        let namespace = policy.id.namespace.as_deref().unwrap_or_default();
        let hiding = |service: &&Arc<Service>| {
            evidence::exposure(service).is_some() && !service.local_traffic
        };
        let services: Vec<&Arc<Service>> =
            snapshot.services_in(namespace).iter().filter(hiding).collect();
        if services.is_empty() {
            continue;
        }
        let selected = snapshot.selected(policy);
        for (direction, _, rule) in Snapshot::rules(policy) {
            if direction != Direction::Ingress {
                continue;
            }
            for service in &services {
                if !selected.iter().any(|workload| is_exposed(workload, service, rule)) {
                    continue;
                }
                for peer in rule.peers.iter().flatten() {
                    let PeerKind::Block(block) = &peer.kind else { continue };
                    if let Some(kind) = kind(snapshot, block) {
                        let draft = draft(policy, service, block, kind);
                        drafts.push(Draft { origin: peer.origin.clone(), ..draft });
                    }
                }
            }
        }
    }
    Ok(drafts)
}

/// Does the Service lead to a port of these pods that the rule is about?
fn is_exposed(workload: &Workload, service: &Service, rule: &crate::model::Rule) -> bool {
    evidence::stands_for(service, workload)
        && evidence::targets(workload, service).iter().any(|(protocol, number)| {
            rule.ports.as_ref().is_none_or(|ports| {
                ports.iter().any(|port| serves::covers(workload, port, *protocol, *number))
            })
        })
}

fn kind(snapshot: &Snapshot<'_, '_, '_>, block: &IpBlock) -> Option<Kind> {
    if block.cidr.prefix_len() == 0 {
        return None;
    }
    let nodes = &snapshot.config.node_ranges;
    let meets = |range: &IpNet| range.contains(&block.cidr) || block.cidr.contains(range);
    if nodes.iter().any(meets) {
        return Some(Kind::Nodes);
    }
    let pods = snapshot.config.pod_ranges.iter().any(meets);
    let clients = !pods && (!nodes.is_empty() || facts::is_public(&block.cidr, snapshot.config));
    clients.then_some(Kind::Clients)
}

fn draft(policy: &Policy, service: &Service, block: &IpBlock, kind: Kind) -> Draft {
    let message = Message::new("Through Service ")
        .name(format_args!("{}/{}", service.namespace, service.name))
        .words(" (")
        .words(evidence::exposure(service).unwrap_or_default())
        .words(") clients arrive with the address of a node, ");
    let message = match kind {
        Kind::Clients => message
            .words("so ")
            .name(block.cidr)
            .words(" neither lets those clients in nor keeps others out"),
        Kind::Nodes => message
            .words("and ")
            .name(block.cidr)
            .words(" holds those, so it lets everybody in who reaches the Service"),
    };
    let subject = format!("{}/{} {}", service.namespace, service.name, block.cidr);
    Draft::policy(policy, &policy.origin, subject, message).fix(Fix {
        kind: FixKind::Behavioural,
        description: Message::new("let the Service keep the clients' addresses"),
        replacement: Some("externalTrafficPolicy: Local\n".into()),
        location: None,
        diff: None,
        removes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::catalogue::testing::{findings, fires, introduced};

    fn fires_after(from: &str, to: &str) -> bool {
        assert!(RULE.bad.after.contains(from), "{from}");
        fires(RULE.id, &RULE.bad.after.replace(from, to))
    }

    #[test]
    fn other_services_and_ports() {
        assert!(!fires_after("type: LoadBalancer", "type: ClusterIP"));
        assert!(fires_after("type: LoadBalancer", "type: NodePort"));
        assert!(fires_after("type: LoadBalancer", "externalIPs: [93.184.216.34]"));
        assert!(!fires_after("ports: [{port: 8443}]\n", "ports: [{port: 9090}]\n"));
        assert!(!fires_after("selector: {app: web}", "selector: {app: other}"));
        assert!(!fires_after(
            "ports: [{port: 443, targetPort: 8443}]",
            "ports: [{port: 8443, targetPort: 9}]"
        ));
    }

    #[test]
    fn blocks_that_list_no_clients() {
        assert!(!fires_after("cidr: 93.184.216.0/24", "cidr: 0.0.0.0/0"));
        // It may be that of the nodes, so that what they forward gets in.
        assert!(!fires_after("cidr: 93.184.216.0/24", "cidr: 10.0.0.0/8"));
    }

    #[test]
    fn known_nodes() {
        let nodes = "cluster: {nodeCIDRs: [10.1.0.0/16]}\n";
        let message = |cidr: &str| {
            let manifests = RULE.bad.after.replace("93.184.216.0/24", cidr);
            let found = findings(RULE.id, &manifests, nodes);
            found.first().map(|finding| finding.message.to_string()).unwrap_or_default()
        };
        assert!(message("10.0.0.0/8").contains("everybody"));
        assert!(message("10.2.0.0/16").contains("neither"));
    }

    #[test]
    fn exposing_the_pods_introduces_it() {
        let inside = RULE.bad.after.replace("type: LoadBalancer, ", "");
        assert_eq!(introduced(RULE.id, &inside, RULE.bad.after).len(), 1);
    }
}
