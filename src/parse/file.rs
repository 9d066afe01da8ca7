//! One file -> the objects in it and what of it was not understood.

use super::de::{self, Fault, Notes};
use super::doc::{Doc, DocError, NodeId, View};
use super::kinds::{self, Kind};
use super::kustomize::{self, Kustomization};
use super::place::Place;
use super::scalar::Scalar;
use super::split::{self, Document};
use super::workload::{self, Draft, Metadata};
use super::{Affects, Problem, json, limits, names, policy, selector, sniff, yaml};
use crate::config::Config;
use crate::model::{Namespace, Policy};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Everything that was found in one file.
#[derive(Debug, Default)]
pub(super) struct FileRead {
    /// Policies in file order.
    pub policies: Vec<Arc<Policy>>,
    /// Namespaces in file order.
    pub namespaces: Vec<Arc<Namespace>>,
    /// Workloads in file order.
    pub workloads: Vec<Draft>,
    /// What was not understood.
    pub problems: Vec<Problem>,
    /// Number of documents.
    pub documents: usize,
    /// Number of objects that play a part.
    pub relevant: usize,
    /// What was left to Helm: documents of a chart with template actions.
    pub helm: Helm,
    /// The file is a kustomization.
    pub kustomization: Option<Kustomization>,
}

/// The documents of a chart's templates that need rendering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Helm {
    /// How many.
    pub documents: usize,
    /// How many of them could hold policies, workloads or namespaces.
    pub relevant: usize,
}

/// What a file is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Surroundings {
    /// It is below the `templates` directory of a Helm chart.
    pub in_chart: bool,
}

/// Reads a file. Never fails: see [`FileRead::problems`].
pub(super) fn read(
    file: &Arc<str>,
    bytes: &[u8],
    surroundings: Surroundings,
    config: &Config,
) -> FileRead {
    let mut reader = Reader { file, config, surroundings, read: FileRead::default() };
    if bytes.len() > limits::FILE_BYTES {
        reader.whole_file(
            bytes,
            format!(
                "the file has more than {} MiB and was not read; split it",
                limits::FILE_BYTES >> 20
            ),
            Affects::Anything,
        );
        return reader.read;
    }
    if kustomize::is_kustomization(file)
        && let Some(found) = std::str::from_utf8(bytes).ok().and_then(kustomize::read)
    {
        reader.read.documents = 1;
        reader.read.kustomization = Some(found);
        return reader.read;
    }
    if !reader.json(bytes) {
        reader.yaml(bytes);
    }
    reader.read
}

/// An identity for bytes that were not understood.
pub(super) fn digest(bytes: &[u8]) -> u128 {
    let hash = Sha256::digest(bytes);
    hash.iter().take(16).fold(0, |digest, byte| (digest << 8) | u128::from(*byte))
}

struct Reader<'a> {
    file: &'a Arc<str>,
    config: &'a Config,
    surroundings: Surroundings,
    read: FileRead,
}

/// The object that is being read.
#[derive(Clone, Copy)]
struct Object<'o> {
    doc: &'o Doc<'o>,
    node: NodeId,
    /// The text of the document and its first line, for digests.
    text: &'o str,
    first_line: u32,
    api_version: &'o str,
    kind: &'o str,
}

impl Reader<'_> {
    /// Reads JSON, which kubectl knows by its first character. False: it is something else.
    fn json(&mut self, bytes: &[u8]) -> bool {
        let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let json_name = self.file.ends_with(".json");
        let brace = start.trim_ascii_start().starts_with(b"{");
        if !brace && !json_name {
            return false;
        }
        let Ok(text) = std::str::from_utf8(start) else {
            return false;
        };
        match json::parse(text) {
            Ok(docs) => {
                for doc in docs {
                    self.read.documents += 1;
                    self.object(&doc, Doc::ROOT, (text, 1), None);
                }
                true
            }
            Err(error) if json_name => {
                self.read.documents += 1;
                self.unreadable(text.as_bytes(), &error, 1);
                true
            }
            // A flow map of YAML looks the same at first.
            Err(_) => false,
        }
    }

    fn yaml(&mut self, bytes: &[u8]) {
        for document in split::documents(bytes) {
            self.read.documents += 1;
            if self.read.documents > limits::DOCUMENTS {
                let reason = format!(
                    "the file has more than {} documents; the rest was not read, split the file",
                    limits::DOCUMENTS
                );
                self.whole_file(bytes, reason, Affects::Anything);
                return;
            }
            if !document.skippable() {
                self.document(&document);
            }
        }
    }

    fn document(&mut self, document: &Document<'_>) {
        let refuse = |line, message: &str| DocError { line, message: message.into() };
        let first = document.first_line;
        if self.surroundings.in_chart && sniff::helm(document.bytes) {
            self.read.helm.documents += 1;
            self.read.helm.relevant += usize::from(sniff::relevant(document.bytes));
            return;
        }
        let text = match std::str::from_utf8(document.bytes) {
            Ok(text) => text,
            Err(error) => {
                let before = document.bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = first + memchr::memchr_iter(b'\n', before).count() as u32;
                let error = refuse(line, "it is not UTF-8; save the file in that encoding");
                return self.unreadable(document.bytes, &error, first);
            }
        };
        if document.text_on_marker {
            let error = refuse(
                first.saturating_sub(1).max(1),
                "kubectl takes nothing but a comment on a `---` line; write the text below it",
            );
            return self.unreadable(document.bytes, &error, first);
        }
        match yaml::parse(text, first) {
            Ok(parsed) => {
                if let Some(line) = parsed.trailing {
                    let message =
                        "kubectl ignores what follows `...`; start a document with `---` instead";
                    self.unreadable(document.bytes, &refuse(line, message), first);
                }
                if let Some(doc) = &parsed.doc {
                    self.object(doc, Doc::ROOT, (text, first), None);
                }
            }
            Err(error) => self.unreadable(document.bytes, &error, first),
        }
    }

    /// Reads an object, or the objects of a list. `implied`: `apiVersion` and `kind` of the items
    /// of a typed list that don't say theirs.
    fn object(
        &mut self,
        doc: &Doc<'_>,
        node: NodeId,
        (text, first_line): (&str, u32),
        implied: Option<(&str, &str)>,
    ) {
        if !matches!(doc.view(node), View::Map) {
            return;
        }
        let (implied_version, implied_kind) = implied.unwrap_or_default();
        let object = Object {
            doc,
            node,
            text,
            first_line,
            api_version: doc.text(node, "apiVersion").unwrap_or(implied_version),
            kind: doc.text(node, "kind").unwrap_or(implied_kind),
        };
        let kind = kinds::of(object.api_version, object.kind);
        match kind {
            Kind::Other => return,
            Kind::List => return self.list(&object, "items"),
            Kind::Template => return self.list(&object, "objects"),
            _ => self.read.relevant += 1,
        }
        let faults = self.read_object(&object, kind);
        if let Err(fault) = faults {
            self.refused(&object, &fault);
        }
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
                return self.unreadable(list.text.as_bytes(), &error, list.first_line);
            }
            self.object(list.doc, *item, (list.text, list.first_line), implied);
        }
    }

    fn read_object(&mut self, object: &Object<'_>, kind: Kind) -> Result<(), Fault> {
        if sniff::ytt(object.bytes()) {
            let place = Place::root(object.doc, object.node);
            return Err(place.fault("it is a ytt template; render it first"));
        }
        match kind {
            Kind::NetworkPolicy => self.policy(object)?,
            Kind::Namespace => self.namespace(object)?,
            Kind::UnmodelledPolicy { cluster } => self.unmodelled(object, cluster),
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
        let mut warnings = Vec::new();
        let lowered = policy::lower(&policy, (&namespace, name), &place, self.file, &mut warnings)?;
        self.read.policies.push(Arc::new(lowered));
        for warning in warnings {
            self.problem(object, &warning, warning.to_string(), Affects::Nothing);
        }
        self.notes(object, notes, &namespace);
        Ok(())
    }

    /// Unknown and repeated fields of a policy (M4).
    fn notes(&mut self, object: &Object<'_>, notes: Notes, namespace: &Arc<str>) {
        let affects = |fault: &Fault| match fault.path.starts_with("metadata.") {
            true => Affects::Nothing,
            false => Affects::Namespace(namespace.clone()),
        };
        for fault in notes.unknown {
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
            self.problem(object, &fault, reason, affects(&fault));
        }
        for fault in notes.duplicates {
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
        let (written, _): (Written, Notes) = de::decode(object.doc, object.node)?;
        let place = Place::root(object.doc, object.node);
        let metadata = place.key("metadata");
        let name = written.metadata.any_name();
        selector::check(names::dns_label(name), name, &metadata.key("name"))?;
        let (labels, _) = workload::lower_labels(&written.metadata.labels, &metadata, self.file)?;
        self.read.namespaces.push(Arc::new(Namespace {
            name: name.into(),
            labels,
            origin: place.origin(self.file),
        }));
        Ok(())
    }

    fn workload(&mut self, object: &Object<'_>, kind: Kind) -> Result<(), Fault> {
        let (namespace, _) = self.identity(object);
        let place = Place::root(object.doc, object.node);
        let metadata = place.key("metadata");
        selector::check(names::dns_label(&namespace), &namespace, &metadata.key("namespace"))?;
        let lowering = workload::Object {
            kind: object.kind,
            namespace: &namespace,
            place: &place,
            file: self.file,
        };
        let draft = match kind {
            Kind::Pod => Some(lowering.pod(&de::decode(object.doc, object.node)?.0)?),
            Kind::CronJob => Some(lowering.cron_job(&de::decode(object.doc, object.node)?.0)?),
            _ => lowering.controller(&de::decode(object.doc, object.node)?.0)?,
        };
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
            (version, "NetworkPolicy")
                if matches!(kinds::group(version), "extensions" | "networking.k8s.io") =>
            {
                format!("`{version}` was removed from Kubernetes; write `networking.k8s.io/v1`")
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
        let reason = match sniff::placeholder(&fault.message) {
            true => {
                format!("{fault}; it holds a template's placeholder, render the template first")
            }
            false => format!("the API server would refuse it: {fault}"),
        };
        self.problem(object, fault, reason, affects);
    }

    fn problem(&mut self, object: &Object<'_>, fault: &Fault, reason: String, affects: Affects) {
        let (namespace, name) = self.identity(object);
        let kind = kinds::of(object.api_version, object.kind);
        let cluster = matches!(kind, Kind::Namespace | Kind::UnmodelledPolicy { cluster: true });
        let name = match (name.is_empty(), cluster) {
            (true, _) => None,
            (false, true) => Some(name),
            (false, false) => Some(format!("{namespace}/{name}")),
        };
        self.read.problems.push(Problem {
            file: self.file.clone(),
            line: Some(fault.line),
            kind: Some(object.kind.to_string()),
            name,
            reason,
            affects,
            identity: digest(object.bytes()),
        });
    }

    /// A document can't be parsed. One that is no manifest is none of our business.
    fn unreadable(&mut self, bytes: &[u8], error: &DocError, _first_line: u32) {
        if !sniff::manifest(bytes) {
            return;
        }
        let relevant = sniff::relevant(bytes);
        self.read.relevant += usize::from(relevant);
        let template = sniff::template(bytes);
        let reason = match template {
            Some(what) => format!(
                "the document looks like {what} and can't be read unrendered ({})",
                error.message
            ),
            None => format!("the document was not read: {}", error.message),
        };
        self.read.problems.push(Problem {
            file: self.file.clone(),
            line: Some(error.line),
            kind: None,
            name: None,
            reason,
            affects: match relevant {
                true => Affects::Anything,
                false => Affects::Nothing,
            },
            identity: digest(bytes),
        });
    }

    fn whole_file(&mut self, bytes: &[u8], reason: String, affects: Affects) {
        self.read.problems.push(Problem {
            file: self.file.clone(),
            line: None,
            kind: None,
            name: None,
            reason,
            affects,
            identity: digest(bytes),
        });
    }
}

impl Object<'_> {
    /// A namespace is written, but it is no string.
    fn odd_namespace(&self) -> bool {
        let metadata = self.doc.get(self.node, "metadata");
        let written = metadata.and_then(|metadata| self.doc.get(metadata, "namespace"));
        written.is_some_and(|node| {
            !matches!(self.doc.view(node), View::Scalar(Scalar::Null | Scalar::Text(_)))
        })
    }

    /// The lines of the object.
    fn bytes(&self) -> &[u8] {
        let (start, end) = self.doc.lines(self.node);
        let skip = start.saturating_sub(self.first_line) as usize;
        let bytes = self.text.as_bytes();
        let mut breaks = memchr::memchr_iter(b'\n', bytes).map(|at| at + 1);
        let from = match skip {
            0 => 0,
            skip => breaks.nth(skip - 1).unwrap_or(0),
        };
        let to = breaks.nth(end.saturating_sub(start) as usize).unwrap_or(bytes.len());
        bytes.get(from..to).unwrap_or(bytes)
    }
}
