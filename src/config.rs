//! Settings that change what a review means.

mod guardrail;

pub use guardrail::{Demand, Ends, Guardrail, PortSpan, Who};

use crate::report::{CauseKind, Persona, Severity};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where the settings are, in the commit before the change: a change cannot loosen its own gate.
pub const PATH: &str = ".github/netpol-review.yml";

/// What the reviewer was told about the cluster and the repository.
#[derive(Clone, Debug)]
pub struct Config {
    /// The namespace of objects that name none (M1).
    pub default_namespace: String,
    /// Does an `ipBlock` match pods whose address lies in it (I3, U1)?
    pub ip_blocks_match_pods: IpBlocksMatchPods,
    /// Where pods have their addresses; empty: anywhere. It counts where blocks may match a pod whose
    /// address is not known.
    pub pod_ranges: Vec<IpNet>,
    /// Where Services have their addresses.
    pub service_ranges: Vec<IpNet>,
    /// Where nodes, and so pods on the host network, have their addresses; empty: anywhere.
    pub node_ranges: Vec<IpNet>,
    /// What pods on the host network are to policies (B5).
    pub host_network_pods: HostNetworkPods,
    /// Does the network plugin know `endPort`? Otherwise it applies `port` alone (P4).
    pub end_port: bool,
    /// Does the network plugin know SCTP? Otherwise nobody can say what a rule for it does (P5).
    pub sctp: bool,
    /// What is worth more than the rest: one level up for rows that lead there.
    pub protected: Protected,
    /// The least level of a row, by the kind of its cause.
    pub least_severity: BTreeMap<CauseKind, Severity>,
    /// What is set for rules.
    pub rules: Rules,
    /// What must never, or must always, be reachable.
    pub guardrails: Vec<Guardrail>,
    /// How much the symbolic engine may build before it gives up, in nodes of its diagrams.
    pub node_budget: usize,
    /// Add the concrete table of declared workloads to a report.
    pub connections: bool,
}

/// An environment, or a part of one, that the configuration states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// Its name.
    pub name: String,
    /// What it is made of: directories and files, from the root of the repository.
    pub paths: Vec<String>,
    /// What builds them; `None`: what is in them decides.
    pub renderer: Option<Renderer>,
    /// Files with values for Helm, from the root of the repository.
    pub values: Vec<String>,
    /// The release's namespace, and the one of objects that name none.
    pub namespace: Option<String>,
    /// The name of the release; `None`: that of the directory.
    pub release: Option<String>,
    /// The file that states it, and the line.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
}

/// What builds manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Renderer {
    /// `kustomize build`.
    Kustomize,
    /// `helm template`.
    Helm,
    /// Nothing: they are manifests as they stand.
    Plain,
}

/// What is known of ipBlocks and pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IpBlocksMatchPods {
    /// Unknown: both readings are computed, and rows say which one they need.
    Unknown,
    /// Blocks match pods of known address only.
    Never,
    /// Blocks match every pod whose address lies in them, known or not.
    Always,
}

/// What pods on the host network are to policies (B5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostNetworkPods {
    /// Part of their node: no selector matches them and no policy binds them.
    Node,
    /// Pods like any other.
    Pods,
}

/// How many fixes are usually tried: each costs a comparison.
const TRIED: usize = 20;

/// What is set for rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whose findings are shown.
    pub persona: Persona,
    /// By the rule's id.
    pub settings: BTreeMap<String, RuleSettings>,
    /// Namespaces whose pods are all declared, by name.
    pub closed_namespaces: BTreeSet<String>,
    /// Keys of labels of namespaces that not everybody can set; `None`: nobody said which.
    pub protected_labels: Option<BTreeSet<String>>,
    /// How many fixes are tried on a copy.
    pub tried: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            persona: Persona::default(),
            settings: BTreeMap::new(),
            closed_namespaces: BTreeSet::new(),
            protected_labels: None,
            tried: TRIED,
        }
    }
}

/// What is set for one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSettings {
    /// The level of its findings, in place of the computed one.
    pub severity: Option<Severity>,
    /// It is not asked.
    pub disable: bool,
    /// What is accepted.
    pub ignore: Vec<Ignored>,
}

/// Findings of one rule that are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Of which policy or other object; `*` stands for any letters.
    pub policy: String,
    /// Why.
    pub reason: String,
    /// The line in the configuration.
    pub line: u32,
}

/// Places that are worth more than the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// Namespaces, by name.
    pub namespaces: BTreeSet<String>,
    /// Ranges of addresses.
    pub ranges: Vec<IpNet>,
}

impl Config {
    /// The same for one environment, with the guardrails that hold there.
    #[must_use]
    pub fn in_environment(&self, name: &str) -> Self {
        let mut config = self.clone();
        config.guardrails.retain(|guardrail| guardrail.holds_in(name));
        config
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_namespace: "default".into(),
            ip_blocks_match_pods: IpBlocksMatchPods::Unknown,
            pod_ranges: Vec::new(),
            service_ranges: Vec::new(),
            node_ranges: Vec::new(),
            host_network_pods: HostNetworkPods::Node,
            end_port: true,
            sctp: true,
            protected: Protected::default(),
            least_severity: BTreeMap::new(),
            rules: Rules::default(),
            guardrails: Vec::new(),
            node_budget: 1_000_000,
            connections: false,
        }
    }
}
