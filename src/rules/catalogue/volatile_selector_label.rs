//! Selectors that hold until the next release.

use crate::model::{NamespaceMatch, Operator, PeerKind, Policy, Requirement, Selector};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use std::collections::BTreeSet;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "volatile-selector-label",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "A selector of pods with a label that changes with every release, or that says who deployed it.",
    why: "`helm.sh/chart`, `app.kubernetes.io/version` and hashes of templates match until the next upgrade. Then the \
          policy selects nothing, without an error, and the pods are open; or the peer is cut off. A `version` is told only where it \
          looks like one of a release, and not where pods of several versions run beside each other. Pedants are told of \
          `app.kubernetes.io/managed-by` and `heritage`, which change with the tool.",
    fix: "Select by what the pods are (`app.kubernetes.io/name`, `app.kubernetes.io/component`), without that label.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: redis-deny-all, namespace: shop}
spec:
  podSelector: {matchLabels: {app: redis, helm.sh/chart: redis-18.1.0}}
  policyTypes: [Ingress]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: reviews-v1-deny-all, namespace: shop}
spec:
  podSelector: {matchLabels: {app: reviews, version: v1}}
  policyTypes: [Ingress]
",
    ),
    check: Check::Side(check),
};

/// How a label changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// With every release.
    Release,
    /// With every rollout.
    Rollout,
    /// With the tool that deploys.
    Tool,
}

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        let subject = &policy.subject;
        for (requirement, kind) in volatile(snapshot, &subject.namespaces, &subject.pods) {
            let what = "this policy selects nothing and its pods are open";
            let draft = draft(policy, "subject", what, &subject.pods, requirement, kind);
            drafts.push(Draft { origin: policy.subject_origin.clone(), ..draft });
        }
        for (direction, _, rule) in Snapshot::rules(policy) {
            for peer in rule.peers.iter().flatten() {
                let PeerKind::Pods { namespaces, pods } = &peer.kind else { continue };
                for (requirement, kind) in volatile(snapshot, namespaces, pods) {
                    let what = "this peer matches nobody";
                    let draft = draft(policy, direction.as_str(), what, pods, requirement, kind);
                    drafts.push(Draft { origin: peer.origin.clone(), ..draft });
                }
            }
        }
    }
    Ok(drafts)
}

/// The terms of a selector of pods that will not hold.
fn volatile<'p>(
    snapshot: &Snapshot<'_, '_, '_>,
    namespaces: &NamespaceMatch,
    pods: &'p Selector,
) -> Vec<(&'p Requirement, Kind)> {
    let found = pods.requirements().iter().filter_map(|requirement| {
        let Operator::In(values) = &requirement.operator else { return None };
        Some((requirement, values.iter().find_map(|value| kind(&requirement.key, value))?))
    });
    let is_version = |requirement: &Requirement| requirement.key.ends_with("version");
    found
        .filter(|(requirement, _)| {
            !is_version(requirement) || !several(snapshot, namespaces, pods, requirement)
        })
        .collect()
}

fn kind(key: &str, value: &str) -> Option<Kind> {
    match key {
        "helm.sh/chart" => Some(Kind::Release),
        "chart" => {
            let (_, version) = value.split_once('-')?;
            version.rsplit('-').any(is_release).then_some(Kind::Release)
        }
        "app.kubernetes.io/version" | "version" => is_release(value).then_some(Kind::Release),
        "pod-template-hash" | "controller-revision-hash" | "pod-template-generation" => {
            Some(Kind::Rollout)
        }
        "app.kubernetes.io/managed-by" | "heritage" => Some(Kind::Tool),
        _ => None,
    }
}

/// Two numbers with a dot between them, or a hash: `1.20`, `v2.3.1-rc.1`, `sha-4f9a1c2`. `v1` is the name of an
/// API or of a canary.
fn is_release(value: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let numbers = value.trim_start_matches('v');
    let mut parts = numbers.split(|c: char| !c.is_ascii_alphanumeric());
    let dotted = numbers.contains('.')
        && parts.next().is_some_and(is_number)
        && parts.next().is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    let hash = value.strip_prefix("sha-").unwrap_or(value);
    let hashed = hash.len() >= 7
        && hash.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
        && hash.chars().any(|c| c.is_ascii_digit());
    dotted || hashed
}

/// Do known pods that differ in this label alone run beside each other?
fn several(
    snapshot: &Snapshot<'_, '_, '_>,
    namespaces: &NamespaceMatch,
    pods: &Selector,
    requirement: &Requirement,
) -> bool {
    let peer = PeerKind::Pods { namespaces: namespaces.clone(), pods: without(pods, requirement) };
    let found = snapshot.matched(&peer).workloads;
    let values: BTreeSet<_> =
        found.iter().filter_map(|workload| workload.labels.get(&requirement.key)).collect();
    values.len() > 1
}

fn without(pods: &Selector, requirement: &Requirement) -> Selector {
    let rest = pods.requirements().iter().filter(|other| *other != requirement);
    Selector::new(rest.cloned())
}

fn draft(
    policy: &Policy,
    place: &'static str,
    after: &'static str,
    pods: &Selector,
    requirement: &Requirement,
    kind: Kind,
) -> Draft {
    let message = Message::default().name(requirement);
    let message = match kind {
        Kind::Release => message.words(" changes with every release"),
        Kind::Rollout => message.words(" changes with every rollout"),
        Kind::Tool => message.words(" changes with the tool that deploys the pods"),
    };
    let message = message.words("; after that ").words(after);
    let subject = format!("{place} {requirement}");
    let draft = Draft::policy(policy, &policy.origin, subject, message);
    let rest = without(pods, requirement);
    // Without its only term a selector means everybody.
    let replacement =
        (!rest.is_everything()).then(|| format!("podSelector: {}\n", words::yaml(&rest)));
    let draft = draft.fix(Fix {
        kind: FixKind::Behavioural,
        description: Message::new("select without it"),
        replacement,
        location: None,
        diff: None,
        removes: Vec::new(),
    });
    match kind {
        Kind::Tool => draft.severity(Severity::Low).persona(Persona::Pedantic),
        _ => draft,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::{RULE, is_release};
    use crate::report::Persona;

    #[test]
    fn releases() {
        for value in ["1.20", "v2.3.1", "2.3.1-rc.1", "4f9a1c2", "sha-4f9a1c2", "1.2.3-alpine"] {
            assert!(is_release(value), "{value}");
        }
        for value in ["v1", "1", "stable", "canary", "v2beta1", "feedbed", "", "latest"] {
            assert!(!is_release(value), "{value}");
        }
    }

    fn told_of(labels: &str, others: &str) -> Vec<Persona> {
        let text = format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: shop}}, \
             spec: {{podSelector: {{matchLabels: {labels}}}}}}}\n{others}"
        );
        told(RULE.id, &text).iter().map(|finding| finding.persona).collect()
    }

    #[test]
    fn labels() {
        for (labels, expected) in [
            ("{app: web, app.kubernetes.io/version: 1.2.3}", Some(Persona::Regular)),
            ("{app: web, chart: web-1.2.3}", Some(Persona::Regular)),
            ("{app: web, pod-template-hash: 7c5f}", Some(Persona::Regular)),
            ("{app: web, app.kubernetes.io/managed-by: Helm}", Some(Persona::Pedantic)),
            ("{app: web, chart: web}", None),
            ("{app: web, version: v1}", None),
            ("{app: web-1.2.3}", None),
        ] {
            let expected: Vec<Persona> = expected.into_iter().collect();
            assert_eq!(told_of(labels, ""), expected, "{labels}");
        }
    }

    #[test]
    fn versions_beside_each_other() {
        let pods: String = ["1.0", "1.1"]
            .iter()
            .map(|version| {
                format!(
                    "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: web-{version}, namespace: shop, labels: \
                     {{app: web, version: \"{version}\"}}}}}}\n"
                )
            })
            .collect();
        assert_eq!(told_of("{app: web, version: \"1.0\"}", ""), [Persona::Regular]);
        assert_eq!(told_of("{app: web, version: \"1.0\"}", &pods), []);
    }
}
