//! The words for one end of a row, in the terms of the policies that speak of it.

use crate::model::{
    IpBlock, NAMESPACE_NAME_LABEL, NamespaceMatch, Operator, PeerKind, Selector, Subject,
    WorkloadId,
};
use crate::report::{ExternalPeers, Peers, PodPeers};
use ipnet::IpNet;

/// The words for every pod and every external address.
pub fn anything() -> Peers {
    Peers { text: "anything".into(), anything: true, ..Peers::default() }
}

/// The words for every pod.
pub fn any_pod() -> Peers {
    pods(&Place::Any, "any")
}

/// The words for the subject of a policy.
pub fn subject(subject: &Subject) -> Peers {
    pods(&place(&subject.namespaces), &labels(&subject.pods))
}

/// The words for a peer.
pub fn peer(peer: &PeerKind) -> Peers {
    match peer {
        PeerKind::Pods { namespaces, pods: selector } => {
            pods(&place(namespaces), &labels(selector))
        }
        PeerKind::Block(block) => Peers {
            text: format!("pods whose address lies in {}", block_text(block)),
            pods: Some(PodPeers { namespaces: "any".into(), labels: "any".into() }),
            ..Peers::default()
        },
    }
}

/// `10.0.0.0/8`, or `10.0.0.0/8 except 10.1.0.0/16`.
pub fn block_text(block: &IpBlock) -> String {
    let mut text = block.cidr.to_string();
    for (i, except) in block.except.iter().enumerate() {
        text.push_str(if i == 0 { " except " } else { ", " });
        text.push_str(&except.to_string());
    }
    text
}

/// Where pods are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In any namespace.
    Any,
    /// In the namespaces of these names; never empty.
    Names(Vec<String>),
    /// In the namespaces whose labels satisfy this selector.
    Labelled(String),
}

/// The words for pods in a place whose labels satisfy a selector, or `any`.
pub fn pods(place: &Place, labels: &str) -> Peers {
    let who = match labels {
        "any" => "any pod".to_string(),
        labels => format!("pods {}", shortened(labels)),
    };
    let (place, namespaces) = match place {
        Place::Any => ("in any namespace".to_string(), "any".to_string()),
        Place::Labelled(selector) => {
            (format!("in namespaces with {}", shortened(selector)), selector.clone())
        }
        Place::Names(names) => match names.as_slice() {
            [name] => (format!("in namespace {name}"), name.clone()),
            names => {
                let listed = names.join(",");
                let shown = match names {
                    [a, b, c, _, _, ..] => format!("{a}, {b}, {c} and {} more", names.len() - 3),
                    names => names.join(", "),
                };
                (format!("in namespaces {shown}"), format!("{NAMESPACE_NAME_LABEL} in ({listed})"))
            }
        },
    };
    Peers {
        text: format!("{who} {place}"),
        pods: Some(PodPeers { namespaces, labels: labels.into() }),
        ..Peers::default()
    }
}

/// How many values of a list a text names.
const LISTED: usize = 4;

/// A selector whose long lists of values are cut: `app notin (a,b,c,d,... 12 more)`.
fn shortened(selector: &str) -> String {
    let mut short = String::new();
    for (index, part) in selector.split('(').enumerate() {
        // The first part stands before any list, each other one begins with a list.
        let Some((list, rest)) = part.split_once(')').filter(|_| index > 0) else {
            short.push_str(part);
            continue;
        };
        let values: Vec<&str> = list.split(',').collect();
        let shown = match values.get(..LISTED) {
            Some(first) if values.len() > LISTED + 1 => {
                format!("{},... {} more", first.join(","), values.len() - LISTED)
            }
            _ => list.to_string(),
        };
        short.push_str(&format!("({shown}){rest}"));
    }
    short
}

/// The words for addresses outside, given as few blocks as possible.
pub fn external(cidrs: &[IpNet]) -> Peers {
    Peers {
        text: external_text(cidrs),
        external: Some(ExternalPeers { cidrs: cidrs.iter().map(ToString::to_string).collect() }),
        ..Peers::default()
    }
}

/// One of several words for the same end.
pub fn any_of(mut all: Vec<Peers>) -> Peers {
    if all.len() == 1 {
        return all.remove(0);
    }
    Peers { text: one_of(&all), any_of: all, ..Peers::default() }
}

/// `pods app=a or app=b in namespace web` where the place is one, else each in full.
fn one_of(all: &[Peers]) -> String {
    let parts = |peers: &Peers| -> Option<(String, String)> {
        let pods = peers.pods.as_ref().filter(|pods| pods.labels != "any")?;
        let who = shortened(&pods.labels);
        let place = peers.text.strip_prefix("pods ")?.strip_prefix(who.as_str())?;
        Some((who, place.to_string()))
    };
    let parts: Option<Vec<_>> = all.iter().map(parts).collect();
    if let Some([(_, place), others @ ..]) = parts.as_deref()
        && others.iter().all(|other| other.1 == *place)
    {
        let who: Vec<&str> = parts.iter().flatten().map(|part| part.0.as_str()).collect();
        return format!("pods {}{place}", who.join(" or "));
    }
    all.iter().map(|peers| peers.text.as_str()).collect::<Vec<_>>().join(", or ")
}

fn external_text(cidrs: &[IpNet]) -> String {
    let (v4, v6): (Vec<&IpNet>, Vec<&IpNet>) =
        cidrs.iter().partition(|cidr| matches!(cidr, IpNet::V4(_)));
    let whole = |family: &[&IpNet]| matches!(family, [only] if only.prefix_len() == 0);
    if whole(&v4) && whole(&v6) {
        return "any external address".into();
    }
    let family = |name: &str, cidrs: &[&IpNet]| -> Option<String> {
        if cidrs.is_empty() {
            return None;
        }
        if whole(cidrs) {
            return Some(format!("any external {name} address"));
        }
        let holes = holes(cidrs);
        if holes.len() < cidrs.len() {
            return Some(format!("any external {name} address except {}", join(&holes)));
        }
        let cidrs: Vec<IpNet> = cidrs.iter().map(|cidr| **cidr).collect();
        Some(format!("external {}", join(&cidrs)))
    };
    let parts: Vec<String> =
        [family("IPv4", &v4), family("IPv6", &v6)].into_iter().flatten().collect();
    parts.join(" and ")
}

/// The blocks of the same family that these (sorted, disjoint) blocks leave out.
fn holes(cidrs: &[&IpNet]) -> Vec<IpNet> {
    let mut ranges = Vec::new();
    let mut next = match cidrs.first() {
        Some(IpNet::V4(_)) => 0,
        Some(IpNet::V6(_)) => 0,
        None => return Vec::new(),
    };
    let number = |address: std::net::IpAddr| match address {
        std::net::IpAddr::V4(v4) => u128::from(u32::from(v4)),
        std::net::IpAddr::V6(v6) => u128::from(v6),
    };
    let v4 = matches!(cidrs.first(), Some(IpNet::V4(_)));
    let address = |number: u128| -> std::net::IpAddr {
        if v4 {
            // A number of this family was an IPv4 address, so it fits.
            std::net::Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into()
        } else {
            std::net::Ipv6Addr::from(number).into()
        }
    };
    let end = if v4 { u128::from(u32::MAX) } else { u128::MAX };
    let mut done = false;
    for cidr in cidrs {
        let (first, last) = (number(cidr.network()), number(cidr.broadcast()));
        if next < first {
            ranges.push((address(next), address(first - 1)));
        }
        done = last == end;
        next = last.saturating_add(1);
    }
    if !done {
        ranges.push((address(next), address(end)));
    }
    crate::set::address::to_cidrs(ranges)
}

/// At most four blocks by name, then how many more.
fn join(cidrs: &[IpNet]) -> String {
    let mut names: Vec<String> = cidrs.iter().take(4).map(ToString::to_string).collect();
    if cidrs.len() > 4 {
        names.push(format!("{} more ranges", cidrs.len() - 4));
    }
    names.join(", ")
}

/// Where a policy looks for pods.
pub fn place(namespaces: &NamespaceMatch) -> Place {
    match namespaces {
        NamespaceMatch::Name(name) => Place::Names(vec![name.to_string()]),
        NamespaceMatch::Labels(selector) => match selector.requirements() {
            [] => Place::Any,
            [only] if &*only.key == NAMESPACE_NAME_LABEL => match &only.operator {
                Operator::In(values) if !values.is_empty() => {
                    Place::Names(values.iter().map(ToString::to_string).collect())
                }
                Operator::Exists => Place::Any,
                _ => Place::Labelled(selector.to_string()),
            },
            _ => Place::Labelled(selector.to_string()),
        },
    }
}

/// `any`, or the selector.
pub fn labels(pods: &Selector) -> String {
    if pods.is_everything() { "any".into() } else { pods.to_string() }
}

/// The words for declared workloads; `labels` is a selector that all of them satisfy.
pub fn workloads(ids: &[&WorkloadId], labels: &str) -> Peers {
    let names =
        |ids: &[&WorkloadId]| ids.iter().map(|id| id.to_string()).collect::<Vec<_>>().join(", ");
    let text = match ids {
        [a, b, c, rest @ ..] if rest.len() > 1 => {
            format!("{} and {} more workloads", names(&[*a, *b, *c]), rest.len())
        }
        ids => names(ids),
    };
    let mut namespaces: Vec<String> = ids.iter().map(|id| id.namespace.to_string()).collect();
    namespaces.sort();
    namespaces.dedup();
    Peers { text, pods: pods(&Place::Names(namespaces), labels).pods, ..Peers::default() }
}
