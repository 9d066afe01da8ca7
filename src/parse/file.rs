//! One file -> the objects in it and what of it was not understood.

use super::doc::{Doc, DocError};
use super::evidence::FileEvidence;
use super::inventory::Facts;
use super::kustomize::{self, Kustomization};
use super::object::Parameter;
use super::split::{self, Breaks, Document, ODD_BREAKS};
use super::workload::Draft;
use super::{Affects, Problem, Sort, json, limits, object, relocate, sniff, yaml};
use crate::config::{Config, HostNetworkPods};
use crate::model::{Namespace, Policy, WorkloadId};
use crate::tree::{Content, Rendered, digest, is_kustomization};
use std::borrow::Cow;
use std::cmp::Ordering;
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
    /// Objects that could make pods, and leave that to another object.
    pub without_pods: Vec<WorkloadId>,
    /// What an inventory says of itself.
    pub facts: Facts,
    /// What stands beside what policies look at.
    pub evidence: FileEvidence,
}

/// The documents of a chart's templates that need rendering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Helm {
    /// How many.
    pub documents: usize,
    /// How many of them could hold policies, workloads or namespaces.
    pub relevant: usize,
    /// How many of them tell nothing of what they hold.
    pub opaque: usize,
    /// One of them defines a template that others may use.
    pub defines: bool,
}

/// What a file is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings<'a> {
    /// It is below the `templates` directory of a Helm chart.
    pub in_chart: bool,
    /// It is part of a chart and no manifest by its name: a helper, or a packaged chart.
    pub chart_part: bool,
    /// It is an inventory: objects as a cluster has them, with their status.
    pub inventory: bool,
    /// It is no file but text that a tool built.
    pub rendered: Option<&'a Arc<Rendered>>,
}

/// All of the settings that what is read of a file depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assumed {
    pub default_namespace: String,
    pub host_network_pods: HostNetworkPods,
    pub end_port: bool,
    pub sctp: bool,
}

impl Assumed {
    /// Takes them from the settings.
    pub fn of(config: &Config) -> Self {
        let Config { default_namespace, host_network_pods, end_port, sctp, .. } = config;
        Self {
            default_namespace: default_namespace.clone(),
            host_network_pods: *host_network_pods,
            end_port: *end_port,
            sctp: *sctp,
        }
    }
}

/// What was read of a file that stands as it is, and under what circumstances.
struct Noted {
    path: Arc<str>,
    in_chart: bool,
    chart_part: bool,
    inventory: bool,
    assumed: Assumed,
    read: Arc<FileRead>,
}

/// [`read`], of a content for which that may have been done before.
pub(super) fn read_once(
    file: &Arc<str>,
    content: &Content,
    surroundings: Surroundings<'_>,
    config: &Assumed,
) -> Arc<FileRead> {
    let read = || Arc::new(read(file, content.bytes(), surroundings, config));
    let Surroundings { in_chart, chart_part, inventory, rendered: None } = surroundings else {
        return read();
    };
    let fits = |noted: &Noted| {
        noted.path == *file
            && (noted.in_chart, noted.chart_part, noted.inventory)
                == (in_chart, chart_part, inventory)
            && noted.assumed == *config
    };
    let (path, assumed) = (file.clone(), config.clone());
    let make = || Noted { path, in_chart, chart_part, inventory, assumed, read: read() };
    content.note(fits, make).read.clone()
}

/// Reads a file. Never fails: see [`FileRead::problems`].
pub(super) fn read(
    file: &Arc<str>,
    bytes: &[u8],
    surroundings: Surroundings<'_>,
    config: &Assumed,
) -> FileRead {
    let Some(rendered) = surroundings.rendered else {
        return read_as_it_stands(file, bytes, surroundings, config);
    };
    let namespace = rendered.namespace.as_ref();
    let config = namespace.map_or(Cow::Borrowed(config), |namespace| {
        Cow::Owned(Assumed { default_namespace: namespace.clone(), ..config.clone() })
    });
    let mut read = read_as_it_stands(file, bytes, surroundings, &config);
    relocate::relocate(&mut read, rendered);
    read
}

fn read_as_it_stands(
    file: &Arc<str>,
    bytes: &[u8],
    surroundings: Surroundings<'_>,
    config: &Assumed,
) -> FileRead {
    let mut reader = Reader {
        file,
        config,
        surroundings,
        read: FileRead::default(),
        ytt: false,
        parameters: None,
    };
    if surroundings.chart_part {
        reader.chart_part(bytes);
        return reader.read;
    }
    if let Some(what) = sniff::sealed(bytes) {
        let reason = format!("the file was not read: it is {what}");
        reader.whole_file(bytes, reason, Affects::Perhaps);
        return reader.read;
    }
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
    let manifest = surroundings.inventory || surroundings.rendered.is_some();
    if !manifest && is_kustomization(file) {
        reader.read.kustomization = std::str::from_utf8(bytes).ok().and_then(kustomize::read);
        if reader.read.kustomization.is_some() {
            reader.read.documents = 1;
            return reader.read;
        }
        if !sniff::manifest(bytes) {
            let reason = "the kustomization was not understood: kustomize would refuse it, or it is a \
                          template; correct it, or review what it renders to";
            reader.whole_file(bytes, reason.into(), Affects::Perhaps);
        }
    }
    if !reader.json(bytes) {
        reader.yaml(bytes);
    }
    reader.read
}

/// A file in the making; [`super::object`] holds what concerns single objects.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Arc<str>,
    pub(super) config: &'a Assumed,
    pub(super) surroundings: Surroundings<'a>,
    pub(super) read: FileRead,
    /// The current document has directives of ytt.
    pub(super) ytt: bool,
    /// The parameters of the Template whose objects are being read.
    pub(super) parameters: Option<Vec<Parameter>>,
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
        if memchr::memchr(0, start).is_some() {
            return false;
        }
        match json::parse(text) {
            Ok(docs) => {
                for doc in docs {
                    self.read.documents += 1;
                    self.object(&doc, Doc::ROOT, None);
                }
                true
            }
            Err(error) if json_name => {
                self.read.documents += 1;
                // JSON with comments is a format of other programs, and right as it is.
                if sniff::can_name_kind(bytes) || !sniff::json_comment(bytes) {
                    self.unreadable(text.as_bytes(), &error);
                }
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
            match document.passed_over() {
                Some(_) if sniff::wholly_templated(document.bytes) => self.document(&document),
                None => self.document(&document),
                Some("") => {
                    if !sniff::can_name_kind(document.bytes) {
                        self.no_object(&document);
                    }
                }
                Some(kind) => self.evidence_alone(&document, kind),
            }
        }
    }

    fn document(&mut self, document: &Document<'_>) {
        let refuse = |line, message: &str| DocError { line, message: message.into() };
        let first = document.first_line;
        if self.surroundings.in_chart && sniff::helm(document.bytes) {
            return self.template(document.bytes);
        }
        if sniff::wholly_templated(document.bytes) {
            return self.push(Problem {
                file: self.file.clone(),
                line: Some(first),
                kind: None,
                name: None,
                reason: "all that the document holds comes from other templates, which were not \
                         rendered; review what it renders to instead"
                    .into(),
                affects: Affects::Perhaps,
                identity: digest(document.bytes),
                sort: Sort::Other,
            });
        }
        let text = match std::str::from_utf8(document.bytes) {
            Ok(text) => text,
            Err(error) => {
                let line = document.line_at(error.valid_up_to());
                let error = refuse(line, "it is not UTF-8; save the file in that encoding");
                return self.unreadable(document.bytes, &error);
            }
        };
        if document.text_on_marker {
            let error = refuse(
                first,
                "kubectl takes nothing but a comment on a `---` line; write the text below it",
            );
            return self.unreadable(document.bytes, &error);
        }
        match Breaks::of(document.bytes) {
            Breaks::Nul => {
                let line = document.line_at(memchr::memchr(0, document.bytes).unwrap_or(0));
                let error = refuse(line, "it has NUL bytes, so it is not UTF-8; save it as that");
                return self.unreadable(document.bytes, &error);
            }
            Breaks::Odd(at) => return self.odd_breaks(document, text, at),
            Breaks::Usual | Breaks::Return => {}
        }
        match yaml::parse(text, first) {
            Ok(parsed) => {
                if let Some(line) = parsed.trailing {
                    let message =
                        "kubectl ignores what follows `...`; start a document with `---` instead";
                    self.unreadable(document.bytes, &refuse(line, message));
                }
                if let Some(doc) = &parsed.doc {
                    if doc.written(Doc::ROOT).is_some() && sniff::relevant(document.bytes) {
                        let message = "the whole of it is one text, not an object";
                        return self.unreadable(document.bytes, &refuse(first, message));
                    }
                    self.ytt = sniff::ytt(document.bytes);
                    self.object(doc, Doc::ROOT, None);
                }
            }
            Err(error) => self.unreadable(document.bytes, &error),
        }
    }

    /// A document that is no object for Kubernetes. If it is broken, somebody may want to know.
    fn no_object(&mut self, document: &Document<'_>) {
        // Directives alone are the start of a document to all but kubectl.
        let directives =
            document.lines().all(|line| matches!(line.first(), None | Some(b'%' | b'#')));
        if directives || sniff::template(document.bytes).is_some() {
            return;
        }
        if let Ok(text) = std::str::from_utf8(document.bytes)
            && let Err(error) = yaml::parse(text, document.first_line)
        {
            self.unreadable(document.bytes, &error);
        }
    }

    /// A document holds line breaks of YAML 1.1, which can make more lines of it for kubectl than
    /// anybody sees. It is not evaluated if it plays a part either way; such characters stand in
    /// prose as well, for example in a ConfigMap.
    fn odd_breaks(&mut self, document: &Document<'_>, text: &str, at: usize) {
        let broken = text.replace(ODD_BREAKS, "\n");
        let plays_a_part = [text, &broken].into_iter().any(|text| match yaml::parse(text, 1) {
            Ok(parsed) => {
                (parsed.trailing.is_some() && sniff::relevant(text.as_bytes()))
                    || parsed.doc.is_some_and(|doc| object::plays_a_part(&doc, Doc::ROOT))
            }
            Err(_) => sniff::relevant(text.as_bytes()),
        });
        if !plays_a_part {
            return;
        }
        self.read.relevant += 1;
        let found = text.get(at..).and_then(|text| text.chars().next()).unwrap_or_default();
        self.push(Problem {
            file: self.file.clone(),
            line: Some(document.line_at(at)),
            kind: None,
            name: None,
            reason: format!(
                "the document was not read: it holds the character U+{:04X}, which ends a line for \
                 kubectl but for hardly any other program; remove it, or write it as an escape in \
                 double quotes",
                u32::from(found)
            ),
            affects: Affects::Anything,
            identity: digest(document.bytes),
            sort: Sort::Other,
        });
    }

    /// A document of a chart that needs rendering.
    fn template(&mut self, bytes: &[u8]) {
        let helm = &mut self.read.helm;
        helm.documents += 1;
        helm.relevant += usize::from(sniff::relevant(bytes));
        helm.opaque += usize::from(sniff::wholly_templated(bytes));
        helm.defines |= sniff::defines(bytes);
    }

    /// A file of a chart that is no manifest by its name. Helm renders any file among the templates.
    fn chart_part(&mut self, bytes: &[u8]) {
        let packed = self.file.ends_with(".tgz") || sniff::sealed(bytes).is_some();
        self.read.helm.opaque += usize::from(packed);
        if !packed && sniff::relevant(bytes) {
            self.template(bytes);
        }
    }

    /// A document can't be parsed. One that is no object for certain hides nothing.
    pub(super) fn unreadable(&mut self, bytes: &[u8], error: &DocError) {
        let relevant = sniff::relevant(bytes);
        self.read.relevant += usize::from(relevant);
        let template = sniff::template(bytes);
        let reason = match template {
            Some(what) => format!(
                "the document looks like {what} and can't be read unrendered ({})",
                error.message
            ),
            None if relevant || sniff::can_name_kind(bytes) => {
                format!("the document was not read: {}", error.message)
            }
            None => format!(
                "the document was not read: {}; it has no `kind`, so it is no object for Kubernetes",
                error.message
            ),
        };
        self.push(Problem {
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
            sort: Sort::Other,
        });
    }

    /// Adds a problem. There is an end to them: a file with thousands is no manifest, and nobody
    /// reads them.
    pub(super) fn push(&mut self, problem: Problem) {
        match self.read.problems.len().cmp(&limits::PROBLEMS) {
            Ordering::Less => self.read.problems.push(problem),
            Ordering::Equal => self.read.problems.push(Problem {
                line: None,
                kind: None,
                name: None,
                reason: format!("the file has more than {} such entries", limits::PROBLEMS),
                affects: Affects::Anything,
                sort: Sort::Other,
                ..problem
            }),
            Ordering::Greater => {}
        }
    }

    fn whole_file(&mut self, bytes: &[u8], reason: String, affects: Affects) {
        self.push(Problem {
            file: self.file.clone(),
            line: None,
            kind: None,
            name: None,
            reason,
            affects,
            identity: digest(bytes),
            sort: Sort::Other,
        });
    }
}
