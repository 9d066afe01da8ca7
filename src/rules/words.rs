//! Phrases that rules have in common, and canonical spellings for fingerprints.

use crate::model::{
    Direction, NAMESPACE_NAME_LABEL, NamespaceMatch, Operator, Peer, PeerKind, PortMatch, Ports,
    Rule, Selector, Subject,
};
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
        NamespaceMatch::Labels(selector) => match named(selector) {
            Some(name) => start.words(" of ").name(name),
            None => start.words(" of namespaces ").name(selector),
        },
    }
}

/// What a rule of a policy does at its own end: `Lets A in to B`, `Lets B out to A`, where B are the pods of the
/// policy. The other end has its own policies.
pub fn lets(direction: Direction, subject: &Subject, peers: Message) -> Message {
    let (lets, subject) = (Message::new("Lets "), pods(subject));
    match direction {
        Direction::Ingress => lets.then(peers).words(" in to ").then(subject),
        Direction::Egress => lets.then(subject).words(" out to ").then(peers),
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

/// The ports of a rule: `TCP 5432 and UDP 53`, `all ports`. What other entries say already is left out.
pub fn ports(rule: &Rule) -> Message {
    match &rule.ports {
        None => Message::new("all ports"),
        Some(ports) => {
            let all = |one: &&PortMatch| matches!(one.ports, Ports::All);
            let covered = |one: &PortMatch| {
                !all(&one) && ports.iter().filter(all).any(|other| other.protocol == one.protocol)
            };
            Message::default().names(ports.iter().filter(|one| !covered(one)).map(port), 4)
        }
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

/// A peer in its canonical spelling: like its words, with every exception in order.
pub fn canonical_peer(kind: &PeerKind) -> String {
    match kind {
        PeerKind::Block(block) if !block.except.is_empty() => {
            let mut except = block.except.clone();
            except.sort_unstable();
            except.dedup();
            let message = Message::default().name(block.cidr).words(" except ");
            message.names(&except, usize::MAX).to_string()
        }
        kind => peer(kind).to_string(),
    }
}

/// The name of the one namespace that a selector matches by its name.
fn named(selector: &Selector) -> Option<&str> {
    let [requirement] = selector.requirements() else { return None };
    let Operator::In(values) = &requirement.operator else { return None };
    let one = values.first().filter(|_| values.len() == 1)?;
    (&*requirement.key == NAMESPACE_NAME_LABEL).then_some(one)
}

/// The selector of the namespace of this name.
pub fn namespace_named(name: &str) -> Selector {
    Selector::labels([(NAMESPACE_NAME_LABEL, name)])
}

/// A selector as manifests have it, on one line.
pub fn yaml(selector: &Selector) -> String {
    let (mut labels, mut expressions) = (Vec::new(), Vec::new());
    for requirement in selector.requirements() {
        let key = &requirement.key;
        let expression = |operator: &str| format!("key: {key}, operator: {operator}");
        let list = |values: &std::collections::BTreeSet<Box<str>>| {
            let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            values.join(", ")
        };
        match &requirement.operator {
            Operator::In(values) if values.len() == 1 => {
                labels.push(format!("{key}: {}", list(values)));
            }
            Operator::In(values) => {
                expressions.push(format!("{}, values: [{}]", expression("In"), list(values)));
            }
            Operator::NotIn(values) => {
                expressions.push(format!("{}, values: [{}]", expression("NotIn"), list(values)));
            }
            Operator::Exists => expressions.push(expression("Exists")),
            Operator::DoesNotExist => expressions.push(expression("DoesNotExist")),
        }
    }
    let mut parts = Vec::new();
    if !labels.is_empty() {
        parts.push(format!("matchLabels: {{{}}}", labels.join(", ")));
    }
    if !expressions.is_empty() {
        let expressions: Vec<String> = expressions.iter().map(|one| format!("{{{one}}}")).collect();
        parts.push(format!("matchExpressions: [{}]", expressions.join(", ")));
    }
    format!("{{{}}}", parts.join(", "))
}

/// The value of a label, in quotes where YAML could take it for something else. It holds letters, digits, `-`,
/// `_` and `.`.
pub fn quoted(value: &str) -> String {
    let is_plain = value.len() > 5 && value.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_word = !value.is_empty()
        && value.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && !matches!(value, "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n");
    if is_plain || is_word { value.into() } else { format!("\"{value}\"") }
}

#[cfg(test)]
mod tests {
    use super::{quoted, yaml};
    use crate::model::Selector;

    #[test]
    fn selectors_as_manifests_have_them() {
        assert_eq!(yaml(&Selector::default()), "{}");
        let pair = Selector::labels([("app", "web"), ("tier", "1")]);
        assert_eq!(yaml(&pair), "{matchLabels: {app: web, tier: \"1\"}}");
        for value in ["true", "1.20", "", "no", "NO"] {
            assert_eq!(quoted(value), format!("\"{value}\""));
        }
    }
}
