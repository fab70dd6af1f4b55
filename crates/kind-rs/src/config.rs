//! The configuration of a cluster: kind's `v1alpha4`, field by field.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// The configuration of a cluster, `kind.x-k8s.io/v1alpha4`.
///
/// Everything that is empty is left out, so that kind's own defaults hold: one control plane node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClusterConfig {
    /// The word `Cluster`.
    pub kind: ConfigKind,
    /// The version of the configuration's form.
    pub api_version: ApiVersion,
    /// The name of the cluster; `kind` if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The nodes. More than one control plane get a load balancer before them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeConfig>,
    /// Networks of pods, Services and the API server.
    #[serde(skip_serializing_if = "is_default")]
    pub networking: Networking,
    /// Kubernetes feature gates, for all components.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub feature_gates: BTreeMap<String, bool>,
    /// Values of kube-apiserver's `--runtime-config`, for instance `api/alpha: "true"`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runtime_config: BTreeMap<String, String>,
    /// Merge patches of the kubeadm configuration, as YAML, for all nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kubeadm_config_patches: Vec<String>,
    /// JSON patches of the kubeadm configuration, for all nodes.
    #[serde(rename = "kubeadmConfigPatchesJSON6902", skip_serializing_if = "Vec::is_empty")]
    pub kubeadm_config_patches_json6902: Vec<JsonPatch>,
    /// Merge patches of containerd's configuration, as TOML.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containerd_config_patches: Vec<String>,
    /// JSON patches of containerd's configuration, as YAML or JSON.
    #[serde(rename = "containerdConfigPatchesJSON6902", skip_serializing_if = "Vec::is_empty")]
    pub containerd_config_patches_json6902: Vec<String>,
}

impl ClusterConfig {
    /// A cluster with this many nodes of each role.
    #[must_use]
    pub fn with_nodes(control_planes: usize, workers: usize) -> Self {
        let mut nodes = vec![NodeConfig::control_plane(); control_planes];
        nodes.extend(vec![NodeConfig::worker(); workers]);
        Self { nodes, ..Self::default() }
    }

    /// The same with a name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The configuration as JSON, which is also YAML, as kind reads it.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Only maps with keys that are no strings can fail, and there are none.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// A node of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NodeConfig {
    /// What the node is for.
    pub role: NodeRole,
    /// Its node image, if it is another than that of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Labels of the Kubernetes node.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Folders and files of the host that the node shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_mounts: Vec<Mount>,
    /// Ports of the host that lead to ports of the node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_port_mappings: Vec<PortMapping>,
    /// Merge patches of the kubeadm configuration, as YAML, after those of the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kubeadm_config_patches: Vec<String>,
    /// JSON patches of the kubeadm configuration, after those of the cluster.
    #[serde(rename = "kubeadmConfigPatchesJSON6902", skip_serializing_if = "Vec::is_empty")]
    pub kubeadm_config_patches_json6902: Vec<JsonPatch>,
}

impl NodeConfig {
    /// A control plane node.
    #[must_use]
    pub fn control_plane() -> Self {
        Self { role: NodeRole::ControlPlane, ..Self::default() }
    }

    /// A worker node.
    #[must_use]
    pub fn worker() -> Self {
        Self { role: NodeRole::Worker, ..Self::default() }
    }

    /// The same with a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }
}

/// What a configured node is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeRole {
    /// It runs the control plane; alone in a cluster, it runs pods too.
    #[default]
    ControlPlane,
    /// It runs pods.
    Worker,
}

/// Networks of pods, Services and the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Networking {
    /// The family of addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_family: Option<IpFamily>,
    /// The port of the host at which the API server is; random if there is none. With -1 the
    /// container engine chooses, and chooses again when the node is restarted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_server_port: Option<i32>,
    /// The address of the host at which the API server is; 127.0.0.1 if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_server_address: Option<String>,
    /// The addresses of pods, as CIDR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_subnet: Option<String>,
    /// The addresses of Services, as CIDR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_subnet: Option<String>,
    /// Whether the cluster comes without a pod network, for users who install their own.
    #[serde(rename = "disableDefaultCNI", skip_serializing_if = "is_default")]
    pub disable_default_cni: bool,
    /// How kube-proxy works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube_proxy_mode: Option<KubeProxyMode>,
    /// DNS search domains of the nodes, instead of the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_search: Option<Vec<String>>,
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpFamily {
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
    /// Both.
    Dual,
}

/// How kube-proxy works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KubeProxyMode {
    /// With iptables.
    Iptables,
    /// With IPVS.
    Ipvs,
    /// With nftables.
    Nftables,
    /// Not at all: kind leaves kube-proxy out.
    None,
}

/// A JSON patch of an object of the kubeadm configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JsonPatch {
    /// The API group of the object.
    pub group: String,
    /// Its version.
    pub version: String,
    /// Its kind.
    pub kind: String,
    /// The patch, as YAML or JSON.
    pub patch: String,
}

/// A folder or file of the host that a node shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Mount {
    /// Where it is on the host.
    pub host_path: Utf8PathBuf,
    /// Where it is in the node.
    pub container_path: Utf8PathBuf,
    /// Whether the node can't write to it.
    #[serde(skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// Whether SELinux labels are changed.
    #[serde(skip_serializing_if = "is_default")]
    pub selinux_relabel: bool,
    /// Whether mounts below it show on the other side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagation: Option<MountPropagation>,
}

/// Whether later mounts below a mount show on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountPropagation {
    /// Neither way.
    None,
    /// Those of the host show in the node.
    HostToContainer,
    /// Both ways.
    Bidirectional,
}

/// A port of the host that leads to a port of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortMapping {
    /// The port of the node.
    pub container_port: u16,
    /// The port of the host; kind picks one if there is none. With -1 the container engine
    /// chooses, and chooses again when the node is restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_port: Option<i32>,
    /// The address of the host at which it listens; all addresses if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen_address: Option<String>,
    /// The protocol; TCP if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
}

impl PortMapping {
    /// A port of the host, picked by kind, that leads to `container_port`.
    #[must_use]
    pub fn to(container_port: u16) -> Self {
        Self { container_port, host_port: None, listen_address: None, protocol: None }
    }
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The one kind of configuration that there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigKind {
    /// A cluster.
    #[default]
    Cluster,
}

/// The version of a configuration's form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApiVersion {
    /// `kind.x-k8s.io/v1alpha4`.
    #[default]
    #[serde(rename = "kind.x-k8s.io/v1alpha4")]
    V1Alpha4,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_configuration_says_nothing_but_what_it_is() {
        let value = serde_json::to_value(ClusterConfig::default()).unwrap();
        assert_eq!(value, json!({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4"}));
    }

    #[test]
    fn fields_have_the_names_that_kind_reads() {
        let text = json!({
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "name": "a",
            "nodes": [
                {
                    "role": "control-plane",
                    "kubeadmConfigPatches": ["kind: ClusterConfiguration"],
                    "kubeadmConfigPatchesJSON6902":
                        [{"group": "g", "version": "v", "kind": "K", "patch": "[]"}],
                },
                {
                    "role": "worker",
                    "image": "node:1",
                    "labels": {"zone": "a"},
                    "extraMounts": [{
                        "hostPath": "/a",
                        "containerPath": "/b",
                        "readOnly": true,
                        "selinuxRelabel": true,
                        "propagation": "HostToContainer",
                    }],
                    "extraPortMappings": [{
                        "containerPort": 80,
                        "hostPort": -1,
                        "listenAddress": "127.0.0.1",
                        "protocol": "UDP",
                    }],
                },
            ],
            "networking": {
                "ipFamily": "dual",
                "apiServerPort": 6443,
                "apiServerAddress": "127.0.0.1",
                "podSubnet": "10.1.0.0/16",
                "serviceSubnet": "10.2.0.0/16",
                "disableDefaultCNI": true,
                "kubeProxyMode": "nftables",
                "dnsSearch": [],
            },
            "featureGates": {"A": true},
            "runtimeConfig": {"api/alpha": "false"},
            "kubeadmConfigPatches": ["a"],
            "kubeadmConfigPatchesJSON6902":
                [{"group": "g", "version": "v", "kind": "K", "patch": "[]"}],
            "containerdConfigPatches": ["b"],
            "containerdConfigPatchesJSON6902": ["c"],
        });
        let config: ClusterConfig = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(serde_json::to_value(&config).unwrap(), text);
        assert_eq!(serde_json::from_str::<ClusterConfig>(&config.to_json()).unwrap(), config);
    }

    #[test]
    fn other_versions_and_unknown_fields_are_refused() {
        for text in [
            json!({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha3"}),
            json!({"kind": "Node"}),
            json!({"workers": 3}),
        ] {
            assert!(serde_json::from_value::<ClusterConfig>(text).is_err());
        }
    }
}
