//! What a kubelet is told at its start, and the bugs that can be planted in it.

use std::collections::BTreeMap;

use kubesim_model::Text;
use kubesim_model::tree::Tree;

/// The settings of a kubelet.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeletConfig {
    /// The node's InternalIP.
    pub address: Text,
    /// The node's zone (`topology.kubernetes.io/zone`), if it has one.
    pub zone: Option<Text>,
    /// Further labels of the Node.
    pub labels: Vec<(Text, Text)>,
    /// Taints that the Node is registered with (`--register-with-taints`), as `v1` `Taint`s.
    pub taints: Vec<Tree>,
    /// What the node has, as quantities by the resource's name; all of it is allocatable.
    pub capacity: BTreeMap<Text, Text>,
}

/// What a node has if nobody says otherwise. 110 pods are the kubelet's default (v1.36).
const CAPACITY: [(&str, &str); 3] = [("cpu", "8"), ("memory", "32Gi"), ("pods", "110")];

impl KubeletConfig {
    /// A node with this address: zone `zone-1`, 8 CPUs, 32 GiB, 110 pods.
    pub fn new(address: impl Into<Text>) -> Self {
        KubeletConfig {
            address: address.into(),
            zone: Some(Text::new_static("zone-1")),
            labels: Vec::new(),
            taints: Vec::new(),
            capacity: CAPACITY.map(|(name, is)| (name.into(), is.into())).into(),
        }
    }
}

/// The bugs that can be planted in the kubelet: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] = &[
    ("restarts-bystanders", "a changed image restarts every container of the pod"),
    ("reports-new-image-early", "the new image is reported while the old container still runs"),
    ("forgets-orphans", "containers of pods that the API does not know go on running"),
    ("ready-while-terminated", "a container that ended still counts as ready"),
];

/// The planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    RestartsBystanders,
    ReportsNewImageEarly,
    ForgetsOrphans,
    ReadyWhileTerminated,
}

impl Bug {
    pub(super) fn named(name: &str) -> Option<Bug> {
        match name {
            "restarts-bystanders" => Some(Bug::RestartsBystanders),
            "reports-new-image-early" => Some(Bug::ReportsNewImageEarly),
            "forgets-orphans" => Some(Bug::ForgetsOrphans),
            "ready-while-terminated" => Some(Bug::ReadyWhileTerminated),
            _ => None,
        }
    }
}
