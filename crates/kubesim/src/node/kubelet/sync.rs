//! The sync of a pod: report what was noticed, then do one thing after another until nothing is
//! left to do (v1.36, `SyncPod` of the kubelet and of kuberuntime).

use kubesim_model::actor::Io;
use kubesim_model::host::HostCommand;
use kubesim_model::{Millis, Text};

use super::action::{self, Action};
use super::actor::{Asked, Due, Kubelet};
use super::config::Bug;
use super::environment;
use super::unit::Instance;
use super::worker::{Doing, Stage, Worker};

/// How long after a failed sync the next is tried (v1.36, `backOffPeriod`).
const BACK_OFF: Millis = 10_000;
/// How long after a sync the next is due anyway (v1.36, `syncFrequency`).
const RESYNC: Millis = 60_000;

impl Kubelet {
    pub(super) fn sync(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        if !matches!(worker.stage, Stage::New | Stage::Running) {
            return;
        }
        if worker.doing != Doing::Nothing {
            worker.dirty = true;
            return;
        }
        worker.stage = Stage::Running;
        worker.dirty = false;
        worker.acted = false;
        for unit in &mut worker.units {
            unit.shown = unit.seen.clone();
            unit.tried = false;
        }
        self.follow_probes(worker, io);
        self.publish(worker, io);
        self.ask_unready(worker, io);
        if action::is_finished(worker) {
            self.terminate(worker, io);
        } else {
            self.step(worker, io);
        }
    }

    pub(super) fn step(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        while let Some(action) = action::next(worker, io.now, self.bug) {
            match action {
                Action::Sandbox => self.run_sandbox(worker, io),
                Action::Start(at) => self.prepare(worker, at, io),
                Action::Replace(at) => {
                    if worker.spec(at)["image"].str() != running_image(worker, at) {
                        let others = worker.units.iter_mut().enumerate();
                        others.for_each(|(other, unit)| unit.bystander |= other != at);
                    }
                    worker.units[at].bystander = false;
                    worker.units[at].replacing = true;
                    if self.bug == Some(Bug::ReportsNewImageEarly) {
                        self.publish(worker, io);
                    }
                    self.kill(worker, at, None, "definition changed", io);
                }
                Action::Restart(at, grace) => {
                    worker.units[at].replacing = worker.restart_policy() != "Never";
                    self.kill(worker, at, grace, "failed a probe", io);
                }
            }
            if worker.doing != Doing::Nothing {
                return;
            }
        }
        let failed = worker.units.iter().any(|unit| unit.tried);
        if std::mem::take(&mut worker.acted) && !failed {
            self.relist_soon(worker.uid.clone(), io);
        } else if worker.dirty {
            self.sync(worker, io);
        }
    }

    fn run_sandbox(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        let (pod_uid, pod) = (worker.uid.clone(), worker.key.clone());
        let host_network = worker.pod["spec"]["hostNetwork"].is_true();
        worker.initialized = false;
        let op = self.ask(Asked::Work(worker.uid.clone()), io, |op| HostCommand::RunSandbox {
            op,
            pod_uid,
            pod,
            host_network,
        });
        worker.doing = Doing::Sandbox(op);
    }

    /// Brings a container's image, unless a back-off holds its start back.
    fn prepare(&mut self, worker: &mut Worker, at: usize, io: &mut Io<'_>) {
        let spec = worker.spec(at);
        let (image, policy) = (spec["image"].text(), pull_policy(spec));
        let about = format!("pods {}", worker.key);
        let unit = &mut worker.units[at];
        if unit.back_off_image != image {
            unit.back_off_image = image.clone();
            (unit.crashes, unit.pulls) = Default::default();
        }
        // As the runtime's last list had it: without what a kill of this very sync ended.
        let lives = [&unit.shown.current, &unit.shown.previous].into_iter().flatten();
        let ended = lives.filter_map(|one| one.ended.as_ref()).map(|(at, _, _)| *at).next();
        let left = ended.map_or(0, |since| unit.crashes.left(since, io.now));
        if left > 0 {
            let message = format!(
                "back-off restarting failed container={} pod={}_{}({})",
                unit.name, worker.key.name, worker.key.namespace, worker.uid
            );
            unit.reason = Some(("CrashLoopBackOff".into(), message.clone().into()));
            unit.tried = true;
            io.event(about, "BackOff", message);
            self.again(worker, requeue(left, io), io);
            return;
        }
        // Counted before the pull is looked at, so that a missing image adds to this back-off, too.
        if let Some(since) = ended {
            unit.crashes.next(since, io.now);
        }
        let left = unit.pulls.waits(io.now);
        if left > 0 {
            let message = Text::from(format!("Back-off pulling image \"{image}\""));
            unit.reason = Some(("ImagePullBackOff".into(), message.clone()));
            unit.tried = true;
            io.event(about, "BackOff", message);
            self.again(worker, requeue(left, io), io);
            return;
        }
        let asked = Asked::Work(worker.uid.clone());
        let op = self.ask(asked, io, |op| HostCommand::PullImage { op, image, policy });
        worker.doing = Doing::Pull(op, at);
    }

    pub(super) fn image_ready(
        &mut self,
        worker: &mut Worker,
        at: usize,
        image_id: Text,
        io: &mut Io<'_>,
    ) {
        let spec = worker.spec(at).clone();
        if spec["image"] != worker.units[at].back_off_image.as_str() {
            // Another image is wanted since the pull began.
            worker.doing = Doing::Nothing;
            self.step(worker, io);
            return;
        }
        let field = if at < worker.pod["spec"]["initContainers"].items().len() {
            "initContainerStatuses"
        } else {
            "containerStatuses"
        };
        let statuses = worker.pod["status"][field].items().iter();
        let reported = statuses
            .filter(|status| status["name"] == worker.units[at].name.as_str())
            .filter(|status| !status["containerID"].is_null())
            .map(|status| status["restartCount"].as_i64().unwrap_or(0) + 1)
            .next()
            .unwrap_or(0);
        let attempt = worker.units[at].next_attempt(reported);
        let image = spec["image"].text();
        worker.starting = Some(Instance {
            id: Text::default(),
            image,
            image_id,
            attempt,
            started_at: io.now,
            ended: None,
        });
        let (pod_uid, asked) = (worker.uid.clone(), Asked::Work(worker.uid.clone()));
        let spec = environment::resolved(&worker.pod, spec);
        let op =
            self.ask(asked, io, |op| HostCommand::StartContainer { op, pod_uid, spec, attempt });
        worker.doing = Doing::Start(op, at);
    }

    pub(super) fn pull_failed(
        &mut self,
        worker: &mut Worker,
        at: usize,
        message: Text,
        io: &mut Io<'_>,
    ) {
        worker.doing = Doing::Nothing;
        let never = pull_policy(worker.spec(at)) == "Never";
        let reason = if never { "ErrImageNeverPull" } else { "ErrImagePull" };
        io.event(format!("pods {}", worker.key), "Failed", message.clone());
        let unit = &mut worker.units[at];
        unit.pulls.next(io.now, io.now);
        unit.reason = Some((reason.into(), message));
        unit.tried = true;
        // What this sync did before is noticed at the next relist, which shows the reason too.
        self.again(worker, requeue(BACK_OFF, io), io);
    }

    /// Stops a running container; its sync waits for the end.
    fn kill(
        &mut self,
        worker: &mut Worker,
        at: usize,
        grace: Option<i64>,
        why: &str,
        io: &mut Io<'_>,
    ) {
        let seconds = grace.unwrap_or_else(|| worker.spec_grace());
        let Some(running) = worker.units[at].now.running() else {
            // It ended meanwhile; the next relist would find that.
            worker.units[at].seen = worker.units[at].now.clone();
            worker.units[at].unhealthy = None;
            return;
        };
        let container_id = running.id.clone();
        let message = format!("Container {} {why}, will be restarted", worker.units[at].name);
        io.event(format!("pods {}", worker.key), "Killing", message);
        let grace = 1000 * seconds.clamp(2, 1_000_000) as Millis;
        let op = self.unasked();
        io.host(HostCommand::StopContainer { op, container_id, grace });
        worker.doing = Doing::Kill(at);
    }

    /// Looks at the pod again after `wait`, or sooner if that was asked for already.
    pub(super) fn again(&mut self, worker: &mut Worker, wait: Millis, io: &mut Io<'_>) {
        let at = io.now + wait;
        if worker.again_at <= io.now || at < worker.again_at {
            worker.again_at = at;
            self.after(wait, Due::Sync(worker.uid.clone()), io);
        }
    }
}

/// When a sync that failed is tried again, if the cause has `left` to wait: that and up to half of
/// it more, but no more than a resync at a time; then the sync loop looks once a second (v1.36,
/// `completeWork` in `pod_workers.go`).
fn requeue(left: Millis, io: &mut Io<'_>) -> Millis {
    let wait = left.min(RESYNC);
    wait + io.rng.between(0, wait / 2) + io.rng.between(0, 1_000)
}

fn running_image(worker: &Worker, at: usize) -> &str {
    worker.units[at].seen.running().map_or("", |running| &running.image)
}

/// The pull policy, with the API's default for what says none.
fn pull_policy(spec: &kubesim_model::tree::Tree) -> Text {
    let image = spec["image"].str();
    let name = image.rsplit('/').next().unwrap_or(image);
    match spec["imagePullPolicy"].str() {
        "" if name.ends_with(":latest") || !name.contains([':', '@']) => "Always".into(),
        "" => "IfNotPresent".into(),
        policy => policy.into(),
    }
}
