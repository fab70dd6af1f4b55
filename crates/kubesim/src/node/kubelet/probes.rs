//! Probes (v1.36, `pkg/kubelet/prober`): periods, thresholds, and what their results do.
//!
//! A probe whose answer is settled is parked: it is not asked again until the runtime says that its
//! answer may change, and then at the next boundary of its period, when it would have found out.

use kubesim_model::actor::Io;
use kubesim_model::host::{HostCommand, ProbeKind};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

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

    /// The first boundary of its period, counted from `since`, at which a container that began
    /// at `start` is past its initial delay.
    fn first_tick(&self, since: Millis, start: Millis, now: Millis) -> Millis {
        let from = start + self.seconds("initialDelaySeconds", 0);
        let wait = from.max(now).saturating_sub(since);
        since + wait.div_ceil(self.period()) * self.period()
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
            // What ran before this kubelet keeps what was said of it, unless the whole pod was
            // said not to be ready (`ChangeContainerStatusOnKubeletRestart` is off since v1.35).
            let same = known["containerID"] == running.id.as_str();
            let was_started = same && known["started"].is_true();
            let was_ready = same && object::is_ready(&worker.pod);
            let probe = |(kind, field): (ProbeKind, &str)| {
                let spec = spec.get(field)?.clone();
                let result = (kind == ProbeKind::Readiness).then_some(was_ready);
                Some(Probe {
                    kind,
                    spec,
                    tick: 0,
                    due: None,
                    last: false,
                    run: 0,
                    result: result.filter(|ready| *ready),
                    parked: false,
                    active: false,
                })
            };
            let probes: Vec<Probe> = KINDS.into_iter().filter_map(probe).collect();
            let started =
                probes.iter().all(|probe| probe.kind != ProbeKind::Startup) || was_started;
            let unready = |probe: &Probe| probe.kind == ProbeKind::Readiness && !was_ready;
            let news = probes.iter().any(unready);
            unit.unhealthy = None;
            unit.probing = Probing { id: running.id.clone(), started, probes };
            self.activate(worker, at, io);
            if news {
                // That it is not ready yet is a result, too, and is followed by a sync.
                self.notice_later(worker.uid.clone(), io);
            }
        }
    }

    /// Sets the first tick of the probes whose turn has come.
    fn activate(&mut self, worker: &mut Worker, at: usize, io: &mut Io<'_>) {
        let since = worker.since;
        let unit = &worker.units[at];
        let Some(from) = unit.shown.running().map(|running| running.started_at) else { return };
        let started = unit.probing.started;
        for one in 0..unit.probing.probes.len() {
            let probe = &mut worker.units[at].probing.probes[one];
            let turn = (probe.kind == ProbeKind::Startup) != started;
            if probe.active || !turn {
                continue;
            }
            probe.active = true;
            let since = probe.counts_from(since, io.now);
            probe.tick = probe.first_tick(since, from, io.now);
            let (tick, kind) = (probe.tick, probe.kind);
            self.ask_at(tick, worker, (at, kind), io);
        }
    }

    /// Asks a probe at `when`, and not at the moment that was set for it before.
    fn ask_at(
        &mut self,
        when: Millis,
        worker: &mut Worker,
        (at, kind): (usize, ProbeKind),
        io: &mut Io<'_>,
    ) {
        let (pod_uid, probing) = (worker.uid.clone(), &mut worker.units[at].probing);
        let container_id = probing.id.clone();
        let mut probes = probing.probes.iter_mut();
        let Some(probe) = probes.find(|probe| probe.kind == kind) else { return };
        probe.due = Some(when);
        self.after(when - io.now, Due::Probe { pod_uid, unit: at, container_id, kind }, io);
    }

    /// A sync that finds a container not ready asks its readiness probe at once, and its periods
    /// count from then (`setReadyStateOnContainer` and `manualTriggerCh`).
    pub(super) fn ask_unready(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        const KIND: ProbeKind = ProbeKind::Readiness;
        let since = worker.since;
        for at in 0..worker.units.len() {
            let unit = &mut worker.units[at];
            let Some(running) = unit.shown.running() else { continue };
            if !unit.is_started() || unit.is_ready() {
                continue;
            }
            let (id, from) = (running.id.clone(), running.started_at);
            let Some(probe) = probe_of(unit, &id, KIND).filter(|probe| probe.active) else {
                continue;
            };
            if probe.run == 0 && since > io.now {
                continue; // It still waits for its part of a period after the kubelet's start.
            }
            match probe.due {
                None if probe.parked => probe.tick = io.now,
                None => {}
                Some(_) => {
                    probe.tick = probe.first_tick(io.now, from, io.now);
                    let tick = probe.tick;
                    self.ask_at(tick, worker, (at, KIND), io);
                }
            }
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
        if probe.due.is_none_or(|due| due > io.now) {
            return;
        }
        probe.due = None;
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
        let Some(probe) = probe_of(&mut worker.units[at], id, kind) else { return };
        let changed = probe.count(success);
        let failed = changed && !success && kind != ProbeKind::Readiness;
        let over = changed && kind == ProbeKind::Startup;
        probe.active = !failed && !over;
        probe.parked = probe.is_settled();
        let goes_on = (probe.active && !probe.parked).then(|| probe.next_tick(io.now));
        let news = !success && probe.run == 1;
        if let Some(tick) = goes_on {
            self.ask_at(tick, worker, (at, kind), io);
        }
        if news {
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
                    let tick = probe.next_tick(io.now);
                    kubelet.ask_at(tick, worker, (at, kind), io);
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
