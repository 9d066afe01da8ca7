//! Policies that land wherever they are applied.

use crate::model::{Origin, Policy};
use crate::report::{Message, Persona, Severity};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
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
          other objects of the same file or directory name a namespace, for then one was forgotten. There is one finding \
          for all policies of a file.",
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
    let mut files: BTreeMap<&Arc<str>, Vec<&Policy>> = BTreeMap::new();
    for policy in without {
        files.entry(&policy.origin.file).or_default().push(policy);
    }
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let named = by_file(snapshot);
    Ok(files.iter().filter_map(|(file, policies)| draft(file, policies, &named)).collect())
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

/// One finding of a file, however many of its policies have none.
fn draft(file: &Arc<str>, policies: &[&Policy], named: &Named) -> Option<Draft> {
    let first = policies.iter().map(|policy| &policy.origin).min()?;
    let message = match policies {
        [only] => Message::default()
            .name(&only.id.name)
            .words(" has no namespace: it lands wherever it is applied"),
        several => Message::default()
            .count(several.len(), "policy", "policies")
            .words(" of this file have no namespace: they land wherever they are applied"),
    };
    let beside = |is_beside: &dyn Fn(&str) -> bool| -> BTreeSet<&Arc<str>> {
        named.iter().filter(|(other, _)| is_beside(other)).map(|(_, name)| name).collect()
    };
    let (here, around) = (
        beside(&|other| *other == **file),
        beside(&|other| *other != **file && directory(other) == directory(file)),
    );
    let (message, persona) = match (here.is_empty(), around.is_empty()) {
        (true, true) => (message, Persona::Pedantic),
        (false, _) => {
            (message.words(". Other objects of this file are in ").names(here, 2), Persona::Regular)
        }
        (true, false) => (
            message.words(". Objects of other files of this directory are in ").names(around, 2),
            Persona::Regular,
        ),
    };
    Some(Draft::object(&**file, first, "no namespace", message).persona(persona))
}

fn directory(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(directory, _)| directory)
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
        for (other, persona) in [
            ("a/q.yaml", Persona::Regular),
            ("q.yaml", Persona::Pedantic),
            ("a/b/q.yaml", Persona::Pedantic),
            ("ab/q.yaml", Persona::Pedantic),
        ] {
            assert_eq!(told(&[("a/p.yaml", POLICY), (other, POD)]), [persona], "{other}");
        }
        assert_eq!(told(&[("p.yaml", POLICY), ("q.yaml", POD)]), [Persona::Regular]);
        // Neither says where it is.
        let nowhere = POD.replace(", namespace: shop", "");
        assert_eq!(told(&[("p.yaml", POLICY), ("q.yaml", &nowhere)]), [Persona::Pedantic]);
    }

    #[test]
    fn one_finding_for_a_file() {
        let other = POLICY.replace("name: p", "name: other");
        let placed = POLICY.replace("name: p", "name: placed, namespace: shop");
        let found = |files: &[(&str, &str)]| {
            let mut config = Config::default();
            config.rules.persona = Persona::Auditor;
            let found = lint(&Tree::from_texts("t", files.iter().copied()), &config).findings;
            let found = found.into_iter().filter(|one| one.rule == RULE.id);
            found.map(|one| (one.message.to_string(), one.fingerprint)).collect::<Vec<_>>()
        };
        let both = found(&[("p.yaml", &format!("{POLICY}\n---\n{other}"))]);
        let words =
            "2 policies of this file have no namespace: they land wherever they are applied";
        let [(message, fingerprint)] = both.as_slice() else { panic!("{both:?}") };
        assert_eq!(message, words);
        // Whatever their order and their lines.
        let turned = found(&[("p.yaml", &format!("# moved\n\n{other}\n---\n{POLICY}"))]);
        assert_eq!(turned, [(words.to_string(), fingerprint.clone())]);
        assert_eq!(found(&[("p.yaml", POLICY), ("q.yaml", &other)]).len(), 2);
        let message = &found(&[("p.yaml", &format!("{placed}\n---\n{POLICY}"))])[0].0;
        assert_eq!(
            message,
            "`p` has no namespace: it lands wherever it is applied. Other objects of this file are in `shop`"
        );
    }
}
