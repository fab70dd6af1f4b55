//! A kind cluster as what a trial stands on: its nodes, and its control plane's static pods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};

use camino::{Utf8Path, Utf8PathBuf};
use kind_rs::{Container, ContainerState, Error, Exec, Node, Signal, Status};
use kubesim_model::{Millis, Text};
use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinSet;

use super::guard::Guard;
use super::hosts::{Seen, Watched, fact, follow};
use super::images;
use super::link;
use super::pool::Lease;
use super::site::{ASIDE, MANIFESTS};
use crate::cluster::real::{Component, Ground, now};
use crate::cluster::{ContainerSelector, Lever, LeverError, Touched};
use crate::history::{ActorPhase, ContainerFact, HostEvent, HostFact};

/// Gives a node's host the name under which it is registered: some pod networks find their node by
/// it. A container that is started again has its old one.
pub(super) async fn name_host(node: &Node, name: &str) -> Result<(), Error> {
    let script = format!("hostname {name}; systemctl try-restart pod-network || true");
    node.exec_checked(Exec::sh(script)).await.map(drop)
}

/// Sends a signal to a component of the control plane, if it runs.
pub(super) async fn signal_component(node: &Node, name: &str, signal: Signal) -> Result<(), Error> {
    for container in node.cri().containers().await? {
        if container.name == name && container.state == ContainerState::Running {
            node.cri().signal(&container.id, signal).await?;
        }
    }
    Ok(())
}

/// A cluster for a trial, and what is seen of its nodes.
pub(super) struct KindGround {
    runtime: Handle,
    control_plane: Node,
    /// By the name under which they are registered.
    nodes: BTreeMap<Text, Node>,
    /// By the same name: what those who look at them must know.
    watched: BTreeMap<Text, Arc<Watched>>,
    /// The nodes that stand still, in which nobody may run anything.
    frozen: BTreeMap<Text, OwnedMutexGuard<()>>,
    /// The nodes without power.
    off: BTreeSet<Text>,
    /// The nodes without a container runtime.
    idle: BTreeSet<Text>,
    /// The rules for which images are hidden.
    hiding: BTreeSet<Text>,
    /// What is to be healed on nodes that can't be healed now, when they go on.
    later: Vec<(Text, Lever)>,
    seen: Receiver<Seen>,
    tell: Sender<Seen>,
    facts: Vec<Seen>,
    /// What could not be done to a node.
    trouble: Option<String>,
    guard: Guard,
    kubeconfig: Utf8PathBuf,
    /// Those who look at the nodes end with the trial.
    watchers: JoinSet<()>,
    /// Last: the cluster is made ready for the next trial.
    _lease: Lease,
}

impl KindGround {
    pub(super) fn new(lease: Lease, runtime: Handle) -> Self {
        let (tell, seen) = channel();
        let site = lease.site();
        let (mut watched, mut watchers) = (BTreeMap::new(), JoinSet::new());
        for (name, node) in &site.nodes {
            let known = Arc::<Watched>::default();
            watched.insert(name.clone(), known.clone());
            let looks = follow(node.clone(), name.clone(), known, tell.clone());
            watchers.spawn_on(looks, &runtime);
        }
        // Controllers may run there too.
        let own = Text::new(site.control_plane.name());
        let looks = follow(site.control_plane.clone(), own.clone(), Arc::default(), tell.clone());
        watchers.spawn_on(looks, &runtime);
        let all = site.nodes.iter().chain([(&own, &site.control_plane)]);
        let guard = Guard::new(all, &runtime);
        KindGround {
            runtime,
            control_plane: site.control_plane.clone(),
            nodes: site.nodes.clone(),
            watched,
            frozen: BTreeMap::new(),
            off: BTreeSet::new(),
            idle: BTreeSet::new(),
            hiding: BTreeSet::new(),
            later: Vec::new(),
            seen,
            tell,
            facts: Vec::new(),
            trouble: None,
            guard,
            kubeconfig: site.kubeconfig(),
            watchers,
            _lease: lease,
        }
    }

    /// Does something to a node; a fact says so if it was done. One that is off has nothing that
    /// could be done to it or healed; if it can't be done to another, the trial can't go on.
    fn on_node(
        &mut self,
        name: &Text,
        fact: Option<HostFact>,
        act: impl AsyncFnOnce(&Node, &Node) -> Result<(), Error>,
    ) -> Result<Touched, LeverError> {
        let node = self.nodes.get(name).ok_or_else(|| LeverError::NoSuchNode(name.clone()))?;
        let node = node.clone();
        if let Err(error) = self.runtime.block_on(act(&node, &self.control_plane)) {
            self.disobeyed(name, &node, &error);
            return Ok(Touched::default());
        }
        let event = fact.map(|fact| HostEvent { node: name.clone(), fact });
        self.facts.extend(event.map(|event| (now(), 0, event)));
        Ok(Touched { nodes: vec![name.clone()], ..Touched::default() })
    }

    /// Something could not be done to a node.
    fn disobeyed(&mut self, name: &Text, node: &Node, error: &Error) {
        let state = self.runtime.block_on(node.state());
        let is_on = |status| matches!(status, Status::Running | Status::Paused);
        if state.map_or(true, |state| is_on(state.status)) {
            self.trouble.get_or_insert(format!("the node {name} does not obey: {error}"));
        }
    }

    /// Sends a signal to the first process of all containers that match; a fact says so of those
    /// that it stops or lets go on.
    fn signal(&mut self, selector: &ContainerSelector, signal: Signal) -> Touched {
        let heals = signal == Signal::Cont;
        let (touched, told) = self.on_containers((selector, heals), async |node, id| {
            node.cri().signal(id, signal).await.map(drop)
        });
        if signal != Signal::Kill {
            let stuck = signal == Signal::Stop;
            let told = told.into_iter().map(|(node, container)| {
                let fact = HostFact::ContainerStuck { container, stuck };
                (now(), 0, HostEvent { node, fact })
            });
            self.facts.extend(told);
        }
        touched
    }

    /// Does something to all running containers that match; answers to which it was done. One that
    /// ends in the meantime needs nothing.
    fn on_containers(
        &mut self,
        (selector, heals): (&ContainerSelector, bool),
        act: impl AsyncFn(&Node, &str) -> Result<(), Error>,
    ) -> (Touched, Vec<(Text, ContainerFact)>) {
        let is_meant = |name: &Text| selector.node.is_empty() || selector.node == *name;
        let own = (Text::new(self.control_plane.name()), self.control_plane.clone());
        let all = self.nodes.clone().into_iter().chain([own]);
        let (mut touched, mut told) = (Touched::default(), Vec::new());
        for (name, node) in all.filter(|(name, _)| is_meant(name)) {
            if self.is_away(&name) {
                continue;
            }
            let containers = match self.runtime.block_on(node.cri().containers()) {
                Ok(containers) => containers,
                // Only what has to be done everywhere has to be done there.
                Err(error) if heals => {
                    self.disobeyed(&name, &node, &error);
                    continue;
                }
                Err(_) => continue,
            };
            for container in containers.iter().filter(|container| matches(selector, container)) {
                match self.runtime.block_on(act(&node, &container.id)) {
                    Ok(()) => {
                        touched.nodes.push(name.clone());
                        touched.pods.push(Text::new(&container.pod.uid));
                        told.push((name.clone(), fact(container)));
                    }
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => self.disobeyed(&name, &node, &error),
                }
            }
        }
        touched.nodes.dedup();
        touched.pods.dedup();
        (touched, told)
    }

    /// Does something to all nodes that can be reached.
    fn on_all(
        &mut self,
        act: impl AsyncFn(&Node) -> Result<(), Error>,
    ) -> Result<Touched, LeverError> {
        let mut touched = Touched::default();
        let mut names: Vec<Text> = self.nodes.keys().cloned().collect();
        names.retain(|name| !self.is_away(name));
        for name in names {
            let one = self.on_node(&name, None, async |node, _| act(node).await)?;
            touched.nodes.extend(one.nodes);
        }
        Ok(touched)
    }

    /// Whether nothing of its containers and images can be reached on a node.
    fn is_away(&self, name: &Text) -> bool {
        self.frozen.contains_key(name) || self.off.contains(name) || self.idle.contains(name)
    }

    /// Heals nodes, those that can't be healed now as soon as they go on.
    fn heal(&mut self, lever: &Lever) -> Result<Touched, LeverError> {
        let away: Vec<Text> =
            self.nodes.keys().filter(|name| self.is_away(name)).cloned().collect();
        self.later.extend(away.into_iter().map(|name| (name, lever.clone())));
        match lever {
            Lever::UnstickContainer { container } => Ok(self.signal(container, Signal::Cont)),
            Lever::Forget { rule } => {
                self.on_all(async |node| images::give_back(node, Some(rule)).await)
            }
            _ => Ok(Touched::default()),
        }
    }

    /// A node goes on: what was to be healed on it meanwhile is.
    fn goes_on(&mut self, name: &Text) -> Result<(), LeverError> {
        if self.is_away(name) {
            return Ok(());
        }
        let all = std::mem::take(&mut self.later);
        let (due, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|(node, _)| node == name);
        self.later = later;
        for (_, lever) in due {
            match lever {
                Lever::UnstickContainer { mut container } => {
                    let is_here = container.node.is_empty() || container.node == *name;
                    container.node = name.clone();
                    is_here.then(|| self.signal(&container, Signal::Cont));
                }
                Lever::Forget { rule } => {
                    let give =
                        async |node: &Node, _: &Node| images::give_back(node, Some(&rule)).await;
                    self.on_node(name, None, give)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn power_off(&mut self, name: &Text) -> Result<Touched, LeverError> {
        self.frozen.remove(name);
        if let Some(watched) = self.watched.get(name) {
            watched.losses.fetch_add(1, Ordering::SeqCst);
        }
        self.guard.disturb(name);
        let off = Some(HostFact::PoweredOff);
        let touched = self.on_node(name, off, async |node, _| node.kill().await)?;
        self.off.extend(touched.nodes.iter().cloned());
        Ok(touched)
    }

    fn power_on(&mut self, name: &Text) -> Result<Touched, LeverError> {
        let on = Some(HostFact::PoweredOn);
        let done = self.on_node(name, on, async |node, _| node.start().await);
        let named = self.on_node(name, None, async |node, _| name_host(node, name).await);
        self.guard.restore(name);
        self.off.remove(name);
        self.idle.remove(name);
        // A boot has ended what stood still.
        let ended = |lever: &Lever| matches!(lever, Lever::UnstickContainer { .. });
        self.later.retain(|(node, lever)| node != name || !ended(lever));
        named.and_then(|_| self.goes_on(name)).and(done)
    }

    fn freeze(&mut self, name: &Text) -> Result<Touched, LeverError> {
        let quiet = self.watched.get(name).map(|watched| watched.quiet.clone());
        if let Some(quiet) = quiet.filter(|_| !self.frozen.contains_key(name)) {
            self.frozen.insert(name.clone(), self.runtime.block_on(quiet.lock_owned()));
        }
        self.guard.disturb(name);
        let frozen = Some(HostFact::Frozen);
        let touched = self.on_node(name, frozen, async |node, _| node.pause().await)?;
        if touched.nodes.is_empty() {
            self.frozen.remove(name);
        }
        Ok(touched)
    }

    fn lose_packets(&mut self, name: &Text, percent: u64) -> Result<Touched, LeverError> {
        let lose = async |node: &Node, control_plane: &Node| {
            link::lose(node, control_plane, percent).await
        };
        let touched = self.on_node(name, None, lose)?;
        if let (Some(node), Some(watched)) = (self.nodes.get(name), self.watched.get(name)) {
            let (node, watched) = (node.clone(), watched.clone());
            let counts = link::count(node, name.clone(), watched, self.tell.clone());
            self.watchers.spawn_on(counts, &self.runtime);
        }
        Ok(touched)
    }

    /// Sends a signal to the kubelet that an actor is; `None` if it is something else.
    fn signal_kubelet(
        &mut self,
        actor: &Text,
        signal: Signal,
    ) -> Option<Result<Touched, LeverError>> {
        let node = Text::new(actor.strip_prefix("kubelet/")?);
        let send = async |node: &Node, _: &Node| node.unit("kubelet").kill(signal).await;
        Some(self.on_node(&node, None, send))
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
                let _ = signal_component(node, name, Signal::Kill).await;
                return Ok(());
            }
            ActorPhase::Paused => Signal::Stop,
            ActorPhase::Resumed => Signal::Cont,
        };
        signal_component(node, name, signal).await
    }
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
        self.trouble.clone().or_else(|| self.guard.trouble())
    }

    fn act(&mut self, component: Component, phase: ActorPhase) -> bool {
        self.runtime.block_on(self.act_on(component, phase)).is_ok()
    }

    fn pull(&mut self, lever: &Lever) -> Option<Result<Touched, LeverError>> {
        Some(match lever {
            Lever::PowerOff { node } => self.power_off(node),
            Lever::PowerOn { node } => self.power_on(node),
            Lever::Freeze { node } => self.freeze(node),
            Lever::Thaw { node } => {
                let thawed = Some(HostFact::Thawed);
                let done = self.on_node(node, thawed, async |node, _| match node.state().await? {
                    state if state.status == Status::Paused => node.unpause().await,
                    _ => Ok(()),
                });
                self.guard.restore(node);
                self.frozen.remove(node);
                self.goes_on(node).and(done)
            }
            Lever::StopKubelet { node } => {
                self.on_node(node, None, async |node, _| node.unit("kubelet").stop().await)
            }
            Lever::StartKubelet { node } => {
                self.on_node(node, None, async |node, _| node.unit("kubelet").start().await)
            }
            Lever::PauseActor { actor } => self.signal_kubelet(actor, Signal::Stop)?,
            Lever::ResumeActor { actor } => self.signal_kubelet(actor, Signal::Cont)?,
            Lever::Partition { node, direction } => {
                self.on_node(node, None, async |node, control_plane| {
                    link::cut(node, control_plane, *direction).await
                })
            }
            Lever::Join { node } => {
                self.on_node(node, None, async |node, _| link::join(node).await)
            }
            Lever::LosePackets { node, percent } => self.lose_packets(node, *percent),
            Lever::KeepPackets { node } => {
                self.on_node(node, None, async |node, _| link::keep(node).await)
            }
            Lever::StopRuntime { node } => {
                let stopped = Some(HostFact::RuntimeStopped);
                self.idle.insert(node.clone());
                self.on_node(node, stopped, async |node, _| node.unit("containerd").stop().await)
            }
            Lever::StartRuntime { node } => {
                let started = Some(HostFact::RuntimeStarted);
                let start = async |node: &Node, _: &Node| node.unit("containerd").start().await;
                let done = self.on_node(node, started, start);
                self.idle.remove(node);
                self.goes_on(node).and(done)
            }
            Lever::ImageRule { rule, image, missing: true, .. } => {
                self.hiding.insert(rule.clone());
                self.on_all(async |node| images::withhold(node, rule, image).await)
            }
            Lever::UnstickContainer { .. } => self.heal(lever),
            Lever::Forget { rule } if self.hiding.remove(rule) => self.heal(lever),
            Lever::OomContainer { container } => {
                let oom = async |node: &Node, id: &str| node.cri().exhaust_memory(id).await;
                Ok(self.on_containers((container, false), oom).0)
            }
            Lever::KillContainer { container, .. } => Ok(self.signal(container, Signal::Kill)),
            Lever::StickContainer { container } => Ok(self.signal(container, Signal::Stop)),
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
