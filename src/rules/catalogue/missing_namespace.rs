//! Policies that land wherever they are applied.

use crate::model::{Origin, Policy};
use crate::report::{Message, Persona, Severity};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot};
use std::collections::BTreeSet;
use std::sync::Arc;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "missing-namespace",
    severity: Severity::Low,
    persona: Persona::Pedantic,
    lesson: false,
    catches: "A policy without a namespace, so that it protects whatever namespace it happens to be applied to.",
    why: "`kubectl apply -f` takes the namespace of the context. Where somebody says it (a kustomization, a release, \
          Argo CD, Flux) or may (there is a kustomization above the file), nothing is missing. It is told to everybody where \
          other objects of the same file name a namespace, for then one was forgotten.",
    fix: "Write `metadata.namespace`.",
    bad: Example::new(
        "apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-deny-all}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
",
    ),
    good: Example::new(
        "apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-deny-all, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
",
    ),
    check: Check::Side(check),
};

const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let without = snapshot
        .policies()
        .filter(|policy| !policy.written.namespace && !kustomized(snapshot, &policy.origin));
    // What the others say, read when the first policy asks.
    let mut named = None;
    Ok(without
        .map(|policy| {
            let named = named.get_or_insert_with(|| by_file(snapshot));
            draft(policy, named)
        })
        .collect())
}

/// Is there a kustomization in the directory of a file, or above it? It may set the namespace, or one that uses
/// it does.
fn kustomized(snapshot: &Snapshot<'_, '_, '_>, origin: &Origin) -> bool {
    let files = &snapshot.read.tree.files;
    let mut directory = &*origin.file;
    while let Some((above, _)) = directory.rsplit_once('/') {
        directory = above;
        if KUSTOMIZATIONS.iter().any(|name| files.contains_key(&*format!("{directory}/{name}"))) {
            return true;
        }
    }
    KUSTOMIZATIONS.iter().any(|name| files.contains_key(*name))
}

/// Files and the namespaces that objects in them name.
type Named = BTreeSet<(Arc<str>, Arc<str>)>;

fn by_file(snapshot: &Snapshot<'_, '_, '_>) -> Named {
    let cluster = snapshot.cluster();
    let policies = cluster.policies.iter().filter(|policy| policy.written.namespace);
    let policies =
        policies.filter_map(|policy| Some((&policy.origin, policy.id.namespace.as_ref()?)));
    let workloads = cluster.workloads.iter().filter(|workload| workload.placed);
    let workloads = workloads.map(|workload| (&workload.origin, &workload.id.namespace));
    policies.chain(workloads).map(|(origin, name)| (origin.file.clone(), name.clone())).collect()
}

fn draft(policy: &Policy, named: &Named) -> Draft {
    let file = &policy.origin.file;
    let beside: Vec<&Arc<str>> =
        named.iter().filter(|(other, _)| other == file).map(|(_, name)| name).collect();
    let message = Message::default()
        .name(&policy.id.name)
        .words(" has no namespace: it lands wherever it is applied");
    let (message, persona) = match beside.is_empty() {
        true => (message, Persona::Pedantic),
        false => (
            message.words(". Other objects of this file are in ").names(beside, 2),
            Persona::Regular,
        ),
    };
    Draft::policy(policy, &policy.origin, "no namespace", message).persona(persona)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::config::Config;
    use crate::report::Persona;
    use crate::review::lint;
    use crate::tree::Tree;

    const POLICY: &str = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}}}";

    fn told(files: &[(&str, &str)]) -> Vec<Persona> {
        let mut config = Config::default();
        config.rules.persona = Persona::Auditor;
        let found = lint(&Tree::from_texts("t", files.iter().copied()), &config).findings;
        found.iter().filter(|one| one.rule == RULE.id).map(|one| one.persona).collect()
    }

    #[test]
    fn who_may_say_it() {
        assert_eq!(told(&[("a/p.yaml", POLICY)]), [Persona::Pedantic]);
        for kustomization in ["kustomization.yaml", "a/kustomization.yml", "a/b/Kustomization"] {
            let files = [(kustomization, "resources: []\n"), ("a/b/p.yaml", POLICY)];
            assert_eq!(told(&files), [], "{kustomization}");
        }
        let other = [("b/kustomization.yaml", "resources: []\n"), ("a/p.yaml", POLICY)];
        assert_eq!(told(&other), [Persona::Pedantic]);
    }

    #[test]
    fn others_in_the_file_and_beside_it() {
        const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}";
        let one = format!("{POLICY}\n---\n{POD}");
        assert_eq!(told(&[("p.yaml", &one)]), [Persona::Regular]);
        assert_eq!(told(&[("p.yaml", POLICY), ("q.yaml", POD)]), [Persona::Pedantic]);
    }
}
