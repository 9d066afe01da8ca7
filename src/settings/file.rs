//! What can be written in `.github/netpol-review.yml`, and the JSON Schema of it.
//!
//! The types are the contract: the reader refuses what they do not know, and the schema that editors use
//! is made from them. Their comments are what editors show.

use super::guardrail::Guardrail;
use super::profile::Profile;
use super::{CommentWhen, FailOn, Mode};
use crate::config::{HostNetworkPods, IpBlocksMatchPods, Renderer};
use crate::report::{Persona, Severity};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// Configuration of netpol-review. It is read from the base commit of a pull request, so a change cannot
/// loosen its own gate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "netpol-review.yml")]
pub(super) struct File {
    /// The version of this format: 1.
    #[schemars(with = "u32", extend("const" = 1))]
    pub version: Spanned<u32>,
    /// What is looked at, as paths from the root of the repository. Default: everything.
    #[schemars(with = "Option<Vec<String>>")]
    pub paths: Option<Vec<Spanned<String>>>,
    /// The namespace of objects that name none. Default: `default`.
    #[schemars(with = "Option<Namespace>")]
    pub default_namespace: Option<Spanned<String>>,
    /// Files with workloads, namespaces and policies that live elsewhere, as paths from the root of the
    /// repository: what `netpol-review snapshot` or `kubectl get -o yaml` writes. They count as declared.
    #[schemars(with = "Option<Vec<String>>")]
    pub inventory: Option<Vec<Spanned<String>>>,
    /// `enforce` lets a review fail, `warn` only tells. Default: `enforce`.
    pub mode: Option<Mode>,
    /// The least severity of an opened row that fails; `any` is everything that opened. Default: left to the
    /// command.
    pub fail_on: Option<FailOn>,
    /// The environments. Where one has `paths`, those that are stated here are all there are; otherwise they are found.
    #[schemars(with = "Option<Vec<Environment>>")]
    pub environments: Option<Vec<Spanned<Environment>>>,
    /// The least severity of a row, by the kind of its cause.
    pub severity: Option<Severities>,
    /// Who is shown findings of rules: `regular`, `pedantic` or `auditor`. Default: `regular`.
    pub persona: Option<Persona>,
    /// What is set for rules, by their ids; `netpol-review rules` lists them.
    #[schemars(with = "Option<BTreeMap<String, RuleSettings>>")]
    pub rules: Option<Spanned<BTreeMap<String, Spanned<RuleSettings>>>>,
    /// What must never, or must always, be reachable.
    #[schemars(with = "Option<Vec<Guardrail>>")]
    pub guardrails: Option<Vec<Spanned<Guardrail>>>,
    /// What is worth more than the rest: rows that lead there are one level more severe.
    pub protected: Option<Protected>,
    /// Facts about the cluster.
    pub cluster: Option<Cluster>,
    /// Who may accept what opens.
    pub approvers: Option<Approvers>,
    /// Opened rows that are accepted.
    #[schemars(with = "Option<Vec<Waiver>>")]
    pub waivers: Option<Vec<Spanned<Waiver>>>,
    /// How a pull request is told.
    pub comment: Option<Comment>,
    /// Bounds of the analysis.
    pub limits: Option<Limits>,
}

/// An environment, or a part of one: entries of one name belong together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Environment {
    /// Its name, for example `production`.
    #[schemars(with = "String", regex(pattern = r"\S"))]
    pub name: Spanned<String>,
    /// What it is made of: directories and files, from the root of the repository. Default: what is found.
    #[schemars(with = "Option<Vec<String>>")]
    pub paths: Option<Vec<Spanned<String>>>,
    /// What builds them. Default: what is in them decides.
    pub renderer: Option<Renderer>,
    /// Files with values for Helm, from the root of the repository; the later ones win.
    #[schemars(with = "Option<Vec<String>>")]
    pub values: Option<Vec<Spanned<String>>>,
    /// The name of the Helm release. Default: that of the chart's directory.
    #[schemars(with = "Option<String>")]
    pub release: Option<Spanned<String>>,
    /// The release's namespace, and that of objects that name none.
    #[schemars(with = "Option<Namespace>")]
    pub namespace: Option<Spanned<String>>,
    /// The cluster that it is in: environments of one cluster are one world. Default: one of its own.
    #[schemars(with = "Option<String>")]
    pub cluster: Option<Spanned<String>>,
    /// The least severity of an opened row that fails here, in place of the general one.
    pub fail_on: Option<FailOn>,
}

/// The least severity of a row, by the kind of its cause.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Severities {
    /// A rule is new.
    pub rule_added: Option<Severity>,
    /// A rule has more peers or ports.
    pub rule_widened: Option<Severity>,
    /// A policy selects more pods, which its rules now let in or out.
    pub selector_widened: Option<Severity>,
    /// A policy is about one direction more.
    pub direction_added: Option<Severity>,
    /// Pods are not isolated any more.
    pub isolation_lost: Option<Severity>,
    /// A workload is new.
    pub workload_added: Option<Severity>,
    /// Labels, ports or addresses of a workload differ.
    pub workload_changed: Option<Severity>,
    /// Labels of a namespace differ.
    pub namespace_changed: Option<Severity>,
    /// A policy of the admin or baseline tier differs.
    pub tier_changed: Option<Severity>,
}

/// What is set for one rule.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RuleSettings {
    /// The level of its findings, in place of the computed one.
    pub severity: Option<Severity>,
    /// The rule is not asked. Default: false.
    pub disable: Option<bool>,
    /// Findings that are accepted.
    #[schemars(with = "Option<Vec<Ignored>>")]
    pub ignore: Option<Vec<Spanned<Ignored>>>,
}

/// Findings of one rule that are accepted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Ignored {
    /// Of which policy, as `namespace/name`, or of which other object. `*` stands for any letters.
    #[schemars(with = "String", regex(pattern = r"\S"))]
    pub policy: Spanned<String>,
    /// Why.
    #[schemars(with = "String", regex(pattern = r"\S"))]
    pub reason: Spanned<String>,
}

/// What is worth more than the rest: rows that lead there are one level more severe.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Protected {
    /// Names of namespaces.
    #[schemars(with = "Option<Vec<Namespace>>")]
    pub namespaces: Option<Vec<Spanned<String>>>,
    /// Ranges of addresses, as CIDRs.
    #[schemars(with = "Option<Vec<String>>")]
    pub ranges: Option<Vec<Spanned<String>>>,
}

/// Facts about the cluster.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Cluster {
    /// The network plugin; it sets what is known of it. Other keys here beat it.
    pub profile: Option<Profile>,
    /// Where pods have their addresses, as CIDRs.
    #[serde(rename = "podCIDRs")]
    #[schemars(with = "Option<Vec<String>>")]
    pub pod_cidrs: Option<Vec<Spanned<String>>>,
    /// Where Services have their addresses, as CIDRs.
    #[serde(rename = "serviceCIDRs")]
    #[schemars(with = "Option<Vec<String>>")]
    pub service_cidrs: Option<Vec<Spanned<String>>>,
    /// Where nodes have their addresses, as CIDRs.
    #[serde(rename = "nodeCIDRs")]
    #[schemars(with = "Option<Vec<String>>")]
    pub node_cidrs: Option<Vec<Spanned<String>>>,
    /// Namespaces whose pods are all in these manifests or in the inventory, by name. Rules that say that
    /// something matches nothing are sure there.
    #[schemars(with = "Option<Vec<Namespace>>")]
    pub closed_namespaces: Option<Vec<Spanned<String>>>,
    /// Keys of labels of namespaces that only those who run the cluster can set. Where they are named, auditors are
    /// told of peers that trust in others.
    #[schemars(with = "Option<Vec<String>>")]
    pub protected_namespace_labels: Option<Vec<Spanned<String>>>,
    /// Does an ipBlock match pods whose address lies in it? Default: `unknown`, both are computed.
    pub ip_blocks_match_pods: Option<IpBlocksMatchPods>,
    /// Are pods on the host network part of their `node`, or `pods` like any other? Default: `node`.
    pub host_network_pods: Option<HostNetworkPods>,
    /// Does the network plugin know endPort? Default: true.
    pub end_port: Option<bool>,
    /// Does the network plugin know SCTP? Default: true.
    pub sctp: Option<bool>,
}

/// Who may accept what opens.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Approvers {
    /// Logins.
    #[schemars(with = "Option<Vec<String>>")]
    pub users: Option<Vec<Spanned<String>>>,
    /// Teams, as `organisation/team`.
    #[schemars(with = "Option<Vec<String>>")]
    pub teams: Option<Vec<Spanned<String>>>,
    /// The owners of the touched files, too, as CODEOWNERS of the base branch has them. Default: false.
    pub codeowners: Option<bool>,
    /// The author of the pull request, too, where one of the above. Default: false.
    pub author: Option<bool>,
}

/// An opened row that is accepted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Waiver {
    /// The row's fingerprint, all its digits.
    #[schemars(with = "String", regex(pattern = r"^[0-9A-Fa-f]{32}$"))]
    pub fingerprint: Spanned<String>,
    /// Why it is accepted.
    #[schemars(with = "String", regex(pattern = r"\S"))]
    pub reason: Spanned<String>,
    /// The last day on which it holds, as 2027-01-31. Default: it holds for ever.
    #[schemars(with = "Option<Day>")]
    pub expires: Option<Spanned<String>>,
    /// Who accepted it.
    #[schemars(with = "Option<String>")]
    pub by: Option<Spanned<String>>,
}

/// How a pull request is told.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Comment {
    /// When a pull request gets a comment. Default: `on-change`.
    pub when: Option<CommentWhen>,
    /// Comments on the causing lines, too. Default: true.
    pub inline: Option<bool>,
}

/// Bounds of the analysis.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Limits {
    /// How many nodes of its diagrams the analysis may build. Default: 1000000.
    #[schemars(with = "Option<Nodes>")]
    pub nodes: Option<Spanned<u64>>,
}

/// How few nodes still let an analysis end.
pub(super) const LEAST_NODES: u64 = 1_000;
/// So many nodes take about 2.5 GB of memory.
pub(super) const MOST_NODES: u64 = 10_000_000;

/// The name of a namespace, for the schema.
#[derive(JsonSchema)]
#[schemars(inline)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct Namespace(
    #[schemars(length(max = 63), regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))] String,
);

/// A day, for the schema.
#[derive(JsonSchema)]
#[schemars(inline)]
#[allow(dead_code, reason = "only its schema is used")]
struct Day(
    #[schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), extend("format" = "date"))] String,
);

/// A number of nodes, for the schema.
#[derive(JsonSchema)]
#[schemars(inline)]
#[allow(dead_code, reason = "only its schema is used")]
struct Nodes(#[schemars(range(min = 1_000, max = 10_000_000))] u64);

/// The JSON Schema of the file, as it is published: indented, with a newline at the end.
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(File);
    schema.insert("$id".into(), SCHEMA_ID.into());
    let mut text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    text.push('\n');
    text
}

/// Where the schema is published.
const SCHEMA_ID: &str = "https://raw.githubusercontent.com/netpol-review/netpol-review/main/docs/netpol-review.schema.json";
