//! PEER and PORT: how people write the ends of a flow, and how witnesses are written for them.
//!
//! ```text
//! PEER  namespace/name            a declared workload, if only one kind has it
//!       namespace/name[Kind]      the same, said in full
//!       namespace/name,ip:10.1.2.3  the same at this address, where no manifest says its address
//!       10.1.2.3 | 2001:db8::1    an address outside the cluster
//!       namespace:NAME[,PART...]  a pod that is not declared, without labels unless a PART says them
//! PART  pod:key=value             a label of the pod; the value may be empty
//!       nslabel:key=value         a label of its namespace, where no manifest declares that
//!       key=value                 one more of the kind before
//!       port:name=TCP/8080        a port of its containers, for named ports
//!       ip:10.1.2.3               an address of the pod
//!       hostNetwork               the pod uses the node's network
//! PORT  TCP/5432 | udp/53 | 5432  TCP where no protocol is said
//! ```

use crate::eval::{End, Pod};
use crate::model::{
    Cluster, ContainerPort, Labels, NAMESPACE_NAME_LABEL, Protocol, Workload, WorkloadId,
};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

/// An end of a flow, and the declared workload that it stands for, if it is one.
#[derive(Clone, Debug)]
pub struct NamedEnd {
    /// What policies see.
    pub end: End,
    /// The workload.
    pub workload: Option<Arc<Workload>>,
}

/// Why a PEER is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// It is of none of the shapes.
    #[error(
        "`{0}` is neither a workload (`namespace/name`), nor an address, nor `namespace:NAME,pod:key=value` \
         for a pod that is not declared{hint}", hint = the_nearest(.1)
    )]
    Shape(String, Option<String>),
    /// It is a range of addresses.
    #[error("`{0}` is a range; name a single address, for example `{1}`")]
    Range(String, IpAddr),
    /// No declared workload has this name.
    #[error(
        "no workload `{name}` is declared{hint}; write `namespace:NAME,pod:key=value` for a pod that is not \
         declared", hint = the_nearest(.nearest)
    )]
    UnknownWorkload {
        /// As it was written.
        name: String,
        /// The declared workload with the most similar name.
        nearest: Option<String>,
    },
    /// Several declared workloads have this name.
    #[error("`{name}` can be any of {list}; write one of these in full", list = .candidates.join(", "))]
    AmbiguousWorkload {
        /// As it was written.
        name: String,
        /// All that it can be, each in full.
        candidates: Vec<String>,
    },
    /// A part of an undeclared pod.
    #[error("in `{peer}`, `{part}` {reason}")]
    Part {
        /// The whole.
        peer: String,
        /// The part.
        part: String,
        /// What is wrong with the part, and what to write.
        reason: String,
    },
}

/// Why a PORT is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The protocol is none that policies know.
    #[error(
        "`{0}` has the protocol `{1}`, which is none of TCP, UDP and SCTP; write for example `TCP/5432`"
    )]
    Protocol(String, String),
    /// The number is none.
    #[error("`{0}` has no port number from 1 to 65535; write for example `TCP/5432`")]
    Number(String),
}

fn the_nearest(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|nearest| format!("; the nearest is `{nearest}`")).unwrap_or_default()
}

/// Reads a PORT.
pub fn read_port(text: &str) -> Result<(Protocol, u16), PortError> {
    let (protocol, number) = text.split_once('/').unwrap_or(("TCP", text));
    let protocol = Protocol::ALL
        .into_iter()
        .find(|known| known.as_str().eq_ignore_ascii_case(protocol))
        .ok_or_else(|| PortError::Protocol(text.into(), protocol.into()))?;
    let number = number
        .parse()
        .ok()
        .filter(|&number| number != 0)
        .ok_or_else(|| PortError::Number(text.into()))?;
    Ok((protocol, number))
}

/// Reads a PEER: a workload of this side, an address, or a pod that is not declared.
pub fn read_peer(cluster: &Cluster, text: &str) -> Result<NamedEnd, PeerError> {
    if let Ok(address) = text.parse() {
        return Ok(NamedEnd { end: End::External(address), workload: None });
    }
    if let Some((address, length)) = text.split_once('/')
        && length.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(address) = address.parse()
    {
        return Err(PeerError::Range(text.into(), address));
    }
    if text.starts_with("namespace:") {
        return Ok(NamedEnd { end: End::Pod(read_pod(cluster, text)?), workload: None });
    }
    let (name, addresses) = match text.split_once(',') {
        Some((name, addresses)) => (name, Some(addresses)),
        None => (text, None),
    };
    if name.contains('/') && !name.contains([':', '=']) {
        let workload = find_workload(cluster, name)?;
        let mut pod = Pod::of_workload(cluster, &workload);
        for part in addresses.into_iter().flat_map(|parts| parts.split(',')) {
            assume_address(&workload, &mut pod, part).map_err(|reason| PeerError::Part {
                peer: text.into(),
                part: part.into(),
                reason,
            })?;
        }
        return Ok(NamedEnd { end: End::Pod(pod), workload: Some(workload) });
    }
    let nearest = (!text.contains([':', '='])).then(|| nearest_workload(cluster, text));
    Err(PeerError::Shape(text.into(), nearest.flatten()))
}

/// Writes an end so that [`read_peer`] on the same side reads it back: an address, or a pod in the
/// form for pods that are not declared (declared workloads are written as their [`WorkloadId`]).
///
/// Labels that the namespace's manifest gives are left out: a pod whose namespace is declared on this
/// side has to carry them.
pub fn write_peer(cluster: &Cluster, end: &End) -> String {
    let pod = match end {
        End::External(address) => return address.to_string(),
        End::Pod(pod) => pod,
    };
    let mut text = format!("namespace:{}", pod.namespace);
    // Writing to a string can't fail, here and below.
    let mut labels = |prefix: &str, labels: &mut dyn Iterator<Item = (&Box<str>, &Box<str>)>| {
        for (index, (key, value)) in labels.enumerate() {
            let prefix = if index == 0 { prefix } else { "" };
            let _ = write!(text, ",{prefix}{key}={value}");
        }
    };
    let known = cluster.namespace_labels(&pod.namespace);
    let mut unknown =
        pod.namespace_labels.iter().filter(|(key, value)| known.get(*key) != Some(*value));
    labels("nslabel:", &mut unknown);
    labels("pod:", &mut pod.labels.iter());
    for port in &pod.ports {
        let name = port.name.as_deref().unwrap_or_default();
        let _ = write!(text, ",port:{name}={}/{}", port.protocol, port.number);
    }
    for address in &pod.addresses {
        let _ = write!(text, ",ip:{address}");
    }
    if pod.host_network {
        text.push_str(",hostNetwork");
    }
    text
}

/// Gives a declared workload an address that its manifest leaves open.
fn assume_address(workload: &Workload, pod: &mut Pod, part: &str) -> Result<(), String> {
    let address = part
        .strip_prefix("ip:")
        .ok_or("can't be said of a declared workload; only `ip:ADDRESS` can")?;
    let address = read_address(address)?;
    if !workload.addresses.is_empty() && !workload.addresses.contains(&address) {
        let known: Vec<String> = workload.addresses.iter().map(ToString::to_string).collect();
        return Err(format!(
            "contradicts the manifest of `{}` ({}:{}), which has {}; leave it out",
            workload.id,
            workload.origin.file,
            workload.origin.start_line,
            known.join(", ")
        ));
    }
    pod.addresses.insert(address);
    Ok(())
}

fn read_address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "needs an IPv4 or IPv6 address after the colon".into())
}

/// The workload that is written as `namespace/name` or `namespace/name[Kind]`.
fn find_workload(cluster: &Cluster, text: &str) -> Result<Arc<Workload>, PeerError> {
    let named =
        |id: &WorkloadId| id.to_string() == text || format!("{}/{}", id.namespace, id.name) == text;
    // Pods of one owner that differ are `name#1`, `name#2`: `name` alone is any of them.
    let numbered = |id: &WorkloadId| {
        id.name.split_once('#').is_some_and(|(name, _)| {
            let short = format!("{}/{name}", id.namespace);
            short == text || format!("{short}[{}]", id.kind) == text
        })
    };
    let all = |matches: &dyn Fn(&WorkloadId) -> bool| -> Vec<&Arc<Workload>> {
        let found = cluster.workloads.iter();
        found.filter(|workload| matches(&workload.id)).collect()
    };
    let mut found = all(&named);
    if found.is_empty() {
        found = all(&numbered);
    }
    match found.as_slice() {
        [] => Err(PeerError::UnknownWorkload {
            name: text.into(),
            nearest: nearest_workload(cluster, text),
        }),
        [workload] => Ok(Arc::clone(workload)),
        several => Err(PeerError::AmbiguousWorkload {
            name: text.into(),
            candidates: several.iter().map(|w| w.id.to_string()).collect(),
        }),
    }
}

/// The declared workload whose name, with or without namespace and kind, is most like the text.
fn nearest_workload(cluster: &Cluster, text: &str) -> Option<String> {
    let likeness = |workload: &Arc<Workload>| {
        let WorkloadId { namespace, name, .. } = &workload.id;
        let spellings = [workload.id.to_string(), format!("{namespace}/{name}"), name.to_string()];
        let likeness = |spelling: &String| strsim::jaro_winkler(spelling, text);
        spellings.iter().map(likeness).fold(0.0, f64::max)
    };
    cluster
        .workloads
        .iter()
        .map(|workload| (likeness(workload), workload))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, workload)| workload.id.to_string())
}

/// Which labels a `key=value` without a prefix goes on with.
#[derive(Clone, Copy)]
enum LabelsOf {
    Namespace,
    Pod,
}

const PARTS: &str = "`pod:key=value`, `nslabel:key=value`, `port:name=TCP/8080`, `ip:ADDRESS` or \
                     `hostNetwork`";

/// Reads `namespace:NAME[,PART...]`.
fn read_pod(cluster: &Cluster, text: &str) -> Result<Pod, PeerError> {
    let mut pod = Pod::default();
    let mut labels_of = None;
    for (index, part) in text.split(',').enumerate() {
        let wrong =
            |reason: String| PeerError::Part { peer: text.into(), part: part.into(), reason };
        match part.split_once(':') {
            Some(("namespace", name)) if index == 0 => {
                if name.is_empty() || !name.bytes().all(is_name_byte) {
                    return Err(wrong("needs the name of a namespace after the colon".into()));
                }
                pod.namespace = name.into();
                pod.namespace_labels = cluster.namespace_labels(name);
            }
            Some(("namespace", _)) => {
                return Err(wrong("names a second namespace; a pod has one".into()));
            }
            Some(("pod", pair)) => {
                labels_of = Some(LabelsOf::Pod);
                add_pod_label(&mut pod.labels, pair).map_err(wrong)?;
            }
            Some(("nslabel", pair)) => {
                labels_of = Some(LabelsOf::Namespace);
                add_namespace_label(cluster, &mut pod, pair).map_err(wrong)?;
            }
            Some(("port", port)) => {
                pod.ports.insert(read_container_port(port).map_err(wrong)?);
            }
            Some(("ip", address)) => {
                pod.addresses.insert(read_address(address).map_err(wrong)?);
            }
            None if part == "hostNetwork" => pod.host_network = true,
            None if part.contains('=') => match labels_of {
                Some(LabelsOf::Pod) => add_pod_label(&mut pod.labels, part).map_err(wrong)?,
                Some(LabelsOf::Namespace) => {
                    add_namespace_label(cluster, &mut pod, part).map_err(wrong)?;
                }
                None => {
                    let reason = format!(
                        "does not say whose label it is; write `pod:{part}` or `nslabel:{part}`"
                    );
                    return Err(wrong(reason));
                }
            },
            _ => return Err(wrong(format!("is none of {PARTS}"))),
        }
    }
    Ok(pod)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn read_label(pair: &str) -> Result<(&str, &str), String> {
    let (key, value) =
        pair.split_once('=').ok_or("needs a label as `key=value`; the value may be empty")?;
    if key.is_empty() || !key.bytes().all(|byte| is_name_byte(byte) || byte == b'/') {
        return Err(format!("has `{key}`, which can't be a label key"));
    }
    if !value.bytes().all(is_name_byte) {
        return Err(format!("has `{value}`, which can't be a label value"));
    }
    Ok((key, value))
}

fn add_pod_label(labels: &mut Labels, pair: &str) -> Result<(), String> {
    let (key, value) = read_label(pair)?;
    match labels.insert(key.into(), value.into()) {
        Some(other) if *other != *value => Err(format!("gives `{key}` a second value")),
        _ => Ok(()),
    }
}

/// Labels of a declared namespace are those of its manifest: others would be another cluster.
fn add_namespace_label(cluster: &Cluster, pod: &mut Pod, pair: &str) -> Result<(), String> {
    let (key, value) = read_label(pair)?;
    let name = &pod.namespace;
    let previous = pod.namespace_labels.get(key).map(AsRef::as_ref);
    match previous {
        Some(same) if same == value => return Ok(()),
        Some(_) if key == NAMESPACE_NAME_LABEL => {
            return Err(format!(
                "contradicts the namespace `{name}`, whose label `{NAMESPACE_NAME_LABEL}` is its name"
            ));
        }
        _ => {}
    }
    if let Some(namespace) = cluster.namespaces.get(name) {
        let is = match previous {
            Some(value) => format!("gives it the value `{value}`"),
            None => "does not give it this label".into(),
        };
        return Err(format!(
            "contradicts the manifest of namespace `{name}` ({}:{}), which {is}; leave it out",
            namespace.origin.file, namespace.origin.start_line
        ));
    }
    if previous.is_some() {
        return Err(format!("gives `{key}` a second value"));
    }
    pod.namespace_labels.insert(key.into(), value.into());
    Ok(())
}

/// Reads `name=PORT`; without a name it is a port that no rule can name.
fn read_container_port(text: &str) -> Result<ContainerPort, String> {
    let (name, port) =
        text.split_once('=').ok_or("needs a named port as `name=TCP/8080` after the colon")?;
    let (protocol, number) = read_port(port).map_err(|error| format!("is wrong: {error}"))?;
    Ok(ContainerPort { name: (!name.is_empty()).then(|| name.into()), protocol, number })
}
