//! Two peers that were meant to be one.

use crate::model::{
    Direction, NAMESPACE_NAME_LABEL, NamespaceMatch, Peer, PeerKind, Policy, Rule as PolicyRule,
    Selector,
};
use crate::report::{FixKind, Message, Persona, Severity};
use crate::rules::granted::Granted;
use crate::rules::repair::{Mend, Repair};
use crate::rules::snapshot::is_dns_only;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "accidental-or",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "A `namespaceSelector` and a `podSelector` in two list items, where one item was meant.",
    why: "Items of a list are alternatives. The stray dash admits every pod of those namespaces, and beside them pods \
          of the policy's own namespace, which may not even exist. It is told where the pods that the second item names \
          run in the namespaces of the first and not in the policy's own. Where nothing shows who they are, only \
          pedants are told; where such pods run beside the policy, both items make sense and nobody is. The same \
          dash before `ports` makes a rule for all ports and one for all peers; pedants are told that.",
    fix: "Write both selectors in one list item, without the dash before the second.",
    bad: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: proxy, namespace: shop-ui}
spec:
  selector: {matchLabels: {app: proxy}}
  template:
    metadata: {labels: {app: proxy}}
    spec: {containers: [{name: proxy}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: orders-allow-ingress-from-proxy, namespace: shop}
spec:
  podSelector: {matchLabels: {app: orders}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop-ui}}
    - podSelector: {matchLabels: {app: proxy}}
    ports: [{port: 8080, protocol: TCP}]
",
    ),
    good: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway, namespace: shop}
spec:
  selector: {matchLabels: {app: gateway}}
  template:
    metadata: {labels: {app: gateway}}
    spec: {containers: [{name: gateway}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: orders-allow-ingress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: orders}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - podSelector: {matchLabels: {app: gateway}}
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}
    ports: [{port: 8080, protocol: TCP}]
",
    ),
    check: Check::Side(check),
};

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, position, rule) in Snapshot::rules(policy) {
            let peers = rule.peers.as_deref().unwrap_or_default();
            for pair in peers.windows(2) {
                if let [one, other] = pair {
                    drafts.extend(peer_pair(snapshot, policy, direction, one, other));
                }
            }
            let section = policy.section(direction);
            let next = section.and_then(|section| section.rules.get(position + 1));
            // Which of the two stands first means nothing.
            let pairs = next.into_iter().flat_map(|next| [(rule, next), (next, rule)]);
            for (rule, next) in pairs {
                let granted = |rule| Granted::by_rule(snapshot, policy, direction, rule);
                let draft = rule_pair(policy, direction, rule, next);
                drafts.extend(draft.map(|draft| draft.granted(granted(rule).and(&granted(next)))));
            }
        }
    }
    Ok(drafts)
}

/// Does a pair of neighbours explain why a peer of pods alone matches nothing? Then this rule says so.
pub(super) fn explains(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    peers: &[Peer],
    at: usize,
) -> bool {
    let around = [at.checked_sub(1), at.checked_add(1)].into_iter().flatten();
    around.filter_map(|other| Some((peers.get(at)?, peers.get(other)?))).any(|(one, other)| {
        let two = split(policy, one, other);
        two.is_some_and(|two| !matches!(evidence(snapshot, policy, two), Evidence::Here))
    })
}

/// A peer that has namespaces alone, and one that has pods of the own namespace alone.
type Two<'p> = (&'p Selector, &'p Selector);

/// The two selectors of neighbours, if each has one.
fn split<'p>(policy: &Policy, one: &'p Peer, other: &'p Peer) -> Option<Two<'p>> {
    let own = policy.id.namespace.as_ref()?;
    let (PeerKind::Pods { namespaces: a, pods: b }, PeerKind::Pods { namespaces: c, pods: d }) =
        (&one.kind, &other.kind)
    else {
        return None;
    };
    let (namespaces, name, everything, pods) = match (a, c) {
        (NamespaceMatch::Labels(namespaces), NamespaceMatch::Name(name)) => {
            (namespaces, name, b, d)
        }
        (NamespaceMatch::Name(name), NamespaceMatch::Labels(namespaces)) => {
            (namespaces, name, d, b)
        }
        _ => return None,
    };
    let is_split = name == own
        && !namespaces.is_everything()
        && everything.is_everything()
        && !pods.is_everything();
    is_split.then_some((namespaces, pods))
}

/// What is known of the pods of such a pair.
enum Evidence {
    /// They run in the own namespace, or may.
    Here,
    /// They run in the other namespaces only.
    Apart,
    /// The namespaces are the own one too, so that the pods are in it already.
    Within,
    /// Nothing.
    Nothing,
}

fn evidence(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    (namespaces, pods): Two<'_>,
) -> Evidence {
    let own = policy.id.namespace.as_deref().unwrap_or_default();
    let declared = snapshot.cluster().namespaces.contains_key(own);
    let known = |selector: &Selector| {
        declared || selector.requirements().iter().all(|one| &*one.key == NAMESPACE_NAME_LABEL)
    };
    if known(namespaces) && namespaces.matches(&snapshot.cluster().namespace_labels(own)) {
        return Evidence::Within;
    }
    let found = snapshot.anywhere(pods);
    if found.iter().any(|workload| &*workload.id.namespace == own) {
        return Evidence::Here;
    }
    let elsewhere = PeerKind::Pods {
        namespaces: NamespaceMatch::Labels(namespaces.clone()),
        pods: pods.clone(),
    };
    // A workload without a namespace may be meant to run anywhere.
    let all_placed = policy.written.namespace && found.iter().all(|workload| workload.placed);
    // Nor is it known who runs where something else makes pods.
    let sure = all_placed && !snapshot.deployed_elsewhere(own);
    match sure && !snapshot.matched(&elsewhere).workloads.is_empty() {
        true => Evidence::Apart,
        false => Evidence::Nothing,
    }
}

fn peer_pair(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    direction: Direction,
    one: &Peer,
    other: &Peer,
) -> Option<Draft> {
    let (namespaces, pods) = split(policy, one, other)?;
    let all = words::selected(&NamespaceMatch::Labels(namespaces.clone()), &Selector::default());
    let message = Message::new("Two list items are alternatives: ").then(all);
    let message = match direction {
        Direction::Ingress => message.words(" is let in, not only "),
        Direction::Egress => message.words(" can be reached, not only "),
    };
    let message = message.name(pods);
    let evidence = evidence(snapshot, policy, (namespaces, pods));
    let (message, severity, persona) = match evidence {
        Evidence::Here => return None,
        Evidence::Apart => (
            message.words(", which runs only there. Write both selectors in one item"),
            Severity::High,
            Persona::Regular,
        ),
        Evidence::Within => (
            message.words(", which is among them already. Write both selectors in one item"),
            Severity::High,
            Persona::Regular,
        ),
        Evidence::Nothing => (
            message.words(" there. If both was meant, write one item"),
            Severity::Low,
            Persona::Pedantic,
        ),
    };
    let subject = format!("{direction} {namespaces} or {pods}");
    let draft = Draft::policy(policy, &other.origin, subject, message);
    let draft = draft.severity(severity).persona(persona);
    if matches!(evidence, Evidence::Nothing) {
        // Nobody knows that it was not meant.
        return Some(draft);
    }
    Some(draft.repair(Repair {
        kind: FixKind::Narrowing,
        description: Message::new("write both selectors in one item"),
        mend: Mend::JoinPeers { second: other.origin.clone() },
    }))
}

/// A rule of peers alone, beside one of ports alone.
fn rule_pair(
    policy: &Policy,
    direction: Direction,
    rule: &PolicyRule,
    next: &PolicyRule,
) -> Option<Draft> {
    let split = rule.peers.is_some() && rule.ports.is_none() && next.peers.is_none();
    if !split || next.ports.is_none() || is_dns_only(next) {
        return None;
    }
    let message = Message::new(
        "Two rules are alternatives: the one beside this is for all ports, this one for everybody on ",
    )
    .then(words::ports(next))
    .words(". If both was meant, write one rule");
    let (peers, ports) = (words::canonical_peers(rule), words::canonical_ports(next));
    let subject = format!("{direction} {peers} or {ports}");
    let draft = Draft::policy(policy, &next.origin, subject, message);
    Some(draft.severity(Severity::Low).persona(Persona::Pedantic))
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::RULE;
    use crate::report::Persona;

    const PROXY: &str = "
---
apiVersion: v1
kind: Pod
metadata: {name: proxy, namespace: NAMESPACE, labels: {app: proxy}}
";

    fn policy(from: &str) -> String {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: shop}}, \
             spec: {{podSelector: {{}}, policyTypes: [Ingress], ingress: [{from}]}}}}"
        )
    }

    fn told_in(namespace: &str, from: &str) -> Vec<Persona> {
        let proxy = match namespace {
            "" => PROXY.replace("namespace: NAMESPACE, ", ""),
            namespace => PROXY.replace("NAMESPACE", namespace),
        };
        let found = told(RULE.id, &format!("{}{proxy}", policy(from)));
        found.iter().map(|finding| finding.persona).collect()
    }

    const UI: &str = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ui}}";
    const OWN: &str = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}";
    const POD: &str = "podSelector: {matchLabels: {app: proxy}}";

    #[test]
    fn pods_that_run_elsewhere_were_meant() {
        for from in [[UI, POD], [POD, UI]] {
            let from = format!("{{from: [{{{}}}, {{{}}}]}}", from[0], from[1]);
            assert_eq!(told_in("ui", &from), [Persona::Regular], "{from}");
            assert_eq!(told_in("other", &from), [Persona::Pedantic], "{from}");
            assert_eq!(told_in("shop", &from), [], "{from}");
            assert_eq!(told_in("", &from), [Persona::Pedantic], "{from}");
        }
    }

    #[test]
    fn the_own_namespace_has_them_already() {
        let from = format!("{{from: [{{{OWN}}}, {{{POD}}}]}}");
        assert_eq!(told_in("shop", &from), [Persona::Regular]);
    }

    #[test]
    fn peers_that_are_whole_are_left_alone() {
        for from in [
            format!("{{from: [{{{UI}, {POD}}}]}}"),
            format!("{{from: [{{{UI}}}, {{podSelector: {{}}}}]}}"),
            format!("{{from: [{{{UI}, {POD}}}, {{podSelector: {{matchLabels: {{app: web}}}}}}]}}"),
            format!("{{from: [{{namespaceSelector: {{}}}}, {{{POD}}}]}}"),
        ] {
            assert_eq!(told_in("ui", &from), [], "{from}");
        }
    }

    #[test]
    fn rules_that_were_one() {
        let rule = format!("{{from: [{{{POD}}}]}}");
        assert_eq!(
            told_in("shop", &format!("{rule}, {{ports: [{{port: 80}}]}}")),
            [Persona::Pedantic]
        );
        assert_eq!(told_in("shop", &format!("{rule}, {{ports: [{{port: 53}}]}}")), []);
    }
}
