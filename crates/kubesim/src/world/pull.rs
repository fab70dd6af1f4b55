//! Moving a lever: finding what it acts on, and doing it.

use kubesim_model::host::ContainerInfo;
use kubesim_model::resource::Resource;
use kubesim_model::{Millis, Text};

use super::World;
use super::lever::{ContainerSelector, Lever, LeverError, Touched};
use super::queue::ActorId;
use crate::node::{ContainerAction, Host, HostOut};

impl World {
    /// Moves a lever and answers what it touched: nothing, if everything was so already.
    ///
    /// # Errors
    /// The lever names a node or an actor that does not exist.
    pub fn pull(&mut self, lever: &Lever) -> Result<Touched, LeverError> {
        self.cause = None;
        match lever {
            Lever::PowerOff { node } => self.on_machine(node, World::power_off),
            Lever::PowerOn { node } => self.on_machine(node, World::power_on),
            Lever::Freeze { node } => self.on_machine(node, World::freeze),
            Lever::Thaw { node } => self.on_machine(node, World::thaw),
            Lever::Partition { node, direction } => {
                self.on_machine(node, |world, at| world.partition(at, *direction))
            }
            Lever::Join { node } => self.on_machine(node, World::join),
            Lever::StopKubelet { node } => self.on_machine(node, World::stop_kubelet),
            Lever::StartKubelet { node } => self.on_machine(node, World::start_kubelet),
            Lever::CrashActor { actor } => self.on_actor(actor, World::crash),
            Lever::StartActor { actor } => self.on_actor(actor, World::start_anew),
            Lever::PauseActor { actor } => self.on_actor(actor, World::pause),
            Lever::ResumeActor { actor } => self.on_actor(actor, World::resume_actor),
            Lever::DropWatches { actor, resource, expired } => self.on_actor(actor, |world, at| {
                world.break_watches(at, resource.as_ref(), *expired) > 0
            }),
            Lever::RequestRule { rule, actor, requests, effect } => {
                self.on_actor(actor, |world, at| {
                    let (requests, effect) = (requests.clone(), effect.clone());
                    world.rules.add_request_rule(rule.clone(), at, requests, effect);
                    true
                })
            }
            Lever::WatchRule { rule, actor, resource, effect } => {
                self.on_actor(actor, |world, at| {
                    let (resource, effect) = (resource.clone(), effect.clone());
                    world.rules.add_watch_rule(rule.clone(), at, resource, effect);
                    true
                })
            }
            Lever::KillContainer { container, exit_code } => {
                let (exit_code, oom) = (*exit_code, false);
                Ok(self.on_containers(container, ContainerAction::Kill { exit_code, oom }))
            }
            Lever::OomContainer { container } => {
                Ok(self
                    .on_containers(container, ContainerAction::Kill { exit_code: 137, oom: true }))
            }
            Lever::LosePackets { .. } | Lever::KeepPackets { .. } => {
                Err(LeverError::NotSimulated("the loss of packets"))
            }
            Lever::StopRuntime { .. } | Lever::StartRuntime { .. } => {
                Err(LeverError::NotSimulated("the container runtime"))
            }
            Lever::StickContainer { container } => {
                Ok(self.on_containers(container, ContainerAction::Stick))
            }
            Lever::UnstickContainer { container } => {
                Ok(self.on_containers(container, ContainerAction::Unstick))
            }
            Lever::Behave { rule, container, behaviour } => Ok(self
                .on_hosts(&container.node, |now, host, out| {
                    host.behave(now, rule, container, behaviour.clone(), out)
                })),
            Lever::ImageRule { rule, image, missing, slower_by } => {
                Ok(self.on_hosts("", |_, host, _| {
                    host.image_rule(rule, image, *missing, *slower_by);
                    Vec::new()
                }))
            }
            Lever::Forget { rule } => Ok(self.forget_rule(rule)),
        }
    }

    fn on_machine(
        &mut self,
        node: &Text,
        act: impl FnOnce(&mut World, usize) -> bool,
    ) -> Result<Touched, LeverError> {
        let at = self.find_machine(node).ok_or_else(|| LeverError::NoSuchNode(node.clone()))?;
        let nodes = if act(self, at) { vec![node.clone()] } else { Vec::new() };
        Ok(Touched { nodes, ..Touched::default() })
    }

    fn on_actor(
        &mut self,
        actor: &Text,
        act: impl FnOnce(&mut World, ActorId) -> bool,
    ) -> Result<Touched, LeverError> {
        let at = self.find(actor).ok_or_else(|| LeverError::NoSuchActor(actor.clone()))?;
        let actors = if act(self, at) { vec![actor.clone()] } else { Vec::new() };
        Ok(Touched { actors, ..Touched::default() })
    }

    fn kubelet_on(&self, machine: usize) -> Option<ActorId> {
        self.find(&super::boot::kubelet_name(&self.machines[machine].name))
    }

    fn stop_kubelet(&mut self, machine: usize) -> bool {
        self.kubelet_on(machine).is_some_and(|kubelet| self.crash(kubelet))
    }

    fn start_kubelet(&mut self, machine: usize) -> bool {
        self.kubelet_on(machine).is_some_and(|kubelet| self.start_anew(kubelet))
    }

    fn start_anew(&mut self, actor: ActorId) -> bool {
        let before = self.slots[actor].incarnation;
        self.start(actor);
        self.slots[actor].incarnation != before
    }

    fn on_containers(&mut self, selector: &ContainerSelector, act: ContainerAction) -> Touched {
        let mut touched = self.on_hosts(&selector.node, |now, host, out| {
            host.container_action(now, selector, act, out)
        });
        if touched.pods.is_empty() {
            touched.nodes.clear();
        }
        touched
    }

    /// Does something on the node of this name, or on all if it is empty.
    fn on_hosts(
        &mut self,
        node: &str,
        mut act: impl FnMut(Millis, &mut Host, &mut HostOut) -> Vec<ContainerInfo>,
    ) -> Touched {
        let now = self.now;
        let mut touched = Touched::default();
        for machine in 0..self.machines.len() {
            if !node.is_empty() && node != self.machines[machine].name {
                continue;
            }
            let containers = self.on_host(machine, |host, out| act(now, host, out));
            touched.nodes.push(self.machines[machine].name.clone());
            touched.pods.extend(containers.into_iter().map(|container| container.pod_uid));
        }
        touched.pods.dedup();
        touched
    }

    fn forget_rule(&mut self, rule: &Text) -> Touched {
        for machine in 0..self.machines.len() {
            self.on_host(machine, |host, out| host.forget(rule, out));
        }
        let actors = self.rules.forget(rule);
        actors.iter().for_each(|actor| self.wake_watches(*actor));
        let actors = actors.into_iter().map(|actor| self.slots[actor].name.clone()).collect();
        Touched { actors, ..Touched::default() }
    }
}

impl World {
    /// The resources that an actor watches now.
    pub fn watched_by(&self, actor: &str) -> Vec<Resource> {
        let watches = self.find(actor).map(|at| self.slots[at].watches.as_slice());
        watches.unwrap_or_default().iter().map(|watch| watch.spec.resource.clone()).collect()
    }
}
