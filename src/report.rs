//! What a review says: the data that every format renders, and the JSON contract itself.
//!
//! Field names and values are a contract (`schemaVersion` 1): they may be added to, not changed.

pub mod environments;
mod finding;
mod inventory;
pub mod merged;
pub mod ports;
mod row;

pub use row::{
    Admission, AdmittedBy, Assumption, Cause, CauseKind, DeclaredPeers, Exception, ExceptionKind,
    ExternalPeers, Listed, Location, Peers, PodPeers, PortRange, Row, RowRule, RuleRef, Severity,
    Side, Undeclared, Witness,
};

pub use finding::{Finding, Fix, FixKind, Fixed, Ignored, Message, Part, Persona};
pub use inventory::{Inventory, date};

use serde::Serialize;
use std::collections::BTreeSet;

/// The version of the JSON shape.
pub const SCHEMA_VERSION: u32 = 1;

/// The outcome of comparing two snapshots.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who wrote the report.
    pub tool: Tool,
    /// The side before the change.
    pub before: Snapshot,
    /// The side after the change.
    pub after: Snapshot,
    /// The verdict.
    pub result: Verdict,
    /// False as soon as an entry of `not_evaluated` hides a flow or a widening.
    pub exact: bool,
    /// What changed, for each environment.
    pub environments: Vec<Environment>,
    /// Everything that was not evaluated, in the order of files and lines.
    pub not_evaluated: Vec<NotEvaluated>,
    /// How much was read.
    pub read: ReadCounts,
    /// What was declared by an inventory, in the order in which its files were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inventory: Vec<Inventory>,
    /// What kept builds away from the network, where something was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
}

/// What keeps a tool that builds away from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// The kernel: a network namespace without a way out.
    Namespace,
    /// That every proxy and every protocol of git points nowhere, which a tool could pass over. The system allows no
    /// namespaces here.
    Proxies,
    /// Nothing: it was asked for.
    None,
}

/// How much was read, on both sides together. An inventory is not part of it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ReadCounts {
    /// Manifest files.
    pub files: usize,
    /// Documents in them, whatever their kind.
    pub documents: usize,
    /// Policies that were understood.
    pub policies: usize,
    /// Workloads that were understood.
    pub workloads: usize,
}

impl ReadCounts {
    /// Adds what another part of a run read.
    pub fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.documents += other.documents;
        self.policies += other.policies;
        self.workloads += other.workloads;
    }
}

/// The program that made a report.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// `netpol-review`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl Tool {
    /// This program.
    pub const fn this() -> Self {
        Self { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") }
    }
}

/// Where one side came from.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    /// `directory` or `git`.
    pub source: &'static str,
    /// The directory, or the revision as the user wrote it.
    pub name: String,
    /// The full commit id, for git.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// The verdict on a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing opened, nothing closed.
    Unchanged,
    /// Something closed, nothing opened.
    Narrowed,
    /// Something opened, whatever closed.
    Widened,
    /// Nothing is known to have opened, but something that could hide a widening was not evaluated.
    Unknown,
}

impl Verdict {
    /// The verdict on what opened, what closed, and what is hidden.
    pub fn of(opened: bool, closed: bool, hidden: bool) -> Self {
        match (opened, closed, hidden) {
            (true, _, _) => Verdict::Widened,
            (_, _, true) => Verdict::Unknown,
            (_, true, _) => Verdict::Narrowed,
            (false, false, false) => Verdict::Unchanged,
        }
    }
}

/// The changes of one environment.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// Its name; `default` where there is one only.
    pub name: String,
    /// What is allowed now and was not, most severe first.
    pub opened: Vec<Row>,
    /// What was allowed and is not any more.
    pub closed: Vec<Row>,
    /// Findings of rules.
    pub findings: Vec<Finding>,
    /// Findings that are accepted: they count for nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Ignored>,
    /// The concrete table, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<Change>>,
    /// Figures on the whole.
    pub summary: Summary,
    /// In a report that is merged for people, the environments that have all this.
    #[serde(skip)]
    pub same_in: Vec<String>,
    /// These are all that there are.
    #[serde(skip)]
    pub everywhere: bool,
    /// What the change makes of it other than by the lines of a manifest.
    #[serde(skip)]
    pub made: Made,
}

/// What the change touches of things that tools build, or that are deployed otherwise than before. Which line of which
/// file makes something of what they hold is a guess, so any of the edits may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The files that they are made of, and those that say how.
    pub of: BTreeSet<String>,
    /// Those files that the change edits, adds or removes and that decide what becomes of them.
    pub by: BTreeSet<String>,
}

impl Environment {
    /// The files with an edit that may bring a row about.
    pub fn edited_for(&self, row: &Row) -> BTreeSet<String> {
        let causes = row.causes.iter();
        let files = causes.flat_map(|cause| cause.files.iter().chain([&cause.location.file]));
        self.with_made(files.cloned().collect())
    }

    /// The files with an edit that may bring a finding about: also those of the rows that the same lines open.
    pub fn edited_for_finding(&self, finding: &Finding) -> BTreeSet<String> {
        let rows = self.opened.iter().filter(|row| row.is_caused_in(&finding.location));
        let mut files: BTreeSet<String> = rows.flat_map(|row| self.edited_for(row)).collect();
        files.insert(finding.location.file.clone());
        self.with_made(files)
    }

    fn with_made(&self, mut files: BTreeSet<String>) -> BTreeSet<String> {
        if !files.is_disjoint(&self.made.of) {
            files.extend(self.made.by.iter().cloned());
        }
        files
    }
}

/// Figures on the changes of an environment.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Number of opened rows.
    pub opened_rows: usize,
    /// Number of closed rows.
    pub closed_rows: usize,
    /// Edits of policies that change no flow, in words (R3).
    pub without_effect: Vec<String>,
    /// For declared workloads that an opened or closed row leads to: from how many declared
    /// workloads each can be reached, before and after. In the order of their names.
    pub reach: Vec<ReachCount>,
}

/// From how many declared workloads one workload can be reached, on any port.
#[derive(Clone, Debug, Serialize)]
pub struct ReachCount {
    /// `namespace/name[Kind]`.
    pub workload: String,
    /// Before the change; absent where the workload did not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<usize>,
    /// After the change; absent where the workload does not exist any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<usize>,
}

/// Something that was not evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotEvaluated {
    /// The side on which it stands; both where it is the same on both.
    pub side: Side,
    /// Path of the file.
    pub file: String,
    /// Line, from 1; absent where the whole file is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Kind of the object, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name of the object (`namespace/name` where it has one), where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why, and what to do.
    pub reason: String,
    /// What it could hide.
    pub hides: Hides,
    /// The environments in which it could, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
}

/// What something that was not evaluated could hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hides {
    /// Nothing: it is outside what is read.
    Nothing,
    /// A flow that exists on both sides alike.
    Flow,
    /// A flow that opens with this change.
    Widening,
}

/// An end of a concrete connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    /// A declared workload.
    Workload {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// Kind.
        kind: String,
    },
    /// Addresses outside the cluster.
    External {
        /// As in [`ExternalPeers::cidrs`].
        cidrs: Vec<String>,
    },
}

/// A pair of declared ends whose ports differ before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Change {
    pub source: Endpoint,
    pub destination: Endpoint,
    pub before: Vec<PortRange>,
    pub after: Vec<PortRange>,
}

/// A pair of declared ends that may talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Connection {
    pub source: Endpoint,
    pub destination: Endpoint,
    pub ports: Vec<PortRange>,
}

/// The effective reachability of one snapshot.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// False as soon as an entry of `not_evaluated` hides a flow.
    pub exact: bool,
    /// All pairs that may talk, by source, then destination.
    pub connections: Vec<Connection>,
    /// The declared workloads that nothing isolates, by direction.
    pub unisolated: Unisolated,
    /// As in [`Report::not_evaluated`].
    pub not_evaluated: Vec<NotEvaluated>,
    /// How much was read.
    pub read: ReadCounts,
    /// As in [`Report::inventory`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inventory: Vec<Inventory>,
}

/// Declared workloads without isolation, each `namespace/name[Kind]`, in order.
#[derive(Clone, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct Unisolated {
    pub ingress: Vec<String>,
    pub egress: Vec<String>,
}

/// The findings of one snapshot.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lint {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// Most severe first.
    pub findings: Vec<Finding>,
    /// What was mended in the files, where that was asked for, in the order in which it was done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<Fixed>,
    /// Findings that are accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Ignored>,
    /// As in [`Report::not_evaluated`].
    pub not_evaluated: Vec<NotEvaluated>,
    /// How much was read.
    pub read: ReadCounts,
    /// As in [`Report::inventory`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inventory: Vec<Inventory>,
}

/// The answer to "may this flow happen, and why".
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// True iff both ends allow the flow.
    pub allowed: bool,
    /// The source's end.
    pub egress: EndAnswer,
    /// The destination's end.
    pub ingress: EndAnswer,
    /// False as soon as an entry of `not_evaluated` could change the answer.
    pub exact: bool,
    /// As in [`Report::not_evaluated`].
    pub not_evaluated: Vec<NotEvaluated>,
    /// As in [`Report::inventory`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inventory: Vec<Inventory>,
}

/// One end's part of an [`Answer`].
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndAnswer {
    /// Does a policy isolate this end in this direction? Never for external addresses.
    pub isolated: bool,
    /// Does this end allow the flow?
    pub allowed: bool,
    /// The rules that allow it.
    pub by: Vec<RuleRef>,
    /// The policies that isolate this end, where no rule allows the flow.
    pub isolated_by: Vec<PolicyRef>,
}

/// A policy and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct PolicyRef {
    pub policy: String,
    pub location: Location,
}
