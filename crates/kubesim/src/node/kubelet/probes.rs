//! Probes (v1.36, `pkg/kubelet/prober`): periods, thresholds, and what their results do.
//!
//! A probe whose answer is settled is parked: it is not asked again until the runtime says that its
//! answer may change, and then at the next boundary of its period, when it would have found out.

use kubesim_model::actor::Io;
use kubesim_model::host::{HostCommand, ProbeKind};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::actor::{Asked, Due, Kubelet};
use super::unit::{Probe, Probing, Unit};
use super::worker::{Stage, Worker};

const KINDS: [(ProbeKind, &str); 3] = [
    (ProbeKind::Startup, "startupProbe"),
    (ProbeKind::Liveness, "livenessProbe"),
    (ProbeKind::Readiness, "readinessProbe"),
];

impl Probe {
    fn seconds(&self, field: &str, default: i64) -> Millis {
        1000 * self.spec[field].as_i64().unwrap_or(default).clamp(0, 1_000_000) as Millis
    }

    fn period(&self) -> Millis {
        self.seconds("periodSeconds", 10).max(1_000)
    }

    /// Counts an answer; says whether the result changed.
    fn count(&mut self, success: bool) -> bool {
        self.run = if self.run > 0 && self.last == success { self.run + 1 } else { 1 };
        self.last = success;
        if self.run < self.threshold() || self.result == Some(success) {
            return false;
        }
        self.result = Some(success);
        true
    }

    fn threshold(&self) -> i64 {
        let (field, default) =
            if self.last { ("successThreshold", 1) } else { ("failureThreshold", 3) };
        self.spec[field].as_i64().unwrap_or(default).max(1)
    }

    fn is_settled(&self) -> bool {
        self.run >= self.threshold() && self.result == Some(self.last)
    }

    /// From when on its periods count, for a pod that was taken up at `since`. Readiness is asked
    /// at once when a container is seen to run. A kubelet that just started lets each probe wait
    /// for a part of its period.
    fn counts_from(&self, since: Millis, now: Millis) -> Millis {
        match self.kind {
            _ if since > now => now + (since - now) % self.period(),
            ProbeKind::Readiness => now,
            ProbeKind::Liveness | ProbeKind::Startup => since,
        }
    }

    /// The first boundary of its period that is not before `now`, and after the last.
    fn next_tick(&self, now: Millis) -> Millis {
        let period = self.period();
        let behind = now.saturating_sub(self.tick + 1) / period;
        self.tick + period * (behind + 1)
    }
}

impl Kubelet {
    /// Sets up the probes of containers that were noticed to run.
    pub(super) fn follow_probes(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        for at in 0..worker.units.len() {
            let spec = worker.spec(at).clone();
            let known = reported(worker, at);
            let unit = &mut worker.units[at];
            let Some(running) = unit.shown.running() else { continue };
            if running.id == unit.probing.id {
                continue;
            }
            // What ran before this kubelet keeps what was said of it
            // (`ChangeContainerStatusOnKubeletRestart` is off since v1.35).
            let same = known["containerID"] == running.id.as_str();
            let was = |field: &str| same && known[field].is_true();
            let probe = |(kind, field): (ProbeKind, &str)| {
                let spec = spec.get(field)?.clone();
                let result = (kind == ProbeKind::Readiness).then(|| was("ready"));
                Some(Probe {
                    kind,
                    spec,
                    tick: 0,
                    last: false,
                    run: 0,
                    result: result.filter(|ready| *ready),
                    parked: false,
                    active: false,
                })
            };
            let probes: Vec<Probe> = KINDS.into_iter().filter_map(probe).collect();
            let started =
                probes.iter().all(|probe| probe.kind != ProbeKind::Startup) || was("started");
            unit.unhealthy = None;
            unit.probing = Probing { id: running.id.clone(), started, probes };
            self.activate(worker, at, io);
        }
    }

    /// Sets the first tick of the probes whose turn has come.
    fn activate(&mut self, worker: &mut Worker, at: usize, io: &mut Io<'_>) {
        let (uid, since) = (worker.uid.clone(), worker.since);
        let unit = &mut worker.units[at];
        let Some(running) = unit.shown.running() else { return };
        let started = unit.probing.started;
        for probe in &mut unit.probing.probes {
            let turn = (probe.kind == ProbeKind::Startup) != started;
            if probe.active || !turn {
                continue;
            }
            probe.active = true;
            let from = running.started_at + probe.seconds("initialDelaySeconds", 0);
            let since = probe.counts_from(since, io.now);
            let wait = from.max(io.now).saturating_sub(since);
            probe.tick = since + wait.div_ceil(probe.period()) * probe.period();
            let due = Due::Probe {
                pod_uid: uid.clone(),
                unit: at,
                container_id: running.id.clone(),
                kind: probe.kind,
            };
            self.after(probe.tick - io.now, due, io);
        }
    }

    /// A probe is due.
    pub(super) fn probe(
        &mut self,
        worker: &mut Worker,
        at: usize,
        id: &Text,
        kind: ProbeKind,
        io: &mut Io<'_>,
    ) {
        let stopping = worker.stage != Stage::Running;
        let runs = worker.units[at].now.running().is_some_and(|running| running.id == *id);
        let Some(probe) = probe_of(&mut worker.units[at], id, kind) else { return };
        if !probe.active || !runs || stopping && kind != ProbeKind::Readiness {
            return;
        }
        probe.tick = io.now;
        let (container_id, pod_uid) = (id.clone(), worker.uid.clone());
        let spec = probe.spec.clone();
        let asked = Asked::Probe { pod_uid, unit: at, container_id: id.clone(), kind };
        self.ask(asked, io, |op| HostCommand::Probe { op, container_id, kind, probe: spec });
    }

    pub(super) fn probed(
        &mut self,
        worker: &mut Worker,
        (at, id, kind): (usize, &Text, ProbeKind),
        success: bool,
        io: &mut Io<'_>,
    ) {
        let uid = worker.uid.clone();
        let Some(probe) = probe_of(&mut worker.units[at], id, kind) else { return };
        let changed = probe.count(success);
        let failed = changed && !success && kind != ProbeKind::Readiness;
        let over = changed && kind == ProbeKind::Startup;
        probe.active = !failed && !over;
        probe.parked = probe.is_settled();
        if probe.active && !probe.parked {
            let wait = probe.next_tick(io.now) - io.now;
            let due = Due::Probe { pod_uid: uid, unit: at, container_id: id.clone(), kind };
            self.after(wait, due, io);
        }
        if !success && probe.run == 1 {
            let message = format!("{kind:?} probe failed");
            io.event(format!("pods {}", worker.key), "Unhealthy", message);
        }
        if changed {
            self.result_changed(worker, (at, kind), success, io);
        }
    }

    fn result_changed(
        &mut self,
        worker: &mut Worker,
        (at, kind): (usize, ProbeKind),
        success: bool,
        io: &mut Io<'_>,
    ) {
        let unit = &mut worker.units[at];
        match (kind, success) {
            (ProbeKind::Readiness, _) => self.publish(worker, io),
            (ProbeKind::Startup, true) => {
                unit.probing.started = true;
                self.activate(worker, at, io);
                self.sync(worker, io);
            }
            (_, false) => {
                let mut probes = unit.probing.probes.iter();
                let spec = probes.find(|probe| probe.kind == kind).map(|probe| &probe.spec);
                let grace = spec.and_then(|spec| spec["terminationGracePeriodSeconds"].as_i64());
                unit.unhealthy = Some(grace);
                self.sync(worker, io);
            }
            (ProbeKind::Liveness, true) => {}
        }
    }

    /// The runtime says that the probes of a container may answer otherwise now.
    pub(super) fn probes_changed(&mut self, id: &Text, io: &mut Io<'_>) {
        let Some((uid, at)) = self.by_container.get(id).cloned() else { return };
        self.with(&uid, io, |kubelet, worker, io| {
            for (kind, _) in KINDS {
                let Some(probe) = probe_of(&mut worker.units[at], id, kind) else { continue };
                if probe.active && std::mem::take(&mut probe.parked) {
                    let wait = probe.next_tick(io.now) - io.now;
                    let (pod_uid, container_id) = (worker.uid.clone(), id.clone());
                    kubelet.after(wait, Due::Probe { pod_uid, unit: at, container_id, kind }, io);
                }
            }
        });
    }
}

fn probe_of<'a>(unit: &'a mut Unit, id: &Text, kind: ProbeKind) -> Option<&'a mut Probe> {
    let probing = &mut unit.probing;
    let probes = (probing.id == *id).then_some(&mut probing.probes)?;
    probes.iter_mut().find(|probe| probe.kind == kind)
}

/// What the API has of a container's status.
fn reported(worker: &Worker, at: usize) -> Tree {
    let status = &worker.pod["status"];
    let lists = [&status["initContainerStatuses"], &status["containerStatuses"]];
    let mut all = lists.into_iter().flat_map(Tree::items);
    all.find(|one| one["name"] == worker.units[at].name.as_str()).cloned().unwrap_or_default()
}
