//! What a rule grants, whatever way it is spelt: what tells a rule that is only written differently from a new one.

use super::{Snapshot, words};
use crate::model::{
    Direction, NamespaceMatch, PeerKind, Policy, PortMatch, Ports, Protocol, Rule, Selector,
    Workload,
};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Pairs of somebody and a port, of one direction each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// The numbers of the ports, both ends included, by whom they are for: direction and peer in a canonical
    /// spelling, and protocol. In order, none touching another.
    numbers: BTreeMap<(String, Protocol), Vec<(u16, u16)>>,
    /// The same for port names that no declared pod has.
    names: BTreeSet<(String, Protocol, Box<str>)>,
    /// Those of them of which no pod is declared that could have them.
    unseen: BTreeSet<(String, Protocol, Box<str>)>,
    /// The peers of those spellings that are one, each with its direction.
    peers: BTreeMap<String, (Direction, PeerKind)>,
}

impl Granted {
    /// What a rule grants. The declared pods that receive it say which numbers a port name stands for.
    pub fn by_rule(
        snapshot: &Snapshot<'_, '_, '_>,
        policy: &Policy,
        direction: Direction,
        rule: &Rule,
    ) -> Self {
        Self::of(snapshot, policy, direction, rule, |_| true, rule.ports.as_deref())
    }

    /// What a rule grants to those of its peers that are asked for, on these of its ports; `None`: on all ports.
    pub fn of(
        snapshot: &Snapshot<'_, '_, '_>,
        policy: &Policy,
        direction: Direction,
        rule: &Rule,
        asked: impl Fn(&PeerKind) -> bool,
        ports: Option<&[PortMatch]>,
    ) -> Self {
        let mut granted = Self::default();
        let named = ports.iter().flat_map(|ports| ports.iter());
        let named = named.into_iter().any(|port| matches!(port.ports, Ports::Named(_)));
        let selected = match direction {
            Direction::Ingress if named => snapshot.selected(policy),
            _ => Vec::new(),
        };
        let Some(peers) = &rule.peers else {
            let receivers = match direction {
                Direction::Egress if named => snapshot.cluster().workloads.iter().collect(),
                _ => selected,
            };
            granted.add(&any(direction), &receivers, ports);
            return granted;
        };
        for peer in peers.iter().map(|peer| &peer.kind).filter(|kind| asked(kind)) {
            let matched = match direction {
                Direction::Egress if named => snapshot.matched(peer).workloads,
                _ => selected.clone(),
            };
            let whom = format!("{direction} {}", words::canonical_peer(peer));
            granted.peers.insert(whom.clone(), (direction, peer.clone()));
            granted.add(&whom, &matched, ports);
        }
        granted
    }

    /// Something that is said as a whole, in a canonical spelling.
    pub fn whole(text: impl Into<String>) -> Self {
        let mut granted = Self::default();
        granted.add(&text.into(), &[], None);
        granted
    }

    /// All of this, and all of that.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (whom, spans) in &other.numbers {
            self.numbers.entry(whom.clone()).or_default().extend(spans);
        }
        self.numbers.values_mut().for_each(join);
        self.names.extend(other.names.iter().cloned());
        self.unseen.extend(other.unseen.iter().cloned());
        self.peers.extend(other.peers.iter().map(|(whom, peer)| (whom.clone(), peer.clone())));
        self
    }

    /// Is all of it in that as well?
    pub fn lies_within(&self, other: &Self) -> bool {
        let named = |(whom, protocol, name): &(String, Protocol, Box<str>)| {
            let mut wider =
                other.names.iter().filter(|(_, of, known)| of == protocol && known == name);
            wider.any(|(wide, ..)| self.is_for_less(whom, other, wide))
        };
        self.names.iter().all(named)
            && self.numbers.iter().all(|((whom, protocol), spans)| {
                let of = other.numbers.iter().filter(|((wide, of), _)| {
                    of == protocol && self.is_for_less(whom, other, wide)
                });
                let known: Vec<(u16, u16)> = of.flat_map(|(_, spans)| spans).copied().collect();
                let new: Vec<&(u16, u16)> = spans
                    .iter()
                    .filter(|(first, last)| {
                        !known.iter().any(|(start, end)| start <= first && last <= end)
                    })
                    .collect();
                // A number takes the place of a name that nobody here can resolve and that is gone.
                let gone = other.unseen.iter().filter(|name| {
                    name.1 == *protocol
                        && self.is_for_less(whom, other, &name.0)
                        && !self.names.contains(*name)
                });
                let single = new.iter().all(|(first, last)| first == last);
                new.is_empty() || single && new.len() <= gone.count()
            })
    }

    /// Is what is granted to the one granted to the other as well, as far as their spelling tells?
    fn is_for_less(&self, whom: &str, other: &Self, wide: &str) -> bool {
        if whom == wide {
            return true;
        }
        let Some((direction, peer)) = self.peers.get(whom) else { return false };
        match other.peers.get(wide) {
            Some((of, peers)) => of == direction && holds(peers, peer),
            None => wide == any(*direction),
        }
    }

    fn add(&mut self, whom: &str, receivers: &[&Arc<Workload>], ports: Option<&[PortMatch]>) {
        let Some(ports) = ports else {
            for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
                self.numbers.entry((whom.into(), protocol)).or_default().push((0, u16::MAX));
            }
            return;
        };
        for port in ports {
            let protocol = port.protocol;
            let spans = match &port.ports {
                // The number 0 is no port: it tells "all" from a range that holds all.
                Ports::All => vec![(0, u16::MAX)],
                Ports::Range(first, last) => vec![(*first, *last)],
                Ports::Named(name) => {
                    let declared = receivers.iter().flat_map(|workload| &workload.ports);
                    let meant = declared.filter(|declared| {
                        declared.protocol == protocol && declared.name.as_ref() == Some(name)
                    });
                    meant.map(|declared| (declared.number, declared.number)).collect()
                }
            };
            if let (true, Ports::Named(name)) = (spans.is_empty(), &port.ports) {
                let name = (whom.into(), protocol, name.clone());
                if receivers.is_empty() {
                    self.unseen.insert(name.clone());
                }
                self.names.insert(name);
                continue;
            }
            self.numbers.entry((whom.into(), protocol)).or_default().extend(spans);
        }
        self.numbers.values_mut().for_each(join);
    }
}

/// Everybody in a direction.
fn any(direction: Direction) -> String {
    format!("{direction} any")
}

/// Is whoever is the one peer also the other, wider one, as far as their spelling tells?
fn holds(wide: &PeerKind, peer: &PeerKind) -> bool {
    let all = |wide: &Selector, selector: &Selector| {
        wide.requirements().iter().all(|one| selector.requirements().contains(one))
    };
    match (wide, peer) {
        (
            PeerKind::Pods { namespaces: wide_namespaces, pods: wide_pods },
            PeerKind::Pods { namespaces, pods },
        ) => {
            let looks = match (wide_namespaces, namespaces) {
                (NamespaceMatch::Labels(wide), NamespaceMatch::Labels(labels)) => all(wide, labels),
                (NamespaceMatch::Labels(wide), NamespaceMatch::Name(_)) => wide.is_everything(),
                (wide, namespaces) => wide == namespaces,
            };
            looks && all(wide_pods, pods)
        }
        (PeerKind::Block(wide), PeerKind::Block(block)) => {
            let without = |hole: &IpNet| {
                !hole.contains(&block.cidr)
                    && (!block.cidr.contains(hole)
                        || block.except.iter().any(|except| except.contains(hole)))
            };
            wide.cidr.contains(&block.cidr) && wide.except.iter().all(without)
        }
        _ => false,
    }
}

/// Puts spans in order and together where they touch.
fn join(spans: &mut Vec<(u16, u16)>) {
    spans.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::with_capacity(spans.len());
    for (first, last) in spans.drain(..) {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    *spans = joined;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IpBlock;

    fn on(whom: &str, ports: &[(u16, u16)]) -> Granted {
        let mut granted = Granted::default();
        let ports: Vec<PortMatch> =
            ports.iter().map(|(first, last)| range(*first, *last)).collect();
        granted.add(whom, &[], Some(&ports));
        granted
    }

    fn range(first: u16, last: u16) -> PortMatch {
        PortMatch {
            protocol: Protocol::Tcp,
            ports: Ports::Range(first, last),
            origin: crate::model::Origin { file: "m.yaml".into(), start_line: 1, end_line: 1 },
        }
    }

    #[test]
    fn whom_a_peer_holds() {
        let pods = |namespaces: &[(&'static str, &'static str)],
                    pods: &[(&'static str, &'static str)]| {
            PeerKind::Pods {
                namespaces: NamespaceMatch::Labels(Selector::labels(namespaces.iter().copied())),
                pods: Selector::labels(pods.iter().copied()),
            }
        };
        let block = |cidr: &str, except: &[&str]| {
            let net = |text: &str| text.parse::<IpNet>().expect("a network");
            let except = except.iter().map(|text| net(text)).collect();
            PeerKind::Block(IpBlock { cidr: net(cidr), except })
        };
        let own = PeerKind::Pods {
            namespaces: NamespaceMatch::Name("shop".into()),
            pods: Selector::labels([("app", "web")]),
        };
        let (any, web, team) =
            (pods(&[], &[]), pods(&[], &[("app", "web")]), pods(&[("team", "a")], &[]));
        for (wide, narrow) in [
            (&any, &web),
            (&any, &team),
            (&any, &own),
            (&web, &own),
            (&block("10.0.0.0/8", &[]), &block("10.1.0.0/16", &["10.1.1.0/24"])),
            (&block("10.0.0.0/8", &["10.2.0.0/16"]), &block("10.1.0.0/16", &[])),
            (&block("10.0.0.0/8", &["10.1.1.1/32"]), &block("10.1.0.0/16", &["10.1.1.0/24"])),
        ] {
            assert!(holds(wide, narrow) && holds(wide, wide), "{wide:?} {narrow:?}");
            assert!(!holds(narrow, wide), "{narrow:?} {wide:?}");
        }
        for (one, other) in [
            (&web, &team),
            (&any, &block("10.0.0.0/8", &[])),
            (&block("10.0.0.0/8", &["10.1.1.1/32"]), &block("10.1.0.0/16", &[])),
            (&block("10.0.0.0/8", &["10.1.0.0/16"]), &block("10.1.1.0/24", &[])),
        ] {
            assert!(!holds(one, other) && !holds(other, one), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_number_takes_the_place_of_a_name_that_nobody_resolves() {
        let name = |name: &str| PortMatch { ports: Ports::Named(name.into()), ..range(1, 1) };
        let of = |ports: &[PortMatch]| {
            let mut granted = Granted::default();
            granted.add("a", &[], Some(ports));
            granted
        };
        let named = of(&[name("http"), name("https"), range(22, 22)]);
        assert!(of(&[range(80, 80), range(443, 443), range(22, 22)]).lies_within(&named));
        assert!(of(&[range(80, 80), name("https")]).lies_within(&named));
        assert!(!of(&[range(80, 80), name("http"), name("https")]).lies_within(&named));
        assert!(!of(&[range(80, 80), range(443, 443), range(23, 23)]).lies_within(&named));
        assert!(!of(&[range(80, 81)]).lies_within(&named));
    }

    #[test]
    fn what_lies_within_what() {
        let both = on("a", &[(80, 80), (443, 443)]);
        assert!(on("a", &[(80, 80)]).lies_within(&both));
        assert!(!both.lies_within(&on("a", &[(80, 80)])));
        assert!(!on("b", &[(80, 80)]).lies_within(&both));
        assert!(both.lies_within(&on("a", &[(80, 80)]).and(&on("a", &[(443, 443)]))));
        // Neighbours make one range, and a range may have been two.
        assert!(on("a", &[(1, 9)]).lies_within(&on("a", &[(1, 4)]).and(&on("a", &[(5, 9)]))));
        assert!(both.lies_within(&Granted::whole("a")));
        // All ports are more than a range of all numbers: the other protocols are there too.
        assert!(!Granted::whole("a").lies_within(&on("a", &[(1, u16::MAX)])));
    }
}
