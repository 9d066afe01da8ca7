//! Random small clusters.

use super::layout::{self, OWN};
use netpol_review::model::{
    Action, Cluster, ContainerPort, Direction, IpBlock, Labels, NAMESPACE_NAME_LABEL,
    NamespaceMatch, Operator, Peer, PeerKind, Policy, PortMatch, Ports, Protocol, Requirement,
    Rule, Section, Selector, Workload, WorkloadId,
};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::collections::BTreeSet;

/// The namespaces that objects live in; some of them have no manifest.
pub const NAMESPACES: [&str; 3] = ["n0", "n1", "n2"];
/// Label keys of pods and their values.
const POD_LABELS: [(&str, &[&str]); 2] = [("app", &["a", "b", ""]), ("x.io/tier", &["t"])];
/// Label keys of namespaces and their values.
const NAMESPACE_LABELS: [(&str, &[&str]); 2] = [("team", &["r", "b"]), ("env", &[""])];
/// A namespace that nothing but selectors mentions.
const MENTIONED_ONLY: &str = "ghost";
const PORT_NAMES: [&str; 2] = ["http", "dns"];
/// Few numbers, so that declared ports, named ports and ranges meet.
const PORT_NUMBERS: [u16; 4] = [53, 80, 81, 8080];
const ADDRESSES: [&str; 3] = ["10.1.2.3", "10.2.0.1", "fd00:1::5"];
const BLOCKS: [(&str, &[&str]); 10] = [
    ("0.0.0.0/0", &[]),
    ("0.0.0.0/0", &["10.0.0.0/8", "169.254.169.254/32"]),
    ("10.0.0.0/8", &[]),
    ("10.0.0.0/8", &["10.1.0.0/16"]),
    ("10.0.0.0/9", &[]),
    ("10.1.2.0/24", &["10.1.2.3/32"]),
    ("10.1.2.3/32", &[]),
    ("::/0", &[]),
    ("::/0", &["fd00::/8"]),
    ("fd00::/8", &["fd00:1::/32"]),
];

/// A cluster of up to three namespaces, one to four workloads and up to four policies.
pub fn world() -> impl Strategy<Value = Cluster> {
    (
        subsequence(NAMESPACES.to_vec(), 0..=NAMESPACES.len()),
        vec(namespace_labels(), NAMESPACES.len()),
        vec(workload(), 1..=4),
        vec(policy(), 1..=4),
    )
        .prop_map(|(declared, labels, workloads, policies)| {
            layout::cluster(
                declared
                    .into_iter()
                    .zip(labels)
                    .map(|(name, labels)| layout::namespace(name, labels)),
                workloads.into_iter().map(layout::workload),
                policies.into_iter().map(layout::policy),
            )
        })
}

pub fn namespace_name() -> impl Strategy<Value = &'static str> {
    select(&NAMESPACES[..])
}

fn labels(alphabet: &'static [(&str, &[&str])]) -> impl Strategy<Value = Labels> {
    let one = |(key, values): &(&'static str, &'static [&'static str])| {
        let key: Box<str> = (*key).into();
        option::weighted(0.7, select(*values).prop_map(Box::<str>::from))
            .prop_map(move |value| value.map(|value| (key.clone(), value)))
    };
    let all: Vec<_> = alphabet.iter().map(one).collect();
    all.prop_map(|labels| labels.into_iter().flatten().collect())
}

pub fn pod_labels() -> impl Strategy<Value = Labels> {
    labels(&POD_LABELS)
}

pub fn namespace_labels() -> impl Strategy<Value = Labels> {
    labels(&NAMESPACE_LABELS)
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![
        4 => Just(Protocol::Tcp),
        2 => Just(Protocol::Udp),
        1 => Just(Protocol::Sctp),
    ]
}

pub fn container_ports() -> impl Strategy<Value = BTreeSet<ContainerPort>> {
    let port = (
        option::weighted(0.8, select(&PORT_NAMES[..]).prop_map(Box::<str>::from)),
        protocol(),
        select(&PORT_NUMBERS[..]),
    )
        .prop_map(|(name, protocol, number)| ContainerPort { name, protocol, number });
    btree_set(port, 0..=3)
}

/// A Deployment, a DaemonSet or a bare Pod; the last may have known addresses.
pub fn workload() -> impl Strategy<Value = Workload> {
    (
        namespace_name(),
        select(&["w0", "w1", "w2"][..]),
        select(&["Deployment", "DaemonSet", "Pod"][..]),
        pod_labels(),
        container_ports(),
        prop::bool::weighted(0.15),
        subsequence(ADDRESSES.to_vec(), 0..=2),
    )
        .prop_map(|(namespace, name, kind, labels, ports, host_network, addresses)| Workload {
            id: WorkloadId { namespace: namespace.into(), name: name.into(), kind: kind.into() },
            labels,
            // One container for each port: see `text`.
            images: ports.iter().map(|_| "i".into()).collect(),
            ports,
            host_network,
            node_address: host_network,
            addresses: match kind {
                "Pod" => addresses.iter().map(|a| a.parse().expect("an address")).collect(),
                _ => BTreeSet::new(),
            },
            single: kind == "Pod",
            origin: layout::origin("", 1, 1),
            labels_origin: layout::origin("", 1, 1),
            host_ports: Default::default(),
            service_account: None,
            injected: false,
            dns_policy: Default::default(),
        })
}

fn requirement(
    key: &'static str,
    values: Vec<&'static str>,
) -> impl Strategy<Value = Requirement> + use<> {
    let count = values.len();
    let some = subsequence(values, 1..=count)
        .prop_map(|values| values.into_iter().map(Box::from).collect::<BTreeSet<_>>());
    prop_oneof![
        5 => some.clone().prop_map(Operator::In),
        2 => some.prop_map(Operator::NotIn),
        1 => Just(Operator::Exists),
        1 => Just(Operator::DoesNotExist),
    ]
    .prop_map(move |operator| Requirement { key: key.into(), operator })
}

/// Requirements on the keys of the alphabet. One value more than pods have, so that some selectors
/// match no declared pod.
pub fn pod_selector() -> impl Strategy<Value = Selector> {
    selector(POD_LABELS.iter().map(|(key, values)| {
        let values = values.iter().copied().chain(["z"]);
        requirement(key, values.collect()).boxed()
    }))
}

fn namespace_selector() -> impl Strategy<Value = Selector> {
    let names = NAMESPACES.iter().copied().chain([MENTIONED_ONLY]);
    let by_name = requirement(NAMESPACE_NAME_LABEL, names.collect()).boxed();
    let by_label =
        NAMESPACE_LABELS.iter().map(|(key, values)| requirement(key, values.to_vec()).boxed());
    selector(by_label.chain([by_name]))
}

fn selector(
    requirements: impl Iterator<Item = BoxedStrategy<Requirement>>,
) -> impl Strategy<Value = Selector> {
    let any = proptest::strategy::Union::new(requirements);
    prop_oneof![
        1 => Just(Selector::default()),
        3 => vec(any.clone(), 1).prop_map(Selector::new),
        1 => vec(any, 2).prop_map(Selector::new),
    ]
}

fn block() -> impl Strategy<Value = IpBlock> {
    select(&BLOCKS[..]).prop_map(|(cidr, except)| IpBlock {
        cidr: cidr.parse().expect("a range"),
        except: except.iter().map(|hole| hole.parse().expect("a range")).collect(),
    })
}

/// Every shape of S1, S2, S3 and I1.
pub fn peer() -> impl Strategy<Value = Peer> {
    let pods = |namespaces, pods| PeerKind::Pods { namespaces, pods };
    let own = NamespaceMatch::Name(OWN.into());
    prop_oneof![
        2 => pod_selector().prop_map(move |selector| pods(own.clone(), selector)),
        2 => namespace_selector()
            .prop_map(move |selector| pods(NamespaceMatch::Labels(selector), Selector::default())),
        2 => (namespace_selector(), pod_selector())
            .prop_map(move |(namespaces, selector)| pods(NamespaceMatch::Labels(namespaces), selector)),
        2 => block().prop_map(PeerKind::Block),
    ]
    .prop_map(|kind| Peer {
        kind,
        origin: layout::origin("", 1, 1),
    })
}

pub fn port() -> impl Strategy<Value = PortMatch> {
    let ports = prop_oneof![
        1 => Just(Ports::All),
        3 => select(&PORT_NUMBERS[..]).prop_map(|number| Ports::Range(number, number)),
        1 => Just(Ports::Range(80, 8080)),
        1 => Just(Ports::Range(1, 80)),
        3 => select(&PORT_NAMES[..]).prop_map(|name| Ports::Named(name.into())),
    ];
    (protocol(), ports).prop_map(|(protocol, ports)| PortMatch {
        protocol,
        ports,
        origin: layout::origin("", 1, 1),
    })
}

pub fn rule() -> impl Strategy<Value = Rule> {
    (option::weighted(0.8, vec(peer(), 1..=2)), option::weighted(0.6, vec(port(), 1..=2))).prop_map(
        |(peers, ports)| Rule {
            action: Action::Allow,
            peers,
            ports,
            origin: layout::origin("", 1, 1),
        },
    )
}

fn section() -> impl Strategy<Value = Section> {
    vec(rule(), 0..=2).prop_map(|rules| Section { rules, origin: layout::origin("", 1, 1) })
}

/// A NetworkPolicy with one or both directions; what it says of the other may be written, but dead (N4).
pub fn policy() -> impl Strategy<Value = Policy> {
    (
        namespace_name(),
        select(&["p0", "p1", "p2", "p3"][..]),
        pod_selector(),
        select(&[(true, false), (false, true), (true, true), (true, false)][..]),
        section(),
        section(),
        prop::bool::weighted(0.3),
    )
        .prop_map(
            |(namespace, name, pods, (has_ingress, has_egress), ingress, egress, keep_dead)| {
                let mut policy = layout::empty_policy(namespace, name, pods);
                let mut put = |direction, lives: bool, section: Section| match direction {
                    Direction::Ingress if lives => policy.ingress = Some(section),
                    Direction::Egress if lives => policy.egress = Some(section),
                    _ if keep_dead => policy.dead.push((direction, section)),
                    _ => {}
                };
                put(Direction::Ingress, has_ingress, ingress);
                put(Direction::Egress, has_egress, egress);
                policy
            },
        )
}
