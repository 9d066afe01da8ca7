//! Ports on which nobody listens.

use crate::model::{
    Direction, PeerKind, Policy, PortMatch, PortRef, Ports, Protocol, Rule as PolicyRule,
    ServiceKind, Workload,
};
use crate::nearest::nearest;
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use std::collections::BTreeSet;
use std::sync::Arc;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "port-matches-nothing",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "A port name that no receiving pod has, or the port of a Service where its pods listen on another.",
    why: "Policies see the port of the pod, after the Service has translated it: with `port: 80` and `targetPort: 8080` \
          a rule for 80 allows nothing. A port name is looked up in the containers of whoever receives, and \
          never for addresses. It is told only where receiving pods are known and none of them has the port; of a policy for \
          every pod of a namespace auditors alone are told, unless every pod there is known.",
    fix: "Write the port of the pods. That opens the path.",
    bad: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-ingress-from-gateway, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: gateway}}}]
    ports: [{port: 80, protocol: TCP}]
",
    ),
    good: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-ingress-from-gateway, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: gateway}}}]
    ports: [{port: http, protocol: TCP}]
  - from: [{podSelector: {matchLabels: {app: probe}}}]
    ports: [{port: 8080, protocol: TCP}]
",
    ),
    check: Check::Side(check),
};

/// How many workloads and ports a message names.
const NAMED: usize = 2;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            for port in rule.ports.iter().flatten() {
                let found = match &port.ports {
                    Ports::Named(name) => named(snapshot, policy, direction, rule, port, name),
                    Ports::Range(first, last) if first == last => {
                        translated(snapshot, policy, direction, rule, port, *first)
                    }
                    Ports::Range(..) | Ports::All => None,
                };
                drafts.extend(found);
            }
        }
    }
    Ok(drafts)
}

/// Who receives what a rule allows, as far as known.
struct Receivers<'a> {
    workloads: Vec<&'a Arc<Workload>>,
    /// The selectors mean these, or pods like them, and not whatever else runs there.
    meant: bool,
}

/// `None`: some of the receivers are not known at all.
fn receivers<'a>(
    snapshot: &Snapshot<'_, '_, 'a>,
    policy: &Policy,
    direction: Direction,
    rule: &PolicyRule,
) -> Option<Receivers<'a>> {
    let closed = |names: &[Arc<str>]| names.iter().all(|name| snapshot.closed(name));
    if direction == Direction::Ingress {
        let own: Vec<Arc<str>> = policy.id.namespace.iter().cloned().collect();
        let workloads = snapshot.selected(policy);
        let meant = !policy.subject.pods.is_everything() || closed(&own);
        return (!workloads.is_empty()).then_some(Receivers { workloads, meant });
    }
    let (mut workloads, mut meant) = (Vec::new(), true);
    for peer in rule.peers.as_ref()? {
        let PeerKind::Pods { pods, .. } = &peer.kind else { return None };
        let matched = snapshot.matched(&peer.kind);
        if matched.workloads.is_empty() {
            return None;
        }
        meant = meant && (!pods.is_everything() || closed(&matched.namespaces));
        workloads.extend(matched.workloads);
    }
    Some(Receivers { workloads, meant })
}

/// A port by its name.
fn named(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    direction: Direction,
    rule: &PolicyRule,
    port: &PortMatch,
    name: &str,
) -> Option<Draft> {
    let is_block = |kind: &PeerKind| matches!(kind, PeerKind::Block(_));
    let blocks = rule.peers.iter().flatten().map(|peer| &peer.kind).find(|kind| is_block(kind));
    if let (Direction::Egress, Some(block)) = (direction, blocks) {
        let message = Message::new("An address has no port names: ")
            .name(words::port(port))
            .words(" allows nothing to ")
            .then(words::peer(block))
            .words(". Write the number");
        let subject = format!("{direction} {} of addresses", words::port(port));
        return Some(Draft::policy(policy, &port.origin, subject, message));
    }
    let receivers = receivers(snapshot, policy, direction, rule)?;
    let of_protocol = |workload: &&Arc<Workload>| {
        let ports = workload.ports.iter().filter(|one| one.protocol == port.protocol);
        ports.filter_map(|one| one.name.clone()).collect::<Vec<_>>()
    };
    let names: BTreeSet<Box<str>> = receivers.workloads.iter().flat_map(of_protocol).collect();
    if names.contains(name) {
        return None;
    }
    let message = Message::new("No container of ")
        .names(workload_names(&receivers), NAMED)
        .words(" has a port ")
        .name(words::port(port))
        .words(", so this allows nothing");
    let message = match names.is_empty() {
        true => message.words("; none of their ports has a name"),
        false => message.words("; they have ").names(&names, NAMED + 1),
    };
    let meant = nearest(name, names.iter().map(AsRef::as_ref), 1).first().map(ToString::to_string);
    Some(finish(policy, direction, port, message, &receivers, meant))
}

/// A number that is the port of a Service and not of its pods.
fn translated(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    direction: Direction,
    rule: &PolicyRule,
    port: &PortMatch,
    number: u16,
) -> Option<Draft> {
    let receivers = receivers(snapshot, policy, direction, rule)?;
    let declares = |workload: &Workload, number: u16| {
        let mut ports = workload.ports.iter();
        ports.any(|one| one.protocol == port.protocol && one.number == number)
    };
    if receivers.workloads.iter().any(|workload| declares(workload, number)) {
        return None;
    }
    let mut found = None;
    for workload in &receivers.workloads {
        let target = behind(snapshot, workload, port.protocol, number);
        // One that says nothing of its ports may listen there.
        if target.is_none() && workload.ports.is_empty() {
            return None;
        }
        found = found.or(target);
    }
    let (service, target) = found?;
    let allowed = rule.ports.iter().flatten().any(|other| {
        let holds = |first, last| (first..=last).contains(&target);
        other.protocol == port.protocol
            && matches!(other.ports, Ports::Range(first, last) if holds(first, last))
    });
    let message = Message::new("No pod of ")
        .names(workload_names(&receivers), NAMED)
        .words(" has ")
        .name(words::port(port))
        .words(": Service ")
        .name(&service)
        .words(" translates it to ")
        .name(target)
        .words(", and policies see the port of the pod");
    let draft = finish(policy, direction, port, message, &receivers, Some(target.to_string()));
    Some(match allowed {
        // What was meant is allowed all the same.
        true => Draft { fix: None, ..draft }.severity(Severity::Low).persona(Persona::Pedantic),
        false => draft,
    })
}

/// The Service that translates a port for a workload, and to which.
fn behind(
    snapshot: &Snapshot<'_, '_, '_>,
    workload: &Workload,
    protocol: Protocol,
    number: u16,
) -> Option<(Box<str>, u16)> {
    let selects = |selector: &crate::model::Labels| {
        !selector.is_empty()
            && selector.iter().all(|(key, value)| workload.labels.get(key) == Some(value))
    };
    let services = snapshot.services_in(&workload.id.namespace).iter();
    let with_pods = services.filter(|service| {
        !service.headless && service.kind != ServiceKind::ExternalName && selects(&service.selector)
    });
    with_pods
        .flat_map(|service| service.ports.iter().map(move |port| (service, port)))
        .filter(|(_, port)| port.protocol == protocol && port.port == number)
        .find_map(|(service, port)| {
            let target = match &port.target {
                PortRef::Number(target) => *target,
                PortRef::Name(name) => {
                    let is_named = |one: &&crate::model::ContainerPort| {
                        one.protocol == protocol && one.name.as_ref() == Some(name)
                    };
                    workload.ports.iter().find(is_named)?.number
                }
            };
            (target != number).then(|| (service.name.clone(), target))
        })
}

fn workload_names<'a>(receivers: &Receivers<'a>) -> BTreeSet<&'a str> {
    receivers.workloads.iter().map(|workload| &*workload.id.name).collect()
}

fn finish(
    policy: &Policy,
    direction: Direction,
    port: &PortMatch,
    message: Message,
    receivers: &Receivers<'_>,
    meant: Option<String>,
) -> Draft {
    let subject = format!("{direction} {}", words::port(port));
    let draft = Draft::policy(policy, &port.origin, subject, message);
    let draft = match receivers.meant {
        true => draft,
        false => draft.persona(Persona::Auditor),
    };
    let fix = meant.map(|meant| Fix {
        kind: FixKind::Behavioural,
        description: Message::new("the port of the pods"),
        replacement: Some(format!("port: {meant}\n")),
        location: None,
        diff: None,
        removes: Vec::new(),
    });
    Draft { fix, ..draft }
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::RULE;
    use crate::report::Persona;

    const WEB: &str = "
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {containers: [{name: c, ports: PORTS}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]SPEC}}
---
";

    fn told_of(ports: &str, service: &str, spec: &str) -> Vec<Persona> {
        let web = WEB.replace("PORTS", ports).replace("SPEC", service);
        let text = format!(
            "{web}{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: shop}}, \
             spec: {{{spec}}}}}\n"
        );
        told(RULE.id, &text).iter().map(|finding| finding.persona).collect()
    }

    const OF_WEB: &str = "podSelector: {matchLabels: {app: web}}, ingress: [{ports: [PORT]}]";

    #[test]
    fn numbers() {
        for (ports, service, port, expected) in [
            ("[{containerPort: 8080}]", "", "{port: 80}", Some(Persona::Regular)),
            ("[]", "", "{port: 80}", Some(Persona::Regular)),
            ("[{containerPort: 8080}]", "", "{port: 80}, {port: 8080}", Some(Persona::Pedantic)),
            ("[{containerPort: 8080}, {containerPort: 80}]", "", "{port: 80}", None),
            ("[{containerPort: 8080}]", "", "{port: 80, protocol: UDP}", None),
            ("[{containerPort: 8080}]", "", "{port: 9090}", None),
            ("[{containerPort: 8080}]", ", clusterIP: None", "{port: 80}", None),
            ("[{containerPort: 8080}]", "", "{port: 80, endPort: 8080}", None),
        ] {
            let expected: Vec<Persona> = expected.into_iter().collect();
            let spec = OF_WEB.replace("PORT", port);
            assert_eq!(told_of(ports, service, &spec), expected, "{ports} {service} {port}");
        }
    }

    #[test]
    fn names() {
        const NAMED: &str = "[{containerPort: 8080, name: http}]";
        for (ports, port, expected) in [
            (NAMED, "{port: web}", Some(Persona::Regular)),
            (NAMED, "{port: http, protocol: UDP}", Some(Persona::Regular)),
            ("[{containerPort: 8080}]", "{port: http}", Some(Persona::Regular)),
            (NAMED, "{port: http}", None),
        ] {
            let expected: Vec<Persona> = expected.into_iter().collect();
            assert_eq!(
                told_of(ports, "", &OF_WEB.replace("PORT", port)),
                expected,
                "{ports} {port}"
            );
        }
        let everybody = "podSelector: {}, ingress: [{ports: [{port: grpc}]}]";
        assert_eq!(told_of(NAMED, "", everybody), [Persona::Auditor]);
    }

    #[test]
    fn the_other_end_receives_egress() {
        let egress = |peers: &str| {
            format!(
                "podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{peers}], ports: [{{port: grpc}}]}}]"
            )
        };
        let web = "{podSelector: {matchLabels: {app: web}}}";
        assert_eq!(told_of("[]", "", &egress(web)), [Persona::Regular]);
        assert_eq!(told_of("[]", "", &egress("{ipBlock: {cidr: 10.0.0.0/8}}")), [Persona::Regular]);
        // One of the peers is not known.
        let unknown = format!("{web}, {{podSelector: {{matchLabels: {{app: api}}}}}}");
        assert_eq!(told_of("[]", "", &egress(&unknown)), []);
    }
}
