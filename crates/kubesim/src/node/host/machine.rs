//! The machine itself: power, commands, the agenda of what happens next. How containers start,
//! stop and answer is in the files beside it.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::host::{ContainerInfo, HostCommand, HostEvent, OpId, ProbeKind};
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::container::Container;
use super::fact::{HostFact, HostOut};
use super::image::Images;
use super::rules::{ContainerAction, Rules, selects};
use super::sandbox::{Addresses, Sandbox};
use crate::world::{Behaviour, ContainerSelector};

/// Something that is going to happen.
#[derive(Clone)]
pub(super) enum Due {
    Command(u32, HostCommand),
    Pulled(Text),
    SandboxUp { who: u32, op: OpId, pod_uid: Text },
    SandboxDown { who: u32, op: OpId, pod_uid: Text },
    Begin(Text),
    Hooked { id: Text, code: i32 },
    Ready(Text),
    Exit { id: Text, code: i32, rule: Option<Text> },
    Term(Text),
    Die { id: Text, code: i32 },
    Kill(Text),
    Probe { who: u32, op: OpId, id: Text, kind: ProbeKind, probe: Tree },
}

/// A machine with a container runtime.
#[derive(Clone)]
pub struct Host {
    pub(super) node: Text,
    seed: u64,
    up: bool,
    frozen: bool,
    boots: u32,
    pub(super) rng: Stream,
    agenda: BTreeMap<(Millis, u64), Due>,
    next_due: u64,
    pub(super) next_id: u64,
    pub(super) actors: BTreeSet<u32>,
    pub(super) images: Images,
    pub(super) addresses: Addresses,
    pub(super) sandboxes: BTreeMap<Text, Sandbox>,
    pub(super) containers: BTreeMap<Text, Container>,
    pub(super) rules: Rules,
    pub(super) not_understood: BTreeSet<Text>,
}

impl Host {
    /// The machine of `node`, the `index`th of the cluster, with power and nothing on it. It draws
    /// from its own stream of `seed`; pods get addresses in `10.244.index.0/24`.
    pub fn new(node: &str, index: u32, seed: u64) -> Host {
        Host {
            node: node.into(),
            seed,
            up: true,
            frozen: false,
            boots: 1,
            rng: Stream::new(seed, &format!("host/{node}")),
            agenda: BTreeMap::new(),
            next_due: 0,
            next_id: 0,
            actors: BTreeSet::new(),
            images: Images::default(),
            addresses: Addresses::new(index),
            sandboxes: BTreeMap::new(),
            containers: BTreeMap::new(),
            rules: Rules::default(),
            not_understood: BTreeSet::new(),
        }
    }

    /// Carries out a command of actor `who`. Without power nothing happens and nothing is
    /// answered; a frozen host carries it out when it thaws.
    pub fn command(&mut self, now: Millis, who: u32, command: HostCommand, out: &mut HostOut) {
        if !self.up {
            return;
        }
        if self.frozen {
            self.due(now, Due::Command(who, command));
            return;
        }
        self.actors.insert(who);
        match command {
            HostCommand::PullImage { op, image, policy } => {
                self.pull(now, who, op, (image, &policy), out);
            }
            HostCommand::RunSandbox { op, pod_uid, pod, host_network } => {
                self.run_sandbox(now, (who, op), pod_uid, (pod, host_network), out);
            }
            HostCommand::StopSandbox { op, pod_uid } => {
                let at = now + self.rng.between(50, 200);
                self.due(at, Due::SandboxDown { who, op, pod_uid });
            }
            HostCommand::StartContainer { op, pod_uid, spec, attempt } => {
                self.start(now, (who, op), pod_uid, (spec, attempt), out);
            }
            HostCommand::StopContainer { container_id, grace, .. } => {
                self.stop(now, who, container_id, grace, out);
            }
            HostCommand::Probe { op, container_id: id, kind, probe } => {
                self.probe(now, Due::Probe { who, op, id, kind, probe }, out);
            }
            HostCommand::List { op } => {
                let event = HostEvent::Inventory {
                    op,
                    boot_id: self.boot_id(),
                    sandboxes: self.sandbox_infos(),
                    containers: self.containers().cloned().collect(),
                };
                out.tell(who, event);
            }
        }
    }

    /// When something happens next by itself; never while frozen or without power.
    pub fn next(&self) -> Option<Millis> {
        let first = self.agenda.keys().next().map(|(at, _)| *at);
        first.filter(|_| self.up && !self.frozen)
    }

    /// Carries out everything that is due at `now`.
    pub fn advance(&mut self, now: Millis, out: &mut HostOut) {
        while self.next().is_some_and(|at| at <= now) {
            let Some((_, due)) = self.agenda.pop_first() else { return };
            match due {
                Due::Command(who, command) => self.command(now, who, command, out),
                Due::Pulled(image) => self.pulled(now, image, out),
                Due::SandboxUp { who, op, pod_uid } => self.sandbox_up(who, op, pod_uid, out),
                Due::SandboxDown { who, op, pod_uid } => {
                    self.sandbox_down(now, (who, op), &pod_uid, out);
                }
                Due::Begin(id) => self.begin(now, &id, out),
                Due::Hooked { id, code } => self.hooked(now, &id, code, out),
                Due::Ready(id) => self.serves(&id, out),
                Due::Exit { id, code, rule } => self.exits(now, &id, (code, rule), out),
                Due::Term(id) => self.term(now, &id),
                Due::Die { id, code } => self.dies(now, &id, code, out),
                Due::Kill(id) => self.kill_if_due(now, &id, out),
                Due::Probe { who, op, id, kind, probe } => {
                    let success = self.probe_answer(now, &id, kind, &probe);
                    out.tell(who, HostEvent::Probed { op, success });
                }
            }
        }
    }

    pub(super) fn due(&mut self, at: Millis, due: Due) {
        self.agenda.insert((at, self.next_due), due);
        self.next_due += 1;
    }

    /// Cuts the power: every container ends at once (exit code 255, reason `Unknown`, which is what
    /// containerd says of tasks it lost), sandboxes are gone, images stay.
    pub fn power_off(&mut self, now: Millis, out: &mut HostOut) {
        if !self.up {
            return;
        }
        out.facts.push(HostFact::PoweredOff);
        let told = out.events.len();
        for id in self.living() {
            self.end(now, &id, 255, "Unknown", out);
        }
        // Nobody on a dead machine hears of it.
        out.events.truncate(told);
        for (pod_uid, sandbox) in std::mem::take(&mut self.sandboxes) {
            out.facts.extend(sandbox.stopped(pod_uid));
        }
        self.addresses.release_all();
        self.containers.retain(|_, container| container.info.exited.is_some());
        self.agenda.clear();
        self.images.lose_power();
        self.up = false;
        self.frozen = false;
    }

    /// Boots the machine: ended containers are still known, nothing runs.
    pub fn power_on(&mut self, _now: Millis, out: &mut HostOut) {
        if !self.up {
            self.up = true;
            self.boots += 1;
            out.facts.push(HostFact::PoweredOn);
        }
    }

    /// Stops the machine as a cgroup freezer does: nothing on it goes on.
    pub fn freeze(&mut self, _now: Millis) {
        self.frozen = self.up;
    }

    /// Lets the machine go on. Its clock ran meanwhile: what became due is carried out by the next
    /// [`Host::advance`].
    pub fn thaw(&mut self, _now: Millis) {
        self.frozen = false;
    }

    /// Does something to the processes of all running containers that `which` selects; answers
    /// which they were.
    pub fn container_action(
        &mut self,
        now: Millis,
        which: &ContainerSelector,
        action: ContainerAction,
        out: &mut HostOut,
    ) -> Vec<ContainerInfo> {
        let mut touched = Vec::new();
        for id in self.living() {
            let Some(container) = self.containers.get(&id) else { continue };
            if selects(which, &self.node, &container.info) {
                touched.push(container.info.clone());
                self.act(now, &id, action, out);
            }
        }
        touched
    }

    /// Containers that `which` selects behave so from now on, until [`Host::forget`]. A slow start
    /// concerns later starts only. Answers the running containers that the rule is about.
    pub fn behave(
        &mut self,
        now: Millis,
        rule: &str,
        which: &ContainerSelector,
        how: Behaviour,
        out: &mut HostOut,
    ) -> Vec<ContainerInfo> {
        self.rules.behave(rule, which.clone(), how.clone());
        let mut touched = Vec::new();
        for id in self.living() {
            let Some(container) = self.containers.get(&id) else { continue };
            if selects(which, &self.node, &container.info) {
                touched.push(container.info.clone());
                if let Behaviour::CrashAfter(after, code) = &how {
                    let at = (container.info.started_at + after).max(now);
                    let rule = Some(rule.into());
                    self.due(at, Due::Exit { id: id.clone(), code: *code, rule });
                }
            }
        }
        self.probes_changed(out);
        touched
    }

    /// Images that match `image` (`*` at its end stands for anything) can't be had, or take longer.
    pub fn image_rule(&mut self, rule: &str, image: &str, missing: bool, slower_by: Millis) {
        self.rules.image(rule, image, missing, slower_by);
    }

    /// Ends the rule of this name; answers whether there was one.
    pub fn forget(&mut self, rule: &str, out: &mut HostOut) -> bool {
        let was = self.rules.forget(rule);
        if was {
            self.probes_changed(out);
        }
        was
    }

    /// Every container that runs, or ended and was not taken away, in the order of their ids.
    pub fn containers(&self) -> impl Iterator<Item = &ContainerInfo> {
        let known = self.containers.values();
        known.filter(|one| one.lives() || one.info.exited.is_some()).map(|one| &one.info)
    }

    /// Commands that the behaviour model did not understand and took for servers.
    pub fn not_understood(&self) -> impl Iterator<Item = &Text> {
        self.not_understood.iter()
    }

    /// Whether the machine has power.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// Whether the machine stands still.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Names this boot of the machine, as `/proc/sys/kernel/random/boot_id` does.
    pub fn boot_id(&self) -> Text {
        let bits = Stream::new(self.seed, &format!("boot/{}/{}", self.node, self.boots)).bits();
        Text::from(format!("{:08x}-0000-4000-8000-{:012x}", bits >> 32, bits & 0xffff_ffff_ffff))
    }

    pub(super) fn living(&self) -> Vec<Text> {
        let living = self.containers.iter().filter(|(_, container)| container.lives());
        living.map(|(id, _)| id.clone()).collect()
    }
}
