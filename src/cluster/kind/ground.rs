//! A kind cluster as what a trial stands on: its nodes, and its control plane's static pods.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};

use camino::{Utf8Path, Utf8PathBuf};
use kind_rs::{Container, ContainerState, Error, Exec, Node, Partition, Signal, Status};
use kubesim_model::{Millis, Text};
use tokio::runtime::Handle;

use super::hosts::{Seen, fact, follow};
use crate::cluster::real::{Component, Folder, Ground, now};
use crate::cluster::{ContainerSelector, Lever, LeverError, Touched};
use crate::history::{ActorPhase, HostEvent, HostFact};

/// The tag of the packet filter rules that cut a node off.
pub(super) const TAG: &str = "shakedown";

/// Where kubeadm's static pods are written down, and where they are put aside.
pub(super) const MANIFESTS: &str = "/etc/kubernetes/manifests";
pub(super) const ASIDE: &str = "/etc/kubernetes";

/// Gives a node's host the name under which it is registered: some pod networks find their node by
/// it. A container that is started again has its old one.
pub(super) async fn name_host(node: &Node, name: &str) -> Result<(), Error> {
    let script = format!("hostname {name}; systemctl try-restart pod-network || true");
    node.exec_checked(Exec::sh(script)).await.map(drop)
}

/// A cluster that is deleted when this is dropped.
pub(super) struct Owned {
    pub(super) cluster: kind_rs::Cluster,
    pub(super) runtime: Handle,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // One that can't be deleted now is deleted by the next run.
        let _ = self.runtime.block_on(self.cluster.delete());
    }
}

/// A cluster, its nodes and what is seen of them.
pub(super) struct KindGround {
    runtime: Handle,
    _cluster: Owned,
    control_plane: Node,
    /// By the name under which they are registered.
    nodes: BTreeMap<Text, Node>,
    /// By the same name: how often they lost their power.
    losses: BTreeMap<Text, Arc<AtomicU64>>,
    seen: Receiver<Seen>,
    facts: Vec<Seen>,
    checked: Millis,
    kubeconfig: Utf8PathBuf,
    /// After the cluster, whose control plane writes into it.
    _folder: Folder,
}

/// How often the control plane's node is looked at, in milliseconds.
const LOOK: Millis = 5_000;

impl KindGround {
    pub(super) fn new(
        cluster: Owned,
        control_plane: Node,
        nodes: BTreeMap<Text, Node>,
        (kubeconfig, folder): (Utf8PathBuf, Folder),
    ) -> Self {
        let (tell, seen) = channel();
        let runtime = cluster.runtime.clone();
        let mut losses = BTreeMap::new();
        for (name, node) in &nodes {
            let lost = Arc::<AtomicU64>::default();
            losses.insert(name.clone(), lost.clone());
            runtime.spawn(follow(node.clone(), name.clone(), lost, tell.clone()));
        }
        // Controllers may run there too.
        let (own, lost) = (Text::new(control_plane.name()), Arc::default());
        runtime.spawn(follow(control_plane.clone(), own, lost, tell));
        KindGround {
            runtime,
            _cluster: cluster,
            control_plane,
            nodes,
            losses,
            seen,
            facts: Vec::new(),
            checked: now(),
            kubeconfig,
            _folder: folder,
        }
    }

    /// Does something to a node; a fact says so if it was done.
    fn on_node(
        &mut self,
        name: &Text,
        fact: Option<HostFact>,
        act: impl AsyncFnOnce(&Node, &Node) -> Result<(), Error>,
    ) -> Result<Touched, LeverError> {
        let node = self.nodes.get(name).ok_or_else(|| LeverError::NoSuchNode(name.clone()))?;
        if self.runtime.block_on(act(node, &self.control_plane)).is_err() {
            return Ok(Touched::default());
        }
        let event = fact.map(|fact| HostEvent { node: name.clone(), fact });
        self.facts.extend(event.map(|event| (now(), 0, event)));
        Ok(Touched { nodes: vec![name.clone()], ..Touched::default() })
    }

    /// Sends a signal to the first process of all containers that match; a fact says so of those
    /// that it stops or lets go on.
    fn signal(&mut self, selector: &ContainerSelector, signal: Signal) -> Touched {
        let (mut touched, mut told) = (Touched::default(), Vec::new());
        let own = Text::new(self.control_plane.name());
        for (name, node) in self.nodes.iter().chain([(&own, &self.control_plane)]) {
            if !selector.node.is_empty() && selector.node != *name {
                continue;
            }
            let containers = self.runtime.block_on(node.cri().containers()).unwrap_or_default();
            for container in containers.iter().filter(|container| matches(selector, container)) {
                let sent = self.runtime.block_on(node.cri().signal(&container.id, signal));
                if sent.is_ok() {
                    touched.nodes.push(name.clone());
                    touched.pods.push(Text::new(&container.pod.uid));
                    told.push((name.clone(), fact(container)));
                }
            }
        }
        if signal != Signal::Kill {
            let stuck = signal == Signal::Stop;
            let told = told.into_iter().map(|(node, container)| {
                let fact = HostFact::ContainerStuck { container, stuck };
                (now(), 0, HostEvent { node, fact })
            });
            self.facts.extend(told);
        }
        touched.nodes.dedup();
        touched.pods.dedup();
        touched
    }

    async fn act_on(&self, component: Component, phase: ActorPhase) -> Result<(), Error> {
        let node = &self.control_plane;
        let name = component.as_str();
        let file = format!("{name}.yaml");
        let signal = match phase {
            ActorPhase::Started => {
                let back = format!("mv {ASIDE}/{file} {MANIFESTS}/{file}");
                return node.exec_checked(Exec::sh(back)).await.map(drop);
            }
            ActorPhase::Crashed => {
                // The kubelet would start it again at once.
                let away = format!("mv {MANIFESTS}/{file} {ASIDE}/{file}");
                node.exec_checked(Exec::sh(away)).await?;
                // From here on the kubelet ends it, if this does not.
                let _ = self.signal_component(name, Signal::Kill).await;
                return Ok(());
            }
            ActorPhase::Paused => Signal::Stop,
            ActorPhase::Resumed => Signal::Cont,
        };
        self.signal_component(name, signal).await
    }

    async fn signal_component(&self, name: &str, signal: Signal) -> Result<(), Error> {
        let cri = self.control_plane.cri();
        for container in cri.containers().await? {
            if container.name == name && container.state == ContainerState::Running {
                cri.signal(&container.id, signal).await?;
            }
        }
        Ok(())
    }
}

/// Cuts a node off from the control plane, and proves it: nothing else would tell, for a kubelet
/// that is not heard of for a while may have nothing to say.
async fn cut_off(node: &Node, control_plane: &Node) -> Result<(), Error> {
    let peers = control_plane.addresses();
    node.partition(&Partition::new(TAG, peers.iter())?).await?;
    for address in peers.iter() {
        let connects_not = format!("! timeout 1 bash -c '</dev/tcp/{address}/6443'");
        if let Err(error) = node.exec_checked(Exec::sh(connects_not)).await {
            node.heal(TAG).await?;
            return Err(error);
        }
    }
    Ok(())
}

pub(super) fn matches(selector: &ContainerSelector, container: &Container) -> bool {
    let like = |wanted: &str, have: &str| match wanted.strip_suffix('*') {
        Some(start) => have.starts_with(start),
        None => wanted.is_empty() || wanted == have,
    };
    container.state == ContainerState::Running
        && like(&selector.namespace, &container.pod.namespace)
        && like(&selector.pod, &container.pod.name)
        && like(&selector.container, &container.name)
        && like(&selector.image, &container.image)
}

impl Ground for KindGround {
    fn is_broken(&mut self) -> Option<String> {
        if now().saturating_sub(self.checked) < LOOK {
            return None;
        }
        self.checked = now();
        match self.runtime.block_on(self.control_plane.state()) {
            Ok(state) if state.status == Status::Running => None,
            Ok(state) => Some(format!("the control plane's node is {:?}", state.status)),
            Err(error) => Some(format!("the control plane's node is gone: {error}")),
        }
    }

    fn act(&mut self, component: Component, phase: ActorPhase) -> bool {
        self.runtime.block_on(self.act_on(component, phase)).is_ok()
    }

    fn pull(&mut self, lever: &Lever) -> Option<Result<Touched, LeverError>> {
        Some(match lever {
            Lever::PowerOff { node } => {
                if let Some(losses) = self.losses.get(node) {
                    losses.fetch_add(1, Ordering::SeqCst);
                }
                self.on_node(node, Some(HostFact::PoweredOff), async |node, _| node.kill().await)
            }
            Lever::PowerOn { node: name } => {
                let on = Some(HostFact::PoweredOn);
                let done = self.on_node(name, on, async |node, _| node.start().await);
                let named = self.on_node(name, None, async |node, _| name_host(node, name).await);
                done.and_then(|touched| named.map(|_| touched))
            }
            Lever::Freeze { node } => {
                self.on_node(node, Some(HostFact::Frozen), async |node, _| node.pause().await)
            }
            Lever::Thaw { node } => {
                self.on_node(node, Some(HostFact::Thawed), async |node, _| node.unpause().await)
            }
            Lever::StopKubelet { node } => {
                self.on_node(node, None, async |node, _| node.unit("kubelet").stop().await)
            }
            Lever::StartKubelet { node } => {
                self.on_node(node, None, async |node, _| node.unit("kubelet").start().await)
            }
            Lever::Partition { node } => self.on_node(node, None, async |node, control_plane| {
                cut_off(node, control_plane).await
            }),
            Lever::Join { node } => {
                self.on_node(node, None, async |node, _| node.heal(TAG).await.map(drop))
            }
            Lever::KillContainer { container, .. } => Ok(self.signal(container, Signal::Kill)),
            Lever::StickContainer { container } => Ok(self.signal(container, Signal::Stop)),
            Lever::UnstickContainer { container } => Ok(self.signal(container, Signal::Cont)),
            _ => return None,
        })
    }

    fn facts(&mut self) -> Vec<(Millis, Millis, HostEvent)> {
        let mut facts = std::mem::take(&mut self.facts);
        facts.extend(self.seen.try_iter());
        facts
    }

    fn last_words(&self) -> String {
        String::new()
    }

    fn kubeconfig(&self) -> &Utf8Path {
        &self.kubeconfig
    }
}
