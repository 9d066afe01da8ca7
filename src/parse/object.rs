//! Objects of a document: which they are, what becomes of them, and what is said of the rest.

use super::de::{self, Fault, Notes};
use super::doc::{Doc, DocError, NodeId, View};
use super::file::Reader;
use super::kinds::{self, Kind};
use super::place::Place;
use super::scalar::Scalar;
use super::workload::{self, Metadata};
use super::{Affects, Problem, Sort, limits, meant, names, policy, selector, sniff};
use crate::model::{ACCEPTANCE, Acceptance, Namespace, WorkloadId};
use crate::tree::digest;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde::Deserialize;
use std::sync::Arc;

/// The object that is being read.
#[derive(Clone, Copy)]
struct Object<'o> {
    doc: &'o Doc<'o>,
    node: NodeId,
    api_version: &'o str,
    kind: &'o str,
}

impl Reader<'_> {
    /// Reads an object, or the objects of a list. `implied`: `apiVersion` and `kind` of the items
    /// of a typed list that don't say theirs.
    pub(super) fn object(&mut self, doc: &Doc<'_>, node: NodeId, implied: Option<(&str, &str)>) {
        match doc.view(node) {
            View::Map => {}
            View::Seq(items) if node == Doc::ROOT => return self.bare_list(doc, items),
            _ => return,
        }
        let header = match Header::read(doc, node) {
            Ok(header) => header,
            Err(error) => return self.headless(doc, node, &error),
        };
        let (implied_version, implied_kind) = implied.unwrap_or_default();
        let object = Object {
            doc,
            node,
            api_version: header.api_version.unwrap_or(implied_version),
            kind: header.kind.unwrap_or(implied_kind),
        };
        let kind = kinds::of(object.api_version, object.kind);
        match kind {
            Kind::Other => {
                if header.items.is_none() {
                    self.evidence(doc, node, object.api_version, object.kind);
                }
                return self.other(&object, &header);
            }
            Kind::List => {
                if self.surroundings.inventory {
                    self.facts(doc, node);
                }
                return self.list(&object, "items");
            }
            _ if header.items.is_some() => {
                let reason = "kubectl takes an object with `items` as a list and ignores the rest \
                              of it, other programs do not; remove `items`";
                return self.undecided(&object, reason);
            }
            Kind::Template => {
                self.parameters = doc.get(node, "parameters").map(|list| parameters(doc, list));
                self.list(&object, "objects");
                self.parameters = None;
                return;
            }
            _ => self.read.relevant += 1,
        }
        let faults = self.read_object(&object, kind);
        if let Err(fault) = faults {
            self.refused(&object, &fault);
        }
    }

    /// A list as the whole document, which nothing applies to a cluster.
    fn bare_list(&mut self, doc: &Doc<'_>, items: &[NodeId]) {
        let Some(node) = items.iter().copied().find(|item| plays_a_part(doc, *item)) else {
            return;
        };
        let header = Header::read(doc, node).unwrap_or_default();
        let object = Object {
            doc,
            node,
            api_version: header.api_version.unwrap_or_default(),
            kind: header.kind.unwrap_or_default(),
        };
        let reason = "kubectl takes no list as a whole document; write the objects as documents \
                      of their own, or as `items` of a `kind: List`";
        self.undecided(&object, reason);
    }

    /// It can't be told what an object is.
    fn headless(&mut self, doc: &Doc<'_>, node: NodeId, error: &DocError) {
        let kind = doc.values(node, "kind").find_map(|kind| match doc.view(kind) {
            View::Scalar(Scalar::Text(kind)) => Some(kind),
            _ => None,
        });
        let merges = doc.values(node, "<<").next().is_some();
        if !merges && !kind.is_some_and(meant::worth_parsing) {
            return;
        }
        let object = Object { doc, node, api_version: "", kind: kind.unwrap_or_default() };
        let reason = format!("the object was not read: {}", error.message);
        let fault = Fault { line: error.line, path: String::new(), message: String::new() };
        self.read.relevant += 1;
        self.problem(&object, &fault, reason, Affects::Anything);
    }

    /// An object that plays no part as it is written: is it one for kubectl all the same, or
    /// could it be meant as one?
    fn other(&mut self, object: &Object<'_>, header: &Header<'_>) {
        let doc = object.doc;
        let holds_objects = |items| doc.items(items).iter().any(|item| plays_a_part(doc, *item));
        if header.kind.is_some() && header.items.is_some_and(holds_objects) {
            let reason = "kubectl applies the objects in `items` of an object of any kind, other \
                          programs do not; write `kind: List`";
            return self.undecided(object, reason);
        }
        if header.two_kinds(doc, object.node) {
            let reason = "`kind` is written more than once, of which kubectl takes the last; \
                          remove the others";
            return self.undecided(object, reason);
        }
        let Some((reason, namespaced)) = header.mistake() else {
            return;
        };
        let (namespace, _) = self.identity(object);
        let certain = names::dns_label(&namespace).is_ok() && !object.odd_namespace();
        let affects = match namespaced && certain {
            true => Affects::Namespace(namespace),
            false => Affects::Anything,
        };
        self.read.relevant += 1;
        let fault = Place::root(doc, object.node).fault("");
        self.sorted(object, &fault, reason, affects, Sort::Refused);
    }

    /// Programs read the object in different ways, so it is not read at all.
    fn undecided(&mut self, object: &Object<'_>, reason: &str) {
        self.read.relevant += 1;
        let fault = Place::root(object.doc, object.node).fault("");
        self.problem(object, &fault, reason.into(), Affects::Anything);
    }

    fn list(&mut self, list: &Object<'_>, key: &str) {
        let Some(items) = list.doc.get(list.node, key) else {
            return;
        };
        let implied = match list.kind.strip_suffix("List") {
            Some("") | None => None,
            Some(kind) => Some((list.api_version, kind)),
        };
        for item in list.doc.items(items) {
            if let Err(error) = list.doc.spend(*item, 100) {
                let fault = Fault { line: error.line, path: key.into(), message: error.message };
                let reason = format!("the rest of the list was not read: {}", fault.message);
                return self.problem(list, &fault, reason, Affects::Anything);
            }
            self.object(list.doc, *item, implied);
        }
    }

    fn read_object(&mut self, object: &Object<'_>, kind: Kind) -> Result<(), Fault> {
        if self.ytt {
            let place = Place::root(object.doc, object.node);
            return Err(place.fault("it is a ytt template; render it first"));
        }
        match kind {
            Kind::NetworkPolicy => self.policy(object)?,
            Kind::Namespace => self.namespace(object)?,
            Kind::UnmodelledPolicy { cluster } => self.unmodelled(object, cluster),
            Kind::PolicyInput => {
                let reason = format!(
                    "`{}` of `{}` is not evaluated yet; policies may mean something else by it now, \
                     check those that refer to it",
                    object.kind, object.api_version
                );
                let place = Place::root(object.doc, object.node);
                self.problem(object, &place.fault(""), reason, Affects::Perhaps);
            }
            _ => self.workload(object, kind)?,
        }
        Ok(())
    }

    fn policy(&mut self, object: &Object<'_>) -> Result<(), Fault> {
        let (policy, notes): (NetworkPolicy, Notes) = de::decode(object.doc, object.node)?;
        let (namespace, _) = self.identity(object);
        let metadata = &policy.metadata;
        let name = metadata
            .name
            .as_deref()
            .filter(|name| !name.is_empty())
            .or(metadata.generate_name.as_deref())
            .unwrap_or_default()
            .trim_end_matches('-');
        let place = Place::root(object.doc, object.node);
        let mut remarks = policy::Remarks::default();
        let identity = (&namespace, name);
        let mut lowered =
            policy::lower(&policy, identity, &place, self.file, self.config, &mut remarks)?;
        lowered.acceptance = self.acceptance(object);
        lowered.written.namespace = self.placed(object);
        self.read.policies.push(Arc::new(lowered));
        for warning in remarks.warnings {
            self.problem(object, &warning, warning.to_string(), Affects::Nothing);
        }
        for fault in remarks.unsupported.into_iter().take(limits::NOTES) {
            let affects = Affects::Namespace(namespace.clone());
            self.problem(object, &fault, fault.to_string(), affects);
        }
        self.notes(object, notes, &namespace);
        Ok(())
    }

    /// Unknown and repeated fields (M4).
    fn notes(&mut self, object: &Object<'_>, notes: Notes, namespace: &Arc<str>) {
        let aside =
            |path: &str| path.starts_with("metadata.") && !path.starts_with("metadata.labels");
        let affects = |fault: &Fault| match aside(&fault.path) {
            true => Affects::Nothing,
            false => Affects::Namespace(namespace.clone()),
        };
        for fault in notes.unknown.into_iter().take(limits::NOTES) {
            if fault.path == "status" {
                continue;
            }
            let advice = match fault.path.rsplit_once('.') {
                Some((parent, "ports")) if parent.ends_with(']') => {
                    "; `ports` belongs beside the list of peers, not inside a peer"
                }
                _ => "; correct or remove it",
            };
            let reason = format!(
                "{fault}, so kubectl refuses the policy or the API server drops the field; read \
                 without it{advice}"
            );
            self.sorted(object, &fault, reason, affects(&fault), Sort::UnknownField);
        }
        for fault in notes.duplicates.into_iter().take(limits::NOTES) {
            let reason = format!("{fault}; the last one was read, remove the others");
            self.problem(object, &fault, reason, affects(&fault));
        }
    }

    fn namespace(&mut self, object: &Object<'_>) -> Result<(), Fault> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Written {
            metadata: Metadata,
        }
        let (written, notes): (Written, Notes) = de::decode_part(object.doc, object.node)?;
        let place = Place::root(object.doc, object.node);
        let metadata = place.key("metadata");
        let name = written.metadata.any_name();
        selector::check(names::dns_label(name), name, &metadata.key("name"))?;
        let (labels, _) = workload::lower_labels(&written.metadata.labels, &metadata, self.file)?;
        self.notes(object, notes, &name.into());
        self.obsolete_annotation(object.doc, object.node, name);
        self.read.namespaces.push(Arc::new(Namespace {
            name: name.into(),
            labels,
            origin: place.origin(self.file),
            acceptance: self.acceptance(object),
        }));
        Ok(())
    }

    /// What an object says of findings of rules.
    fn acceptance(&self, object: &Object<'_>) -> Option<Acceptance> {
        let place = Place::root(object.doc, object.node);
        let metadata = object.doc.get(object.node, "metadata")?;
        let annotations = object.doc.get(metadata, "annotations")?;
        let text = object.doc.text(annotations, ACCEPTANCE)?.into();
        let (metadata, origin) = (place.key("metadata"), self.file);
        let origin = metadata.key("annotations").key(ACCEPTANCE).origin(origin);
        Some(Acceptance { text, origin })
    }

    fn workload(&mut self, object: &Object<'_>, kind: Kind) -> Result<(), Fault> {
        let (namespace, _) = self.identity(object);
        let place = Place::root(object.doc, object.node);
        let metadata = place.key("metadata");
        selector::check(names::dns_label(&namespace), &namespace, &metadata.key("namespace"))?;
        let lowering = workload::Object {
            kind: object.kind,
            namespace: &namespace,
            placed: self.placed(object),
            place: &place,
            file: self.file,
            host_network_pods: self.config.host_network_pods,
            inventory: self.surroundings.inventory,
        };
        let (mut draft, notes) = match kind {
            Kind::Pod => {
                let (pod, notes) = de::decode_part(object.doc, object.node)?;
                (lowering.pod(&pod)?, notes)
            }
            Kind::CronJob => {
                let (job, notes) = de::decode_part(object.doc, object.node)?;
                (Some(lowering.cron_job(&job)?), notes)
            }
            _ => {
                let (controller, notes) = de::decode_part(object.doc, object.node)?;
                (lowering.controller(&controller)?, notes)
            }
        };
        self.notes(object, notes, &namespace);
        if draft.is_none() {
            let (_, name) = self.identity(object);
            let (name, kind) = (name.into(), object.kind.into());
            self.read.without_pods.push(WorkloadId { namespace, name, kind });
        }
        if let Some(draft) = &mut draft {
            self.evidence_of_pods(object.doc, object.node, object.kind, draft);
        }
        self.read.workloads.extend(draft);
        Ok(())
    }

    fn unmodelled(&mut self, object: &Object<'_>, cluster: bool) {
        let affects = match cluster {
            true => Affects::Anything,
            false => Affects::Namespace(self.identity(object).0),
        };
        let place = Place::root(object.doc, object.node);
        let reason = match (object.api_version, object.kind) {
            (version, "NetworkPolicy") if kinds::group(version) == "extensions" => {
                let (namespace, name) = self.identity(object);
                self.obsolete_policy(object.doc, object.node, namespace, &name);
                format!("`{version}` was removed from Kubernetes; write `networking.k8s.io/v1`")
            }
            (version, "NetworkPolicy") if kinds::group(version) == "networking.k8s.io" => {
                format!("Kubernetes has no `{version}`; write `networking.k8s.io/v1`")
            }
            (version, kind) => {
                format!(
                    "`{kind}` of `{version}` is not evaluated yet; what it allows or denies is not in this report"
                )
            }
        };
        self.problem(object, &place.fault(""), reason, affects);
    }

    /// Namespace and name of an object as far as they can be told.
    fn identity(&self, object: &Object<'_>) -> (Arc<str>, String) {
        let metadata = object.doc.get(object.node, "metadata");
        let text = |key| metadata.and_then(|node| object.doc.text(node, key));
        let namespace = text("namespace")
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or(&self.config.default_namespace);
        let name = text("name").or_else(|| text("generateName"));
        (namespace.into(), name.unwrap_or_default().to_string())
    }

    /// Does somebody say which namespace an object is in: its manifest, or whoever deploys it?
    fn placed(&self, object: &Object<'_>) -> bool {
        let metadata = object.doc.get(object.node, "metadata");
        let namespace = metadata.and_then(|node| object.doc.text(node, "namespace"));
        let deployer = self.surroundings.rendered.is_some_and(|built| built.namespace.is_some());
        deployer || namespace.is_some_and(|namespace| !namespace.is_empty())
    }

    /// The object is left out.
    fn refused(&mut self, object: &Object<'_>, fault: &Fault) {
        let (namespace, name) = self.identity(object);
        let kind = kinds::of(object.api_version, object.kind);
        let affects = match kind {
            Kind::Namespace => Affects::Namespace(name.into()),
            _ if names::dns_label(&namespace).is_err() || object.odd_namespace() => {
                Affects::Anything
            }
            _ => Affects::Namespace(namespace),
        };
        let placeholder = sniff::placeholder(&fault.message);
        let reason = match placeholder {
            true => {
                format!("{fault}; it holds a template's placeholder, render the template first")
            }
            false => format!("the API server would refuse it: {fault}"),
        };
        let sort = if placeholder || self.ytt { Sort::Other } else { Sort::Refused };
        self.sorted(object, fault, reason, affects, sort);
    }

    fn problem(&mut self, object: &Object<'_>, fault: &Fault, reason: String, affects: Affects) {
        self.sorted(object, fault, reason, affects, Sort::Other);
    }

    fn sorted(
        &mut self,
        object: &Object<'_>,
        fault: &Fault,
        reason: String,
        affects: Affects,
        sort: Sort,
    ) {
        let (namespace, name) = self.identity(object);
        let kind = kinds::of(object.api_version, object.kind);
        let cluster = matches!(kind, Kind::Namespace | Kind::UnmodelledPolicy { cluster: true });
        let name = match (name.is_empty(), cluster || kind == Kind::PolicyInput) {
            (true, _) => None,
            (false, true) => Some(name),
            (false, false) => Some(format!("{namespace}/{name}")),
        };
        self.push(Problem {
            file: self.file.clone(),
            line: Some(fault.line),
            kind: Some(object.kind.to_string()),
            name,
            reason,
            affects,
            identity: self.identity_of(object),
            sort,
        });
    }

    /// Identifies an object, with the defaults of those parameters that it names if it is one of a Template.
    fn identity_of(&self, object: &Object<'_>) -> u128 {
        let own = object.doc.digest(object.node);
        let Some(parameters) = &self.parameters else { return own };
        let mut named = Vec::new();
        mentions(object.doc, object.node, parameters, &mut named);
        if named.is_empty() {
            return own;
        }
        let mut identity = own.to_be_bytes().to_vec();
        for parameter in parameters.iter().filter(|parameter| named.contains(&parameter.reference))
        {
            identity.extend(parameter.identity.to_be_bytes());
        }
        digest(&identity)
    }
}

/// A parameter of a Template.
pub(super) struct Parameter {
    /// `{NAME}`, as `${NAME}` and `${{NAME}}` have it.
    reference: String,
    identity: u128,
}

fn parameters(doc: &Doc<'_>, list: NodeId) -> Vec<Parameter> {
    let items = doc.items(list).iter();
    items
        .filter_map(|item| {
            let reference = format!("{{{}}}", doc.text(*item, "name")?);
            Some(Parameter { reference, identity: doc.digest(*item) })
        })
        .collect()
}

/// Gathers the references that the texts of a node have to parameters.
fn mentions(doc: &Doc<'_>, node: NodeId, parameters: &[Parameter], named: &mut Vec<String>) {
    let mut text = |text: &str| {
        for parameter in parameters {
            if text.contains(&parameter.reference) && !named.contains(&parameter.reference) {
                named.push(parameter.reference.clone());
            }
        }
    };
    match doc.view(node) {
        View::Scalar(Scalar::Text(scalar)) => text(scalar),
        View::Scalar(_) => {}
        View::Seq(items) => {
            if doc.spend(node, items.len()).is_ok() {
                items.iter().for_each(|item| mentions(doc, *item, parameters, named));
            }
        }
        View::Map => {
            let entries = doc.entries(node).unwrap_or_default().entries;
            entries.iter().for_each(|entry| text(&entry.key));
            entries.iter().for_each(|entry| mentions(doc, entry.value, parameters, named));
        }
    }
}

/// True iff an object plays a part, or a list holds such an object, or it can't be told.
pub(super) fn plays_a_part(doc: &Doc<'_>, node: NodeId) -> bool {
    match doc.view(node) {
        View::Scalar(_) => false,
        View::Seq(items) => items
            .iter()
            .any(|item| matches!(doc.view(*item), View::Map) && plays_a_part(doc, *item)),
        View::Map => Header::read(doc, node).map_or(true, |header| {
            let kind = header.kind.unwrap_or_default();
            kinds::of(header.api_version.unwrap_or_default(), kind) != Kind::Other
                || (header.kind.is_some() && header.items.is_some())
                || header.two_kinds(doc, node)
                || header.mistake().is_some()
        }),
    }
}

/// What tells what an object is.
#[derive(Default)]
struct Header<'o> {
    /// `apiVersion`, if it is a string.
    api_version: Option<&'o str>,
    /// `kind`, if it is a string.
    kind: Option<&'o str>,
    /// `items`, whatever it is.
    items: Option<NodeId>,
    /// `metadata` or `spec` is a map.
    has_body: bool,
}

impl<'o> Header<'o> {
    fn read(doc: &'o Doc<'o>, node: NodeId) -> Result<Self, DocError> {
        let mut header = Header::default();
        for entry in doc.entries(node)?.entries {
            let text = match doc.view(entry.value) {
                View::Scalar(Scalar::Text(text)) => Some(text),
                _ => None,
            };
            match entry.key.as_ref() {
                "apiVersion" => header.api_version = text,
                "kind" => header.kind = text,
                "items" => header.items = Some(entry.value),
                "metadata" | "spec" => {
                    header.has_body |= matches!(doc.view(entry.value), View::Map);
                }
                _ => {}
            }
        }
        Ok(header)
    }

    /// `kind` is written more than once, and one of them plays a part.
    fn two_kinds(&self, doc: &Doc<'_>, node: NodeId) -> bool {
        doc.values(node, "kind").nth(1).is_some()
            && doc.values(node, "kind").any(|kind| match doc.view(kind) {
                View::Scalar(Scalar::Text(kind)) => meant::worth_parsing(kind),
                _ => false,
            })
    }

    /// See [`meant::mistake`].
    fn mistake(&self) -> Option<(String, bool)> {
        meant::mistake(meant::Written {
            api_version: self.api_version,
            kind: self.kind,
            has_body: self.has_body,
        })
    }
}

impl Object<'_> {
    /// A namespace is written, but it is no string, or it can't be told.
    fn odd_namespace(&self) -> bool {
        let unclear = |node| self.doc.entries(node).is_err();
        let written = self.doc.values(self.node, "metadata").any(unclear);
        if unclear(self.node) || written {
            return true;
        }
        let metadata = self.doc.get(self.node, "metadata");
        let written = metadata.and_then(|metadata| self.doc.get(metadata, "namespace"));
        written.is_some_and(|node| {
            !matches!(self.doc.view(node), View::Scalar(Scalar::Null | Scalar::Text(_)))
        })
    }
}
