//! What a kubelet is told at its start, and the bugs that can be planted in it.

use kubesim_model::Text;

/// The settings of a kubelet.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeletConfig {
    /// The node's InternalIP.
    pub address: Text,
    /// The node's zone (`topology.kubernetes.io/zone`).
    pub zone: Text,
    /// Further labels of the Node.
    pub labels: Vec<(Text, Text)>,
    /// CPUs, as a quantity.
    pub cpu: Text,
    /// Memory, as a quantity.
    pub memory: Text,
    /// How many pods it takes.
    pub pods: u32,
}

impl KubeletConfig {
    /// A node with this address: zone `zone-1`, 8 CPUs, 32 GiB, 110 pods.
    pub fn new(address: impl Into<Text>) -> Self {
        KubeletConfig {
            address: address.into(),
            zone: Text::new_static("zone-1"),
            labels: Vec::new(),
            cpu: Text::new_static("8"),
            memory: Text::new_static("32Gi"),
            pods: 110,
        }
    }
}

/// The bugs that can be planted in the kubelet: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] = &[
    ("restarts-bystanders", "a changed image restarts every container of the pod"),
    ("reports-new-image-early", "the new image is reported while the old container still runs"),
    ("forgets-orphans", "containers of pods that the API does not know go on running"),
    ("ready-while-terminated", "a container that ended still counts as ready"),
    ("replaces-twice", "a container whose image changed is started, stopped and started again"),
];

/// The planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    RestartsBystanders,
    ReportsNewImageEarly,
    ForgetsOrphans,
    ReadyWhileTerminated,
    ReplacesTwice,
}

impl Bug {
    pub(super) fn named(name: &str) -> Option<Bug> {
        match name {
            "restarts-bystanders" => Some(Bug::RestartsBystanders),
            "reports-new-image-early" => Some(Bug::ReportsNewImageEarly),
            "forgets-orphans" => Some(Bug::ForgetsOrphans),
            "ready-while-terminated" => Some(Bug::ReadyWhileTerminated),
            "replaces-twice" => Some(Bug::ReplacesTwice),
            _ => None,
        }
    }
}
