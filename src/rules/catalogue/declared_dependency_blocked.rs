//! Dependencies that manifests declare and policies refuse.

use super::super::evidence;
use crate::diff::facts;
use crate::model::{
    Caller, Direction, Labels, MonitorPort, Namespaces, Need, Origin, Policy, PolicyId, PortRef,
    Protocol, Selector, Service, Target, Workload, WorkloadId,
};
use crate::reach::{Encoder, Side};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::confirm::Shows;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use crate::set::fields::End;
use crate::set::{OverBudget, Set};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "declared-dependency-blocked",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "A connection that manifests say is needed and that policies refuse.",
    why: "Environments, arguments and ConfigMaps name the Services that a workload connects to; Ingresses and routes, webhooks and \
          monitors name those that others connect to. Where the policies of the two ends together let none of it \
          through, something breaks. All policies of both ends count. It is high where the connection was allowed before. Who \
          forwards requests, scrapes or calls webhooks is mostly not in the manifests: those needs are only \
          told where a pod takes nobody at all on that port. Services without declared pods, external hosts, and pods on \
          the host network are left alone, and so is what a workload needs of itself.",
    fix: "Add the missing half: egress at the one end, ingress at the other, each for these pods and this port.",
    bad: Example::new(BAD).after(BEFORE),
    good: Example::new(GOOD).after(BEFORE),
    check: Check::Side(check),
};

const BEFORE: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: payments}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-egress, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress]}
";

const BAD: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, env: [{name: DB_HOST, value: 'db.payments.svc:5432'}]}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: payments}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-egress, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress]}
";

const GOOD: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, env: [{name: DB_HOST, value: 'db.payments.svc:5432'}]}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: payments}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-egress, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress]}
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
";

/// How many policies, and ports, a message names.
const NAMED: usize = 2;

/// The pods that a need is about, and the ports of theirs.
type Ends<'a> = Vec<Backend<'a>>;
type Backend<'a> = (&'a Arc<Workload>, BTreeSet<(Protocol, u16)>);

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for need in &snapshot.cluster().evidence.needs {
        match (&need.caller, &need.target) {
            (Caller::Workload(id), Target::Service { namespace, name, port })
                if snapshot.asked(&id.namespace) || snapshot.asked(namespace) =>
            {
                let service = snapshot.cluster().evidence.service(namespace, name);
                if let (Some(caller), Some(service)) = (slot_of(snapshot, id), service) {
                    let mut ends = behind(snapshot, service, port.as_ref());
                    ends.retain(|(workload, _)| workload.id != *id);
                    drafts.extend(between(snapshot, need, caller, service, &ends)?);
                }
            }
            (Caller::Workload(_), _) => {}
            (Caller::Controller | Caller::ApiServer | Caller::Monitor, _) => {
                for (workload, ports) in targets(snapshot, need) {
                    drafts.extend(from_anybody(snapshot, need, workload, &ports)?);
                }
            }
        }
    }
    Ok(drafts)
}

/// A declared workload that policies bind, and its slot.
fn slot_of<'a>(
    snapshot: &Snapshot<'_, '_, 'a>,
    id: &WorkloadId,
) -> Option<(u32, &'a Arc<Workload>)> {
    let world = snapshot.world;
    let (first, end) = world.namespaces.get(world.namespace(&id.namespace)?)?.workloads;
    let slot = (first..end)
        .find(|slot| world.workloads.get(*slot as usize).is_some_and(|known| known.id == id))?;
    let workload = (*world.workloads.get(slot as usize)?.on.on(snapshot.side))?;
    (!workload.host_network).then_some((slot, workload))
}

/// The declared pods behind a Service, and the ports to which one of its ports leads there; to which all do where
/// none is said.
fn behind<'a>(
    snapshot: &Snapshot<'_, '_, 'a>,
    service: &Service,
    port: Option<&PortRef>,
) -> Ends<'a> {
    let workloads = snapshot.workloads_in(&service.namespace).into_iter();
    let pods = workloads
        .filter(|workload| !workload.host_network && evidence::stands_for(service, workload));
    let ports = |workload: &Workload| -> BTreeSet<(Protocol, u16)> {
        let meant = service.ports.iter().filter(|one| one.is_meant(port));
        let mut found: BTreeSet<_> = meant
            .flat_map(|one| evidence::pod_ports(workload, one.protocol, &one.target))
            .collect();
        // Its name stands for the pods themselves, so any port of theirs can be meant.
        if let (true, Some(PortRef::Number(number))) = (service.headless, port) {
            found.insert((Protocol::Tcp, *number));
        }
        found
    };
    pods.map(|workload| (workload, ports(workload)))
        .filter(|(_, ports)| !ports.is_empty())
        .collect()
}

/// The pods that others than workloads connect to, as far as they are asked about.
fn targets<'a>(snapshot: &Snapshot<'_, '_, 'a>, need: &Need) -> Ends<'a> {
    let places = |namespaces: &Namespaces| -> Vec<Arc<str>> {
        let all = snapshot.namespaces().map(|(_, slot)| slot.name.clone());
        match namespaces {
            Namespaces::Any => all.collect(),
            Namespaces::These(these) => all.filter(|name| these.contains(name)).collect(),
        }
    };
    match &need.target {
        Target::Service { namespace, name, port } if snapshot.asked(namespace) => {
            let service = snapshot.cluster().evidence.service(namespace, name);
            service.map(|one| behind(snapshot, one, port.as_ref())).unwrap_or_default()
        }
        Target::Service { .. } => Ends::new(),
        Target::Services { namespaces, selector, port } => {
            let places = places(namespaces);
            let services = places.iter().flat_map(|place| snapshot.services_in(place));
            let mut ends = Ends::new();
            for service in services.filter(|service| selector.matches(&service.labels)) {
                match port {
                    Some(MonitorPort::Pod(port)) => {
                        ends.extend(behind(snapshot, service, None).into_iter().map(
                            |(workload, _)| {
                                (workload, evidence::pod_ports(workload, Protocol::Tcp, port))
                            },
                        ));
                    }
                    Some(MonitorPort::Service(name)) => {
                        ends.extend(behind(snapshot, service, Some(&PortRef::Name(name.clone()))));
                    }
                    None => {}
                }
            }
            ends
        }
        Target::Pods { namespaces, selector, port: Some(port) } => {
            let places = places(namespaces);
            let workloads = places.iter().flat_map(|place| snapshot.workloads_in(place));
            workloads
                .filter(|one| !one.host_network && selector.matches(&one.labels))
                .map(|one| (one, evidence::pod_ports(one, Protocol::Tcp, port)))
                .collect()
        }
        Target::Pods { port: None, .. } => Ends::new(),
    }
}

/// The flows to these pods on their ports.
fn flows_to(
    snapshot: &Snapshot<'_, '_, '_>,
    encoder: &mut Encoder<'_, '_>,
    ends: &[Backend<'_>],
) -> Result<Set, OverBudget> {
    let mut all = Vec::new();
    for (workload, ports) in ends {
        let Some((slot, _)) = slot_of(snapshot, &workload.id) else { continue };
        let there = encoder.in_slots(End::Destination, &[(slot, slot)])?;
        for (protocol, number) in ports {
            let port = facts::port(encoder, *protocol, *number)?;
            all.push(encoder.d.and(there, port)?);
        }
    }
    encoder.d.union(all)
}

/// What a workload needs of the pods behind a Service.
fn between(
    snapshot: &Snapshot<'_, '_, '_>,
    need: &Need,
    (slot, caller): (u32, &Arc<Workload>),
    service: &Service,
    ends: &[Backend<'_>],
) -> Result<Option<Draft>, OverBudget> {
    let mut encoder = snapshot.encoder();
    let from = encoder.in_slots(End::Source, &[(slot, slot)])?;
    let to = flows_to(snapshot, &mut encoder, ends)?;
    let flows = encoder.d.and(from, to)?;
    if flows.is_empty() || !encoder.allowed(snapshot.side, flows)?.is_empty() {
        return Ok(None);
    }
    let lost = lost(&mut encoder, snapshot.side, flows)?;
    let out = encoder.allowed_at(snapshot.side, Direction::Egress, flows)?.is_empty();
    let into = encoder.allowed_at(snapshot.side, Direction::Ingress, flows)?.is_empty();
    let backends: Vec<&Arc<Workload>> = ends.iter().map(|(workload, _)| *workload).collect();
    let mut refusing = Vec::new();
    let whom = Message::default().name(format_args!("{}/{}", service.namespace, service.name));
    let mut message = start(&caller.id.to_string(), need, whom, &ports_of(ends), lost);
    if out {
        let policies = isolating(snapshot, Direction::Egress, &[caller]);
        message = refused(message.words(": no egress rule lets it out"), &policies);
        refusing.extend(policies.into_iter().map(|policy| (Direction::Egress, policy)));
    }
    if into {
        let policies = isolating(snapshot, Direction::Ingress, &backends);
        let words =
            if out { ", and no ingress rule lets it in" } else { ": no ingress rule lets it in" };
        message = refused(message.words(words), &policies);
        refusing.extend(policies.into_iter().map(|policy| (Direction::Ingress, policy)));
    }
    if !out && !into {
        message = message.words(": the rules of its two ends have nothing in common");
    }
    let shown = snapshot.example(&mut encoder, flows, Shows::Refused)?;
    let object = caller.id.to_string();
    let subject = format!("{}/{} {}", service.namespace, service.name, ports_of(ends).join(","));
    let origin = place(snapshot, need, &refusing);
    let text = rules_for(caller, service, ends, [out || !into, into || !out]);
    let draft = Draft::object(object, &origin, subject, message).shown(shown);
    Ok(Some(level(draft, lost).fix(text)))
}

/// What somebody who is not in the manifests needs of a pod: it must take somebody.
fn from_anybody(
    snapshot: &Snapshot<'_, '_, '_>,
    need: &Need,
    workload: &Arc<Workload>,
    ports: &BTreeSet<(Protocol, u16)>,
) -> Result<Option<Draft>, OverBudget> {
    let mut encoder = snapshot.encoder();
    let ends = [(workload, ports.clone())];
    let to = flows_to(snapshot, &mut encoder, &ends)?;
    let flows = encoder.possible(snapshot.side, to)?;
    let taken = encoder.allowed_at(snapshot.side, Direction::Ingress, flows)?;
    if flows.is_empty() || !taken.is_empty() {
        return Ok(None);
    }
    let existed = encoder.possible(snapshot.side.other(), flows)?;
    let lost = !encoder.allowed_at(snapshot.side.other(), Direction::Ingress, existed)?.is_empty();
    let (asks, who) = match need.caller {
        Caller::ApiServer => ("calls of ", "the API server"),
        Caller::Monitor => ("requests of ", "a monitor"),
        Caller::Controller | Caller::Workload(_) => ("requests of ", "an Ingress or a route"),
    };
    let policies = isolating(snapshot, Direction::Ingress, &[workload]);
    let message = Message::default()
        .name(&workload.id)
        .words(" has to take ")
        .words(asks)
        .words(who)
        .words(" on ")
        .names(ports_of(&ends), NAMED)
        .words(" (")
        .name(format_args!("{}:{}", need.origin.file, need.origin.start_line))
        .words(") and takes nobody there");
    let message = refused(message, &policies);
    let shown = snapshot.example(&mut encoder, flows, Shows::RefusedAt(Direction::Ingress))?;
    let refusing: Vec<_> =
        policies.into_iter().map(|policy| (Direction::Ingress, policy)).collect();
    let origin = place(snapshot, need, &refusing);
    let subject = format!("{who} {}", ports_of(&ends).join(","));
    let draft = Draft::object(workload.id.to_string(), &origin, subject, message).shown(shown);
    Ok(Some(level(draft, lost)))
}

fn level(draft: Draft, lost: bool) -> Draft {
    if lost { draft.severity(Severity::High) } else { draft }
}

/// Was some of it allowed on the other side?
fn lost(encoder: &mut Encoder<'_, '_>, side: Side, flows: Set) -> Result<bool, OverBudget> {
    let existed = encoder.possible(side.other(), flows)?;
    Ok(!encoder.allowed(side.other(), existed)?.is_empty())
}

/// `TCP 5432`, of all the pods.
fn ports_of(ends: &[Backend<'_>]) -> Vec<String> {
    let ports: BTreeSet<(Protocol, u16)> =
        ends.iter().flat_map(|(_, ports)| ports.iter().copied()).collect();
    ports.iter().map(|(protocol, number)| format!("{protocol} {number}")).collect()
}

fn start(caller: &str, need: &Need, whom: Message, ports: &[String], lost: bool) -> Message {
    let place = format!("{}:{}", need.origin.file, need.origin.start_line);
    let message = Message::default().name(caller).words(" needs ").then(whom).words(" on ");
    let message = message.names(ports, NAMED).words(" (").name(place);
    message.words(if lost { ") and can no longer connect" } else { ") and can't connect" })
}

fn refused(message: Message, policies: &[&Policy]) -> Message {
    match policies.len() {
        0 => message,
        1 => message.words(" (policy ").names(policies.iter().map(|one| &one.id), NAMED).words(")"),
        _ => {
            message.words(" (policies ").names(policies.iter().map(|one| &one.id), NAMED).words(")")
        }
    }
}

/// The policies that isolate some of these pods in a direction.
fn isolating<'a>(
    snapshot: &Snapshot<'_, '_, 'a>,
    direction: Direction,
    workloads: &[&Arc<Workload>],
) -> Vec<&'a Policy> {
    let isolating = workloads.iter().flat_map(|one| snapshot.isolating(direction, one));
    let found: BTreeMap<&PolicyId, &Policy> =
        isolating.map(|policy| (&policy.id, policy)).collect();
    found.into_values().collect()
}

/// The lines of a policy that refuses and that the change brings, if there is one, else those of the need.
fn place(
    snapshot: &Snapshot<'_, '_, '_>,
    need: &Need,
    refusing: &[(Direction, &Policy)],
) -> Origin {
    let changed = refusing.iter().find(|(_, policy)| {
        snapshot
            .world
            .changed_policies
            .iter()
            .any(|(_, after)| after.is_some_and(|after| after.id == policy.id))
    });
    match changed {
        Some((direction, policy)) => {
            policy.section(*direction).map_or(&policy.origin, |section| &section.origin).clone()
        }
        None => need.origin.clone(),
    }
}

/// The missing rules: egress, ingress, or both.
fn rules_for(
    caller: &Workload,
    service: &Service,
    ends: &[Backend<'_>],
    [out, into]: [bool; 2],
) -> Fix {
    let ports: BTreeSet<(Protocol, u16)> =
        ends.iter().flat_map(|(_, ports)| ports.iter().copied()).collect();
    let ports: Vec<String> = ports
        .iter()
        .map(|(protocol, number)| format!("{{port: {number}, protocol: {protocol}}}"))
        .collect();
    let ports = ports.join(", ");
    let label = |labels: &Labels| {
        let known = NAMES.iter().find_map(|key| labels.get_key_value(*key));
        let (key, value) =
            known.map_or(("CHANGE-ME", "CHANGE-ME"), |(key, value)| (&**key, &**value));
        words::yaml(&Selector::labels([(key, value)]))
    };
    let from = label(&caller.labels);
    let to = words::yaml(&Selector::labels(
        service.selector.iter().map(|(key, value)| (&**key, &**value)),
    ));
    let peer = |namespace: &str, pods: &str| {
        let namespace = words::yaml(&words::namespace_named(namespace));
        format!("    - namespaceSelector: {namespace}\n      podSelector: {pods}\n")
    };
    let policy = |name: String, namespace: &str, pods: &str, direction: &str, rule: String| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: \
             {namespace}}}\nspec:\n  podSelector: {pods}\n  policyTypes: [{direction}]\n{rule}    ports: [{ports}]\n"
        )
    };
    let (source, target) = (&caller.id.name, &service.name);
    let mut texts = Vec::new();
    if out {
        let rule = format!("  egress:\n  - to:\n{}", peer(&service.namespace, &to));
        let name = format!("{source}-allow-egress-to-{target}");
        texts.push(policy(name, &caller.id.namespace, &from, "Egress", rule));
    }
    if into {
        let rule = format!("  ingress:\n  - from:\n{}", peer(&caller.id.namespace, &from));
        let name = format!("{target}-allow-ingress-from-{source}");
        texts.push(policy(name, &service.namespace, &to, "Ingress", rule));
    }
    Fix {
        kind: FixKind::Behavioural,
        description: Message::new("allow it for these pods and this port"),
        replacement: Some(texts.join("---\n")),
        location: None,
        diff: None,
        removes: Vec::new(),
    }
}

/// Labels by which pods are called.
const NAMES: [&str; 4] = ["app.kubernetes.io/name", "app", "k8s-app", "name"];

#[cfg(test)]
mod tests {
    use super::{BAD, BEFORE, GOOD, RULE};
    use crate::report::{Finding, Severity};
    use crate::rules::catalogue::testing::{findings, introduced};

    const DENY: &str = "---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-all, namespace: payments}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
";

    fn of(manifests: &str) -> Vec<Finding> {
        findings(RULE.id, manifests, "")
    }

    #[test]
    fn the_change_that_cuts_it_off_is_worse() {
        let before = GOOD;
        let after = format!("{GOOD}{DENY}");
        let [found] = &introduced(RULE.id, before, &after)[..] else { panic!("one finding") };
        assert_eq!(found.severity, Severity::High);
        assert!(found.message.to_string().contains("no ingress rule"), "{}", found.message);
        assert!(!found.message.to_string().contains("no egress rule"), "{}", found.message);
        let witness = found.witness.as_ref().expect("a witness");
        assert_eq!((witness.protocol, witness.port), ("TCP", 5432));
        // The need is new, nothing is lost.
        let [found] = &introduced(RULE.id, BEFORE, BAD)[..] else { panic!("one finding") };
        assert_eq!(found.severity, Severity::Medium);
        assert!(introduced(RULE.id, &after, &after).is_empty());
    }

    #[test]
    fn both_ends_refuse() {
        let found = of(&format!("{BAD}{DENY}"));
        let message = found[0].message.to_string();
        assert!(message.contains("no egress rule") && message.contains("no ingress rule"));
        let text = found[0].fix.as_ref().and_then(|fix| fix.replacement.clone()).expect("a text");
        // What it says to write is enough.
        assert!(of(&format!("{BAD}{DENY}---\n{text}")).is_empty(), "{text}");
    }

    #[test]
    fn ports_of_pods_count_and_not_those_of_services() {
        let mapped = BAD
            .replace("ports: [{port: 5432}]}", "ports: [{port: 5432, targetPort: pg}]}")
            .replace("containerPort: 5432", "containerPort: 6000, name: pg");
        assert!(of(&mapped)[0].message.to_string().contains("TCP 6000"));
        let allowed = format!("{mapped}{}", GOOD.split_at(GOOD.rfind("---").expect("a rule")).1);
        assert_eq!(of(&allowed).len(), 1);
        assert!(
            of(&allowed.replace("ports: [{port: 5432}]\n", "ports: [{port: 6000}]\n")).is_empty()
        );
    }

    #[test]
    fn what_nobody_can_know() {
        // No pod behind the Service, a host outside, a pod on the host network, and oneself.
        assert!(of(&BAD.replace("selector: {app: db}", "selector: {app: other}")).is_empty());
        assert!(of(&BAD.replace("db.payments.svc:5432", "db.example.com:5432")).is_empty());
        assert!(
            of(&BAD.replace(
                "spec: {containers: [{name: web,",
                "spec: {hostNetwork: true, containers: [{name: web,"
            ))
            .is_empty()
        );
        let own = format!(
            "{}---\napiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: shop}}\nspec: {{selector: {{app: web}}, \
             ports: [{{port: 80}}]}}\n",
            BAD.replace("db.payments.svc:5432", "http://web.shop.svc:80")
        );
        assert!(of(&own).is_empty());
    }

    const ROUTE: &str = "---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: db, namespace: payments}
spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: db, port: {number: 5432}}}}]}}]}
";

    #[test]
    fn callers_that_are_not_in_the_manifests() {
        assert!(of(&format!("{BEFORE}{ROUTE}")).is_empty());
        let found = of(&format!("{BEFORE}{ROUTE}{DENY}"));
        assert_eq!(found.len(), 1, "{found:?}");
        // Whoever is let in may be it.
        let somebody = DENY.replace(
            "policyTypes: [Ingress, Egress]",
            "policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]",
        );
        assert!(of(&format!("{BEFORE}{ROUTE}{somebody}")).is_empty());
    }
}
