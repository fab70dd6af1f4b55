//! What the kubelet learns from the API about the pods of its node.

use std::collections::BTreeSet;

use kubesim_model::actor::{Io, WatchEvent};
use kubesim_model::host::HostEvent;
use kubesim_model::object;
use kubesim_model::tree::Tree;

use super::actor::{Due, Kubelet, until_tick};
use super::unit::Role;
use super::worker::{Stage, Worker};
use kubesim_model::{Millis, Text};

/// How often the status manager looks for what others wrote over (v1.36, `syncPeriod`).
const BATCH: u64 = 10_000;
/// Probes that were running when the kubelet started go on after a part of their period, up to the
/// whole of this one.
const LONGEST_PERIOD: Millis = 60_000;

impl Kubelet {
    pub(super) fn pods_seen(&mut self, event: WatchEvent, io: &mut Io<'_>) {
        match event {
            WatchEvent::Listed { items, .. } if self.boot_id.is_empty() => {
                self.listed = Some(items);
                self.take_over(io);
            }
            WatchEvent::Listed { items, .. } => self.pods_listed(items, io),
            _ if self.boot_id.is_empty() => {
                // Before the inventory is known, events only amend the first list.
                let Some(listed) = &mut self.listed else { return };
                let (WatchEvent::Applied { object, .. } | WatchEvent::Deleted { object, .. }) =
                    &event
                else {
                    return;
                };
                listed.retain(|pod| object::uid(pod) != object::uid(object));
                if let WatchEvent::Applied { object, .. } = event {
                    listed.push(object);
                }
            }
            WatchEvent::Applied { object, .. } => self.pod_applied(object, io),
            WatchEvent::Deleted { object, .. } => {
                let uid = object["metadata"]["uid"].text();
                self.pod_gone(&uid, Some(object), io);
            }
        }
    }

    fn pods_listed(&mut self, items: Vec<Tree>, io: &mut Io<'_>) {
        let listed: BTreeSet<&str> = items.iter().map(object::uid).collect();
        let known = self.workers.keys();
        let gone: Vec<Text> = known.filter(|uid| !listed.contains(uid.as_str())).cloned().collect();
        for uid in gone {
            self.pod_gone(&uid, None, io);
        }
        for item in items {
            self.pod_applied(item, io);
        }
    }

    /// Begins work once both the pods and what runs on the host are known.
    pub(super) fn take_over(&mut self, io: &mut Io<'_>) {
        if self.listed.is_none() || self.inventory.is_none() {
            return;
        }
        let listed = self.listed.take().unwrap_or_default();
        let Some(HostEvent::Inventory { boot_id, sandboxes, containers, .. }) =
            self.inventory.take()
        else {
            return;
        };
        self.boot_id = boot_id;
        for pod in listed {
            let mut worker = Worker::new(pod, io.now + io.rng.between(0, LONGEST_PERIOD));
            for sandbox in sandboxes.iter().filter(|sandbox| sandbox.pod_uid == worker.uid) {
                worker.ip = Some(sandbox.ip.clone());
                worker.last_ip = worker.ip.clone();
            }
            let uid = worker.uid.clone();
            for info in containers.iter().filter(|info| info.pod_uid == uid) {
                self.adopt(&mut worker, info.clone());
            }
            self.take_up(worker, io);
        }
        for sandbox in sandboxes {
            self.orphan(sandbox.pod_uid, None, io);
        }
        for info in containers.into_iter().filter(|info| info.exited.is_none()) {
            self.orphan(info.pod_uid, Some(info.container_id), io);
        }
    }

    /// Readies a worker for its first sync.
    fn take_up(&mut self, mut worker: Worker, io: &mut Io<'_>) {
        let lives = worker.ip.is_some();
        let ran = worker.units.iter().any(|unit| unit.now.current.is_some());
        let app_ran =
            |unit: &super::unit::Unit| unit.role == Role::App && unit.now.current.is_some();
        worker.initialized = lives && worker.units.iter().any(app_ran);
        if !lives {
            worker.units.iter_mut().for_each(|unit| unit.rerun = true);
        }
        if object::is_terminal(&worker.pod) && !lives {
            worker.stage = Stage::Terminated;
            worker.released = true;
        } else if !lives && !ran {
            worker.rejected = self.rejection(&worker.pod);
            worker.stage = Stage::New;
        }
        let uid = worker.uid.clone();
        self.workers.insert(uid.clone(), worker);
        self.with(&uid, io, |kubelet, worker, io| kubelet.look(worker, io));
        self.drop_if_over(&uid);
    }

    /// Acts on what a pod has come to be in the API.
    fn look(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        if worker.stage == Stage::Terminated {
            self.report(worker, io);
            return;
        }
        let finished = object::is_terminal(&worker.pod);
        if object::is_terminating(&worker.pod) || worker.rejected.is_some() || finished {
            self.terminate(worker, io);
        } else {
            worker.stage = Stage::Running;
            self.sync(worker, io);
        }
    }

    fn pod_applied(&mut self, pod: Tree, io: &mut Io<'_>) {
        let uid = pod["metadata"]["uid"].text();
        let key = object::key(&pod);
        let replaced: Vec<Text> = self
            .workers
            .values()
            .filter(|worker| worker.key == key && worker.uid != uid && !worker.gone)
            .map(|worker| worker.uid.clone())
            .collect();
        for old in replaced {
            self.pod_gone(&old, None, io);
        }
        if !self.workers.contains_key(&uid) {
            self.take_up(Worker::new(pod, io.now), io);
            return;
        }
        self.with(&uid, io, |kubelet, worker, io| {
            let Some(old) = worker.learn(pod) else { return };
            kubelet.react(worker, &old, io);
            let quiet = worker.sending.is_none() && !worker.waits_for_batch;
            if quiet && !worker.status.is_null() && kubelet.differs(worker) {
                worker.waits_for_batch = true;
                let wait = until_tick(io.now, BATCH, kubelet.phases.batch);
                kubelet.after(wait, Due::Batch(worker.uid.clone()), io);
            }
        });
    }

    /// Acts on what has changed in a pod since it was `old`.
    pub(super) fn react(&mut self, worker: &mut Worker, old: &Tree, io: &mut Io<'_>) {
        match worker.stage {
            Stage::New | Stage::Running
                if object::is_terminating(&worker.pod) || object::is_terminal(&worker.pod) =>
            {
                self.terminate(worker, io);
            }
            Stage::New | Stage::Running if concerns(old, &worker.pod) => self.sync(worker, io),
            Stage::Stopping if old["metadata"] != worker.pod["metadata"] => {
                self.hasten(worker, io);
            }
            Stage::Terminated => self.report(worker, io),
            _ => {}
        }
    }

    fn pod_gone(&mut self, uid: &str, last: Option<Tree>, io: &mut Io<'_>) {
        self.with(uid, io, |kubelet, worker, io| {
            if let Some(pod) = last {
                worker.learn(pod);
            }
            worker.gone = true;
            kubelet.terminate(worker, io);
        });
        self.drop_if_over(uid);
    }

    /// Forgets a pod that the API does not know and of which nothing runs.
    pub(super) fn drop_if_over(&mut self, uid: &str) {
        let over = |worker: &Worker| worker.gone && worker.released;
        if self.workers.get(uid).is_some_and(over) {
            self.workers.remove(uid);
            self.by_container.retain(|_, (pod, _)| pod != uid);
        }
    }
}

/// Whether a change of a pod by others asks for a sync.
fn concerns(old: &Tree, new: &Tree) -> bool {
    old["spec"] != new["spec"]
        || old["metadata"]["generation"] != new["metadata"]["generation"]
        || new["spec"]["readinessGates"].items().iter().any(|gate| {
            let kind = gate["conditionType"].str();
            object::has_condition(old, kind) != object::has_condition(new, kind)
        })
}
