//! Phrases that rules have in common, and canonical spellings for fingerprints.

use crate::model::{NamespaceMatch, Peer, PeerKind, PortMatch, Ports, Rule, Selector, Subject};
use crate::report::Message;

/// The pods that a policy selects: `every pod of payments`, `payments app=db`.
pub fn pods(subject: &Subject) -> Message {
    selected(&subject.namespaces, &subject.pods)
}

/// The pods of a selector.
pub fn selected(namespaces: &NamespaceMatch, pods: &Selector) -> Message {
    let everything = pods.is_everything();
    let start = match everything {
        true => Message::new("every pod"),
        false => Message::new("pods ").name(pods),
    };
    match namespaces {
        NamespaceMatch::Name(name) => start.words(" of ").name(name),
        NamespaceMatch::Labels(selector) if selector.is_everything() => {
            start.words(" of every namespace")
        }
        NamespaceMatch::Labels(selector) => start.words(" of namespaces ").name(selector),
    }
}

/// One peer.
pub fn peer(peer: &PeerKind) -> Message {
    match peer {
        PeerKind::Pods { namespaces, pods } => selected(namespaces, pods),
        PeerKind::Block(block) if block.except.is_empty() => Message::default().name(block.cidr),
        PeerKind::Block(block) => {
            Message::default().name(block.cidr).words(" except ").names(&block.except, 3)
        }
    }
}

/// The peers of a rule; of more than three the rest is counted.
pub fn peers(rule: &Rule) -> Message {
    let Some(peers) = &rule.peers else { return Message::new("anybody") };
    let mut message = Message::default();
    for (index, each) in peers.iter().take(NAMED).enumerate() {
        if index > 0 {
            message = message.words(", ");
        }
        message = message.then(peer(&each.kind));
    }
    match peers.len().saturating_sub(NAMED) {
        0 => message,
        rest => message.words(" and ").number(rest).words(" more"),
    }
}

/// The blocks of addresses of a rule, without its other peers.
pub fn blocks(rule: &Rule) -> Message {
    let blocks = rule.peers.iter().flatten();
    let blocks = blocks.filter(|peer| matches!(peer.kind, PeerKind::Block(_)));
    Message::default()
        .names(blocks.map(|block| peer(&block.kind).to_string().replace('`', "")), NAMED)
}

/// The same in a spelling that their order does not change.
pub fn canonical_blocks(rule: &Rule) -> String {
    let blocks = rule.peers.iter().flatten();
    let blocks = blocks.filter(|peer| matches!(peer.kind, PeerKind::Block(_)));
    let mut blocks: Vec<String> = blocks.map(|block| canonical_peer(&block.kind)).collect();
    blocks.sort();
    blocks.dedup();
    blocks.join(",")
}

/// How many peers a message names.
const NAMED: usize = 3;

/// The ports of a rule: `TCP 5432 and UDP 53`, `all ports`.
pub fn ports(rule: &Rule) -> Message {
    match &rule.ports {
        None => Message::new("all ports"),
        Some(ports) => Message::default().names(ports.iter().map(port), 4),
    }
}

/// One port: `TCP 5432`, `TCP 8000-8080`, `TCP http`, `all TCP ports`.
pub fn port(port: &PortMatch) -> String {
    let protocol = port.protocol;
    match &port.ports {
        Ports::All => format!("all {protocol} ports"),
        Ports::Range(first, last) if first == last => format!("{protocol} {first}"),
        Ports::Range(first, last) => format!("{protocol} {first}-{last}"),
        Ports::Named(name) => format!("{protocol} {name}"),
    }
}

/// The ports of a rule in a spelling that their order does not change.
pub fn canonical_ports(rule: &Rule) -> String {
    let Some(ports) = &rule.ports else { return "all".into() };
    let mut ports: Vec<String> = ports.iter().map(port).collect();
    ports.sort();
    ports.dedup();
    ports.join(",")
}

/// The peers of a rule in a spelling that their order does not change.
pub fn canonical_peers(rule: &Rule) -> String {
    let Some(peers) = &rule.peers else { return "any".into() };
    let mut peers: Vec<String> =
        peers.iter().map(|peer: &Peer| canonical_peer(&peer.kind)).collect();
    peers.sort();
    peers.dedup();
    peers.join(",")
}

/// A peer in its canonical spelling.
pub fn canonical_peer(kind: &PeerKind) -> String {
    peer(kind).to_string()
}
