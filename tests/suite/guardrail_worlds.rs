//! Guardrails against the executable specification, on the flows of small random worlds.

use crate::worlds::generate::{NAMESPACES, world};
use crate::worlds::layout;
use crate::worlds::universe::{Names, Options, Point, Universe};
use crate::worlds::{config, pair};
use netpol_review::config::Config;
use netpol_review::eval::{End, Flow, evaluate};
use netpol_review::model::{
    Action, Cluster, IpBlock, NamespaceMatch, Peer, PeerKind, PortMatch, Ports, Protocol, Rule,
    Section, Selector,
};
use netpol_review::reach::World;
use netpol_review::report::Finding;
use netpol_review::rules::{Read, guardrail, not_public, of_change, of_snapshot};
use netpol_review::settings;
use netpol_review::tree::Tree;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use std::net::IpAddr;
use std::sync::LazyLock;

/// Worlds have no text, and nothing of them was refused.
static NO_TREE: LazyLock<Tree> = LazyLock::new(Tree::default);

fn nothing() -> Read<'static> {
    Read { tree: &NO_TREE, problems: &[], others: &[] }
}

/// Nothing else is in it: the place of a policy that mentions what the guardrail does.
const MENTIONS: &str = "mentions";

/// So many flows are asked one by one.
const MOST: usize = 150_000;

#[derive(Clone, Debug)]
enum Who {
    Any,
    Internet,
    Addresses(&'static str),
    Pods(Option<Place>, Option<(&'static str, &'static str)>),
}

#[derive(Clone, Debug)]
enum Place {
    Name(&'static str),
    Labels(&'static str, &'static str),
}

#[derive(Clone, Debug)]
struct Guardrail {
    from: (Who, Vec<Who>),
    to: (Who, Vec<Who>),
    ports: &'static [&'static str],
}

fn who() -> impl Strategy<Value = Who> {
    let place = prop_oneof![
        3 => select(&NAMESPACES[..]).prop_map(Place::Name),
        1 => select(&[("team", "r"), ("team", "b"), ("env", "")][..])
            .prop_map(|(key, value)| Place::Labels(key, value)),
    ];
    let labels = select(&[("app", "a"), ("app", "b"), ("x.io/tier", "t")][..]);
    prop_oneof![
        2 => Just(Who::Any),
        1 => Just(Who::Internet),
        1 => select(&["10.0.0.0/8", "10.1.2.0/24", "fd00::/8", "0.0.0.0/0"][..]).prop_map(Who::Addresses),
        3 => place.clone().prop_map(|place| Who::Pods(Some(place), None)),
        3 => (place, labels.clone()).prop_map(|(place, labels)| Who::Pods(Some(place), Some(labels))),
        1 => labels.prop_map(|labels| Who::Pods(None, Some(labels))),
    ]
}

fn rail() -> impl Strategy<Value = Guardrail> {
    let except = || {
        proptest::collection::vec(
            who().prop_filter("no any", |who| !matches!(who, Who::Any)),
            0..=1,
        )
    };
    let ports: [&[&str]; 4] = [&[], &["TCP/80"], &["TCP/53-80", "UDP/53"], &["SCTP/1-65535"]];
    ((who(), except()), (who(), except()), select(ports.to_vec()))
        .prop_map(|(from, to, ports)| Guardrail { from, to, ports })
}

impl Who {
    fn yaml(&self) -> String {
        match self {
            Who::Any => "any: true".into(),
            Who::Internet => "internet: true".into(),
            Who::Addresses(block) => format!("addresses: ['{block}']"),
            Who::Pods(place, labels) => {
                let place = place.as_ref().map(|place| match place {
                    Place::Name(name) => format!("namespace: {name}"),
                    Place::Labels(key, value) => format!("namespace-labels: {{{key}: '{value}'}}"),
                });
                let labels = labels.map(|(key, value)| format!("labels: {{{key}: '{value}'}}"));
                place.into_iter().chain(labels).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// Is this end meant? As a destination a pod is only where its namespace is known to be.
    fn means(&self, end: &End, cluster: &Cluster, world: &World<'_>, destination: bool) -> bool {
        let within = |block: &str, address: &IpAddr| {
            block.parse::<ipnet::IpNet>().expect("a block").contains(address)
        };
        match (self, end) {
            (Who::Any, _) => true,
            (Who::Internet, End::External(address)) => {
                !not_public().iter().any(|block| block.contains(address))
            }
            (Who::Addresses(block), End::External(address)) => within(block, address),
            (Who::Addresses(block), End::Pod(pod)) => {
                pod.addresses.iter().any(|address| within(block, address))
            }
            (Who::Internet, End::Pod(_)) | (Who::Pods(..), End::External(_)) => false,
            (Who::Pods(place, labels), End::Pod(pod)) => {
                let place = place.as_ref().is_none_or(|place| match place {
                    Place::Name(name) => **name == *pod.namespace,
                    Place::Labels(key, value) => {
                        pod.namespace_labels.get(*key).is_some_and(|found| **found == **value)
                    }
                });
                let known = match self {
                    Who::Pods(Some(Place::Labels(..)), _) => {
                        cluster.namespaces.contains_key(&pod.namespace)
                    }
                    _ => world.namespace(&pod.namespace).is_some(),
                };
                place
                    && (known || !destination)
                    && labels.is_none_or(|(key, value)| {
                        pod.labels.get(key).is_some_and(|found| **found == *value)
                    })
            }
        }
    }

    /// A peer that mentions all of it, so that the universe tells it apart.
    fn peers(&self) -> Vec<PeerKind> {
        let block = |cidr: ipnet::IpNet| PeerKind::Block(IpBlock { cidr, except: vec![] });
        match self {
            Who::Any => vec![],
            Who::Internet => not_public().into_iter().map(block).collect(),
            Who::Addresses(text) => vec![block(text.parse().expect("a block"))],
            Who::Pods(place, labels) => {
                let namespaces = match place {
                    Some(Place::Name(name)) => NamespaceMatch::Name((*name).into()),
                    Some(Place::Labels(key, value)) => {
                        NamespaceMatch::Labels(Selector::labels([(*key, *value)]))
                    }
                    None => NamespaceMatch::Labels(Selector::default()),
                };
                vec![PeerKind::Pods { namespaces, pods: Selector::labels(*labels) }]
            }
        }
    }
}

impl Guardrail {
    fn config(&self, kind: &str) -> Config {
        let end = |(who, except): &(Who, Vec<Who>)| {
            let except: Vec<String> =
                except.iter().map(|who| format!("{{{}}}", who.yaml())).collect();
            match except.is_empty() {
                true => format!("{{{}}}", who.yaml()),
                false => format!("{{{}, except: [{}]}}", who.yaml(), except.join(", ")),
            }
        };
        let ports = match self.ports {
            [] => String::new(),
            some => format!(", ports: [{}]", some.join(", ")),
        };
        let text = format!(
            "version: 1\ncluster: {{ipBlocksMatchPods: never}}\nguardrails:\n- {{id: g, {kind}: {{from: {}, to: \
             {}{ports}}}}}\n",
            end(&self.from),
            end(&self.to)
        );
        settings::parse(&text).unwrap_or_else(|errors| panic!("{text}{errors:?}")).config
    }

    fn spans(&self) -> Vec<(Protocol, u16, u16)> {
        let span = |text: &&str| {
            let (protocol, numbers) = text.split_once('/').expect("a protocol");
            let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
            let protocol = Protocol::ALL.into_iter().find(|known| known.as_str() == protocol);
            let number = |text: &str| text.parse().expect("a number");
            (protocol.expect("a protocol"), number(first), number(last))
        };
        self.ports.iter().map(span).collect()
    }

    /// The same cluster with a policy, in a namespace of its own, that mentions what the guardrail does.
    fn mentioned(&self, cluster: &Cluster) -> Cluster {
        let origin = || layout::origin("", 1, 1);
        let all = [&self.from, &self.to].into_iter();
        let all = all.flat_map(|(who, except)| std::iter::once(who).chain(except));
        let peers = all.flat_map(Who::peers).map(|kind| Peer { kind, origin: origin() }).collect();
        let ports = self.spans().into_iter().map(|(protocol, first, last)| PortMatch {
            protocol,
            ports: Ports::Range(first, last),
            origin: origin(),
        });
        let rule = Rule {
            action: Action::Allow,
            peers: Some(peers),
            ports: Some(ports.collect()),
            origin: origin(),
        };
        let mut policy = layout::empty_policy(MENTIONS, "mentions", Selector::default());
        policy.ingress = Some(Section { rules: vec![rule], origin: origin() });
        let policies = cluster.policies.iter().cloned().chain([layout::policy(policy)]);
        layout::cluster(
            cluster.namespaces.values().cloned(),
            cluster.workloads.iter().cloned(),
            policies,
        )
    }
}

/// A point, what it is on each side, and whether it is meant there.
type Chosen<'p> = (&'p Point, [Option<End>; 2], [bool; 2]);

/// A flow as the specification sees it.
struct Seen {
    itself: bool,
    meant: [bool; 2],
    allowed: [bool; 2],
    exists: [bool; 2],
}

/// Is there a flow that the question is about? `None`: there are too many to ask them all.
fn any(
    guardrail: &Guardrail,
    world: &World<'_>,
    clusters: [&Cluster; 2],
    needed: impl Fn(&Who, &Point) -> bool,
    question: impl Fn(&Seen) -> bool,
) -> Option<bool> {
    let [before, after] = clusters.map(|cluster| guardrail.mentioned(cluster));
    let mut complete = true;
    for names in [Names::Clashing, Names::Alone] {
        let universe = Universe::of(&before, &after, &Options { names, ..Options::default() });
        let sides = [&before, &after];
        let here = |point: &&Point| !matches!(point, Point::Undeclared { namespace, .. } if **namespace == *MENTIONS);
        let meant = |(who, except): &(Who, Vec<Who>), end: &Option<End>, side: usize, to: bool| {
            let means = |who: &Who, end: &End| who.means(end, clusters[side], world, to);
            end.as_ref()
                .is_some_and(|end| means(who, end) && !except.iter().any(|who| means(who, end)))
        };
        let chosen = |side: &(Who, Vec<Who>), to: bool| -> Vec<Chosen<'_>> {
            let points = universe.points().iter().filter(here);
            let points = points.filter(|point| needed(&side.0, point));
            let points = points.map(|point| (point, sides.map(|cluster| point.on(cluster))));
            points
                .map(|(point, ends)| {
                    let is = [meant(side, &ends[0], 0, to), meant(side, &ends[1], 1, to)];
                    (point, ends, is)
                })
                .filter(|(_, _, is)| is[0] || is[1])
                .collect()
        };
        let (from, to) = (chosen(&guardrail.from, false), chosen(&guardrail.to, true));
        let spans = guardrail.spans();
        let atoms = universe.atoms().iter().filter(|atom| {
            spans.is_empty()
                || spans.iter().any(|(protocol, first, last)| {
                    *protocol == atom.protocol && (*first..=*last).contains(&atom.number)
                })
        });
        let atoms: Vec<_> = atoms.collect();
        let mut left = MOST;
        for (from, from_ends, from_meant) in &from {
            for (to, to_ends, to_meant) in &to {
                let possible = match (from, to) {
                    (Point::External(_), Point::External(_)) => false,
                    (Point::Workload { id, .. }, Point::Workload { id: other, .. })
                        if id == other =>
                    {
                        &*id.kind != "Pod"
                    }
                    _ => true,
                };
                let beyond = |point: &Point| match point {
                    Point::External(_) => true,
                    Point::Undeclared { namespace, .. } => world.namespace(namespace).is_none(),
                    Point::Workload { .. } => false,
                };
                if !possible || (beyond(from) && beyond(to)) {
                    continue;
                }
                for atom in &atoms {
                    let Some(rest) = left.checked_sub(1) else { break };
                    left = rest;
                    let on =
                        |side: usize| Some((from_ends[side].as_ref()?, to_ends[side].as_ref()?));
                    let allowed = |side: usize| {
                        on(side).is_some_and(|(from, to)| {
                            let flow =
                                Flow { from, to, protocol: atom.protocol, port: atom.number };
                            evaluate(sides[side], &flow).allowed
                        })
                    };
                    let seen = Seen {
                        itself: from == to,
                        meant: [0, 1].map(|side| from_meant[side] && to_meant[side]),
                        allowed: [allowed(0), allowed(1)],
                        exists: [0, 1].map(|side| on(side).is_some()),
                    };
                    if question(&seen) {
                        return Some(true);
                    }
                }
            }
        }
        complete &= left > 0;
    }
    complete.then_some(false)
}

/// What was asked, and how often the answer was yes and no.
#[derive(Default)]
struct Count {
    yes: Cell<usize>,
    no: Cell<usize>,
}

impl Count {
    fn compare(
        &self,
        told: &[Finding],
        counts: bool,
        expected: Option<bool>,
    ) -> Result<(), TestCaseError> {
        // A guardrail about nobody is told as such and not asked.
        if told.iter().any(|finding| finding.message.to_string().contains("matches nothing")) {
            return Ok(());
        }
        let fires = told.iter().any(|finding| {
            finding.rule.starts_with("guardrail")
                && finding.witness.is_some()
                && (finding.introduced || !counts)
        });
        match expected {
            Some(true) => self.yes.set(self.yes.get() + 1),
            Some(false) => self.no.set(self.no.get() + 1),
            None => return Ok(()),
        }
        prop_assert_eq!(Some(fires), expected, "{:#?}", told);
        Ok(())
    }

    fn enough(&self, least: usize) {
        assert!(self.yes.get() >= least, "{} yes", self.yes.get());
        assert!(self.no.get() >= least, "{} no", self.no.get());
    }
}

fn anybody(_: &Who, _: &Point) -> bool {
    true
}

/// `deny` is silent iff the specification allows no flow between its ends.
#[test]
fn deny_fires_iff_a_flow_is_allowed() {
    let count = Count::default();
    let mut runner = TestRunner::new(config(400));
    let result = runner.run(&(world(), rail()), |(cluster, guardrail)| {
        let config = guardrail.config("deny");
        let world = World::of(&cluster, &cluster, &config);
        let found = of_snapshot(&world, &config, nothing(), &[]);
        prop_assert!(found.not_evaluated.is_empty());
        let allowed =
            any(&guardrail, &world, [&cluster; 2], anybody, |f| f.meant[1] && f.allowed[1]);
        count.compare(&found.findings, false, allowed)
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    count.enough(5);
}

/// Of a change counts what breaks `deny` after it and did not before; what `frozen` is about and is newly allowed.
#[test]
fn what_counts_of_a_change_is_what_is_new() {
    let (denied, opened) = (Count::default(), Count::default());
    let mut runner = TestRunner::new(config(128));
    let result = runner.run(&(pair(), rail()), |(pair, guardrail)| {
        let clusters = [&pair.before, &pair.after];
        for (kind, count) in [("deny", &denied), ("frozen", &opened)] {
            let config = guardrail.config(kind);
            let world = World::of(&pair.before, &pair.after, &config);
            let found = of_change(&world, &config, [nothing(), nothing()], &[]);
            prop_assert!(found.not_evaluated.is_empty());
            let expected = any(&guardrail, &world, clusters, anybody, |f| match kind {
                "deny" => f.meant[1] && f.allowed[1] && !(f.meant[0] && f.allowed[0]),
                _ => (f.meant[0] || f.meant[1]) && f.allowed[1] && !f.allowed[0],
            });
            count.compare(&found.findings, true, expected)?;
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    denied.enough(5);
    opened.enough(5);
}

/// `must-reach` is silent iff every flow that it needs is allowed.
#[test]
fn must_reach_fires_iff_a_flow_is_refused() {
    let count = Count::default();
    let mut runner = TestRunner::new(config(256));
    let result = runner.run(&(world(), rail()), |(cluster, guardrail)| {
        let config = guardrail.config("must-reach");
        let world = World::of(&cluster, &cluster, &config);
        let found = of_snapshot(&world, &config, nothing(), &[]);
        prop_assert!(found.not_evaluated.is_empty());
        let needed = |who: &Who, point: &Point| match point {
            Point::Workload { .. } => true,
            Point::Undeclared { .. } => false,
            Point::External(_) => matches!(who, Who::Internet | Who::Addresses(_)),
        };
        let refused = any(&guardrail, &world, [&cluster; 2], needed, |f| {
            f.exists[1] && f.meant[1] && !f.itself && !f.allowed[1]
        });
        count.compare(&found.findings, false, refused)
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    count.enough(5);
}

/// The engine and the specification never contradict each other.
#[test]
fn a_guardrail_is_undecided_only_where_something_is_not_evaluated() {
    let mut runner = TestRunner::new(config(64));
    let result = runner.run(&(world(), rail()), |(cluster, guardrail)| {
        for kind in ["deny", "must-reach"] {
            let config = guardrail.config(kind);
            let world = World::of(&cluster, &cluster, &config);
            let everywhere = guardrail::Unmodelled {
                namespace: None,
                kind: "AdminNetworkPolicy".into(),
                name: None,
                file: "a.yaml".into(),
                line: None,
            };
            let found = of_snapshot(&world, &config, nothing(), &[everywhere]);
            let pods =
                any(&guardrail, &world, [&cluster; 2], anybody, |f| f.meant[1] && f.exists[1]);
            let nobody =
                found.findings.iter().any(|f| f.message.to_string().contains("matches nothing"));
            if kind == "deny" && pods == Some(true) && !nobody {
                let fires = found.findings.iter().any(|finding| finding.witness.is_some());
                prop_assert!(fires || !found.not_evaluated.is_empty(), "it passes");
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
