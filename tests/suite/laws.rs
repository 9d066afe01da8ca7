//! What must hold for every cluster and every change, by the executable specification alone.

use crate::worlds::layout;
use crate::worlds::{Names, Options, Pair, Universe, generate, pair, world};
use netpol_review::eval::{End, Flow, evaluate};
use netpol_review::model::{Cluster, Direction, Policy, PolicyId, Rule, Section};
use proptest::prelude::*;
use std::sync::Arc;

/// The same flow on both sides of a pair that differs in policies only: every flow that some
/// direction of `check` is asked about.
fn for_each_flow(
    pair: &Pair,
    mut check: impl FnMut(Flow<'_>) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let options = Options { budget: 10_000, ..Options::default() };
    let universe = Universe::of(&pair.before, &pair.after, &options);
    for flow in universe.flows() {
        if let [Some((from, to)), Some(_)] = universe.ends(&flow) {
            check(Flow { from, to, protocol: flow.atom.protocol, port: flow.atom.number })?;
        }
    }
    Ok(())
}

fn assert_same(before: Cluster, after: Cluster) -> Result<(), TestCaseError> {
    let pair = Pair { before, after, edits: vec![] };
    for_each_flow(&pair, |flow| {
        let (before, after) = (evaluate(&pair.before, &flow), evaluate(&pair.after, &flow));
        prop_assert_eq!(before.allowed, after.allowed, "{:?}", flow);
        Ok(())
    })
}

fn with_policies(cluster: &Cluster, policies: Vec<Policy>) -> Cluster {
    layout::cluster(
        cluster.namespaces.values().cloned(),
        cluster.workloads.iter().cloned(),
        policies.into_iter().map(layout::policy),
    )
}

fn renamed(policy: &Policy, suffix: &str) -> Policy {
    Policy {
        id: PolicyId { name: format!("{}-{suffix}", policy.id.name).into(), ..policy.id.clone() },
        ..policy.clone()
    }
}

/// One rule for each of its peers and ports: a rule is their cross product (N8).
fn cross_product(rule: &Rule) -> Vec<Rule> {
    let single = |peers: Option<_>, ports: Option<_>| Rule {
        peers: peers.map(|peer| vec![peer]),
        ports: ports.map(|port| vec![port]),
        ..rule.clone()
    };
    let peers = match &rule.peers {
        None => vec![None],
        Some(peers) => peers.iter().cloned().map(Some).collect(),
    };
    let ports = match &rule.ports {
        None => vec![None],
        Some(ports) => ports.iter().cloned().map(Some).collect(),
    };
    let mut rules = vec![];
    for peer in &peers {
        rules.extend(ports.iter().map(|port| single(peer.clone(), port.clone())));
    }
    rules
}

/// One policy for each rule of each direction, and one for each direction without any (N1, N9).
fn one_rule_each(policy: &Policy) -> Vec<Policy> {
    let mut policies = vec![];
    for direction in Direction::BOTH {
        let Some(section) = policy.section(direction) else {
            continue;
        };
        let mut sections: Vec<Vec<Rule>> = vec![vec![]];
        sections.extend(section.rules.iter().flat_map(cross_product).map(|rule| vec![rule]));
        for (index, rules) in sections.into_iter().enumerate() {
            let mut part = renamed(policy, &format!("{direction}-{index}"));
            let section = Section { rules, ..section.clone() };
            (part.ingress, part.egress) = match direction {
                Direction::Ingress => (Some(section), None),
                Direction::Egress => (None, Some(section)),
            };
            part.dead.clear();
            policies.push(part);
        }
    }
    policies
}

proptest! {
    #![proptest_config(crate::worlds::config(40))]

    /// Swapping the sides swaps what opened and what closed, for either view of port names.
    #[test]
    fn sides_are_symmetric(pair in pair(), clashing in any::<bool>()) {
        let options = Options {
            names: if clashing { Names::Clashing } else { Names::Fresh },
            budget: 10_000,
            ..Options::default()
        };
        let there = Universe::of(&pair.before, &pair.after, &options);
        let back = Universe::of(&pair.after, &pair.before, &options);
        prop_assert_eq!(there.flows().count(), back.flows().count());
        for (flow, mirrored) in there.flows().zip(back.flows()) {
            prop_assert_eq!((flow.from, flow.to, flow.atom), (mirrored.from, mirrored.to, mirrored.atom));
            let (before, after) = there.decide(&flow);
            prop_assert_eq!(back.decide(&mirrored), (after, before));
        }
    }

    /// A policy added to an end that is isolated already never closes there, and added to an end that is
    /// not isolated never opens there (N10). Read from after to before: a policy taken away where
    /// others still isolate never opens there, and where it was the last never closes there.
    #[test]
    fn adding_is_monotone_only_under_isolation(cluster in world(), added in generate::policy()) {
        let added = layout::policy(renamed(&added, "added"));
        let after = layout::cluster(
            cluster.namespaces.values().cloned(),
            cluster.workloads.iter().cloned(),
            cluster.policies.iter().cloned().chain([Arc::clone(&added)]),
        );
        let pair = Pair { before: cluster, after, edits: vec![] };
        for_each_flow(&pair, |flow| {
            let (before, after) = (evaluate(&pair.before, &flow), evaluate(&pair.after, &flow));
            for (before, after) in [(&before.egress, &after.egress), (&before.ingress, &after.ingress)] {
                if before.isolated_by.is_empty() {
                    prop_assert!(before.allowed, "not isolated, so everything is allowed (N1)");
                } else {
                    prop_assert!(after.allowed || !before.allowed, "closed under isolation: {:?}", flow);
                }
            }
            let isolates = after.egress.isolated_by.len() + after.ingress.isolated_by.len()
                > before.egress.isolated_by.len() + before.ingress.isolated_by.len();
            prop_assert!(isolates || before.allowed == after.allowed, "changed a flow it does not select");
            Ok(())
        })?;
    }

    /// Only the union of all rules of all policies counts: not which policy holds a rule, not which rule
    /// holds a peer or a port, not how often any of it is said (N8, N9).
    #[test]
    fn only_the_union_counts(cluster in world()) {
        let split = cluster.policies.iter().flat_map(|p| one_rule_each(p)).collect();
        assert_same(cluster.clone(), with_policies(&cluster, split))?;
        let twice = cluster
            .policies
            .iter()
            .flat_map(|policy| [Policy::clone(policy), renamed(policy, "again")])
            .collect();
        assert_same(cluster.clone(), with_policies(&cluster, twice))?;
    }

    /// What `policyTypes` leaves out has no effect (N4).
    #[test]
    fn dead_sections_are_dead(cluster in world()) {
        let alive = |policy: &Arc<Policy>| Policy { dead: vec![], ..Policy::clone(policy) };
        let without = cluster.policies.iter().map(alive).collect();
        assert_same(cluster.clone(), with_policies(&cluster, without))?;
    }

    /// Policies bind the ends that are pods on the pod network, and no others (X2, B5).
    #[test]
    fn external_and_host_network_ends_are_never_bound(pair in pair()) {
        for_each_flow(&pair, |flow| {
            let decision = evaluate(&pair.before, &flow);
            for (end, side) in [(flow.from, &decision.egress), (flow.to, &decision.ingress)] {
                let bound = matches!(end, End::Pod(pod) if !pod.host_network);
                prop_assert!(bound || (side.allowed && side.isolated_by.is_empty()));
                prop_assert_eq!(side.applies, matches!(end, End::Pod(_)));
            }
            Ok(())
        })?;
    }
}

/// The generator is worth its time: changes open and close flows of every sort of end often enough.
#[test]
#[allow(clippy::print_stdout, reason = "tells a person how much was checked")]
fn worlds_are_not_dull() {
    use crate::worlds::Point;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    use std::collections::BTreeMap;

    let mut runner = TestRunner::deterministic();
    let (mut changed, mut flows, mut kinds) = (0, 0, BTreeMap::<_, usize>::new());
    const WORLDS: usize = 60;
    for _ in 0..WORLDS {
        let pair = pair().new_tree(&mut runner).expect("worlds are not filtered").current();
        let universe = Universe::of(&pair.before, &pair.after, &Options::default());
        let (mut opened, mut closed) = (0, 0);
        for flow in universe.flows() {
            flows += 1;
            match universe.decide(&flow) {
                (false, true) => opened += 1,
                (true, false) => closed += 1,
                _ => continue,
            }
            let kind = |point: &Point| match point {
                Point::Workload { .. } => "workload",
                Point::Undeclared { .. } => "undeclared",
                Point::External(_) => "external",
            };
            *kinds
                .entry((kind(flow.from), kind(flow.to), flow.atom.name.is_some()))
                .or_default() += 1;
        }
        changed += usize::from(opened + closed > 0);
    }
    println!("{changed} of {WORLDS} changes move some of {} flows each: {kinds:?}", flows / WORLDS);
    assert!(changed * 2 > WORLDS, "{changed} of {WORLDS} changes move a flow");
    assert!((5_000..200_000).contains(&(flows / WORLDS)), "{flows} flows");
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}
