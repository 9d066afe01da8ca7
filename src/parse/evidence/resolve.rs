//! The evidence of the files of a side -> [`Evidence`]: names are looked up among the Services of that side.

use super::super::file::FileRead;
use super::super::limits;
use super::pods::{ConfigMap, Entry, Mentions, Taken};
use super::text::Host;
use crate::model::{
    Caller, Evidence, Need, Origin, PortRef, Service, Target, Workload, WorkloadId,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::sync::Arc;

/// What the workloads of a side mention.
pub(in super::super) type Mentioned<'f> = Vec<(&'f WorkloadId, &'f Arc<Mentions>)>;

/// Puts the evidence of a side together. `workloads`: those of the side; what a draft mentions counts
/// if one of them is named after it.
pub(in super::super) fn resolve<'f>(
    files: impl Iterator<Item = &'f FileRead> + Clone,
    mentioned: &Mentioned<'_>,
    workloads: &[Arc<Workload>],
) -> Evidence {
    let mut evidence = Evidence::default();
    let files = || files.clone().map(|file| &file.evidence);
    // Of several objects of one identity the last one is kept.
    let mut services: Vec<Arc<Service>> =
        files().flat_map(|file| &file.services).cloned().collect();
    services.reverse();
    services.sort_by(|one, other| key(one).cmp(&key(other)));
    services.dedup_by(|one, other| key(one) == key(other));
    let mut needs = Needs { services: &services, found: BTreeMap::new(), room: limits::NEEDS };
    let config: FxHashMap<_, &ConfigMap> = files()
        .flat_map(|file| &file.config_maps)
        .map(|map| ((&*map.namespace, &*map.name), map))
        .collect();
    for need in files().flat_map(|file| &file.needs) {
        needs.declared(need);
    }
    let here: FxHashSet<&WorkloadId> = workloads.iter().map(|workload| &workload.id).collect();
    for (id, mentions) in mentioned {
        if here.contains(id) {
            needs.of_workload(id, mentions, &config);
        }
    }
    let needs = needs.found.into_iter();
    let needs = needs.map(|((caller, target), origin)| Arc::new(Need { caller, target, origin }));
    evidence.needs = needs.collect();
    evidence.services = services;
    evidence.custom = files().flat_map(|file| &file.custom).cloned().collect();
    evidence.deployed = files().flat_map(|file| &file.deployed).cloned().collect();
    evidence.obsolete = files().flat_map(|file| &file.obsolete).cloned().collect();
    evidence.obsolete.sort();
    evidence
}

fn key(service: &Arc<Service>) -> (&str, &str) {
    (&service.namespace, &service.name)
}

/// The needs of a side in the making.
struct Needs<'s> {
    /// Those of the side, in order.
    services: &'s [Arc<Service>],
    found: BTreeMap<(Caller, Target), Origin>,
    /// How many more are looked at: many workloads can take one ConfigMap.
    room: usize,
}

impl Needs<'_> {
    fn known(&self, namespace: &str, name: &str) -> Option<&Arc<Service>> {
        let found = self.services.binary_search_by(|service| key(service).cmp(&(namespace, name)));
        found.ok().and_then(|index| self.services.get(index))
    }

    fn declared(&mut self, need: &Need) {
        if let Target::Service { namespace, name, .. } = &need.target
            && self.known(namespace, name).is_none()
        {
            return;
        }
        self.add(need.caller.clone(), need.target.clone(), &need.origin);
    }

    /// Of equal needs that which is written first counts.
    fn add(&mut self, caller: Caller, target: Target, origin: &Origin) {
        match self.found.entry((caller, target)) {
            Slot::Vacant(slot) => {
                slot.insert(origin.clone());
            }
            Slot::Occupied(mut slot) if origin < slot.get() => {
                slot.insert(origin.clone());
            }
            Slot::Occupied(_) => {}
        }
    }

    fn of_workload(
        &mut self,
        id: &WorkloadId,
        mentions: &Mentions,
        config: &FxHashMap<(&str, &str), &ConfigMap>,
    ) {
        // Each entry with the name that its variable has in the environment.
        let mut entries: Vec<(String, &Entry)> =
            mentions.entries.iter().map(|entry| (entry.variable.to_string(), entry)).collect();
        for taken in &mentions.config {
            let Some(map) = config.get(&(&*id.namespace, &*taken.map)) else { continue };
            for entry in &map.entries {
                let Some(rest) = self.room.checked_sub(1) else { return };
                self.room = rest;
                entries.extend(variable(taken, entry).map(|variable| (variable, entry)));
            }
        }
        let mut ports: FxHashMap<&str, u16> = FxHashMap::default();
        for (variable, entry) in &entries {
            ports.extend(variable.strip_suffix("_PORT").zip(entry.port));
        }
        for (variable, entry) in &entries {
            let paired = variable.strip_suffix("_HOST").and_then(|stem| ports.get(stem)).copied();
            if let (Some(host), Some(port)) = (&entry.host, paired) {
                self.of_host(id, host, Some(port), &entry.origin);
            }
            for mention in &entry.mentions {
                let port = mention.port.or(paired).or(mention.usual);
                self.of_host(id, &mention.host, port, &entry.origin);
            }
        }
    }

    fn of_host(&mut self, id: &WorkloadId, host: &Host, port: Option<u16>, origin: &Origin) {
        let Some(rest) = self.room.checked_sub(1) else { return };
        self.room = rest;
        let namespace = host.namespace.as_deref().unwrap_or(&id.namespace);
        let Some(service) = self.known(namespace, &host.name) else { return };
        let (namespace, name) = (service.namespace.clone(), service.name.clone());
        let target = Target::Service { namespace, name, port: port.map(PortRef::Number) };
        self.add(Caller::Workload(id.clone()), target, origin);
    }
}

/// The variable that takes an entry of a ConfigMap, if one does.
fn variable(taken: &Taken, entry: &Entry) -> Option<String> {
    match &taken.key {
        None => Some(format!("{}{}", taken.prefix, entry.variable)),
        Some((key, variable)) => (*key == entry.variable).then(|| variable.to_string()),
    }
}
