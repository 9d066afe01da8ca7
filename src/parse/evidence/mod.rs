//! What stands beside what policies look at: see [`crate::model::Evidence`].
//!
//! Reading it changes nothing else. Documents that are only evidence still play no part: they are not counted,
//! and one that can't be read is passed over without a word, as all of them were before anything was read of
//! them. Inside of objects that play a part, evidence is read with a budget of its own.

mod at;
mod declared;
mod operators;
mod pods;
mod resolve;
mod service;
#[cfg(test)]
mod tests;
mod text;

pub(super) use pods::Mentions;
pub(super) use resolve::{Mentioned, resolve};

use super::doc::{Doc, NodeId};
use super::file::Reader;
use super::kinds;
use super::split::Document;
use super::workload::Draft;
use super::{limits, names, sniff, yaml};
use crate::model::{Need, Obsolete, ObsoleteKind, Origin, Service};
use at::At;
use declared::Declared;
use memchr::memmem;
use std::sync::Arc;

/// The annotation of a Namespace that once denied all ingress.
const ISOLATION: &str = "net.beta.kubernetes.io/network-policy";

/// The evidence of a file.
#[derive(Debug)]
pub(super) struct FileEvidence {
    /// Services in file order.
    pub services: Vec<Arc<Service>>,
    /// Needs of others than workloads.
    pub needs: Vec<Need>,
    /// ConfigMaps that mention something.
    pub config_maps: Vec<pods::ConfigMap>,
    /// See [`crate::model::Evidence::custom`].
    pub custom: Vec<Arc<str>>,
    /// See [`crate::model::Evidence::deployed`].
    pub deployed: Vec<Arc<str>>,
    /// What Kubernetes no longer knows.
    pub obsolete: Vec<Obsolete>,
    /// How many more bytes of mentions are kept, about.
    room: usize,
}

impl Default for FileEvidence {
    fn default() -> Self {
        Self {
            services: Vec::new(),
            needs: Vec::new(),
            config_maps: Vec::new(),
            custom: Vec::new(),
            deployed: Vec::new(),
            obsolete: Vec::new(),
            room: limits::MENTIONS,
        }
    }
}

impl FileEvidence {
    /// The places of all that is in it, apart from what drafts mention.
    pub(super) fn origins(&mut self) -> impl Iterator<Item = &mut Origin> {
        let services = self.services.iter_mut().map(|service| &mut Arc::make_mut(service).origin);
        let needs = self.needs.iter_mut().map(|need| &mut need.origin);
        let entries = self.config_maps.iter_mut().flat_map(|map| &mut map.entries);
        let obsolete = self.obsolete.iter_mut().map(|found| &mut found.origin);
        services.chain(needs).chain(entries.map(|entry| &mut entry.origin)).chain(obsolete)
    }
}

/// Who an object is and where it stands.
struct Named<'f> {
    namespace: Arc<str>,
    name: &'f str,
    file: &'f Arc<str>,
}

/// What an object can be evidence of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Evident {
    Service,
    ConfigMap,
    Ingress,
    Route,
    Webhooks,
    ApiService,
    CustomResource,
    ServiceMonitor,
    PodMonitor,
    /// It deploys into this namespace, or else into its own if the second says so.
    Deploys(&'static [&'static str], bool),
    MakesPods,
}

fn evident(group: &str, kind: &str) -> Option<Evident> {
    Some(match (group, kind) {
        ("", "Service") => Evident::Service,
        ("", "ConfigMap") => Evident::ConfigMap,
        ("networking.k8s.io" | "extensions", "Ingress") => Evident::Ingress,
        ("gateway.networking.k8s.io", "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute") => {
            Evident::Route
        }
        (
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration",
        ) => Evident::Webhooks,
        ("apiregistration.k8s.io", "APIService") => Evident::ApiService,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Evident::CustomResource,
        ("monitoring.coreos.com", "ServiceMonitor") => Evident::ServiceMonitor,
        ("monitoring.coreos.com", "PodMonitor") => Evident::PodMonitor,
        ("helm.toolkit.fluxcd.io" | "helm.fluxcd.io", "HelmRelease")
        | ("helm.cattle.io", "HelmChart") => Evident::Deploys(&["spec", "targetNamespace"], true),
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => {
            Evident::Deploys(&["spec", "targetNamespace"], false)
        }
        ("argoproj.io", "Application") => {
            Evident::Deploys(&["spec", "destination", "namespace"], false)
        }
        ("argoproj.io", "ApplicationSet") => {
            Evident::Deploys(&["spec", "template", "spec", "destination", "namespace"], false)
        }
        _ if operators::makes_pods(group, kind) => Evident::MakesPods,
        _ => return None,
    })
}

/// May a document of this kind, which plays no part, be evidence?
fn worth_parsing(kind: &str, bytes: &[u8]) -> bool {
    match kind {
        "ConfigMap" => text::may_mention(bytes),
        "CustomResourceDefinition" => memmem::find(bytes, b"lientConfig").is_some(),
        "Service"
        | "Ingress"
        | "HTTPRoute"
        | "GRPCRoute"
        | "TLSRoute"
        | "TCPRoute"
        | "ValidatingWebhookConfiguration"
        | "MutatingWebhookConfiguration"
        | "APIService"
        | "ServiceMonitor"
        | "PodMonitor"
        | "HelmRelease"
        | "HelmChart"
        | "Application"
        | "ApplicationSet" => true,
        kind => operators::is_named(kind),
    }
}

/// The part of a CustomResourceDefinition that says who converts, with the number of lines before it. The
/// rest is schemas, which can be huge.
fn conversion(text: &str) -> Option<(&str, u32)> {
    let mut start = None;
    let mut offset = 0;
    for (number, line) in (0..).zip(text.split_inclusive('\n')) {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        match start {
            None if (1..=4).contains(&indent) && content.trim_end() == "conversion:" => {
                start = Some((offset, number, indent));
            }
            Some((from, before, own)) if indent <= own && !content.trim_end().is_empty() => {
                return text.get(from..offset).map(|part| (part, before));
            }
            _ => {}
        }
        offset += line.len();
    }
    let (from, before, _) = start?;
    text.get(from..).map(|part| (part, before))
}

impl Reader<'_> {
    /// Reads a document that plays no part, if it can be evidence. Its kind was seen: see [`super::skip`].
    pub(super) fn evidence_alone(&mut self, document: &Document<'_>, kind: &str) {
        let bytes = document.bytes;
        let rendered = !self.surroundings.in_chart || !sniff::helm(bytes);
        if self.surroundings.inventory
            || !rendered
            || !worth_parsing(kind, bytes)
            || sniff::ytt(bytes)
        {
            return;
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let (text, before) = match kind {
            "CustomResourceDefinition" => match conversion(text) {
                Some(part) => part,
                None => return,
            },
            _ => (text, 0),
        };
        let Ok(parsed) = yaml::parse(text, document.first_line + before) else { return };
        let (Some(doc), None) = (&parsed.doc, parsed.trailing) else { return };
        if kind == "CustomResourceDefinition" {
            // Its own name says nothing of who converts.
            let named = Named { namespace: "".into(), name: "", file: self.file };
            let mut declared = Declared { named: &named, needs: Vec::new() };
            At::new(doc, Doc::ROOT)
                .get("conversion")
                .into_iter()
                .for_each(|at| declared.conversion(at));
            return self.read.evidence.needs.append(&mut declared.needs);
        }
        let api_version = doc.text(Doc::ROOT, "apiVersion").unwrap_or_default();
        self.evidence(doc, Doc::ROOT, api_version, kind);
    }

    /// Reads what an object of a kind that plays no part is evidence of.
    pub(super) fn evidence(&mut self, doc: &Doc<'_>, node: NodeId, api_version: &str, kind: &str) {
        if self.ytt || self.surroundings.inventory {
            return;
        }
        if let Some(evident) = evident(kinds::group(api_version), kind) {
            doc.aside(|| self.evident(At::new(doc, node), evident));
        }
    }

    fn evident(&mut self, object: At<'_>, evident: Evident) -> Option<()> {
        let metadata = object.get("metadata");
        let text = |key| metadata.and_then(|metadata| metadata.text(key));
        let name = text("name").or_else(|| text("generateName"))?;
        let namespace = text("namespace").unwrap_or(&self.config.default_namespace);
        let named = Named { namespace: pods::namespace(namespace)?, name, file: self.file };
        let read = &mut self.read.evidence;
        let mut declared = Declared { named: &named, needs: Vec::new() };
        match evident {
            Evident::Service if names::dns_label(name).is_ok() => {
                read.services.extend(service::read(object, &named).map(Arc::new));
            }
            Evident::Service => {}
            Evident::ConfigMap => {
                read.config_maps.extend(pods::config_map(object, &named, &mut read.room));
            }
            Evident::Ingress => declared.ingress(object),
            Evident::Route => declared.route(object),
            Evident::Webhooks => declared.webhooks(object),
            Evident::ApiService => declared.api_service(object),
            Evident::CustomResource => {
                object
                    .path(&["spec", "conversion"])
                    .into_iter()
                    .for_each(|at| declared.conversion(at));
            }
            Evident::ServiceMonitor => declared.service_monitor(object),
            Evident::PodMonitor => declared.pod_monitor(object),
            Evident::MakesPods => read.custom.push(named.namespace.clone()),
            // Into another cluster.
            Evident::Deploys(..) if object.path(&["spec", "kubeConfig"]).is_some() => {}
            Evident::Deploys(path, own) => {
                let stated = object.path(path).and_then(At::string).filter(|text| !text.is_empty());
                let namespace = match stated {
                    Some(stated) => pods::namespace(stated),
                    None => own.then(|| named.namespace.clone()),
                };
                read.deployed.extend(namespace);
            }
        }
        read.needs.append(&mut declared.needs);
        Some(())
    }

    /// Reads what a workload says beside what policies look at.
    pub(super) fn evidence_of_pods(
        &mut self,
        doc: &Doc<'_>,
        node: NodeId,
        kind: &str,
        draft: &mut Draft,
    ) {
        doc.aside(|| {
            let Some(template) = pods::template(At::new(doc, node), kind) else { return };
            if let Some(workload) = Arc::get_mut(&mut draft.workload) {
                pods::describe(template, workload);
            }
            if !self.surroundings.inventory {
                let mentions = pods::mentions(template, self.file, &mut self.read.evidence.room);
                draft.mentions = mentions.map(Arc::new);
            }
        });
    }

    /// Notes a policy of a version that was removed.
    pub(super) fn obsolete_policy(
        &mut self,
        doc: &Doc<'_>,
        node: NodeId,
        namespace: Arc<str>,
        name: &str,
    ) {
        let object = At::new(doc, node);
        let what = ObsoleteKind::PolicyVersion;
        doc.aside(|| {
            self.obsolete(object.get("apiVersion").unwrap_or(object), what, namespace, name)
        });
    }

    /// Notes a Namespace with the annotation that once denied all ingress.
    pub(super) fn obsolete_annotation(&mut self, doc: &Doc<'_>, node: NodeId, name: &str) {
        let what = ObsoleteKind::NamespaceAnnotation;
        doc.aside(|| {
            let annotations = At::new(doc, node).path(&["metadata", "annotations"]);
            if let Some(annotation) = annotations.and_then(|annotations| annotations.get(ISOLATION))
            {
                self.obsolete(annotation, what, name.into(), name);
            }
        });
    }

    fn obsolete(&mut self, at: At<'_>, what: ObsoleteKind, namespace: Arc<str>, name: &str) {
        if !self.surroundings.inventory && at.copy(name.len()) {
            let origin = at.origin(self.file);
            self.read.evidence.obsolete.push(Obsolete {
                origin,
                what,
                namespace,
                name: name.into(),
            });
        }
    }
}
