//! What a review says: the data that every format renders, and the JSON contract itself.
//!
//! Field names and values are a contract (`schemaVersion` 1): they may be added to, not changed.

mod inventory;
pub mod ports;

pub use inventory::{Inventory, date};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// The changes of one environment.
#[derive(Clone, Debug, Serialize)]
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
    /// The concrete table, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<Change>>,
    /// Figures on the whole.
    pub summary: Summary,
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

/// One group of flows that opened or closed, in the words of what caused it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Names the row by what it opens; stable across line moves and unrelated edits. 32 hexadecimal
    /// digits.
    pub fingerprint: String,
    /// The sources.
    pub from: Peers,
    /// The destinations.
    pub to: Peers,
    /// The destination ports: sorted, disjoint, merged.
    pub ports: Vec<PortRange>,
    /// How bad it is.
    pub severity: Severity,
    /// Every edit that brings it about.
    pub causes: Vec<Cause>,
    /// The rules that admit the witness (for closed rows: admitted it before).
    pub admitted_by: AdmittedBy,
    /// What of the cause's region is not news, in words (for closed rows: is still allowed).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub already_allowed: Option<String>,
    /// What of the cause's region stays forbidden, by the other end or by other policies (for
    /// closed rows: was forbidden before as well), in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub still_denied: Option<String>,
    /// Every exception that the two texts above name or count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
    /// Do pods that are not declared here take part?
    pub undeclared: Undeclared,
    /// The assumption that the row needs, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assumes: Option<Assumption>,
    /// One concrete flow of the row.
    pub witness: Witness,
}

/// A part of a cause's region that a row does not contain.
#[derive(Clone, Debug, Serialize)]
pub struct Exception {
    /// `already-allowed` or `still-denied`.
    pub kind: ExceptionKind,
    /// Its ends and ports in words.
    pub text: String,
}

/// Why a part of a cause's region is not in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExceptionKind {
    /// It is the same before and after: allowed.
    AlreadyAllowed,
    /// It is the same before and after: denied.
    StillDenied,
}

/// One end of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peers {
    /// The words that people read.
    pub text: String,
    /// Pods, by selectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<PodPeers>,
    /// The declared workloads among them that the row touches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<DeclaredPeers>,
    /// Addresses outside the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalPeers>,
    /// True: every pod and every external address.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub anything: bool,
    /// Several kinds of peers at once; the fields above are absent then, except `text`, `declared`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any_of: Vec<Peers>,
}

/// Pods by namespace and labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodPeers {
    /// `any`, a name, or a selector on namespace labels.
    pub namespaces: String,
    /// `any`, or a selector on pod labels.
    pub labels: String,
}

/// Declared workloads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeclaredPeers {
    /// How many.
    pub count: usize,
    /// The first of them, each `namespace/name[Kind]`, in order.
    pub sample: Vec<String>,
}

/// External addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExternalPeers {
    /// CIDRs, IPv4 first, sorted, disjoint, merged.
    pub cidrs: Vec<String>,
}

/// Ports of one protocol: a range of numbers, or a name that undeclared pods resolve themselves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum PortRange {
    /// Numbers, both ends included.
    Numbers {
        /// `TCP`, `UDP` or `SCTP`.
        protocol: &'static str,
        /// First port, from 1.
        first: u16,
        /// Last port, to 65535.
        last: u16,
    },
    /// The port that the destination pod calls so (P3).
    Named {
        /// `TCP`, `UDP` or `SCTP`.
        protocol: &'static str,
        /// The port's name.
        name: String,
    },
}

/// How bad an opened row or a finding is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No policy changed: a workload or namespace is new.
    Info,
    /// Inside one namespace, or to private ranges.
    Low,
    /// Between named namespaces, or to the whole Internet.
    Medium,
    /// From any pod of any namespace, or from outside on some ports.
    High,
    /// From outside the cluster on all ports.
    Critical,
}

impl Severity {
    /// `critical`, `high`, `medium`, `low` or `info`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
            Severity::Info => "info",
        }
    }
}

/// An edit that brings a row about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cause {
    /// What kind of edit.
    pub kind: CauseKind,
    /// The direction it concerns; absent for workloads and namespaces, which concern both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<&'static str>,
    /// The policy, `namespace/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The workload (`namespace/name[Kind]`) or namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Index of the rule in its section, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<usize>,
    /// True iff the policy, workload or namespace itself came or went with the change.
    pub whole: bool,
    /// Where it stands.
    pub location: Location,
}

/// The kinds of edit. The first nine open; a row that closed names the mirror image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum CauseKind {
    RuleAdded,
    RuleWidened,
    SelectorWidened,
    DirectionAdded,
    IsolationLost,
    WorkloadAdded,
    WorkloadChanged,
    NamespaceChanged,
    TierChanged,
    RuleRemoved,
    RuleNarrowed,
    SelectorNarrowed,
    DirectionRemoved,
    IsolationAdded,
    WorkloadRemoved,
}

/// Lines of a file on one side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Which side.
    pub side: Side,
    /// Path in the snapshot.
    pub file: String,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line, included.
    pub end_line: u32,
}

/// A side of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Side {
    Before,
    After,
    Both,
}

/// The pair of rules that admits a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdmittedBy {
    /// At the source.
    pub egress: Admission,
    /// At the destination.
    pub ingress: Admission,
}

/// What admits a flow at one end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Admission {
    /// A rule.
    Rule(RuleRef),
    /// No rule is needed: `not isolated`, or `outside the cluster` (X2).
    Open(&'static str),
}

/// A rule of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleRef {
    /// `namespace/name`.
    pub policy: String,
    /// Index in its section, from 0.
    pub rule: usize,
    /// Where it stands.
    pub location: Location,
}

/// Do pods that are not declared in the snapshot take part in a row?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Undeclared {
    None,
    Also,
    Only,
}

/// An assumption about the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assumption {
    /// The network plugin lets an `ipBlock` match pods whose address lies in it (I3, U1).
    IpBlocksMatchPods,
}

/// One concrete flow. The ends are written as `query` reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// The source.
    pub from: String,
    /// The destination.
    pub to: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: &'static str,
    /// Destination port.
    pub port: u16,
}

/// A finding of a rule. No rule exists yet, so reports have none.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
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
