//! What rules say of grants, held to the executable specification on random worlds.

use crate::worlds::layout::{self, origin};
use crate::worlds::{Names, Options, Pair, Point, Universe, UniverseFlow, generate, world};
use netpol_review::config::Config;
use netpol_review::eval::{End, Flow, evaluate};
use netpol_review::model::{
    Cluster, Direction, NamespaceMatch, Peer, PeerKind, Policy, PortMatch, Ports, Protocol, Rule,
    Section, Selector,
};
use netpol_review::reach::{Encoder, Reading, Side, World};
use netpol_review::rules::grants;
use netpol_review::set::Set;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The rules that add nothing, each as policy, direction and position.
fn redundant(cluster: &Cluster) -> BTreeSet<(String, Direction, usize)> {
    let config = Config::default();
    let world = World::of(cluster, cluster, &config);
    let mut encoder = Encoder::new(&world, Reading::KnownAddresses, config.node_budget);
    let mut found = BTreeSet::new();
    for namespace in &world.namespaces {
        let policies = namespace.policies.on(Side::After);
        for direction in Direction::BOTH {
            let grants =
                grants::grants(&mut encoder, Side::After, direction, policies).expect("room");
            for index in grants::redundant(&mut encoder, &grants).expect("room") {
                let grant = &grants[index];
                found.insert((grant.policy.id.to_string(), direction, grant.position));
            }
        }
    }
    found
}

/// The cluster without these rules.
fn without(cluster: &Cluster, rules: &BTreeSet<(String, Direction, usize)>) -> Cluster {
    let policies = cluster.policies.iter().map(|policy| {
        let mut policy = Policy::clone(policy);
        let id = policy.id.to_string();
        for (direction, section) in
            [(Direction::Ingress, &mut policy.ingress), (Direction::Egress, &mut policy.egress)]
        {
            if let Some(section) = section {
                let mut position = 0..;
                section.rules.retain(|_| {
                    !rules.contains(&(id.clone(), direction, position.next().unwrap_or(usize::MAX)))
                });
            }
        }
        layout::policy(policy)
    });
    layout::cluster(
        cluster.namespaces.values().cloned(),
        cluster.workloads.iter().cloned(),
        policies.collect::<Vec<_>>(),
    )
}

/// A policy that lets everybody in and out, in one way or another: one of these leaves something out.
fn nearly_everything() -> impl Strategy<Value = Policy> {
    let block = |cidr: &str| {
        PeerKind::Block(netpol_review::model::IpBlock {
            cidr: cidr.parse().expect("a block"),
            except: vec![],
        })
    };
    let pods = || PeerKind::Pods {
        namespaces: NamespaceMatch::Labels(Selector::default()),
        pods: Selector::default(),
    };
    let choices: Vec<Option<Vec<PeerKind>>> = vec![
        None,
        Some(vec![block("0.0.0.0/0"), pods()]),
        Some(vec![block("0.0.0.0/1"), block("128.0.0.0/1"), pods()]),
        Some(vec![block("0.0.0.0/1"), pods()]),
        Some(vec![block("0.0.0.0/0")]),
    ];
    let ports = [None, Some((1, 65_535)), Some((2, 65_535))];
    (
        generate::namespace_name(),
        prop_oneof![Just(Selector::default()), generate::pod_selector()],
        proptest::sample::select(choices),
        proptest::sample::select(ports.to_vec()),
    )
        .prop_map(|(namespace, pods, peers, ports)| {
            let origin = origin("", 1, 1);
            let peer = |kind| Peer { kind, origin: origin.clone() };
            let rule = Rule {
                action: netpol_review::model::Action::Allow,
                peers: peers.map(|peers| peers.into_iter().map(peer).collect()),
                ports: ports.map(|(first, last)| {
                    vec![PortMatch {
                        protocol: Protocol::Tcp,
                        ports: Ports::Range(first, last),
                        origin: origin.clone(),
                    }]
                }),
                origin: origin.clone(),
            };
            let section = Section { rules: vec![rule], origin: origin.clone() };
            Policy {
                ingress: Some(section.clone()),
                egress: Some(section),
                ..layout::empty_policy(namespace, "nearly-everything", pods)
            }
        })
}

fn for_each_flow(
    pair: &Pair,
    names: Names,
    mut check: impl FnMut(&UniverseFlow<'_>, &End, &End) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let options = Options { names, budget: 10_000, ..Options::default() };
    let universe = Universe::of(&pair.before, &pair.after, &options);
    for flow in universe.flows() {
        if let [Some((from, to)), Some(_)] = universe.ends(&flow) {
            check(&flow, from, to)?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::worlds::config(60))]

    /// All rules that are called redundant are taken away together, and no flow changes.
    #[test]
    fn redundant_rules_change_no_flow(cluster in world(), twice in any::<bool>(), clashing in any::<bool>()) {
        // Random rules seldom contain each other.
        let again = cluster.policies.iter().filter(|_| twice).map(|policy| {
            let mut again = Policy::clone(policy);
            again.id.name = format!("{}-again", again.id.name).into();
            layout::policy(again)
        });
        let before = layout::cluster(
            cluster.namespaces.values().cloned(),
            cluster.workloads.iter().cloned(),
            cluster.policies.iter().cloned().chain(again).collect::<Vec<_>>(),
        );
        let found = redundant(&before);
        let pair = Pair { after: without(&before, &found), before, edits: vec![] };
        let names = if clashing { Names::Clashing } else { Names::Fresh };
        for_each_flow(&pair, names, |flow, from, to| {
            let flow = Flow { from, to, protocol: flow.atom.protocol, port: flow.atom.number };
            let (before, after) = (evaluate(&pair.before, &flow), evaluate(&pair.after, &flow));
            prop_assert_eq!(before.egress.allowed, after.egress.allowed, "{:?} {:?}", found, flow);
            prop_assert_eq!(before.ingress.allowed, after.ingress.allowed, "{:?} {:?}", found, flow);
            Ok(())
        })?;
    }

    /// A policy is called void exactly if its pods may do everything that "everything" means.
    #[test]
    fn allow_all_is_all(cluster in world(), added in nearly_everything()) {
        let added = layout::policy(added);
        let cluster = layout::cluster(
            cluster.namespaces.values().cloned(),
            cluster.workloads.iter().cloned(),
            cluster.policies.iter().cloned().chain([added.clone()]).collect::<Vec<_>>(),
        );
        let config = Config::default();
        let world = World::of(&cluster, &cluster, &config);
        let mut encoder = Encoder::new(&world, Reading::KnownAddresses, config.node_budget);
        let namespace = added.id.namespace.as_deref().expect("a namespace");
        let slot = &world.namespaces[world.namespace(namespace).expect("a namespace")];
        let pair = Pair { before: cluster.clone(), after: cluster.clone(), edits: vec![] };
        for direction in Direction::BOTH {
            let policies = slot.policies.on(Side::After);
            let all = grants::grants(&mut encoder, Side::After, direction, policies).expect("room");
            let all = encoder.d.union(all.iter().map(|grant| grant.flows).collect()).expect("room");
            let mut within = |admitted| {
                grants::everything(&mut encoder, Side::After, direction, &added, admitted).expect("room")
            };
            let (everything, held) = (within(Set::FULL).unwrap_or(Set::EMPTY), within(all));
            let void = encoder.d.minus(everything, all).expect("room").is_empty();
            prop_assert_eq!(held, Some(everything).filter(|set| void && !set.is_empty()));
            let mut refused = false;
            for_each_flow(&pair, Names::Fresh, |flow, from, to| {
                let (own, other, point) = match direction {
                    Direction::Ingress => (to, from, flow.from),
                    Direction::Egress => (from, to, flow.to),
                };
                let End::Pod(own) = own else { return Ok(()) };
                let selected = &*own.namespace == namespace
                    && !own.host_network
                    && added.subject.pods.matches(&own.labels);
                let counts = match (other, point) {
                    (End::Pod(pod), _) => !pod.host_network,
                    (End::External(address), Point::External(_)) => address.is_ipv4(),
                    _ => false,
                };
                if selected && counts && flow.atom.protocol == Protocol::Tcp {
                    let flow = Flow { from, to, protocol: Protocol::Tcp, port: flow.atom.number };
                    let decision = evaluate(&pair.before, &flow);
                    refused |= !match direction {
                        Direction::Ingress => decision.ingress.allowed,
                        Direction::Egress => decision.egress.allowed,
                    };
                }
                Ok(())
            })?;
            prop_assert_eq!(void, !refused, "{:?} {:?}", direction, added);
        }
    }
}
