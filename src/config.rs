//! Settings that change what a review means.

/// What the reviewer was told about the cluster and the repository.
#[derive(Clone, Debug)]
pub struct Config {
    /// The namespace of objects that name none (M1).
    pub default_namespace: String,
    /// Does an `ipBlock` match pods whose address lies in it (I3, U1)?
    pub ip_blocks_match_pods: IpBlocksMatchPods,
    /// How much the symbolic engine may build before it gives up, in nodes of its diagrams.
    pub node_budget: usize,
    /// Add the concrete table of declared workloads to a report.
    pub connections: bool,
}

/// What is known of ipBlocks and pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpBlocksMatchPods {
    /// Unknown: both readings are computed, and rows say which one they need.
    Unknown,
    /// Blocks match pods of known address only.
    Never,
    /// Blocks match every pod whose address lies in them, known or not.
    Always,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_namespace: "default".into(),
            ip_blocks_match_pods: IpBlocksMatchPods::Unknown,
            node_budget: 1_000_000,
            connections: false,
        }
    }
}
