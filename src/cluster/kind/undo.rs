//! Healing a kind cluster whose harness is gone: whatever the state of its nodes, afterwards they
//! are as they should be.

use std::collections::BTreeMap;

use kind_rs::{ContainerState, Error, Exec, Node, Signal, Status};
use kubesim_model::Text;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ground::{matches, name_host};
use super::site::{ASIDE, MANIFESTS};
use super::{images, link};
use crate::cluster::real::{Component, Healer, Runtime, Undo};
use crate::cluster::{ContainerSelector, Lever};
use crate::history::ActorPhase;

/// How a cluster is reached, as its journal says it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::cluster) struct KindReach {
    /// `docker`, `podman` or `nerdctl`.
    engine: String,
    cluster: String,
    /// The containers of the nodes.
    control_plane: String,
    nodes: BTreeMap<Text, String>,
}

impl KindReach {
    /// Of a cluster with these nodes.
    pub(super) fn new(control_plane: &Node, nodes: &BTreeMap<Text, Node>) -> Self {
        let named = |(name, node): (&Text, &Node)| (name.clone(), node.name().to_owned());
        KindReach {
            engine: control_plane.kind().engine().to_string(),
            cluster: control_plane.cluster_name().to_owned(),
            control_plane: control_plane.name().to_owned(),
            nodes: nodes.iter().map(named).collect(),
        }
    }

    /// What a journal says.
    pub(in crate::cluster) fn read(value: &Value) -> Result<Self, serde_json::Error> {
        KindReach::deserialize(value)
    }

    /// Reaches it; `None` if it is no more.
    pub(in crate::cluster) fn connect(&self) -> Result<Option<Box<dyn Healer>>, String> {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let found = runtime.block_on(self.find()).map_err(|error| error.to_string())?;
        Ok(found.map(|(control_plane, nodes)| -> Box<dyn Healer> {
            Box::new(Away { control_plane, nodes, runtime })
        }))
    }

    async fn find(&self) -> Result<Option<(Node, BTreeMap<Text, Node>)>, Error> {
        let kind = kind_rs::Kind::builder().engine(self.engine.parse()?).detect().await?;
        let cluster = kind.cluster(self.cluster.as_str())?;
        if !cluster.exists().await? {
            return Ok(None);
        }
        let mut nodes = BTreeMap::new();
        for (name, container) in &self.nodes {
            nodes.insert(name.clone(), cluster.node(container).await?);
        }
        Ok(Some((cluster.node(&self.control_plane).await?, nodes)))
    }

    /// What a person does instead.
    pub(in crate::cluster) fn by_hand(&self, undo: &Undo) -> String {
        let engine = &self.engine;
        let inside = |node: &str, script: &str| format!("{engine} exec {node} sh -c '{script}'");
        let container = |node: &Text| self.nodes.get(node).map_or("NODE", String::as_str);
        match undo {
            Undo::Lever(Lever::PowerOn { node }) => format!("{engine} start {}", container(node)),
            Undo::Lever(Lever::Thaw { node }) => format!("{engine} unpause {}", container(node)),
            Undo::Lever(Lever::StartKubelet { node }) => {
                inside(container(node), "systemctl start kubelet")
            }
            Undo::Lever(Lever::Join { node }) => inside(
                container(node),
                "iptables-save | grep -v kind-rs:shakedown | iptables-restore",
            ),
            Undo::Component(component, ActorPhase::Started) => {
                inside(&self.control_plane, &put_back(*component))
            }
            _ => format!("kind delete cluster --name {}", self.cluster),
        }
    }
}

/// A cluster that was reached to heal it.
struct Away {
    control_plane: Node,
    nodes: BTreeMap<Text, Node>,
    runtime: Runtime,
}

impl Away {
    async fn undo(&self, undo: &Undo) -> Result<(), String> {
        match undo {
            Undo::Lever(Lever::UnstickContainer { container }) => self.unstick(container).await,
            Undo::Lever(lever) => self.move_back(lever).await,
            Undo::Component(component, ActorPhase::Started) => {
                let script = Exec::sh(put_back(*component));
                self.control_plane.exec_checked(script).await.map(drop)
            }
            Undo::Component(component, _) => self.resume(*component).await,
            Undo::Delete { .. } | Undo::Empty { .. } | Undo::Node { .. } => {
                return Err("its objects are the cluster's own".to_owned());
            }
        }
        .map_err(|error| error.to_string())
    }

    async fn move_back(&self, lever: &Lever) -> Result<(), Error> {
        let node = |name: &Text| {
            let missing = Error::NotFound { what: "node", name: name.to_string() };
            self.nodes.get(name).ok_or(missing)
        };
        match lever {
            Lever::PowerOn { node: name } => {
                node(name)?.start().await?;
                name_host(node(name)?, name).await
            }
            Lever::Thaw { node: name } => match node(name)?.state().await?.status {
                Status::Paused => node(name)?.unpause().await,
                _ => Ok(()),
            },
            Lever::StartKubelet { node: name } => node(name)?.unit("kubelet").start().await,
            Lever::Join { node: name } => link::join(node(name)?).await,
            Lever::KeepPackets { node: name } => link::keep(node(name)?).await.map(drop),
            Lever::StartRuntime { node: name } => node(name)?.unit("containerd").start().await,
            Lever::ResumeActor { actor } => match actor.strip_prefix("kubelet/") {
                Some(name) => {
                    let kubelet = node(&Text::new(name))?.unit("kubelet");
                    kubelet.kill(Signal::Cont).await.map(drop)
                }
                None => Ok(()),
            },
            Lever::Forget { rule } => {
                for node in self.nodes.values() {
                    images::give_back(node, Some(rule)).await?;
                }
                Ok(())
            }
            // Nothing else is a lever of its nodes.
            _ => Ok(()),
        }
    }

    async fn unstick(&self, selector: &ContainerSelector) -> Result<(), Error> {
        for node in self.nodes.values() {
            for container in node.cri().containers().await? {
                if matches(selector, &container) {
                    // One that ended in the meantime needs nothing.
                    let _ = node.cri().signal(&container.id, Signal::Cont).await;
                }
            }
        }
        Ok(())
    }

    async fn resume(&self, component: Component) -> Result<(), Error> {
        let cri = self.control_plane.cri();
        for container in cri.containers().await? {
            let is_it = container.name == component.as_str();
            if is_it && container.state == ContainerState::Running {
                cri.signal(&container.id, Signal::Cont).await?;
            }
        }
        Ok(())
    }
}

/// Gives the kubelet the manifest of a component back, if it was put aside.
fn put_back(component: Component) -> String {
    let file = format!("{}.yaml", component.as_str());
    format!("test -e {MANIFESTS}/{file} || mv {ASIDE}/{file} {MANIFESTS}/{file}")
}

impl Healer for Away {
    fn heal(&mut self, undo: &Undo) -> Result<(), String> {
        self.runtime.block_on(self.undo(undo))
    }
}
