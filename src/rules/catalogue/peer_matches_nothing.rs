//! Peers that nobody is.

use super::{accidental_or, label_near_miss::near};
use crate::model::{Direction, NamespaceMatch, Peer, PeerKind, Policy};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::nobody::{Nobody, nobody};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "peer-matches-nothing",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "A peer that matches no pod, mostly because a `podSelector` alone looks only in the policy's own namespace.",
    why: "The rule seems to allow a path and does not: what was meant stays cut off, until somebody opens too much. It \
          is told to everybody where it is sure: where such pods run in other namespaces only, where all of them are on the host \
          network, so that their traffic has the address of a node, or where `cluster.closedNamespaces` of the configuration \
          says that every pod there is known. Otherwise only auditors are told. Blocks of addresses are not asked.",
    fix: "Add the `namespaceSelector` in the same list item as the `podSelector`. That opens the path.",
    bad: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus, namespace: monitoring}
spec:
  selector: {matchLabels: {app: prometheus}}
  template:
    metadata: {labels: {app: prometheus}}
    spec: {containers: [{name: prometheus}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-ingress-from-prometheus, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: prometheus}}}]
    ports: [{port: 9090}]
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
    spec: {containers: [{name: web}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-ingress-from-ingress-nginx, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}
      podSelector: {matchLabels: {app.kubernetes.io/name: ingress-nginx}}
    ports: [{port: 8080}]
",
    ),
    check: Check::Side(check),
};

/// How many namespaces a message names.
const NAMED: usize = 2;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            let peers = rule.peers.as_deref().unwrap_or_default();
            let whys: Vec<Option<Nobody>> =
                (0..peers.len()).map(|at| why(snapshot, policy, peers, at)).collect();
            let sure =
                |why: &Option<Nobody>| why.as_ref().is_some_and(|why| *why != Nobody::Unknown);
            let dead = whys.iter().all(sure);
            for (peer, why) in peers.iter().zip(&whys) {
                if let Some(why) = why {
                    drafts.push(draft(policy, direction, peer, why, dead));
                }
            }
        }
    }
    Ok(drafts)
}

fn why(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    peers: &[Peer],
    at: usize,
) -> Option<Nobody> {
    let PeerKind::Pods { namespaces, pods } = &peers.get(at)?.kind else { return None };
    let why = nobody(snapshot, policy, namespaces, pods)?;
    let told = why != Nobody::OnHostNetwork
        && (near(snapshot, namespaces, pods).is_some()
            || accidental_or::explains(snapshot, policy, peers, at));
    (!told).then_some(why)
}

fn draft(policy: &Policy, direction: Direction, peer: &Peer, why: &Nobody, dead: bool) -> Draft {
    let who = words::peer(&peer.kind);
    let subject = format!("{direction} {}", words::canonical_peer(&peer.kind));
    let persona = match why {
        Nobody::Unknown => Persona::Auditor,
        _ => Persona::Regular,
    };
    let mut fix = None;
    let message = match why {
        Nobody::OnHostNetwork => who.words(
            ": all of them are on the host network, so their traffic has the address of a node and no selector matches it",
        ),
        Nobody::Closed => Message::new("There are no ").then(who),
        Nobody::Elsewhere(others) => {
            fix = in_its_namespace(peer, others.first().map(AsRef::as_ref));
            Message::new("There are no ")
                .then(who)
                .words(": a podSelector alone looks only in the policy's own namespace, and they run in ")
                .names(others, NAMED)
        }
        Nobody::Unknown => Message::new("No manifest has ").then(who).words(". Do they exist?"),
    };
    let message = match dead {
        true => message.words(". Nobody else is in this rule, so it allows nothing"),
        false => message,
    };
    let draft = Draft::policy(policy, &peer.origin, subject, message).persona(persona);
    Draft { fix, ..draft }
}

/// The peer with the namespace that its pods run in.
fn in_its_namespace(peer: &Peer, namespace: Option<&str>) -> Option<Fix> {
    let PeerKind::Pods { namespaces: NamespaceMatch::Name(_), pods } = &peer.kind else {
        return None;
    };
    let namespace = words::yaml(&words::namespace_named(namespace?));
    Some(Fix {
        kind: FixKind::Behavioural,
        description: Message::new("name the namespace in the same list item"),
        replacement: Some(format!(
            "- namespaceSelector: {namespace}\n  podSelector: {}\n",
            words::yaml(pods)
        )),
        location: None,
        diff: None,
        removes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fires, told, told_with};
    use super::RULE;
    use crate::report::Persona;

    fn pod(name: &str, namespace: &str, spec: &str) -> String {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}, \
             spec: {{{spec}}}}}\n"
        )
    }

    fn policy(to: &str) -> String {
        format!(
            "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: shop}}, \
             spec: {{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{to}]}}]}}}}\n"
        )
    }

    const CORTEX: &str = "{podSelector: {matchLabels: {app: cortex}}}";

    #[test]
    fn where_the_pods_are() {
        let web = pod("web", "shop", "");
        for (others, expected) in [
            (vec![pod("cortex", "metrics", "")], Some(Persona::Regular)),
            (vec![pod("cortex", "shop", "hostNetwork: true")], Some(Persona::Regular)),
            (vec![pod("cortex", "\"\"", "")], Some(Persona::Auditor)),
            (vec![], Some(Persona::Auditor)),
            (vec![pod("cortex", "shop", "")], None),
        ] {
            let text = format!("{web}{}{}", others.concat(), policy(CORTEX));
            let found: Vec<Persona> = told(RULE.id, &text).iter().map(|one| one.persona).collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{others:?}");
        }
    }

    #[test]
    fn namespaces_that_are_known_and_not() {
        let closed = "cluster: {closedNamespaces: [metrics]}\n";
        let peer = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: metrics}}, podSelector: {matchLabels: {app: cortex}}}";
        assert!(!fires(RULE.id, &policy(peer)));
        let found = told_with(closed, RULE.id, &policy(peer));
        assert_eq!(found.len(), 1);
        assert!(found[0].message.to_string().contains("allows nothing"), "{}", found[0].message);
        assert!(told_with(closed, RULE.id, &policy("{ipBlock: {cidr: 10.0.0.0/8}}")).is_empty());
    }

    #[test]
    fn a_stray_dash_is_told_once() {
        let text = format!(
            "{}{}{}",
            pod("web", "shop", ""),
            pod("cortex", "metrics", ""),
            policy(&format!(
                "{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: metrics}}}}}}, {CORTEX}"
            ))
        );
        assert!(!fires(RULE.id, &text));
        assert_eq!(told("accidental-or", &text).len(), 1);
    }
}
