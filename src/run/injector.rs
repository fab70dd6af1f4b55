//! One fault over a trial: armed, injected when its trigger fires, watched until it bites, healed.

use kubesim_model::stream::Stream;
use kubesim_model::{Millis, Text};

use super::stage::Stage;
use super::watchpoint::Watchpoint;
use crate::fault::{End, Fault, Injection, Moment, Scene};
use crate::history::{Body, FaultEvent, FaultPhase};
use crate::suite::faults::FaultSpec;
use crate::suite::select::Trigger;

/// Faults without a trigger are injected at a moment drawn from the first seconds of `when`.
const SPREAD: Millis = 20_000;
/// How long after the steps of `when` a trigger, or a bite, is still waited for.
const PATIENCE: Millis = 300_000;

/// A fault of the trial.
pub(super) struct Injector {
    fault: &'static Fault,
    spec: FaultSpec,
    id: Text,
    end: End,
    draws: Stream,
    state: State,
}

enum State {
    Armed(Box<Watchpoint>),
    InForce(Box<InForce>),
    Over,
}

struct InForce {
    injection: Injection,
    since: Millis,
    bit: Option<Millis>,
    cursor: usize,
}

/// What an injector needs to know of `when`.
#[derive(Clone, Copy)]
pub(super) struct Phase {
    /// When it began.
    pub(super) began: Millis,
    /// When its steps ended.
    pub(super) steps_ended: Option<Millis>,
}

impl Injector {
    /// Arms the `index`-th fault of the scenario.
    pub(super) fn arm(
        fault: &'static Fault,
        spec: &FaultSpec,
        index: usize,
        phase: Phase,
        stage: &mut Stage<'_>,
    ) -> Self {
        let id = Text::from(format!("faults[{index}]"));
        let mut draws = Stream::new(stage.seed, &id);
        let trigger = spec.trigger.clone().unwrap_or_else(|| {
            let at = Some(draws.between(0, SPREAD));
            Trigger { at, ..Trigger::default() }
        });
        let state = State::Armed(Box::new(Watchpoint::new(&trigger, phase.began, stage)));
        let end = fault.end(spec.lasts);
        let injector = Injector { fault, spec: spec.clone(), id, end, draws, state };
        injector.record(stage, FaultPhase::Armed, None, String::new());
        injector
    }

    /// Goes on as far as it can. Answers when to ask again at the latest.
    pub(super) fn poll(&mut self, phase: Phase, stage: &mut Stage<'_>) -> Option<Millis> {
        if let State::Armed(watchpoint) = &mut self.state {
            match watchpoint.poll(stage) {
                Ok(()) => self.inject(stage),
                Err(wake) => return self.wait_for_trigger(wake, phase, stage),
            }
        }
        self.look(stage);
        self.heal_if_due(phase, stage)
    }

    fn wait_for_trigger(
        &mut self,
        wake: Option<Millis>,
        phase: Phase,
        stage: &mut Stage<'_>,
    ) -> Option<Millis> {
        let State::Armed(watchpoint) = &self.state else { return None };
        let Some(ended) = phase.steps_ended else { return wake };
        let give_up = ended + PATIENCE;
        if stage.now() < give_up || wake.is_some_and(|wake| wake > stage.now()) {
            return super::stage::sooner(wake, Some(give_up.max(stage.now() + 1)));
        }
        let why = format!("its trigger never came: {}", watchpoint.why_not());
        self.miss(why, stage);
        None
    }

    fn inject(&mut self, stage: &mut Stage<'_>) {
        let mut scene = Scene {
            id: self.id.clone(),
            args: &self.spec.args,
            view: stage.journal.view(),
            subject: stage.subject,
            now: stage.cluster.now(),
            pace: stage.pace,
            draws: &mut self.draws,
        };
        let injection = match (self.fault.inject)(&mut scene) {
            Ok(injection) => injection,
            Err(why) => return self.miss(why.to_string(), stage),
        };
        let (since, cursor) = (stage.now(), stage.journal.events().len());
        self.record(stage, FaultPhase::Injected, Some(&injection), String::new());
        for lever in &injection.levers {
            if let Err(error) = stage.cluster.pull(lever) {
                for lever in &injection.heal {
                    // What was not moved can't be taken back; the rest is.
                    let _ = stage.cluster.pull(lever);
                }
                return self.miss(error.to_string(), stage);
            }
        }
        self.state = State::InForce(Box::new(InForce { injection, since, bit: None, cursor }));
    }

    fn miss(&mut self, why: String, stage: &mut Stage<'_>) {
        self.state = State::Over;
        self.record(stage, FaultPhase::Missed, None, why);
    }

    /// Looks for evidence in what was recorded since the last time.
    fn look(&mut self, stage: &mut Stage<'_>) {
        let State::InForce(force) = &mut self.state else { return };
        let mut found = None;
        while force.bit.is_none() && found.is_none() && force.cursor < stage.journal.events().len()
        {
            let event = &stage.journal.events()[force.cursor];
            force.cursor += 1;
            let (now, since, view) = (event.t, force.since, stage.journal.view());
            found = (force.injection.evidence)(&Moment { now, since, event: Some(event), view });
        }
        self.bite(found, stage);
    }

    fn bite(&mut self, found: Option<String>, stage: &mut Stage<'_>) {
        let (Some(evidence), State::InForce(force)) = (found, &mut self.state) else { return };
        force.bit = Some(stage.now());
        self.record(stage, FaultPhase::Bit, None, evidence);
    }

    fn heal_if_due(&mut self, phase: Phase, stage: &mut Stage<'_>) -> Option<Millis> {
        let State::InForce(force) = &self.state else { return None };
        let give_up = phase.steps_ended.map(|ended| ended.max(force.since) + PATIENCE);
        let due = match (self.end, force.bit) {
            (End::Never, _) => return None,
            (End::After(span), _) => Some(force.since + span),
            (End::AfterBite(span), Some(bit)) => Some(bit + span),
            (End::WithWhen, Some(bit)) => phase.steps_ended.map(|ended| ended.max(bit)),
            (End::AfterBite(_) | End::WithWhen, None) => give_up,
        };
        match due {
            Some(due) if due <= stage.now() => {
                self.heal(stage);
                None
            }
            due => due,
        }
    }

    fn heal(&mut self, stage: &mut Stage<'_>) {
        if let State::InForce(force) = &mut self.state
            && force.bit.is_none()
        {
            let (now, view) = (stage.cluster.now(), stage.journal.view());
            let moment = Moment { now, since: force.since, event: None, view };
            let found = (force.injection.evidence)(&moment);
            self.bite(found, stage);
        }
        let State::InForce(force) = std::mem::replace(&mut self.state, State::Over) else { return };
        for lever in &force.injection.heal {
            // An actor or node that is gone has nothing left to heal.
            let _ = stage.cluster.pull(lever);
        }
        self.record(stage, FaultPhase::Healed, None, String::new());
    }

    /// Whether nothing more is to come of it before the trial settles: it is over, or in force for
    /// good.
    pub(super) fn is_settled(&self) -> bool {
        match &self.state {
            State::Armed(_) => false,
            State::InForce(_) => self.end == End::Never,
            State::Over => true,
        }
    }

    fn record(
        &self,
        stage: &mut Stage<'_>,
        phase: FaultPhase,
        injection: Option<&Injection>,
        evidence: String,
    ) {
        let injection = injection.or(match &self.state {
            State::InForce(force) => Some(&force.injection),
            _ => None,
        });
        let event = FaultEvent {
            fault: self.id.clone(),
            name: Text::new_static(self.fault.name),
            phase,
            lasting: self.end == End::Never,
            targets: injection.map(|i| i.targets.clone()).unwrap_or_default(),
            nodes: injection.map(|i| i.nodes.clone()).unwrap_or_default(),
            pods: injection.map(|i| i.pods.clone()).unwrap_or_default(),
            evidence,
        };
        stage.record(Body::Fault(event));
    }
}
