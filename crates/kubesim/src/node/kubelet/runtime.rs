//! What the container runtime tells the kubelet, and the relist that notices it (v1.36,
//! `pkg/kubelet/pleg`: every second; here only when there is something to find).

use kubesim_model::Text;
use kubesim_model::actor::Io;
use kubesim_model::host::{ContainerInfo, HostEvent, OpId};

use super::actor::{Asked, Due, Kubelet, until_tick};
use super::condition;
use super::unit::Instance;
use super::worker::{Doing, Stage, Worker};

/// How often the runtime is asked for everything.
pub(super) const RELIST: u64 = 1_000;

impl Kubelet {
    pub(super) fn host_told(&mut self, event: HostEvent, io: &mut Io<'_>) {
        match event {
            HostEvent::Inventory { op, .. } => {
                if matches!(self.answer_to(op), Some(Asked::Inventory)) {
                    self.inventory = Some(event);
                    self.take_over(io);
                }
            }
            HostEvent::ContainerExited { container_id, exit_code, reason, .. } => {
                self.exited(&container_id, (exit_code, reason), io);
            }
            HostEvent::ContainerAppeared(info) => self.appeared(info, io),
            HostEvent::ProbesChanged { container_id } => self.probes_changed(&container_id, io),
            HostEvent::Probed { op, success } => {
                if let Some(Asked::Probe { pod_uid, unit, container_id, kind }) = self.answer_to(op)
                {
                    self.with(&pod_uid, io, |kubelet, worker, io| {
                        kubelet.probed(worker, (unit, &container_id, kind), success, io);
                    });
                }
            }
            HostEvent::SandboxStopped { op } => {
                if let Some(Asked::SandboxStop(uid)) = self.answer_to(op) {
                    self.with(&uid, io, |kubelet, worker, io| kubelet.cleaned_up(worker, io));
                }
            }
            HostEvent::ImageReady { op, .. }
            | HostEvent::ImageFailed { op, .. }
            | HostEvent::SandboxReady { op, .. }
            | HostEvent::ContainerStarted { op, .. }
            | HostEvent::StartFailed { op, .. } => {
                if let Some(Asked::Work(uid)) = self.answer_to(op) {
                    self.with(&uid, io, |kubelet, worker, io| {
                        kubelet.worked(worker, op, event, io);
                    });
                }
            }
        }
    }

    /// The answer that a worker waits for.
    fn worked(&mut self, worker: &mut Worker, op: OpId, event: HostEvent, io: &mut Io<'_>) {
        match (worker.doing, event) {
            (Doing::Sandbox(waits), HostEvent::SandboxReady { ip, .. }) if waits == op => {
                worker.last_ip = Some(ip.clone());
                worker.ip = Some(ip);
                worker.doing = Doing::Nothing;
                worker.acted = true;
                condition::set_sandbox_ready(worker, io.now);
                self.report(worker, io);
                self.notice_later(worker.uid.clone(), io);
            }
            (Doing::Sandbox(waits), HostEvent::StartFailed { .. }) if waits == op => {
                worker.doing = Doing::Nothing;
                self.again(worker, io.rng.between(10_000, 15_000), io);
            }
            (Doing::Pull(waits, at), HostEvent::ImageReady { image_id, .. }) if waits == op => {
                self.image_ready(worker, at, image_id, io);
                return;
            }
            (Doing::Pull(waits, at), HostEvent::ImageFailed { message, .. }) if waits == op => {
                self.pull_failed(worker, at, message, io);
            }
            (Doing::Start(waits, at), HostEvent::ContainerStarted { container_id, .. })
                if waits == op =>
            {
                worker.doing = Doing::Nothing;
                self.began(worker, at, container_id, io);
            }
            (Doing::Start(waits, at), HostEvent::StartFailed { reason, message, .. })
                if waits == op =>
            {
                worker.doing = Doing::Nothing;
                worker.units[at].reason = Some((reason, message));
                worker.units[at].tried = true;
                self.again(worker, io.rng.between(1_000, 2_000), io);
            }
            _ => return,
        }
        self.go_on(worker, io);
    }

    /// Goes on with what the pod needs next.
    pub(super) fn go_on(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        match worker.stage {
            Stage::New | Stage::Running => self.step(worker, io),
            Stage::Stopping => self.stop_next(worker, io),
            Stage::CleaningUp | Stage::Terminated => {}
        }
    }

    fn began(&mut self, worker: &mut Worker, at: usize, id: Text, io: &mut Io<'_>) {
        let Some(started) = worker.starting.take() else { return };
        self.by_container.insert(id.clone(), (worker.uid.clone(), at));
        let unit = &mut worker.units[at];
        unit.now.began(Instance { id, started_at: io.now, ..started });
        unit.seen = unit.now.clone();
        unit.reason = None;
        unit.replacing = false;
        unit.unhealthy = None;
        unit.rerun = false;
        worker.acted = true;
        self.notice_later(worker.uid.clone(), io);
    }

    fn exited(&mut self, id: &Text, (code, reason): (i32, Text), io: &mut Io<'_>) {
        if let Some(HostEvent::Inventory { containers, .. }) = &mut self.inventory {
            for info in containers.iter_mut().filter(|info| info.container_id == *id) {
                info.exited = Some((io.now, code, reason.clone()));
            }
        }
        let Some((uid, at)) = self.by_container.get(id).cloned() else { return };
        self.with(&uid, io, |kubelet, worker, io| {
            let unit = &mut worker.units[at];
            let Some(current) = unit.now.current.as_mut().filter(|one| one.id == *id) else {
                return;
            };
            if current.ended.is_some() {
                return;
            }
            current.ended = Some((io.now, code, reason));
            if worker.stage == Stage::Stopping {
                kubelet.stop_next(worker, io);
            } else if worker.doing == Doing::Kill(at) {
                unit.seen = unit.now.clone();
                unit.unhealthy = None;
                worker.doing = Doing::Nothing;
                worker.acted = true;
                kubelet.notice_later(worker.uid.clone(), io);
                kubelet.step(worker, io);
            } else {
                kubelet.notice_later(worker.uid.clone(), io);
            }
        });
    }

    /// Another actor started a container on this node.
    fn appeared(&mut self, info: ContainerInfo, io: &mut Io<'_>) {
        let uid = info.pod_uid.clone();
        let Some(mut worker) = self.workers.remove(&uid) else {
            self.orphan(uid, Some(info.container_id), io);
            return;
        };
        self.adopt_newer(&mut worker, info);
        self.workers.insert(uid.clone(), worker);
        self.notice_later(uid, io);
    }

    /// Takes a container that the kubelet did not start itself as its pod's.
    pub(super) fn adopt(&mut self, worker: &mut Worker, info: ContainerInfo) {
        let Some(at) = worker.unit_at(&info.name) else { return };
        self.by_container.insert(info.container_id.clone(), (worker.uid.clone(), at));
        let unit = &mut worker.units[at];
        let newer = |have: &Instance| {
            (info.exited.is_none(), info.attempt, info.started_at)
                > (have.ended.is_none(), have.attempt, have.started_at)
        };
        let instance = Instance::from(info.clone());
        if unit.now.current.as_ref().is_none_or(newer) {
            unit.now.began(instance);
        } else {
            unit.now.previous = Some(instance);
        }
        unit.seen = unit.now.clone();
    }

    fn adopt_newer(&mut self, worker: &mut Worker, info: ContainerInfo) {
        let Some(at) = worker.unit_at(&info.name) else { return };
        self.by_container.insert(info.container_id.clone(), (worker.uid.clone(), at));
        worker.units[at].now.began(Instance::from(info));
    }

    /// Lets the next relist look at this pod.
    pub(super) fn notice_later(&mut self, uid: Text, io: &mut Io<'_>) {
        if self.changed.is_empty() {
            let wait = until_tick(io.now, RELIST, self.phases.relist);
            self.after(wait, Due::Relist, io);
        }
        self.changed.insert(uid);
    }

    /// After a sync that did something and met no failure, its pod is looked at without waiting for
    /// the next relist (v1.36, `PLEGOnDemandRelist`).
    pub(super) fn relist_soon(&mut self, uid: Text, io: &mut Io<'_>) {
        let wait = io.rng.between(5, 50);
        self.after(wait, Due::RelistPod(uid), io);
    }

    pub(super) fn relist(&mut self, io: &mut Io<'_>) {
        for uid in std::mem::take(&mut self.changed) {
            self.relist_pod(&uid, io);
        }
    }

    pub(super) fn relist_pod(&mut self, uid: &Text, io: &mut Io<'_>) {
        self.changed.remove(uid);
        self.with(uid, io, |kubelet, worker, io| {
            if matches!(worker.stage, Stage::New | Stage::Running) {
                worker.units.iter_mut().for_each(|unit| unit.seen = unit.now.clone());
                kubelet.sync(worker, io);
            }
        });
    }
}
