//! The end of a pod: its containers are stopped within the grace, app containers first, then
//! sidecars from the last to the first; then the sandbox; then its phase is terminal. When its
//! volumes and cgroups are gone too, the API is asked to forget a pod whose deletion was asked for
//! (v1.36, `SyncTerminatingPod`, `SyncTerminatedPod`).

use kubesim_model::actor::Io;
use kubesim_model::host::HostCommand;
use kubesim_model::{Millis, Text, object};

use super::actor::{Asked, Due, Kubelet, until_tick};
use super::runtime::RELIST;
use super::unit::Role;
use super::worker::{Doing, Stage, Worker};

/// No process gets less than this between SIGTERM and SIGKILL.
const LEAST_GRACE: Millis = 2_000;

impl Kubelet {
    pub(super) fn terminate(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        match worker.stage {
            Stage::New | Stage::Running => {
                worker.stage = Stage::Stopping;
                worker.deadline = io.now + worker.grace();
                self.publish_as_noticed(worker, io);
                if matches!(worker.doing, Doing::Pull(..)) {
                    worker.doing = Doing::Nothing;
                }
                self.stop_next(worker, io);
            }
            Stage::Stopping => self.hasten(worker, io),
            Stage::CleaningUp | Stage::Terminated => {}
        }
    }

    /// Takes a shorter grace up.
    pub(super) fn hasten(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        let deadline = io.now + worker.grace();
        if deadline < worker.deadline {
            worker.deadline = deadline;
            worker.units.iter_mut().for_each(|unit| unit.stopping = false);
            self.stop_next(worker, io);
        }
    }

    pub(super) fn stop_next(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        if matches!(worker.doing, Doing::Start(..) | Doing::Sandbox(_)) {
            return;
        }
        worker.doing = Doing::Nothing;
        let running = |worker: &Worker, at: &usize| worker.units[*at].now.running().is_some();
        let units: Vec<usize> = (0..worker.units.len()).filter(|at| running(worker, at)).collect();
        let is_sidecar = |at: &usize| worker.units[*at].role == Role::Sidecar;
        let (sidecars, mut first): (Vec<usize>, Vec<usize>) =
            units.into_iter().partition(is_sidecar);
        if first.is_empty() {
            first.extend(sidecars.last());
        }
        if first.is_empty() {
            self.clean_up(worker, io);
            return;
        }
        let grace = worker.deadline.saturating_sub(io.now).max(LEAST_GRACE);
        for at in first {
            let unit = &mut worker.units[at];
            if let Some(running) = unit.now.running().filter(|_| !unit.stopping) {
                let container_id = running.id.clone();
                unit.stopping = true;
                let message = format!("Stopping container {}", unit.name);
                io.event(format!("pods {}", worker.key), "Killing", message);
                let op = self.unasked();
                io.host(HostCommand::StopContainer { op, container_id, grace });
            }
        }
    }

    fn clean_up(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        if worker.stage != Stage::Stopping {
            return;
        }
        worker.stage = Stage::CleaningUp;
        if worker.ip.take().is_none() {
            self.after(0, Due::Final(worker.uid.clone()), io);
            return;
        }
        let pod_uid: Text = worker.uid.clone();
        self.ask(Asked::SandboxStop(pod_uid.clone()), io, |op| HostCommand::StopSandbox {
            op,
            pod_uid,
        });
    }

    /// Reports what is known when the end begins: that the deletion was observed, if nothing else.
    fn publish_as_noticed(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        if worker.rejected.is_none() {
            worker.units.iter_mut().for_each(|unit| unit.shown = unit.seen.clone());
            self.publish(worker, io);
        }
    }

    /// The sandbox is gone: the ends of the containers and the terminal phase are reported. A pod
    /// that ended by itself was seen to take 1 to 2 s for that, a deleted one is quick.
    pub(super) fn cleaned_up(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        let deleted = worker.gone || object::is_terminating(&worker.pod);
        let lag = if deleted { io.rng.between(10, 50) } else { io.rng.between(700, 1_500) };
        self.after(lag, Due::Final(worker.uid.clone()), io);
    }

    /// Nothing of the pod runs any more.
    pub(super) fn finish(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        worker.stage = Stage::Terminated;
        for unit in &mut worker.units {
            unit.seen = unit.now.clone();
            unit.shown = unit.now.clone();
        }
        self.publish(worker, io);
        let relist = until_tick(io.now, RELIST, self.phases.relist);
        let lag = relist + io.rng.between(50, 300);
        self.after(lag, Due::Released(worker.uid.clone()), io);
    }

    /// Nothing of the pod is left on the node.
    pub(super) fn released(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        worker.released = true;
        self.report(worker, io);
    }
}
