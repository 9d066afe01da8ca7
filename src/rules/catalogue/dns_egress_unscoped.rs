//! DNS to more than the resolver.

use crate::model::{Direction, NamespaceMatch, PeerKind, Rule as PolicyRule};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::granted::Granted;
use crate::rules::repair::{Mend, Repair};
use crate::rules::serves::{self, Serves};
use crate::rules::snapshot::is_dns_only;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "dns-egress-unscoped",
    severity: Severity::Low,
    persona: Persona::Pedantic,
    lesson: false,
    catches: "A rule for DNS that reaches more than the cluster's resolver.",
    why: "Port 53 to any address is a way out: names can carry data, and any server can answer them. Port 53 to \
          every pod of `kube-system` reaches whatever listens there. Blocks of single addresses, such as that of a \
          node-local cache, are left alone.",
    fix: "Name the resolver's pods: for kube-dns and CoreDNS the namespace `kube-system` and `k8s-app: kube-dns` on 53, for \
          OpenShift the namespace `openshift-dns` and `dns.operator.openshift.io/daemonset-dns: default` on 5353.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-egress-dns, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-egress-dns, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      podSelector: {matchLabels: {k8s-app: kube-dns}}
    - ipBlock: {cidr: 169.254.20.10/32}
    ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
",
    ),
    check: Check::Side(check),
};

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            if direction == Direction::Egress
                && is_dns_only(rule)
                && let Some((whom, severity)) = unscoped(rule)
            {
                let message = Message::new("DNS goes to ")
                    .then(whom)
                    .words(", not only to the cluster's resolver");
                let subject = words::canonical_peers(rule);
                let draft = Draft::policy(policy, &rule.origin, subject, message);
                let granted = Granted::by_rule(snapshot, policy, direction, rule);
                let draft = draft.severity(severity).granted(granted);
                drafts.push(match resolver(snapshot, rule) {
                    Some(mend) => draft.repair(Repair {
                        kind: FixKind::Narrowing,
                        description: Message::new("name the resolver's pods that are declared"),
                        mend,
                    }),
                    None => draft.fix(example()),
                });
            }
        }
    }
    Ok(drafts)
}

/// Whom the rule reaches beside a resolver, the widest peer first.
fn unscoped(rule: &PolicyRule) -> Option<(Message, Severity)> {
    let Some(peers) = &rule.peers else {
        return Some((Message::new("every pod and every address"), Severity::Medium));
    };
    let kinds = || peers.iter().map(|peer| &peer.kind);
    let everywhere =
        kinds().find(|kind| matches!(kind, PeerKind::Block(block) if block.cidr.prefix_len() == 0));
    if let Some(block) = everywhere {
        return Some((words::peer(block), Severity::Medium));
    }
    let whole = kinds().find(|kind| {
        matches!(kind, PeerKind::Pods { namespaces: NamespaceMatch::Labels(_), pods } if pods.is_everything())
    });
    whole.map(|kind| (words::peer(kind), Severity::Low))
}

/// The only resolver that is declared in place of everybody, or of its whole namespace.
fn resolver(snapshot: &Snapshot<'_, '_, '_>, rule: &PolicyRule) -> Option<Mend> {
    let resolvers = snapshot.cluster().workloads.iter().filter_map(|workload| {
        let label = serves::resolver_label(&workload.labels)?;
        Some((workload, label))
    });
    let resolvers: Vec<_> = resolvers.collect();
    let [(workload, label)] = resolvers.as_slice() else { return None };
    let mut ports = rule.ports.iter().flatten();
    if workload.host_network || ports.any(|port| serves::workloads(&[workload], port) == Serves::No)
    {
        return None;
    }
    let labels = vec![label.clone()];
    let Some(peers) = &rule.peers else {
        let namespace = workload.id.namespace.to_string();
        return Some(Mend::To { rule: rule.origin.clone(), namespace, labels });
    };
    let [peer] = peers.as_slice() else { return None };
    let matched = snapshot.matched(&peer.kind);
    let here = matched.workloads.iter().any(|one| one.id == workload.id);
    here.then(|| Mend::Pods { peer: peer.origin.clone(), labels })
}

fn example() -> Fix {
    Fix {
        kind: FixKind::Behavioural,
        description: Message::new("name the resolver's pods; of kube-dns and CoreDNS these"),
        replacement: Some(
            "to:
- namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
  podSelector: {matchLabels: {k8s-app: kube-dns}}
"
            .into(),
        ),
        location: None,
        diff: None,
        removes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::report::FixKind;
    use crate::rules::catalogue::testing::findings;

    const COREDNS: &str = "---
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system}
spec: {template: {metadata: {labels: {k8s-app: kube-dns}}, spec: {containers: [{name: c, ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53}]}]}}}
";

    fn fixed(manifests: &str) -> Option<(FixKind, String)> {
        let found = findings(RULE.id, manifests, "");
        let fix = found.first()?.fix.clone()?;
        Some((fix.kind, fix.replacement?))
    }

    #[test]
    fn the_resolver_is_named_where_one_is_declared() {
        let bad = RULE.bad.after;
        let (kind, _) = fixed(bad).expect("an example");
        assert_eq!(kind, FixKind::Behavioural);
        let (kind, text) = fixed(&format!("{bad}{COREDNS}")).expect("an edit");
        assert_eq!(kind, FixKind::Narrowing);
        assert!(text.ends_with("podSelector: {matchLabels: {k8s-app: kube-dns}}\n"), "{text}");
        let twice = format!("{bad}{COREDNS}{}", COREDNS.replace("name: coredns", "name: more"));
        assert_eq!(fixed(&twice).map(|fix| fix.0), Some(FixKind::Behavioural));
    }

    #[test]
    fn a_whole_namespace_becomes_the_resolver_in_it() {
        let whole = RULE.bad.after.replace(
            "  - ports:",
            "  - to:\n    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}\n    ports:",
        );
        let (kind, text) = fixed(&format!("{whole}{COREDNS}")).expect("an edit");
        assert_eq!(kind, FixKind::Narrowing);
        assert!(
            text.ends_with("\n      podSelector: {matchLabels: {k8s-app: kube-dns}}\n"),
            "{text}"
        );
    }
}
