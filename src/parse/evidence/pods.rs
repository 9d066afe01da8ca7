//! What containers run, and which Services their environment, arguments and ConfigMaps name.

use super::super::names;
use super::Named;
use super::at::At;
use super::text::{self, Host, Mention};
use crate::model::{DnsPolicy, Origin, Protocol, Workload};
use std::sync::Arc;

/// Letters of the longest name of an object or a variable that is looked at.
const NAME: usize = 253;

/// What the containers of a workload mention.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Mentions {
    /// In their environment, arguments and command.
    pub entries: Vec<Entry>,
    /// In ConfigMaps that their environment takes.
    pub config: Vec<Taken>,
}

impl Mentions {
    /// The places of all of them.
    pub(in super::super) fn origins(&mut self) -> impl Iterator<Item = &mut Origin> {
        self.entries.iter_mut().map(|entry| &mut entry.origin)
    }
}

/// A text that mentions something.
#[derive(Clone, Debug)]
pub(in super::super) struct Entry {
    /// The variable, or the key of a ConfigMap; empty for an argument.
    pub variable: Box<str>,
    /// Names with ports and URLs in it.
    pub mentions: Vec<Mention>,
    /// The text as a whole, if the variable is called something like `X_HOST`.
    pub host: Option<Host>,
    /// The text as a whole, if the variable is called something like `X_PORT`.
    pub port: Option<u16>,
    /// Where it stands.
    pub origin: Origin,
}

/// What an environment takes from a ConfigMap of its namespace.
#[derive(Clone, Debug)]
pub(in super::super) struct Taken {
    /// The ConfigMap.
    pub map: Box<str>,
    /// What goes before the names of its keys.
    pub prefix: Box<str>,
    /// One key, with the variable that takes it; `None`: all keys.
    pub key: Option<(Box<str>, Box<str>)>,
}

/// A ConfigMap with what its texts mention.
#[derive(Clone, Debug)]
pub(in super::super) struct ConfigMap {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Box<str>,
    /// The keys that mention something.
    pub entries: Vec<Entry>,
}

/// Fills in what a pod, or a pod template, says beside what policies look at.
pub(super) fn describe(pod: At<'_>, workload: &mut Workload) {
    workload.injected = injected(pod);
    let Some(spec) = pod.get("spec") else { return };
    let text = |at: At<'_>, key| at.text(key).filter(|text| at.copy(text.len())).map(Into::into);
    let account =
        spec.text("serviceAccountName").map_or("serviceAccount", |_| "serviceAccountName");
    workload.service_account = text(spec, account);
    workload.dns_policy = match spec.text("dnsPolicy") {
        None | Some("ClusterFirst" | "ClusterFirstWithHostNet") => DnsPolicy::ClusterFirst,
        Some(_) => DnsPolicy::Other,
    };
    for container in spec.list("containers") {
        workload.images.extend(text(container, "image"));
        for port in container.list("ports") {
            let protocol = port.text("protocol").unwrap_or("TCP");
            let protocol = Protocol::ALL.into_iter().find(|found| found.as_str() == protocol);
            let host_port = port.get("hostPort").and_then(At::number);
            workload.host_ports.extend(protocol.zip(host_port));
        }
    }
}

/// Does a label or an annotation have a mesh add a sidecar?
fn injected(pod: At<'_>) -> bool {
    let Some(metadata) = pod.get("metadata") else { return false };
    let has = |of: &str, key: &str, value: &[&str]| {
        let text = metadata.get(of).and_then(|found| found.text(key));
        text.is_some_and(|text| value.is_empty() || value.contains(&text))
    };
    let istio = |of| has(of, "sidecar.istio.io/inject", &["true"]);
    (istio("labels") || istio("annotations") || has("labels", "istio.io/rev", &[]))
        || has("annotations", "linkerd.io/inject", &["enabled", "ingress"])
}

/// What the containers of a pod, or a pod template, mention, those included that run before the others.
/// `room`: how much more may be kept.
pub(super) fn mentions(pod: At<'_>, file: &Arc<str>, room: &mut usize) -> Option<Mentions> {
    let spec = pod.get("spec")?;
    let mut found = Mentions::default();
    for container in spec.list("containers").chain(spec.list("initContainers")) {
        for variable in container.list("env") {
            let name = variable.text("name").unwrap_or_default();
            if let Some(value) = variable.get("value") {
                found.entries.extend(entry(name, value, file, room));
            } else if let Some(key) = variable.path(&["valueFrom", "configMapKeyRef"])
                && let (Some(map), Some(key)) = (key.text("name"), key.text("key"))
                && [map, key, name].iter().all(|text| text.len() <= NAME)
                && take(room, key.len() + name.len() + map.len())
            {
                let (map, key) = (map.into(), Some((key.into(), name.into())));
                found.config.push(Taken { map, prefix: "".into(), key });
            }
        }
        for source in container.list("envFrom") {
            let prefix = source.text("prefix").unwrap_or_default();
            let map = source.get("configMapRef").and_then(|map| map.text("name"));
            if let Some(map) = map
                && [map, prefix].iter().all(|text| text.len() <= NAME)
                && take(room, prefix.len() + map.len())
            {
                let (map, prefix) = (map.into(), prefix.into());
                found.config.push(Taken { map, prefix, key: None });
            }
        }
        for argument in container.list("command").chain(container.list("args")) {
            found.entries.extend(entry("", argument, file, room));
        }
    }
    (!found.entries.is_empty() || !found.config.is_empty()).then_some(found)
}

/// Reads a ConfigMap. `None`: it mentions nothing.
pub(super) fn config_map(object: At<'_>, named: &Named<'_>, room: &mut usize) -> Option<ConfigMap> {
    let data = object.get("data")?.entries();
    let entries: Vec<_> =
        data.filter_map(|(key, value)| entry(&key, value, named.file, room)).collect();
    (!entries.is_empty()).then(|| ConfigMap {
        namespace: named.namespace.clone(),
        name: named.name.into(),
        entries,
    })
}

/// What one text mentions. `None`: nothing.
fn entry(variable: &str, value: At<'_>, file: &Arc<str>, room: &mut usize) -> Option<Entry> {
    let text = value.string()?;
    if variable.len() > NAME || !value.copy(text.len()) {
        return None;
    }
    let mentions = text::mentions(text);
    let ends = |word: &str| {
        let end = variable.len().checked_sub(word.len()).and_then(|from| variable.get(from..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    let host = if ends("host") { text::host(text) } else { None };
    let port = if ends("port") { text::port(text) } else { None };
    if mentions.is_empty() && host.is_none() && port.is_none() {
        return None;
    }
    let cost = variable.len() + 100 * (1 + mentions.len());
    let origin = value.origin(file);
    take(room, cost).then(|| Entry { variable: variable.into(), mentions, host, port, origin })
}

/// Takes some bytes of what may be kept. False: there are not so many.
fn take(room: &mut usize, bytes: usize) -> bool {
    let rest = room.checked_sub(bytes + 100);
    *room = rest.unwrap_or(*room);
    rest.is_some()
}

/// The pod, or the pod template, of an object that makes pods.
pub(super) fn template<'d>(object: At<'d>, kind: &str) -> Option<At<'d>> {
    match kind {
        "Pod" => Some(object),
        "CronJob" => object.path(&["spec", "jobTemplate", "spec", "template"]),
        _ => object.path(&["spec", "template"]),
    }
}

/// The name of the namespace that a text is.
pub(super) fn namespace(text: &str) -> Option<Arc<str>> {
    names::dns_label(text).is_ok().then(|| text.into())
}
