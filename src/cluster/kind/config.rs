//! The configuration of a kind cluster for a trial.

use camino::Utf8Path;
use kind_rs::{ClusterConfig, Mount, NodeConfig};
use serde_json::json;

use crate::cluster::real::{AUDIT_POLICY, Component};
use crate::cluster::{CONTROL_PLANE, ClusterError, ClusterSpec, NodeSpec};

/// Where the folder of the trial is seen in the control plane's node.
pub(super) const SHARED: &str = "/shakedown";

/// The audit log and its policy, in the folder of the trial.
pub(super) const AUDIT_LOG: &str = "audit.log";
const AUDIT_POLICY_FILE: &str = "audit-policy.json";

/// Patches of static pods in the same folder (kubeadm v1.36: named after a component).
const PATCHES: &str = "patches";

/// The pace of clusters with short timings.
pub(super) const SHORT: u64 = 5;

/// One control plane node, and the nodes of the trial under their own names.
pub(super) fn config(
    name: &str,
    spec: &ClusterSpec,
    folder: &Utf8Path,
    pace: u64,
) -> Result<ClusterConfig, ClusterError> {
    if let Some(node) = spec.nodes.iter().find(|node| !node.capacity.is_empty()) {
        let what = format!("give the node `{}` a capacity", node.name);
        return Err(ClusterError::Unsupported { provider: "kind", what });
    }
    let named = spec.nodes.iter().find(|node| node.is_control_plane);
    if spec.nodes.iter().filter(|node| node.is_control_plane).count() > 1 {
        let what = "make more than one node of the control plane".to_owned();
        return Err(ClusterError::Unsupported { provider: "kind", what });
    }
    let mut config = ClusterConfig::default().named(name);
    config.nodes.push(control_plane(named, folder));
    config.nodes.extend(workers(spec).map(worker));
    if pace > 1 {
        config.kubeadm_config_patches = timings(pace);
    }
    Ok(config)
}

/// The nodes that are no control plane, in the order in which kind numbers them.
pub(super) fn workers(spec: &ClusterSpec) -> impl Iterator<Item = &NodeSpec> {
    spec.nodes.iter().filter(|node| !node.is_control_plane)
}

fn control_plane(named: Option<&NodeSpec>, folder: &Utf8Path) -> NodeConfig {
    let mut node = named.map_or_else(NodeConfig::control_plane, |spec| NodeConfig {
        kubeadm_config_patches: vec![registration("InitConfiguration", spec)],
        ..labelled(NodeConfig::control_plane(), spec)
    });
    node.extra_mounts.push(Mount {
        host_path: folder.to_owned(),
        container_path: SHARED.into(),
        ..Mount::default()
    });
    let patch = json!({
        "kind": "ClusterConfiguration",
        "apiServer": {
            "extraArgs": [
                argument("audit-policy-file", format!("{SHARED}/{AUDIT_POLICY_FILE}")),
                argument("audit-log-path", format!("{SHARED}/{AUDIT_LOG}")),
                argument("audit-log-mode", "blocking".to_owned()),
                argument("audit-log-maxsize", "1000000".to_owned()),
            ],
            "extraVolumes": [{
                "name": "shakedown", "hostPath": SHARED, "mountPath": SHARED,
                "readOnly": false, "pathType": "Directory",
            }],
        },
    });
    node.kubeadm_config_patches.push(patch.to_string());
    let patched = json!({
        "kind": "InitConfiguration",
        "patches": {"directory": format!("{SHARED}/{PATCHES}")},
    });
    node.kubeadm_config_patches.push(patched.to_string());
    node
}

/// Writes what the control plane is made with into the folder of the trial. A component that a
/// fault makes stand still is not killed for it: its kubelet does not count how often it is silent.
pub(super) fn write_files(folder: &Utf8Path) -> std::io::Result<()> {
    std::fs::write(folder.join(AUDIT_POLICY_FILE), AUDIT_POLICY)?;
    std::fs::write(folder.join(AUDIT_LOG), "")?;
    let patches = folder.join(PATCHES);
    std::fs::create_dir_all(&patches)?;
    for component in [Component::ControllerManager, Component::Scheduler] {
        let name = component.as_str();
        let container = json!({"name": name, "livenessProbe": {"failureThreshold": i32::MAX}});
        let patch = json!({"spec": {"containers": [container]}});
        std::fs::write(patches.join(format!("{name}+strategic.json")), patch.to_string())?;
    }
    Ok(())
}

/// Patches by which a lost node is noticed and given up so many times as fast as by default. All
/// times of Kubernetes v1.36 that have a part in that are divided alike, so that what comes before
/// what stays so.
fn timings(pace: u64) -> Vec<String> {
    let seconds = |by_default: u64| (by_default / pace).max(1);
    let toleration = seconds(300).to_string();
    let of_api_server = [
        argument("default-not-ready-toleration-seconds", toleration.clone()),
        argument("default-unreachable-toleration-seconds", toleration),
    ];
    let of_controllers = [
        argument("node-monitor-grace-period", format!("{}s", seconds(50))),
        argument("node-monitor-period", format!("{}s", seconds(5))),
        // Nodes a second.
        argument("node-eviction-rate", format!("0.{pace}")),
    ];
    let components = json!({
        "kind": "ClusterConfiguration",
        "apiServer": {"extraArgs": of_api_server},
        "controllerManager": {"extraArgs": of_controllers},
    });
    let kubelet = json!({
        "kind": "KubeletConfiguration",
        "nodeStatusUpdateFrequency": format!("{}s", seconds(10)),
        "nodeLeaseDurationSeconds": seconds(40),
    });
    vec![components.to_string(), kubelet.to_string()]
}

fn argument(name: &str, value: String) -> serde_json::Value {
    json!({"name": name, "value": value})
}

fn worker(spec: &NodeSpec) -> NodeConfig {
    let mut node = labelled(NodeConfig::worker(), spec);
    node.kubeadm_config_patches.push(registration("JoinConfiguration", spec));
    node
}

/// The node registers under the name that the scenario gives it, with its taints.
fn registration(kind: &str, spec: &NodeSpec) -> String {
    let mut registration = json!({"name": spec.name.as_str()});
    if !spec.taints.is_empty() {
        registration["taints"] = json!(spec.taints);
    }
    json!({"kind": kind, "nodeRegistration": registration}).to_string()
}

fn labelled(mut node: NodeConfig, spec: &NodeSpec) -> NodeConfig {
    let own = spec.labels.iter().filter(|(key, _)| key != CONTROL_PLANE);
    node.labels.extend(own.map(|(key, value)| (key.to_string(), value.to_string())));
    if let Some(zone) = &spec.zone {
        node.labels.insert("topology.kubernetes.io/zone".to_owned(), zone.to_string());
    }
    node
}
