//! What is known of network plugins, one row each.
//!
//! A cell is filled only where a plugin's own documentation or its data path leaves no doubt; every other
//! stays `None`, which means the default of [`crate::config::Config`]. Keys of the file beat the profile.

use crate::config::{HostNetworkPods, IpBlocksMatchPods};
use schemars::JsonSchema;
use serde::Deserialize;

/// A network plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Calico.
    Calico,
    /// Cilium, as it comes.
    Cilium,
    /// Antrea.
    Antrea,
    /// The network policy agent of the Amazon VPC CNI.
    AwsVpcCni,
    /// Azure Network Policy Manager.
    AzureNpm,
    /// GKE Dataplane V2.
    #[serde(rename = "gke-dataplane-v2")]
    GkeDataplaneV2,
    /// OVN-Kubernetes, as in OpenShift.
    OvnKubernetes,
    /// kube-router.
    KubeRouter,
}

/// What a profile says; `None`: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Does an `ipBlock` match pods (I3)?
    pub ip_blocks_match_pods: Option<IpBlocksMatchPods>,
    /// What are pods on the host network (B5)?
    pub host_network_pods: Option<HostNetworkPods>,
    /// Does it know `endPort` (P4)?
    pub end_port: Option<bool>,
    /// Does it know SCTP (P5)?
    pub sctp: Option<bool>,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Profile; 8] = [
        Profile::Calico,
        Profile::Cilium,
        Profile::Antrea,
        Profile::AwsVpcCni,
        Profile::AzureNpm,
        Profile::GkeDataplaneV2,
        Profile::OvnKubernetes,
        Profile::KubeRouter,
    ];

    /// What it says. These plugins' host-network pods are part of their node to all of them, which is the
    /// default.
    pub fn known(self) -> Known {
        use IpBlocksMatchPods::{Always, Never};
        let nothing = Known::default();
        match self {
            // Both compare a packet's address with the block: sets of networks in iptables or nftables, and
            // flows of Open vSwitch. Whose address it is plays no part.
            Profile::Calico | Profile::Antrea | Profile::OvnKubernetes | Profile::KubeRouter => {
                Known { ip_blocks_match_pods: Some(Always), ..nothing }
            }
            // Identities of pods are apart from those of addresses unless that was asked for, and SCTP is
            // off unless it was switched on.
            Profile::Cilium => {
                Known { ip_blocks_match_pods: Some(Never), sctp: Some(false), ..nothing }
            }
            // Nothing sure enough.
            Profile::AwsVpcCni | Profile::AzureNpm | Profile::GkeDataplaneV2 => nothing,
        }
    }
}
