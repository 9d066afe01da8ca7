//! Rows: what opened or closed, why, and an example.

use super::Message;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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
    /// What rules say of it. They are no findings of their own: the row is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RowRule>,
}

impl Row {
    /// Does some edit that brings the row about stand in these lines, or around them?
    pub fn is_caused_in(&self, place: &Location) -> bool {
        self.causes.iter().any(|cause| cause.location.meets(place))
    }
}

/// A rule's word on a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowRule {
    /// The rule's id.
    pub rule: &'static str,
    /// What it says.
    pub message: Message,
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
    /// The files in which the policy, workload or namespace that it edits stands and stood: it may have moved.
    #[serde(skip)]
    pub files: BTreeSet<String>,
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

impl Location {
    /// Do the two have a line of one side in common?
    pub fn meets(&self, other: &Location) -> bool {
        self.side == other.side
            && self.file == other.file
            && self.start_line <= other.end_line
            && other.start_line <= self.end_line
    }
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Witness {
    /// The source.
    pub from: String,
    /// The destination.
    pub to: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: &'static str,
    /// Destination port.
    pub port: u16,
    /// The source is a workload that only an inventory has, and which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_inventory: Option<Listed>,
    /// So is the destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_inventory: Option<Listed>,
}

/// An inventory that lists something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its file, as [`super::Inventory::file`].
    pub file: String,
    /// The day on which it was taken, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<chrono::NaiveDate>,
}
