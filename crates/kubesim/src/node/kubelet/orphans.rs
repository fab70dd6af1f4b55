//! Housekeeping: containers of pods that the API does not know are killed (v1.36,
//! `HandlePodCleanups`, every 2 s).

use kubesim_model::actor::Io;
use kubesim_model::host::HostCommand;
use kubesim_model::{Millis, Text};

use super::actor::{Asked, Due, Kubelet, until_tick};
use super::config::Bug;

const PERIOD: Millis = 2_000;
/// A pod that only the runtime knows gets the least grace there is.
const GRACE: Millis = 2_000;

impl Kubelet {
    /// Notes something of a pod on the host; if the API does not know the pod, its end is near.
    pub(super) fn orphan(&mut self, pod_uid: Text, container: Option<Text>, io: &mut Io<'_>) {
        if self.workers.contains_key(&pod_uid) || self.bug == Some(Bug::ForgetsOrphans) {
            return;
        }
        let first = self.orphans.is_empty();
        self.orphans.entry(pod_uid).or_default().extend(container);
        if first {
            let wait = until_tick(io.now, PERIOD, self.phases.housekeeping);
            self.after(wait, Due::Housekeeping, io);
        }
    }

    pub(super) fn kill_orphans(&mut self, io: &mut Io<'_>) {
        for (pod_uid, containers) in std::mem::take(&mut self.orphans) {
            if self.workers.contains_key(&pod_uid) {
                continue;
            }
            for container_id in &containers {
                let (op, container_id) = (self.unasked(), container_id.clone());
                io.host(HostCommand::StopContainer { op, container_id, grace: GRACE });
            }
            let wait = if containers.is_empty() { 0 } else { GRACE + 100 };
            self.after(wait, Due::OrphanSandbox(pod_uid), io);
        }
    }

    pub(super) fn stop_orphan_sandbox(&mut self, pod_uid: &Text, io: &mut Io<'_>) {
        if !self.workers.contains_key(pod_uid) {
            let pod_uid = pod_uid.clone();
            self.ask(Asked::SandboxStop(pod_uid.clone()), io, |op| HostCommand::StopSandbox {
                op,
                pod_uid,
            });
        }
    }
}
