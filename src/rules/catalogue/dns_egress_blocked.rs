//! Pods that may connect to others and can't find out where they are.

use super::super::evidence::SYSTEM_NAMESPACES;
use super::super::grants::{self, Grant};
use super::super::serves;
use crate::diff::facts;
use crate::model::{
    Direction, DnsPolicy, PeerKind, Policy, Ports, Protocol, Rule as PolicyRule, Workload,
};
use crate::reach::{Encoder, NamespaceSlot, Side};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::confirm::Shows;
use crate::rules::snapshot::is_dns_only;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use crate::set::fields::End;
use crate::set::{OverBudget, Set};
use std::collections::BTreeSet;
use std::rc::Rc;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "dns-egress-blocked",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "Pods with egress rules to somebody, none of which lets them ask DNS.",
    why: "Almost everything is connected to by its name. Pods that egress policies isolate can resolve none unless one of \
          the policies admits UDP 53 to the cluster's resolver. All policies of a pod count together, and DNS in a policy \
          of its own is as it should be. Pods that may connect to nobody are left alone, so no default deny is meant; \
          so are those whose rules lead to a few addresses only or to the API server (443 with 6443, or 6443 alone), that \
          have resolvers of their own, or that are resolvers. A resolver can be any pod of kube-system, of openshift-dns and of namespaces that serve DNS, any pod of \
          namespaces that are not known, and any address outside.",
    fix: "Add a policy `allow-egress-dns` for these pods that admits UDP and TCP 53 to the resolver.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-egress-https, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - ports: [{port: 443, protocol: TCP}]
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
metadata: {name: allow-egress-dns, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      podSelector: {matchLabels: {k8s-app: kube-dns}}
    ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-egress-https, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - ports: [{port: 443, protocol: TCP}]
",
    ),
    check: Check::Side(check),
};

/// Namespaces that have the cluster's resolver.
const RESOLVERS: [&str; 2] = ["kube-system", "openshift-dns"];

/// Where resolvers listen; in OpenShift their pods at 5353.
const PORTS: [u16; 2] = [53, 5353];

/// How many workloads a message names.
const NAMED: usize = 3;

/// What a namespace's egress comes down to.
struct Egress<'a> {
    grants: Rc<[Grant<'a>]>,
    /// What all rules admit together.
    all: Set,
    /// The flows to whoever may be a resolver, by UDP and by TCP.
    udp: Set,
    tcp: Set,
    /// The flows by UDP to where resolvers listen, whoever is there.
    anybody: Set,
}

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    let (mut usual, mut everywhere) = (None, None);
    for namespace in grants::namespaces(snapshot) {
        let policies = snapshot.policies_in(namespace);
        let speaks = policies.iter().any(|policy| {
            policy.section(Direction::Egress).is_some_and(|section| !section.rules.is_empty())
        });
        let slot = snapshot.world.namespace(namespace);
        let slot = slot.and_then(|index| snapshot.world.namespaces.get(index));
        let Some(slot) = slot.filter(|_| speaks && !is_system(namespace)) else { continue };
        let grants = snapshot.grants(namespace, Direction::Egress)?;
        let mut encoder = snapshot.encoder();
        let all = encoder.d.union(grants.iter().map(|grant| grant.flows).collect())?;
        let (udp, tcp, anybody) = match usual {
            Some(usual) => usual,
            None => *usual.insert(resolvers(snapshot, &mut encoder, is_usual)?),
        };
        let egress = Egress { grants, all, udp, tcp, anybody };
        // Whoever reaches a resolver where one usually is need not be held against all pods of the cluster.
        if every_policy_resolves(snapshot, &mut encoder, slot, &egress)? {
            continue;
        }
        let (udp, tcp, anybody) = match everywhere {
            Some(everywhere) => everywhere,
            None => *everywhere.insert(resolvers(snapshot, &mut encoder, |_| true)?),
        };
        let egress = Egress { udp, tcp, anybody, ..egress };
        of_namespace(snapshot, &mut encoder, slot, &egress, &mut drafts)?;
    }
    Ok(drafts)
}

/// Is the resolver usually in the namespace of this name, or one that is called after it?
fn is_usual(namespace: &str) -> bool {
    RESOLVERS.contains(&namespace) || namespace.contains("dns")
}

/// Do the pods of every policy, all that are declared, reach one of these resolvers by UDP and by TCP?
fn every_policy_resolves(
    snapshot: &Snapshot<'_, '_, '_>,
    encoder: &mut Encoder<'_, '_>,
    namespace: &NamespaceSlot<'_>,
    egress: &Egress<'_>,
) -> Result<bool, OverBudget> {
    for policy in namespace.policies.on(snapshot.side) {
        if policy.section(Direction::Egress).is_none() {
            continue;
        }
        let subject = grants::subject(encoder, snapshot.side, Direction::Egress, policy)?;
        let asking = encoder.d.and(subject, egress.all)?;
        for flows in [egress.udp, egress.tcp] {
            if encoder.d.and(asking, flows)?.is_empty() {
                return Ok(false);
            }
        }
        if !silent(snapshot, encoder, namespace, policy, egress)?.0.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The flows to whoever may be a resolver by UDP and TCP, and those to anybody at the port by UDP. Namespaces are looked
/// into if their name is asked for.
fn resolvers(
    snapshot: &Snapshot<'_, '_, '_>,
    encoder: &mut Encoder<'_, '_>,
    asked: impl Fn(&str) -> bool,
) -> Result<(Set, Set, Set), OverBudget> {
    let world = snapshot.world;
    let mut slots = Vec::new();
    let namespaces = world.namespaces.iter().enumerate();
    for (index, namespace) in namespaces.filter(|(_, namespace)| asked(&namespace.name)) {
        let workloads = snapshot.workloads_of(namespace);
        let resolving = workloads.iter().any(|workload| is_resolver(workload));
        if resolving || is_usual(&namespace.name) {
            let (first, end) = namespace.workloads;
            for slot in first..end {
                let known = world.workloads.get(slot as usize);
                let pods = known.and_then(|known| *known.on.on(snapshot.side));
                // Where the resolver is known it is that one.
                if pods.is_some_and(|workload| !resolving || is_resolver(workload)) {
                    slots.push((slot, slot));
                }
            }
            if !(resolving && snapshot.closed(&namespace.name)) {
                slots.push((world.undeclared(index), world.undeclared(index)));
            }
        }
    }
    slots.sort_unstable();
    slots.push((world.elsewhere(), u32::MAX));
    let to = encoder.in_slots(End::Destination, &slots)?;
    let mut ports = |protocol| {
        let sets: Result<Vec<Set>, OverBudget> =
            PORTS.iter().map(|number| facts::port(encoder, protocol, *number)).collect();
        encoder.d.union(sets?)
    };
    let (udp, tcp) = (ports(Protocol::Udp)?, ports(Protocol::Tcp)?);
    Ok((encoder.d.and(to, udp)?, encoder.d.and(to, tcp)?, udp))
}

/// Did the cluster bring the namespace along? Its pods are whoever built the cluster's.
fn is_system(namespace: &str) -> bool {
    SYSTEM_NAMESPACES.contains(&namespace) || RESOLVERS.contains(&namespace)
}

fn is_resolver(workload: &Workload) -> bool {
    serves::has_label_of_resolver(&workload.labels)
        || workload
            .ports
            .iter()
            .any(|port| port.protocol == Protocol::Udp && PORTS.contains(&port.number))
}

fn of_namespace(
    snapshot: &Snapshot<'_, '_, '_>,
    encoder: &mut Encoder<'_, '_>,
    namespace: &NamespaceSlot<'_>,
    egress: &Egress<'_>,
    drafts: &mut Vec<Draft>,
) -> Result<(), OverBudget> {
    let mut told: BTreeSet<u32> = BTreeSet::new();
    let mut selectors: Vec<&crate::model::Selector> = Vec::new();
    for policy in namespace.policies.on(snapshot.side) {
        let Some(section) = policy.section(Direction::Egress) else { continue };
        let subject = grants::subject(encoder, snapshot.side, Direction::Egress, policy)?;
        let asking = encoder.d.and(subject, egress.all)?;
        let by_udp = encoder.d.and(asking, egress.udp)?;
        if !by_udp.is_empty() {
            let by_tcp = encoder.d.and(asking, egress.tcp)?;
            let own = egress.grants.iter().filter(|grant| grant.policy.id == policy.id);
            for grant in own.filter(|_| by_tcp.is_empty()) {
                if is_dns_only(grant.rule) && !encoder.d.and(grant.flows, egress.udp)?.is_empty() {
                    drafts.push(udp_alone(policy, grant.rule));
                    break;
                }
            }
        }
        if !section.rules.iter().any(|rule| needs_names(snapshot, rule)) {
            continue;
        }
        let (slots, any) = silent(snapshot, encoder, namespace, policy, egress)?;
        let (slots, known) = (slots.into_iter(), selectors.contains(&&policy.subject.pods));
        let slots: Vec<u32> = slots.filter(|slot| told.insert(*slot)).collect();
        // No pod at all can resolve, whatever its other labels are.
        let nobody = by_udp.is_empty() && !any && !known;
        if slots.is_empty() && !nobody {
            continue;
        }
        selectors.push(&policy.subject.pods);
        drafts.push(draft(snapshot, encoder, policy, subject, &slots, egress)?);
    }
    Ok(())
}

/// The declared workloads of a policy that can ask no resolver and would have to, and whether it has any at all.
fn silent(
    snapshot: &Snapshot<'_, '_, '_>,
    encoder: &mut Encoder<'_, '_>,
    namespace: &NamespaceSlot<'_>,
    policy: &Policy,
    egress: &Egress<'_>,
) -> Result<(Vec<u32>, bool), OverBudget> {
    let (first, end) = namespace.workloads;
    let mut slots = Vec::new();
    let mut any = false;
    for slot in first..end {
        let known = snapshot.world.workloads.get(slot as usize);
        let Some(workload) = known.and_then(|known| *known.on.on(snapshot.side)) else { continue };
        if workload.host_network || !policy.subject.pods.matches(&workload.labels) {
            continue;
        }
        any = true;
        if workload.dns_policy != DnsPolicy::ClusterFirst || is_resolver(workload) {
            continue;
        }
        let from = encoder.in_slots(End::Source, &[(slot, slot)])?;
        let asking = encoder.d.and(from, egress.udp)?;
        if encoder.d.and(asking, egress.all)?.is_empty() {
            slots.push(slot);
        }
    }
    Ok((slots, any))
}

/// Does the rule let pods connect to what they only know by name: other pods, or the Internet?
fn needs_names(snapshot: &Snapshot<'_, '_, '_>, rule: &PolicyRule) -> bool {
    if is_dns_only(rule) || is_for_api_server(rule) {
        return false;
    }
    let Some(peers) = &rule.peers else { return true };
    peers.iter().any(|peer| match &peer.kind {
        PeerKind::Pods { .. } => true,
        PeerKind::Block(block) => facts::wide(&[block.cidr], snapshot.config),
    })
}

/// Are its ports those of API servers? Pods have the address of theirs in their environment.
fn is_for_api_server(rule: &PolicyRule) -> bool {
    let ports = rule.ports.iter().flatten();
    let mut ports = ports.map(|port| (port.protocol, &port.ports));
    let is = |number| (Protocol::Tcp, Ports::Range(number, number));
    let one_of = |(protocol, ports): (Protocol, &Ports), numbers: &[u16]| {
        numbers.iter().any(|number| is(*number) == (protocol, ports.clone()))
    };
    let own = ports.clone().any(|port| one_of(port, &[6443]));
    own && ports.all(|port| one_of(port, &[443, 6443]))
}

fn draft(
    snapshot: &Snapshot<'_, '_, '_>,
    encoder: &mut Encoder<'_, '_>,
    policy: &Policy,
    subject: Set,
    slots: &[u32],
    egress: &Egress<'_>,
) -> Result<Draft, OverBudget> {
    let slots: Vec<(u32, u32)> = slots.iter().map(|slot| (*slot, *slot)).collect();
    let pods = match slots.is_empty() {
        true => subject,
        false => encoder.in_slots(End::Source, &slots)?,
    };
    let names = slots.iter().filter_map(|(slot, _)| snapshot.world.workloads.get(*slot as usize));
    let mut names: Vec<String> = names.map(|workload| workload.id.to_string()).collect();
    names.sort();
    let lost = lost(encoder, snapshot.side, pods, egress)?;
    let message = match names.is_empty() {
        true => Message::default().then(words::pods(&policy.subject)),
        false => Message::default().names(&names, NAMED),
    };
    let message = message
        .words(if lost { " can no longer resolve names: " } else { " can't resolve names: " })
        .words("of what egress policies allow, nothing is DNS (UDP 53 to the cluster's resolver)");
    // Somebody at that port may be admitted, and still be no resolver as far as anybody can know.
    let elsewhere = encoder.d.and(pods, egress.anybody)?;
    let elsewhere = encoder.d.and(elsewhere, egress.all)?;
    let own = snapshot.world.namespace(policy.id.namespace.as_deref().unwrap_or_default());
    let own = own.map(crate::reach::Slot::Undeclared);
    let own = own.map(|slot| facts::namespace_slots(encoder, slot)).unwrap_or_default();
    let own = encoder.in_slots(End::Destination, &own)?;
    let sure = encoder.d.minus(elsewhere, own)?.is_empty();
    let draft = Draft::policy(policy, &policy.origin, "egress", message).fix(fix(snapshot, policy));
    let asking = encoder.d.and(pods, egress.udp)?;
    let asking = encoder.possible(snapshot.side, asking)?;
    let shows = Shows::RefusedAt(Direction::Egress);
    let draft = draft.shown(snapshot.example(encoder, asking, shows)?);
    let draft = if lost { draft.severity(Severity::High) } else { draft };
    Ok(if sure { draft } else { draft.persona(Persona::Pedantic) })
}

/// Could some of these pods ask a resolver by a rule before?
fn lost(
    encoder: &mut Encoder<'_, '_>,
    side: Side,
    pods: Set,
    egress: &Egress<'_>,
) -> Result<bool, OverBudget> {
    let asking = encoder.d.and(pods, egress.udp)?;
    let existed = encoder.possible(side.other(), asking)?;
    let isolated = encoder.isolated(side.other(), Direction::Egress, existed)?;
    Ok(!encoder.allowed_at(side.other(), Direction::Egress, isolated)?.is_empty())
}

fn udp_alone(policy: &Policy, rule: &PolicyRule) -> Draft {
    let message = Message::new(
        "DNS is admitted by UDP and not by TCP, to which resolvers turn for long answers",
    );
    let subject = format!("udp {}", grants::canonical(rule));
    Draft::policy(policy, &rule.origin, subject, message)
        .severity(Severity::Low)
        .persona(Persona::Pedantic)
}

fn fix(snapshot: &Snapshot<'_, '_, '_>, policy: &Policy) -> Fix {
    let namespace = policy.id.namespace.as_deref().unwrap_or_default();
    let denied = snapshot.policies_in(namespace).iter().any(|policy| {
        policy.subject.pods.is_everything() && policy.section(Direction::Egress).is_some()
    });
    // For all pods only where all are isolated already: it would isolate the others.
    let pods = if denied { "{}" } else { "{matchLabels: {CHANGE-ME: CHANGE-ME}}" };
    Fix {
        kind: FixKind::Behavioural,
        description: Message::new(
            "let these pods ask the cluster's resolver, in a policy of its own",
        ),
        replacement: Some(format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: allow-egress-dns, namespace: \
             {namespace}}}\nspec:\n  podSelector: {pods}\n  policyTypes: [Egress]\n  egress:\n  - to:\n    - \
             namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: kube-system}}}}\n      podSelector: \
             {{matchLabels: {{k8s-app: kube-dns}}}}\n    ports: [{{port: 53, protocol: UDP}}, {{port: 53, protocol: \
             TCP}}]\n"
        )),
        location: None,
        diff: None,
        removes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::report::{Persona, Severity};
    use crate::rules::catalogue::testing::{findings, introduced};

    fn policy(name: &str, egress: &str) -> String {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: \
             shop}}\nspec: {{podSelector: {{}}, policyTypes: [Egress], egress: {egress}}}\n"
        )
    }

    fn severities(manifests: &str) -> Vec<(Severity, Persona)> {
        let found = findings(RULE.id, manifests, "");
        found.iter().map(|finding| (finding.severity, finding.persona)).collect()
    }

    const BLOCKED: (Severity, Persona) = (Severity::Medium, Persona::Regular);
    const NO_TCP: (Severity, Persona) = (Severity::Low, Persona::Pedantic);

    #[test]
    fn rules_that_need_names() {
        assert_eq!(severities(&policy("web", "[{ports: [{port: 443}]}]")), [BLOCKED]);
        assert_eq!(severities(&policy("web", "[{to: [{podSelector: {}}]}]")), [BLOCKED]);
        assert_eq!(
            severities(&policy(
                "web",
                "[{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}]"
            )),
            [BLOCKED]
        );
        for egress in [
            "[]",
            "[{to: [{ipBlock: {cidr: 10.1.2.3/32}}], ports: [{port: 443}]}]",
            "[{ports: [{port: 443}, {port: 6443}]}]",
            "[{}]",
        ] {
            assert!(severities(&policy("web", egress)).is_empty(), "{egress}");
        }
    }

    #[test]
    fn whoever_may_be_a_resolver() {
        let https = policy("web", "[{ports: [{port: 443}]}]");
        for to in [
            "{namespaceSelector: {}}",
            "{namespaceSelector: {matchLabels: {name: kube-system}}}",
            "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: openshift-dns}}}",
            "{ipBlock: {cidr: 169.254.20.10/32}}",
        ] {
            let dns = "[{port: 53, protocol: UDP}, {port: 53}, {port: 5353, protocol: UDP}, {port: dns, protocol: UDP}]";
            let both = format!(
                "{https}---\n{}",
                policy("dns", &format!("[{{to: [{to}], ports: {dns}}}]"))
            );
            assert!(severities(&both).is_empty(), "{to}");
        }
        let own = format!("{https}---\n{}", policy("own", "[{to: [{podSelector: {}}]}]"));
        assert_eq!(severities(&own), [BLOCKED]);
    }

    #[test]
    fn udp_alone() {
        let dns = policy("dns", "[{ports: [{port: 53, protocol: UDP}]}]");
        assert_eq!(severities(&dns), [NO_TCP]);
    }

    #[test]
    fn pods_with_a_resolver_of_their_own() {
        let pods = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: \
                    {metadata: {labels: {app: web}}, spec: {dnsPolicy: Default}}}\n";
        let blocked = policy("web", "[{ports: [{port: 443}]}]");
        assert!(severities(&format!("{blocked}{pods}")).is_empty());
        assert_eq!(
            severities(&format!("{blocked}{}", pods.replace("Default", "ClusterFirst"))),
            [BLOCKED]
        );
    }

    #[test]
    fn what_was_there_before_is_worse_to_lose() {
        let dns = "{ports: [{port: 53, protocol: UDP}, {port: 53}]}";
        let before = policy("web", &format!("[{{ports: [{{port: 443}}]}}, {dns}]"));
        let found = introduced(RULE.id, &before, &policy("web", "[{ports: [{port: 443}]}]"));
        assert_eq!(found.iter().map(|f| f.severity).collect::<Vec<_>>(), [Severity::High]);
    }
}
