//! `networking.k8s.io/v1` NetworkPolicies -> [`Policy`], or what the API server would refuse
//! (V1-V10): such a policy is left out, never guessed at.

use super::cidr;
use super::de::{Fault, shorten};
use super::file::Assumed;
use super::names;
use super::place::Place;
use super::selector::{self, check};
use crate::model::{
    Action, Direction, IpBlock, NamespaceMatch, Origin, Peer, PeerKind, Policy, PolicyId,
    PolicyKind, PortMatch, Ports, Protocol, Rule, Section, Selector, Subject, Tier, Written,
};
use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::sync::Arc;

/// Lowers one decoded policy. `remarks` receives what is accepted but doubtful (I4), and what the
/// network plugin does not know (P5).
pub(super) fn lower(
    policy: &NetworkPolicy,
    (namespace, name): (&Arc<str>, &str),
    root: &Place<'_, '_>,
    file: &Arc<str>,
    config: &Assumed,
    remarks: &mut Remarks,
) -> Result<Policy, Fault> {
    let metadata = root.key("metadata");
    if name.is_empty() {
        return Err(metadata.key("name").fault("a policy needs a name"));
    }
    check(names::dns_subdomain(name), name, &metadata.key("name"))?;
    check(names::dns_label(namespace), namespace, &metadata.key("namespace"))?;
    let empty = NetworkPolicySpec::default();
    let spec = policy.spec.as_ref().unwrap_or(&empty);
    let place = root.key("spec");
    let mut lowering = Lowering { namespace, file, config, remarks };
    let pods = lowering.selector(spec.pod_selector.as_ref(), &place.key("podSelector"))?;
    let (ingress_on, egress_on) = directions(spec, &place)?;

    let ingress = place.key("ingress");
    let mut ingress_rules = Vec::new();
    for (i, rule) in spec.ingress.iter().flatten().enumerate() {
        let at = ingress.index(i);
        let (peers, ports) = (&rule.from, &rule.ports);
        ingress_rules.push(lowering.rule(peers.as_deref(), ports.as_deref(), "from", &at)?);
    }
    let egress = place.key("egress");
    let mut egress_rules = Vec::new();
    for (i, rule) in spec.egress.iter().flatten().enumerate() {
        let at = egress.index(i);
        let (peers, ports) = (&rule.to, &rule.ports);
        egress_rules.push(lowering.rule(peers.as_deref(), ports.as_deref(), "to", &at)?);
    }

    let origin = root.origin(file);
    let or_all = |at: Place<'_, '_>| if at.written() { at.origin(file) } else { origin.clone() };
    let subject_origin = or_all(place.key("podSelector"));
    let directions_origin = or_all(place.key("policyTypes"));
    let mut dead = Vec::new();
    let mut section = |direction, on, written: bool, rules, at: &Place<'_, '_>| {
        let section = Section {
            rules,
            origin: match written {
                true => at.origin(file),
                false => origin.clone(),
            },
        };
        match (on, written) {
            (true, _) => Some(section),
            (false, true) => {
                dead.push((direction, section));
                None
            }
            (false, false) => None,
        }
    };
    let ingress =
        section(Direction::Ingress, ingress_on, spec.ingress.is_some(), ingress_rules, &ingress);
    let egress =
        section(Direction::Egress, egress_on, spec.egress.is_some(), egress_rules, &egress);
    Ok(Policy {
        id: PolicyId {
            namespace: Some(namespace.clone()),
            name: name.into(),
            kind: PolicyKind::NetworkPolicy,
        },
        tier: Tier::NetworkPolicy,
        priority: 0,
        subject: Subject { namespaces: NamespaceMatch::Name(namespace.clone()), pods },
        ingress,
        egress,
        origin: origin.clone(),
        subject_origin,
        directions_origin,
        dead,
        acceptance: None,
        written: Written {
            namespace: false,
            directions: spec.policy_types.as_ref().is_some_and(|types| !types.is_empty()),
            ingress: spec.ingress.is_some(),
        },
    })
}

/// The directions that the policy is about (N3, V9).
fn directions(spec: &NetworkPolicySpec, place: &Place<'_, '_>) -> Result<(bool, bool), Fault> {
    let types = spec.policy_types.as_deref().unwrap_or_default();
    let place = place.key("policyTypes");
    if types.is_empty() {
        let egress = spec.egress.as_ref().is_some_and(|rules| !rules.is_empty());
        return Ok((true, egress));
    }
    if types.len() > 2 {
        return Err(place.fault("more than two entries; write `Ingress`, `Egress` or both"));
    }
    let mut directions = (false, false);
    for (i, direction) in types.iter().enumerate() {
        match direction.as_str() {
            "Ingress" => directions.0 = true,
            "Egress" => directions.1 = true,
            other => {
                return Err(place.index(i).fault(format!(
                    "`{}` is no policy type; write `Ingress` or `Egress`",
                    shorten(other)
                )));
            }
        }
    }
    Ok(directions)
}

/// What is to be said of a policy that is read.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    /// What is accepted but doubtful.
    pub warnings: Vec<Fault>,
    /// What was read as matching nothing because the network plugin does not know it.
    pub unsupported: Vec<Fault>,
}

struct Lowering<'a> {
    namespace: &'a Arc<str>,
    file: &'a Arc<str>,
    config: &'a Assumed,
    remarks: &'a mut Remarks,
}

impl Lowering<'_> {
    fn origin(&self, place: &Place<'_, '_>) -> Origin {
        place.origin(self.file)
    }

    /// A selector that matches everything where it is not set (N2).
    fn selector(
        &self,
        written: Option<&LabelSelector>,
        place: &Place<'_, '_>,
    ) -> Result<Selector, Fault> {
        match written {
            Some(written) => selector::lower(written, place),
            None => Ok(Selector::default()),
        }
    }

    fn rule(
        &mut self,
        peers: Option<&[NetworkPolicyPeer]>,
        ports: Option<&[NetworkPolicyPort]>,
        key: &str,
        place: &Place<'_, '_>,
    ) -> Result<Rule, Fault> {
        let written = place.key(key);
        let mut lowered_peers = Vec::new();
        for (i, peer) in peers.unwrap_or_default().iter().enumerate() {
            lowered_peers.push(self.peer(peer, &written.index(i))?);
        }
        let written = place.key("ports");
        let mut lowered_ports = Vec::new();
        for (i, port) in ports.unwrap_or_default().iter().enumerate() {
            let at = written.index(i);
            let lowered = self.port(port, &at)?;
            if lowered.protocol == Protocol::Sctp && !self.config.sctp {
                self.remarks.unsupported.push(at.fault(
                    "the network plugin does not know SCTP (`cluster.sctp` of the configuration), so \
                     nobody can say what it makes of this; read as matching nothing",
                ));
                continue;
            }
            lowered_ports.push(lowered);
        }
        // Absent, null and empty are the same: everything (N6, N7). A list whose entries all match
        // nothing is another matter.
        let all_ports = ports.unwrap_or_default().is_empty();
        Ok(Rule {
            action: Action::Allow,
            peers: (!lowered_peers.is_empty()).then_some(lowered_peers),
            ports: (!all_ports).then_some(lowered_ports),
            origin: self.origin(place),
        })
    }

    fn peer(&mut self, peer: &NetworkPolicyPeer, place: &Place<'_, '_>) -> Result<Peer, Fault> {
        let kind = match (&peer.ip_block, &peer.pod_selector, &peer.namespace_selector) {
            (None, None, None) => {
                return Err(place.fault(
                    "a peer needs `podSelector`, `namespaceSelector` or `ipBlock`; to match \
                     everything leave the whole list out",
                ));
            }
            (Some(block), None, None) => PeerKind::Block(self.block(block, &place.key("ipBlock"))?),
            (Some(_), _, _) => {
                return Err(place.fault(
                    "`ipBlock` can't stand together with `podSelector` or `namespaceSelector`; \
                     write two peers",
                ));
            }
            (None, pods, namespaces) => PeerKind::Pods {
                namespaces: match namespaces {
                    None => NamespaceMatch::Name(self.namespace.clone()),
                    Some(written) => NamespaceMatch::Labels(selector::lower(
                        written,
                        &place.key("namespaceSelector"),
                    )?),
                },
                pods: self.selector(pods.as_ref(), &place.key("podSelector"))?,
            },
        };
        Ok(Peer { kind, origin: self.origin(place) })
    }

    fn block(&mut self, block: &IPBlock, place: &Place<'_, '_>) -> Result<IpBlock, Fault> {
        let written = place.key("cidr");
        if block.cidr.is_empty() {
            return Err(written.fault("an `ipBlock` needs a `cidr`, for example `10.0.0.0/8`"));
        }
        let net = self.cidr(&block.cidr, &written)?;
        let written = place.key("except");
        let mut except = Vec::new();
        for (i, text) in block.except.iter().flatten().enumerate() {
            let at = written.index(i);
            let hole = self.cidr(text, &at)?;
            if !cidr::strictly_inside(&hole, &net) {
                let why = match cidr::family(&hole) == cidr::family(&net) {
                    true => format!("`{text}` is not inside `{}` and smaller", block.cidr),
                    false => format!(
                        "`{text}` is {} and `{}` is {}",
                        cidr::family(&hole),
                        block.cidr,
                        cidr::family(&net)
                    ),
                };
                return Err(at.fault(format!("{why}; an exception must be a part of its `cidr`")));
            }
            except.push(hole);
        }
        except.sort();
        except.dedup();
        Ok(IpBlock { cidr: net, except })
    }

    fn cidr(&mut self, text: &str, place: &Place<'_, '_>) -> Result<IpNet, Fault> {
        let Some(cidr) = cidr::parse(text) else {
            let advice = cidr::as_range(text).unwrap_or_else(|| "10.0.0.0/8".into());
            return Err(place
                .fault(format!("`{}` is no CIDR; write for example `{advice}`", shorten(text))));
        };
        if let Some(why) = cidr.sloppy {
            self.remarks.warnings.push(place.fault(format!(
                "`{text}` {why}: read as `{}`, but Kubernetes 1.36 and later refuse it; write `{0}`",
                cidr.net
            )));
        }
        Ok(cidr.net)
    }

    fn port(
        &mut self,
        port: &NetworkPolicyPort,
        place: &Place<'_, '_>,
    ) -> Result<PortMatch, Fault> {
        let protocol = match port.protocol.as_deref() {
            None => Protocol::Tcp,
            Some(text) => protocol(text, &place.key("protocol"))?,
        };
        let ports = match (&port.port, port.end_port) {
            (None, None) => Ports::All,
            (None, Some(_)) => {
                return Err(place.key("endPort").fault("`endPort` needs a `port` to start from"));
            }
            (Some(IntOrString::Int(first)), last) => {
                let first = number(*first, &place.key("port"))?;
                let last = match last {
                    None => first,
                    Some(last) => number(last, &place.key("endPort"))?,
                };
                if last < first {
                    return Err(place
                        .key("endPort")
                        .fault(format!("`{last}` is below the `port` {first}; swap them")));
                }
                Ports::Range(first, if self.config.end_port { last } else { first })
            }
            (Some(IntOrString::String(_)), Some(_)) => {
                return Err(place
                    .key("endPort")
                    .fault("`endPort` can't follow a port name; write a number as `port`"));
            }
            (Some(IntOrString::String(name)), None) => {
                let at = place.key("port");
                if name.parse::<u16>().is_ok() {
                    return Err(at.fault(format!(
                        "`\"{name}\"` in quotes is a port name, and a bad one; write {name} without \
                         quotes"
                    )));
                }
                check(names::port_name(name), name, &at)?;
                Ports::Named(name.as_str().into())
            }
        };
        Ok(PortMatch { protocol, ports, origin: self.origin(place) })
    }
}

/// A protocol that is written (V1).
pub(super) fn protocol(text: &str, place: &Place<'_, '_>) -> Result<Protocol, Fault> {
    Protocol::ALL.into_iter().find(|protocol| protocol.as_str() == text).ok_or_else(|| {
        place.fault(format!("`{}` is no protocol; write `TCP`, `UDP` or `SCTP`", shorten(text)))
    })
}

/// A port number (V2).
pub(super) fn number(number: i32, place: &Place<'_, '_>) -> Result<u16, Fault> {
    match u16::try_from(number) {
        Ok(number @ 1..) => Ok(number),
        _ => Err(place.fault(format!("`{number}` is no port; write a number from 1 to 65535"))),
    }
}
