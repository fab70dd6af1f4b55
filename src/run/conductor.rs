//! The order of a trial: given, then steps beside faults, then settling. A state machine over a
//! cluster that says until when the cluster may go on; whoever drives it lets time pass.

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::injector::{Injector, Phase};
use super::journal::Journal;
use super::preparation::Preparation;
use super::sequence::Sequence;
use super::stage::{Progress, Stage, Task, sooner};
use crate::check::Observe;
use crate::cluster::{Advance, Cluster};
use crate::fault;
use crate::history::{Body, Gap, StepPhase};
use crate::subject::Installation;
use crate::suite::checks::{CONVERGED, Check, CheckSpec};
use crate::suite::{ResolvedScenario, Subject};

/// How long a trial is watched at its end if no check asks for convergence.
const QUIET: Millis = 60_000;

/// What is to be conducted.
pub(super) struct Score<'a> {
    pub(super) scenario: &'a ResolvedScenario,
    pub(super) subject: &'a Subject,
    pub(super) observed: &'a dyn Observe,
    pub(super) params: &'a Tree,
    pub(super) seed: u64,
    /// How many times as fast as by default the cluster notices that a node is lost.
    pub(super) pace: u64,
    /// Whether faults are left out.
    pub(super) baseline: bool,
}

/// A trial under way.
pub(super) struct Conductor<'a> {
    score: Score<'a>,
    pub(super) journal: Journal,
    ended_steps: BTreeSet<Text>,
    act: Act<'a>,
    injectors: Vec<Injector>,
    when: Phase,
}

enum Act<'a> {
    Preparing(Preparation<'a>),
    Given(Sequence),
    When(Sequence),
    /// Faults are still to come or to be healed.
    Waiting,
    Settling {
        since: Millis,
    },
    Over,
}

/// What the conductor asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The cluster is to go on, until this time at most.
    Advance(Millis),
    /// The trial is over.
    Over,
}

impl<'a> Conductor<'a> {
    pub(super) fn new(
        score: Score<'a>,
        journal: Journal,
        installation: &Installation,
        now: Millis,
    ) -> Self {
        let nodes = &score.scenario.cluster.nodes;
        let act = Act::Preparing(Preparation::new(&installation.objects, nodes));
        let when = Phase { began: now, steps_ended: None };
        let (ended_steps, injectors) = (BTreeSet::new(), Vec::new());
        Conductor { score, journal, ended_steps, act, injectors, when }
    }

    /// Takes in what the cluster told.
    pub(super) fn observe(&mut self, advance: Advance) {
        for observation in advance.observed {
            self.journal.observe(observation, self.score.observed);
        }
    }

    /// Does everything that can be done now.
    pub(super) fn poll(&mut self, cluster: &mut dyn Cluster) -> Next {
        if let Some(reason) = self.limit_reached(cluster.now()) {
            self.stop(cluster.now(), reason);
        }
        loop {
            let before = std::mem::discriminant(&self.act);
            let wake = self.act_once(cluster);
            if matches!(self.act, Act::Over) {
                return Next::Over;
            }
            if std::mem::discriminant(&self.act) == before {
                let limit = self.score.scenario.limits.time;
                let wake =
                    wake.unwrap_or(limit).clamp(cluster.now() + 1, limit.max(cluster.now() + 1));
                return Next::Advance(wake);
            }
        }
    }

    fn limit_reached(&self, now: Millis) -> Option<String> {
        let limits = &self.score.scenario.limits;
        let events = self.journal.events().len() as u64;
        if now >= limits.time {
            return Some(format!("the limit of {} s is reached", limits.time / 1000));
        }
        if events >= limits.events {
            return Some(format!("the limit of {} events is reached", limits.events));
        }
        let bytes = limits.history_bytes;
        (self.journal.bytes() >= bytes).then(|| format!("the history's {bytes} bytes are reached"))
    }

    /// Ends the trial early: nothing that it was to show can be told from here on.
    pub(super) fn stop(&mut self, now: Millis, reason: String) {
        self.journal.record(now, gap(now, reason), self.score.observed);
        self.act = Act::Over;
    }

    fn act_once(&mut self, cluster: &mut dyn Cluster) -> Option<Millis> {
        let Conductor { score, journal, ended_steps, act, injectors, when } = self;
        let mut stage = Stage {
            cluster,
            journal,
            subject: score.subject,
            observed: score.observed,
            params: score.params,
            seed: score.seed,
            pace: score.pace,
            ended_steps,
        };
        let mut wake = None;
        if matches!(act, Act::When(_) | Act::Waiting | Act::Settling { .. }) {
            for injector in injectors.iter_mut() {
                wake = sooner(wake, injector.poll(*when, &mut stage));
            }
        }
        match act {
            Act::Preparing(preparation) => match preparation.poll(&mut stage) {
                Progress::Pending(at) => wake = at,
                Progress::Done(Err(why)) => {
                    let gap = gap(stage.now(), why);
                    stage.record(gap);
                    *act = Act::Over;
                }
                Progress::Done(Ok(_)) => {
                    let given = Sequence::new("given", &score.scenario.given, stage.now());
                    *act = Act::Given(given);
                }
            },
            Act::Given(sequence) => match sequence.poll(&mut stage) {
                Progress::Pending(at) => wake = at,
                // Its failure is in the history; a trial without its beginning proves nothing.
                Progress::Done(Err(_)) => *act = Act::Over,
                Progress::Done(Ok(_)) => {
                    when.began = stage.now();
                    let sequence = Sequence::new("when", &score.scenario.when, when.began);
                    if !score.baseline {
                        *injectors = arm(score, *when, &mut stage);
                    }
                    *act = Act::When(sequence);
                }
            },
            Act::When(sequence) => match sequence.poll(&mut stage) {
                Progress::Pending(at) => wake = sooner(wake, at),
                Progress::Done(_) => {
                    when.steps_ended = Some(stage.now());
                    *act = Act::Waiting;
                }
            },
            Act::Waiting => {
                if injectors.iter().all(Injector::is_settled) {
                    mark_settling(&mut stage, StepPhase::Started);
                    *act = Act::Settling { since: stage.now() };
                }
            }
            Act::Settling { since } => match settled(*since, score, &mut stage) {
                Some(at) => wake = sooner(wake, Some(at)),
                None => {
                    mark_settling(&mut stage, StepPhase::Finished);
                    *act = Act::Over;
                }
            },
            Act::Over => {}
        }
        wake
    }
}

/// From here on nothing can be told.
fn gap(from: Millis, reason: String) -> Body {
    Body::Gap(Gap { from, missing: Text::new_static("objects"), reason })
}

fn arm(score: &Score<'_>, when: Phase, stage: &mut Stage<'_>) -> Vec<Injector> {
    let mut injectors = Vec::new();
    for (index, spec) in score.scenario.faults.iter().enumerate() {
        // The parser admits only faults of the catalogue.
        if let Some(fault) = fault::fault(&spec.name) {
            injectors.push(Injector::arm(fault, spec, index, when, stage));
        }
    }
    injectors
}

/// `None` when nothing more is to come, else when to look again at the latest.
fn settled(since: Millis, score: &Score<'_>, stage: &mut Stage<'_>) -> Option<Millis> {
    let (now, scenario) = (stage.now(), score.scenario);
    let checks = scenario.always.iter().chain(&scenario.eventually);
    let wanted: Vec<(Millis, Millis)> = checks.filter_map(convergence).collect();
    if wanted.is_empty() {
        return Some(since + QUIET).filter(|end| now < *end);
    }
    let mut next = None;
    for (within, hold) in wanted {
        let Err(earliest) = stage.journal.is_converged(now, hold, stage.observed) else { continue };
        let give_up = since.max(stage.journal.disturbed()) + within + hold;
        if now < give_up {
            next = sooner(next, sooner(earliest, Some(give_up)));
        }
    }
    next
}

/// Marks the beginning or the end of settling. The judge knows no later time than that of the last
/// event, and nothing else need happen in a cluster that is at rest.
fn mark_settling(stage: &mut Stage<'_>, phase: StepPhase) {
    let (step, name) = (Text::new_static("eventually"), Text::new_static("converge"));
    stage.record_step(&step, &name, &Text::default(), phase, String::new());
}

/// `within` and `hold` of a check for convergence.
fn convergence(check: &CheckSpec) -> Option<(Millis, Millis)> {
    match &check.check {
        Check::Invariant(args) if check.name.as_str() == CONVERGED => Some((
            args.duration("within").unwrap_or(900_000),
            args.duration("hold").unwrap_or(60_000),
        )),
        _ => None,
    }
}
