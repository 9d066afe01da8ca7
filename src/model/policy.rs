//! Policies of every kind, lowered to one shape.
//!
//! A Kubernetes NetworkPolicy fills [`Tier::NetworkPolicy`] with rules that allow. The tiers above
//! and below it, priorities, and the actions `Deny` and `Pass` are there for the cluster-wide kinds.

use super::{Acceptance, Origin, Selector};
use ipnet::IpNet;
use std::fmt;
use std::sync::Arc;

/// One policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Who it is.
    pub id: PolicyId,
    /// Which tier decides with it (A1, C1).
    pub tier: Tier,
    /// Order within the tier, lower first; 0 where the kind has none.
    pub priority: u32,
    /// The pods that it is about.
    pub subject: Subject,
    /// Its word on traffic to the subject. `None`: it does not speak of this direction.
    pub ingress: Option<Section>,
    /// Its word on traffic from the subject. `None`: it does not speak of this direction.
    pub egress: Option<Section>,
    /// Lines of the whole object.
    pub origin: Origin,
    /// Lines of what chooses the subject; of the whole object where nothing is written.
    pub subject_origin: Origin,
    /// Lines of what chooses the directions; of the whole object where nothing is written.
    pub directions_origin: Origin,
    /// Sections that are written but have no effect, because `policyTypes` leaves them out (N4).
    pub dead: Vec<(Direction, Section)>,
    /// What it says of findings of rules.
    pub acceptance: Option<Acceptance>,
    /// What its manifest says itself.
    pub written: Written,
}

/// What a policy's manifest says itself and leaves to no default. No flow depends on it; rules ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The namespace; also where whoever deploys the policy says it (M1).
    pub namespace: bool,
    /// `policyTypes`, with something in it (N3).
    pub directions: bool,
    /// `ingress`, be it empty.
    pub ingress: bool,
}

/// Identity of a policy, the same before and after.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId {
    /// Namespace; `None` for cluster-wide kinds.
    pub namespace: Option<Arc<str>>,
    /// Name.
    pub name: Box<str>,
    /// Kind.
    pub kind: PolicyKind,
}

/// `namespace/name`, or the name alone for cluster-wide kinds.
impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The kinds of policy that are modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// `networking.k8s.io/v1` NetworkPolicy.
    NetworkPolicy,
}

/// The tiers in the order in which they decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Before NetworkPolicies.
    Admin,
    /// NetworkPolicies: a section isolates its subject and its rules allow (N1, N9).
    NetworkPolicy,
    /// After NetworkPolicies, for pods that none of them isolates.
    Baseline,
}

/// What a matching rule does. NetworkPolicies have `Allow` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The traffic is allowed.
    Allow,
    /// The traffic is denied.
    Deny,
    /// The rest of the tier is skipped.
    Pass,
}

/// Which end of a connection a policy speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Traffic to the subject.
    Ingress,
    /// Traffic from the subject.
    Egress,
}

impl Direction {
    /// Both directions, ingress first.
    pub const BOTH: [Direction; 2] = [Direction::Ingress, Direction::Egress];

    /// `ingress` or `egress`.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The pods that a policy is about: matching pods in matching namespaces.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The namespaces; for a NetworkPolicy its own (N2).
    pub namespaces: NamespaceMatch,
    /// The pods in them.
    pub pods: Selector,
}

/// A choice of namespaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamespaceMatch {
    /// The one of this name (N2, S1).
    Name(Arc<str>),
    /// Those whose labels match (S2, S3, S7).
    Labels(Selector),
}

/// The rules of one direction. For the NetworkPolicy tier its presence alone isolates the subject
/// in that direction (N1, N5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The rules as written, in order.
    pub rules: Vec<Rule>,
    /// Lines of the section; of the whole policy where it is not written.
    pub origin: Origin,
}

/// Any of the peers AND any of the ports (N8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it does with what it matches.
    pub action: Action,
    /// The other ends. `None`: any, inside and outside the cluster (N6). Never empty.
    pub peers: Option<Vec<Peer>>,
    /// The destination ports. `None`: all ports of all protocols (N7). Never empty.
    pub ports: Option<Vec<PortMatch>>,
    /// Lines of the rule.
    pub origin: Origin,
}

/// One entry of a rule's `from` or `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Whom it matches.
    pub kind: PeerKind,
    /// Lines of the entry.
    pub origin: Origin,
}

/// Whom a peer matches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerKind {
    /// Pods only, never addresses outside (X1).
    Pods {
        /// The namespaces to look in.
        namespaces: NamespaceMatch,
        /// The pods in them.
        pods: Selector,
    },
    /// Addresses (I1, I2, I3).
    Block(IpBlock),
}

/// A range of addresses of one family with holes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpBlock {
    /// The range, host bits masked (I4).
    pub cidr: IpNet,
    /// The holes: inside `cidr`, masked, sorted.
    pub except: Vec<IpNet>,
}

/// One entry of a rule's `ports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMatch {
    /// The protocol; TCP where none is written (P1).
    pub protocol: Protocol,
    /// The ports of that protocol.
    pub ports: Ports,
    /// Lines of the entry.
    pub origin: Origin,
}

/// Ports of one protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ports {
    /// All of them (N7).
    All,
    /// Numbers from the first to the second, both included, 1 to 65535 (P2, P4).
    Range(u16, u16),
    /// Whatever number the destination pod gives this name (P3).
    Named(Box<str>),
}

/// The protocols that policies can name (P5, P6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// All of them, in the order of every output.
    pub const ALL: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

    /// `TCP`, `UDP` or `SCTP`.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Policy {
    /// What the policy says of a direction.
    pub fn section(&self, direction: Direction) -> Option<&Section> {
        match direction {
            Direction::Ingress => self.ingress.as_ref(),
            Direction::Egress => self.egress.as_ref(),
        }
    }
}

impl Policy {
    /// True iff the two say the same as written, rules in any order; names and lines play no part.
    pub fn same_meaning(&self, other: &Self) -> bool {
        let same = |direction| match (self.section(direction), other.section(direction)) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                let within = |a: &Section, b: &Section| {
                    a.rules.iter().all(|rule| b.rules.iter().any(|r| r.same_meaning(rule)))
                };
                within(a, b) && within(b, a)
            }
            _ => false,
        };
        self.tier == other.tier
            && self.priority == other.priority
            && self.subject == other.subject
            && Direction::BOTH.into_iter().all(same)
    }
}

impl Rule {
    /// True iff the two rules mean the same as written: action, peers and ports, in any order;
    /// where they stand plays no part.
    pub fn same_meaning(&self, other: &Self) -> bool {
        let peers = |rule: &Self| {
            rule.peers.as_ref().map(|peers| {
                let mut kinds: Vec<_> = peers.iter().map(|peer| peer.kind.clone()).collect();
                kinds.sort();
                kinds.dedup();
                kinds
            })
        };
        let ports = |rule: &Self| {
            rule.ports.as_ref().map(|ports| {
                let mut ports: Vec<_> =
                    ports.iter().map(|p| (p.protocol, p.ports.clone())).collect();
                ports.sort();
                ports.dedup();
                ports
            })
        };
        self.action == other.action && peers(self) == peers(other) && ports(self) == ports(other)
    }
}
