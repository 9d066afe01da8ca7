//! What must never, or must always, be reachable.

use crate::model::{NamespaceMatch, Protocol, Selector};
use crate::report::Severity;
use ipnet::IpNet;
use std::fmt;
use std::sync::Arc;

/// A guardrail of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardrail {
    /// Its name in messages and in `ignore`.
    pub id: String,
    /// What it demands.
    pub demand: Demand,
    /// Who connects.
    pub from: Ends,
    /// Who is connected to.
    pub to: Ends,
    /// The ports; empty: all ports of all protocols.
    pub ports: Vec<PortSpan>,
    /// The level of its findings.
    pub severity: Severity,
    /// The environments in which it holds, by name; empty: all.
    pub environments: Vec<String>,
    /// The file that states it, and the line.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
}

/// What a guardrail demands of the flows between its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// None of them is allowed.
    Deny {
        /// Those that were allowed before the change count against it as well.
        always: bool,
    },
    /// All of them between declared workloads are allowed.
    MustReach,
    /// None of them is newly allowed without a word of these.
    Frozen {
        /// Logins or teams; empty: whoever may accept otherwise.
        approvers: Vec<String>,
    },
}

/// One end of the flows that a guardrail is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Who.
    pub who: Who,
    /// Who of them is not meant.
    pub except: Vec<Who>,
}

/// Who an end can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Every pod and every address.
    Any,
    /// Public addresses outside the cluster.
    Internet {
        /// What does not count as that: special-purpose ranges and what the cluster uses itself.
        without: Vec<IpNet>,
    },
    /// Addresses outside the cluster, and declared pods that are known to have one of them.
    Addresses(Vec<IpNet>),
    /// Pods, those on the host network too.
    Pods {
        /// Of these namespaces.
        namespaces: NamespaceMatch,
        /// With these labels.
        pods: Selector,
    },
}

/// Ports of one protocol, both ends included, 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSpan {
    /// The protocol.
    pub protocol: Protocol,
    /// The first port.
    pub first: u16,
    /// The last one.
    pub last: u16,
}

impl Guardrail {
    /// The blocks at whose borders addresses must be told apart.
    pub fn blocks(&self) -> impl Iterator<Item = &IpNet> {
        let ends = [&self.from, &self.to].into_iter();
        let all = ends.flat_map(|ends| std::iter::once(&ends.who).chain(&ends.except));
        all.flat_map(|who| match who {
            Who::Internet { without: blocks } | Who::Addresses(blocks) => blocks.as_slice(),
            Who::Any | Who::Pods { .. } => &[],
        })
    }

    /// Does it hold in an environment? One that is several names for one cluster has them with ` + ` between.
    pub fn holds_in(&self, environment: &str) -> bool {
        let mut names = environment.split(" + ").chain([environment]);
        self.environments.is_empty()
            || names.any(|name| self.environments.iter().any(|known| known == name))
    }

    /// Whose word it names: logins and teams, as `organisation/team`.
    pub fn approvers(&self) -> &[String] {
        match &self.demand {
            Demand::Frozen { approvers } => approvers,
            Demand::Deny { .. } | Demand::MustReach => &[],
        }
    }

    /// Does it count what was there before the change?
    pub fn always(&self) -> bool {
        self.demand == Demand::Deny { always: true }
    }
}

/// As the configuration has it, in short: `namespace payments, labels app=db`.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Any => f.write_str("any"),
            Who::Internet { .. } => f.write_str("internet"),
            Who::Addresses(blocks) => {
                let blocks: Vec<String> = blocks.iter().map(ToString::to_string).collect();
                write!(f, "addresses {}", blocks.join(", "))
            }
            Who::Pods { namespaces, pods } => {
                match namespaces {
                    NamespaceMatch::Name(name) => write!(f, "namespace {name}")?,
                    NamespaceMatch::Labels(selector) if selector.is_everything() => {
                        return write!(f, "labels {pods}");
                    }
                    NamespaceMatch::Labels(selector) => write!(f, "namespace-labels {selector}")?,
                }
                match pods.is_everything() {
                    true => Ok(()),
                    false => write!(f, ", labels {pods}"),
                }
            }
        }
    }
}
