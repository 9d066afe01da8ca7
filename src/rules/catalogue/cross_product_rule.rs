//! Peers and ports that do not belong together, in one rule.

use crate::model::{Direction, Peer, PeerKind, Policy, PortMatch, Ports, Rule as PolicyRule};
use crate::report::{FixKind, Message, Persona, Severity};
use crate::rules::granted::Granted;
use crate::rules::repair::{Group, Mend, Repair};
use crate::rules::serves::{self, Serves};
use crate::rules::snapshot::is_dns_port;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use std::collections::BTreeMap;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "cross-product-rule",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: true,
    catches: "A rule whose peers need different ports: it lets every peer use every port.",
    why: "A rule means any of its peers on any of its ports. Where one peer is the resolver and another a web site, the \
          rule also lets pods send DNS to the web site. It is shown to everybody where something shows that a peer does not \
          listen on a port that another one needs: the ports that its pods declare, or that it is the resolver. Addresses \
          beside pods, with several ports and nothing known, are for pedantics. Several clients of one service with two ports \
          are left alone.",
    fix: "Write one rule for each group of peers that need the same ports.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api-allow-egress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: api}}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      podSelector: {matchLabels: {k8s-app: kube-dns}}
    - ipBlock: {cidr: 93.184.216.34/32}
    ports: [{port: 53, protocol: UDP}, {port: 80, protocol: TCP}]
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: redis-allow-ingress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: redis}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - podSelector: {matchLabels: {app: server}}
    - podSelector: {matchLabels: {app: worker}}
    ports: [{port: 6379}, {port: 26379}]
",
    ),
    check: Check::Side(check),
};

/// Larger rules are not taken apart.
const MOST: usize = 64;

/// How many paths a message names.
const NAMED: usize = 3;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        for (direction, _, rule) in Snapshot::rules(policy) {
            let granted = || Granted::by_rule(snapshot, policy, direction, rule);
            let draft = draft(snapshot, policy, direction, rule);
            drafts.extend(draft.map(|draft| draft.granted(granted())));
        }
    }
    Ok(drafts)
}

fn draft(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    direction: Direction,
    rule: &PolicyRule,
) -> Option<Draft> {
    let (peers, ports) = (rule.peers.as_ref()?, columns(rule.ports.as_ref()?));
    let (rows, columns) = (peers.len(), ports.len());
    if !(2..=MOST).contains(&rows) || !(2..=MOST).contains(&columns) {
        return None;
    }
    let canonical =
        format!("{direction} {} {}", words::canonical_peers(rule), words::canonical_ports(rule));
    let start = Message::new("This rule lets ")
        .number(rows)
        .words(" peers use ")
        .count(columns, "port", "ports")
        .words(" each");
    let unintended = match direction {
        Direction::Egress => unintended(snapshot, peers, &ports),
        // Nothing that the manifests show says which client needs which port.
        Direction::Ingress => Vec::new(),
    };
    if !unintended.is_empty() {
        let paths = unintended.iter().map(|(peer, column)| {
            let port =
                column.iter().map(|port| words::port(port)).collect::<Vec<_>>().join(" and ");
            format!("{} on {port}", words::peer(&peer.kind).to_string().replace('`', ""))
        });
        let count = unintended.len();
        let verb = if count == 1 {
            " of these paths looks unintended: "
        } else {
            " of these paths look unintended: "
        };
        let message = start.words("; ").number(count).words(verb).names(paths, NAMED);
        let draft = Draft::policy(policy, &rule.origin, canonical, message);
        return Some(draft.repair(Repair {
            kind: FixKind::Narrowing,
            description: Message::new("write one rule for each group of peers with the same ports"),
            mend: Mend::Split { rule: rule.origin.clone(), groups: groups(rule, &unintended) },
        }));
    }
    let blocks = peers.iter().filter(|peer| matches!(peer.kind, PeerKind::Block(_))).count();
    ((1..rows).contains(&blocks)).then(|| {
        let message = start.words(", pods and addresses alike; do all of them need all of these?");
        Draft::policy(policy, &rule.origin, canonical, message)
            .severity(Severity::Low)
            .persona(Persona::Pedantic)
    })
}

/// The peers that keep the same ports, in the order in which they stand.
fn groups(rule: &PolicyRule, unintended: &[(&Peer, Vec<&PortMatch>)]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, peer) in rule.peers.iter().flatten().enumerate() {
        let gone = |port: &PortMatch| {
            unintended.iter().any(|(one, ports)| {
                std::ptr::eq(*one, peer) && ports.iter().any(|other| std::ptr::eq(*other, port))
            })
        };
        let ports = rule.ports.iter().flatten().enumerate();
        let ports: Vec<usize> =
            ports.filter(|(_, port)| !gone(port)).map(|(index, _)| index).collect();
        match groups.iter_mut().find(|group| group.ports == ports) {
            Some(group) => group.peers.push(index),
            None => groups.push(Group { peers: vec![index], ports }),
        }
    }
    groups
}

/// The ports of a rule by what they are for: DNS over both protocols is one, and so are `http` and `https`.
fn columns(ports: &[PortMatch]) -> Vec<Vec<&PortMatch>> {
    let mut columns: BTreeMap<String, Vec<&PortMatch>> = BTreeMap::new();
    for port in ports {
        let purpose = match &port.ports {
            _ if is_dns_port(port) => "dns".into(),
            Ports::Named(name) if matches!(&**name, "http" | "https") => "web".into(),
            Ports::Named(name) => name.to_string(),
            Ports::Range(80, 80) | Ports::Range(443, 443) => "web".into(),
            Ports::Range(first, last) => format!("{first:05}-{last:05}"),
            Ports::All => "all".into(),
        };
        columns.entry(purpose).or_default().push(port);
    }
    columns.into_values().collect()
}

/// The pairs that only the product makes: the peer does not listen there, but on another of the ports, and
/// another peer does.
fn unintended<'r>(
    snapshot: &Snapshot<'_, '_, '_>,
    peers: &'r [Peer],
    columns: &[Vec<&'r PortMatch>],
) -> Vec<(&'r Peer, Vec<&'r PortMatch>)> {
    let cell = |peer: &Peer, column: &[&PortMatch]| {
        let serves = column.iter().map(|port| serves::peer(snapshot, &peer.kind, port));
        serves.fold(Serves::No, |known, one| match (known, one) {
            (Serves::Yes, _) | (_, Serves::Yes) => Serves::Yes,
            (Serves::Unknown, _) | (_, Serves::Unknown) => Serves::Unknown,
            (Serves::No, Serves::No) => Serves::No,
        })
    };
    let table: Vec<Vec<Serves>> = peers
        .iter()
        .map(|peer| columns.iter().map(|column| cell(peer, column)).collect())
        .collect();
    let mut found = Vec::new();
    for (peer, row) in peers.iter().zip(&table) {
        for (index, column) in columns.iter().enumerate() {
            let other_port = row.iter().any(|cell| *cell != Serves::No);
            let other_peer =
                table.iter().any(|row| row.get(index).is_some_and(|cell| *cell != Serves::No));
            if row.get(index) == Some(&Serves::No) && other_port && other_peer {
                found.push((peer, column.clone()));
            }
        }
    }
    found
}
