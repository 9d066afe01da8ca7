//! The order of the tiers, priorities and actions in the executable specification (A1-A7, C2, U5). No
//! manifest fills them yet, so the policies are built by hand.

use netpol_review::eval::{Decision, End, Flow, Pod, evaluate};
use netpol_review::model::{
    Action, Cluster, NAMESPACE_NAME_LABEL, NamespaceMatch, Peer, PeerKind, Policy, PortMatch,
    Ports, Protocol, Rule, Section, Selector, Subject, Tier,
};
use std::sync::Arc;

use crate::worlds::layout::{empty_policy, origin};
use Action::{Allow, Deny, Pass};
use Tier::{Admin, Baseline};

/// A rule for traffic of one namespace (`None`: of anybody), on one TCP port (`None`: on all).
fn rule(action: Action, peer: Option<&str>, port: Option<u16>) -> Rule {
    let origin = origin("tiers.yaml", 1, 1);
    let peer = peer.map(|name| Peer {
        kind: PeerKind::Pods {
            namespaces: NamespaceMatch::Labels(Selector::labels([(NAMESPACE_NAME_LABEL, name)])),
            pods: Selector::default(),
        },
        origin: origin.clone(),
    });
    let port = port.map(|port| PortMatch {
        protocol: Protocol::Tcp,
        ports: Ports::Range(port, port),
        origin: origin.clone(),
    });
    Rule { action, peers: peer.map(|peer| vec![peer]), ports: port.map(|port| vec![port]), origin }
}

/// A policy of a tier about the ingress of all pods of namespace `a`.
fn policy(tier: Tier, priority: u32, rules: Vec<Rule>) -> Policy {
    Policy {
        tier,
        priority,
        subject: Subject {
            namespaces: NamespaceMatch::Labels(Selector::labels([(NAMESPACE_NAME_LABEL, "a")])),
            pods: Selector::default(),
        },
        ingress: Some(Section { rules, origin: origin("tiers.yaml", 1, 1) }),
        ..empty_policy("a", &format!("{tier:?}-{priority}"), Selector::default())
    }
}

fn pod(namespace: &str, host_network: bool) -> End {
    End::Pod(Pod {
        namespace: namespace.into(),
        namespace_labels: Cluster::default().namespace_labels(namespace),
        host_network,
        ..Pod::default()
    })
}

/// From a pod of namespace `b` to one of namespace `a`, on TCP/80.
fn decide(policies: Vec<Policy>) -> Decision {
    decide_between(policies, &pod("b", false), &pod("a", false))
}

fn decide_between(policies: Vec<Policy>, from: &End, to: &End) -> Decision {
    let cluster =
        Cluster { policies: policies.into_iter().map(Arc::new).collect(), ..Cluster::default() };
    let flow = Flow { from, to, protocol: Protocol::Tcp, port: 80 };
    evaluate(&cluster, &flow)
}

fn network_policy(rules: Vec<Rule>) -> Policy {
    policy(Tier::NetworkPolicy, 0, rules)
}

#[test]
fn the_tiers_decide_in_their_order() {
    let all = |action| vec![rule(action, Some("b"), None)];
    for (what, policies, allowed) in [
        ("A7: nothing matches", vec![], true),
        (
            "A4: an admin Deny beats a NetworkPolicy",
            vec![network_policy(all(Allow)), policy(Admin, 10, all(Deny))],
            false,
        ),
        (
            "A4: an admin Allow beats isolation",
            vec![network_policy(vec![]), policy(Admin, 10, all(Allow))],
            true,
        ),
        (
            "A4: Pass leaves it to the NetworkPolicy",
            vec![
                network_policy(vec![]),
                policy(Admin, 5, all(Pass)),
                policy(Admin, 10, all(Allow)),
            ],
            false,
        ),
        (
            "A4: Pass goes on to the baseline tier",
            vec![
                policy(Admin, 5, all(Pass)),
                policy(Admin, 10, all(Allow)),
                policy(Baseline, 0, all(Deny)),
            ],
            false,
        ),
        (
            "A3: the lower number first, wherever it stands",
            vec![policy(Admin, 20, all(Deny)), policy(Admin, 10, all(Allow))],
            true,
        ),
        (
            "A2: the first rule that matches",
            vec![policy(
                Admin,
                10,
                vec![
                    rule(Deny, Some("c"), None),
                    rule(Deny, None, Some(81)),
                    rule(Allow, Some("b"), Some(80)),
                    rule(Deny, None, None),
                ],
            )],
            true,
        ),
        (
            "A5: rules that do not match isolate nothing",
            vec![
                policy(Admin, 10, vec![rule(Allow, Some("c"), None)]),
                policy(Baseline, 0, vec![rule(Allow, Some("c"), None)]),
            ],
            true,
        ),
        (
            "A6: a NetworkPolicy that isolates is final over the baseline tier",
            vec![policy(Baseline, 0, all(Deny)), network_policy(all(Allow))],
            true,
        ),
        (
            "A6: also where it allows nothing",
            vec![policy(Baseline, 0, all(Allow)), network_policy(vec![])],
            false,
        ),
        (
            "A6: without a NetworkPolicy the baseline tier decides",
            vec![policy(Baseline, 0, all(Deny))],
            false,
        ),
        (
            "C2: Pass in the baseline tier leaves the default",
            vec![policy(Baseline, 5, all(Pass)), policy(Baseline, 10, all(Deny))],
            true,
        ),
    ] {
        assert_eq!(decide(policies).allowed, allowed, "{what}");
    }
}

/// A NetworkPolicy of the other direction leaves the baseline tier in force (U5).
#[test]
fn the_baseline_tier_is_switched_off_by_direction() {
    let mut egress_only = network_policy(vec![rule(Allow, None, None)]);
    egress_only.egress = egress_only.ingress.take();
    let baseline = policy(Baseline, 0, vec![rule(Deny, Some("b"), None)]);
    assert!(!decide(vec![baseline, egress_only]).allowed);
}

/// Allowed by the source's admin tier is not yet allowed by the destination (B1).
#[test]
fn an_egress_allow_does_not_lift_the_other_end() {
    let mut egress = policy(Admin, 1, vec![rule(Allow, Some("a"), None)]);
    egress.egress = egress.ingress.take();
    egress.subject.namespaces = NamespaceMatch::Name("b".into());
    let decision = decide(vec![egress, network_policy(vec![])]);
    assert!(decision.egress.allowed && !decision.ingress.allowed && !decision.allowed);
    assert_eq!((decision.egress.by, decision.ingress.isolated_by), (vec![(0, 0)], vec![1]));
}

/// Pods on the host network are neither subjects nor peers of selectors in any tier (A11, B5).
#[test]
fn the_host_network_is_outside_every_tier() {
    let deny = || vec![policy(Admin, 1, vec![rule(Deny, Some("b"), None)])];
    assert!(decide_between(deny(), &pod("b", true), &pod("a", false)).allowed);
    assert!(decide_between(deny(), &pod("b", false), &pod("a", true)).allowed);
    assert!(!decide_between(deny(), &pod("b", false), &pod("a", false)).allowed);
}
