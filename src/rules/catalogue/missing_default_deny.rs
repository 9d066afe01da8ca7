//! Namespaces in which a pod is open until a policy happens to select it.

use super::super::evidence::SYSTEM_NAMESPACES;
use crate::model::{Direction, Origin};
use crate::reach::NamespaceSlot;
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "missing-default-deny",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: true,
    catches: "A namespace in which pods that no policy selects can talk, or be talked to, freely.",
    why: "A policy isolates the pods that it selects, and only in its directions. The next pod that somebody \
          deploys matches none of them and is open to everybody. A policy with an empty `podSelector` in that direction \
          is enough; one for each direction will do. Namespaces of the system (`kube-system` and its like) are left \
          alone.",
    fix: "Add a policy with an empty `podSelector`, both `policyTypes` and no rules, after those that allow what is \
          needed.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
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
metadata: {name: db-allow-ingress-from-api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
",
    ),
    check: Check::Side(check),
};

/// How many workloads a message names.
const NAMED: usize = 3;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let namespaces = snapshot
        .namespaces()
        .filter(|(_, namespace)| !SYSTEM_NAMESPACES.contains(&&*namespace.name));
    Ok(namespaces.filter_map(|(_, namespace)| draft(snapshot, namespace)).collect())
}

fn draft<'a>(snapshot: &Snapshot<'_, '_, 'a>, namespace: &NamespaceSlot<'a>) -> Option<Draft> {
    let policies = namespace.policies.on(snapshot.side);
    let manifest = snapshot.cluster().namespaces.get(&namespace.name);
    let workloads = snapshot.workloads_of(namespace);
    // What is only a peer of somebody is not looked after here.
    let origin: &Origin = match (policies.first(), manifest, workloads.first()) {
        (Some(policy), ..) => &policy.origin,
        (None, Some(manifest), Some(_)) => &manifest.origin,
        _ => return None,
    };
    let covered = |direction| {
        policies.iter().any(|policy| {
            policy.subject.pods.is_everything() && policy.section(direction).is_some()
        })
    };
    let open: Vec<Direction> = Direction::BOTH.into_iter().filter(|d| !covered(*d)).collect();
    let words = match open.as_slice() {
        [] => return None,
        [direction] => direction.as_str(),
        _ => "ingress and egress",
    };
    let isolated = |labels| {
        open.iter().all(|direction| {
            policies.iter().any(|policy| {
                policy.subject.pods.matches(labels) && policy.section(*direction).is_some()
            })
        })
    };
    let bare: Vec<&str> = workloads
        .iter()
        .filter(|workload| !workload.host_network && !isolated(&workload.labels))
        .map(|workload| &*workload.id.name)
        .collect();
    let mut message = Message::new("Nothing denies ")
        .words(words)
        .words(" by default in ")
        .name(&namespace.name)
        .words(": a pod that no other policy selects is open");
    if !bare.is_empty() {
        message = message.words(", now ").names(bare, NAMED);
    }
    let subject = if policies.is_empty() { "no policy".into() } else { format!("{open:?}") };
    let types = open.iter().map(|direction| match direction {
        Direction::Ingress => "Ingress",
        Direction::Egress => "Egress",
    });
    let types: Vec<&str> = types.collect();
    let name = if open.len() == 2 { "all".into() } else { words.to_string() };
    Some(Draft::object(&*namespace.name, origin, subject, message).fix(Fix {
        kind: FixKind::Behavioural,
        description: Message::new("deny what no policy allows; first allow what is needed"),
        replacement: Some(format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: default-deny-{name}, namespace: \
             {}}}\nspec: {{podSelector: {{}}, policyTypes: [{}]}}\n",
            namespace.name,
            types.join(", ")
        )),
        location: None,
        removes: Vec::new(),
    }))
}
