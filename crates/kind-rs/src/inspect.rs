//! What the container engine knows about a node's container: `docker inspect`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use serde::Deserialize;

const ROLE_LABEL: &str = "io.x-k8s.kind.role";

/// What a node's container is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Role {
    /// It runs the control plane.
    ControlPlane,
    /// It runs pods.
    Worker,
    /// It is no Kubernetes node, but spreads requests over several control planes.
    ExternalLoadBalancer,
    /// A role that this crate does not know, as its label says it.
    Other(String),
}

/// What a node's container is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It was created and never started.
    Created,
    /// It runs.
    Running,
    /// All its processes stand still.
    Paused,
    /// It ended and is being started again.
    Restarting,
    /// It is being removed.
    Removing,
    /// It ended.
    Exited,
    /// It ended and could not be removed.
    Dead,
    /// Something else, in the words of the container engine.
    Other(String),
}

/// The state of a node's container at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeState {
    /// The ID of the container.
    pub container_id: String,
    /// What it is doing.
    pub status: Status,
    /// Its exit code, if it ended. 137 is a kill.
    pub exit_code: Option<i32>,
    /// Whether it ended because memory was short.
    pub oom_killed: bool,
    /// The process ID of its first process, on the host of the container engine.
    pub pid: Option<u32>,
    /// When it was started last.
    pub started_at: Option<Timestamp>,
    /// When it ended last.
    pub finished_at: Option<Timestamp>,
    /// How often the engine's restart policy started it again. Starts by hand do not count.
    pub restart_count: u32,
    /// The networks that it is connected to, and its addresses there.
    pub networks: BTreeMap<String, Addresses>,
}

/// The addresses of a node in one network. It has none while it does not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// The IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
}

impl Addresses {
    /// All that there are.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let ipv4 = self.ipv4.map(IpAddr::V4);
        ipv4.into_iter().chain(self.ipv6.map(IpAddr::V6))
    }
}

impl Status {
    fn of(text: &str) -> Self {
        match text {
            "created" => Self::Created,
            "running" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "removing" => Self::Removing,
            "exited" => Self::Exited,
            "dead" => Self::Dead,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl Role {
    fn of(label: &str) -> Self {
        match label {
            "control-plane" => Self::ControlPlane,
            "worker" => Self::Worker,
            "external-load-balancer" => Self::ExternalLoadBalancer,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A container as a node.
#[derive(Debug)]
pub(crate) struct Inspected {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) image: String,
    pub(crate) state: NodeState,
}

pub(crate) fn parse(json: &[u8]) -> Result<Vec<Inspected>, String> {
    let containers: Vec<Json> = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    Ok(containers.into_iter().map(Inspected::from).collect())
}

impl From<Json> for Inspected {
    fn from(json: Json) -> Self {
        let status = Status::of(&json.state.status);
        let ended = matches!(status, Status::Exited | Status::Dead);
        let networks = json.network_settings.networks.unwrap_or_default();
        let state = NodeState {
            container_id: json.id,
            exit_code: ended.then_some(json.state.exit_code),
            status,
            oom_killed: json.state.oom_killed,
            pid: u32::try_from(json.state.pid).ok().filter(|pid| *pid > 0),
            started_at: time(&json.state.started_at),
            finished_at: time(&json.state.finished_at),
            restart_count: u32::try_from(json.restart_count).unwrap_or_default(),
            networks: networks.into_iter().map(|(name, network)| (name, network.into())).collect(),
        };
        let labels = json.config.labels.unwrap_or_default();
        Self {
            name: json.name.trim_start_matches('/').to_owned(),
            role: Role::of(labels.get(ROLE_LABEL).map_or("", String::as_str)),
            image: json.config.image,
            state,
        }
    }
}

/// The engine writes the year 1 for "never".
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    let epoch = Timestamp::UNIX_EPOCH;
    text.parse().ok().filter(|time: &Timestamp| *time > epoch)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Json {
    id: String,
    name: String,
    state: State,
    #[serde(default)]
    restart_count: i64,
    config: Config,
    network_settings: NetworkSettings,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    #[serde(default)]
    exit_code: i32,
    #[serde(default, rename = "OOMKilled")]
    oom_killed: bool,
    #[serde(default)]
    pid: i64,
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    finished_at: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    image: String,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Network>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    #[serde(default, rename = "IPAddress")]
    ip_address: String,
    #[serde(default, rename = "GlobalIPv6Address")]
    global_ipv6_address: String,
}

impl From<Network> for Addresses {
    fn from(network: Network) -> Self {
        Self {
            ipv4: network.ip_address.parse().ok(),
            ipv6: network.global_ipv6_address.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn running_nodes_have_roles_addresses_and_a_start() {
        let nodes = parse(include_bytes!("../tests/recorded/docker-inspect.json")).unwrap();
        let [control_plane, worker] = nodes.as_slice() else { panic!("two nodes") };
        assert_eq!(control_plane.name, "kindrs-rec-control-plane");
        assert_eq!(control_plane.role, Role::ControlPlane);
        assert_eq!(worker.role, Role::Worker);
        assert_eq!(worker.image, "shakedown/node:v1.36.3");
        let state = &worker.state;
        assert_eq!(state.status, Status::Running);
        assert_eq!(state.exit_code, None);
        assert!(state.pid.is_some() && state.started_at.is_some());
        let addresses = state.networks["kind"];
        assert_eq!(addresses.ipv4, Some(Ipv4Addr::new(172, 18, 0, 3)));
        assert_eq!(addresses.iter().count(), 2);
    }

    #[test]
    fn a_killed_node_has_an_exit_code_and_no_address() {
        let nodes = parse(include_bytes!("../tests/recorded/docker-inspect-killed.json")).unwrap();
        let state = &nodes[0].state;
        assert_eq!((&state.status, state.exit_code), (&Status::Exited, Some(137)));
        assert_eq!(state.pid, None);
        assert!(state.finished_at > state.started_at);
        assert_eq!(state.networks["kind"], Addresses::default());
    }

    #[test]
    fn never_is_no_time() {
        assert_eq!(time("0001-01-01T00:00:00Z"), None);
        assert_eq!(time(""), None);
        assert!(time("2026-11-26T14:49:25.469180755+01:00").is_some());
    }

    proptest! {
        #[test]
        fn no_answer_panics(text in ".{0,64}", status in ".{0,8}", pid: i64, code: i32) {
            let _ = parse(text.as_bytes());
            let _ = time(&text);
            let state = serde_json::json!({"Status": status, "Pid": pid, "ExitCode": code,
                "StartedAt": text});
            let node = serde_json::json!([{"Id": text, "Name": text, "State": state,
                "RestartCount": pid, "Config": {"Labels": null},
                "NetworkSettings": {"Networks": {"kind": {"IPAddress": text}}}}]);
            prop_assert_eq!(parse(node.to_string().as_bytes()).unwrap().len(), 1);
        }
    }
}
