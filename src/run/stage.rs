//! What steps and faults act on: the cluster, the journal, and what the trial is about.

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::journal::Journal;
use crate::check::Observe;
use crate::cluster::Cluster;
use crate::fault::Field;
use crate::history::{Body, StepEvent, StepPhase};
use crate::suite::Subject;

/// The namespace of a trial: that of every object that names none.
pub(super) const NAMESPACE: &str = "default";

/// What steps and faults act on.
pub(super) struct Stage<'a> {
    pub(super) cluster: &'a mut dyn Cluster,
    pub(super) journal: &'a mut Journal,
    pub(super) subject: &'a Subject,
    pub(super) observed: &'a dyn Observe,
    pub(super) params: &'a Tree,
    pub(super) seed: u64,
    pub(super) pace: u64,
    /// The names of the steps that have ended.
    pub(super) ended_steps: &'a mut BTreeSet<Text>,
}

impl Stage<'_> {
    pub(super) fn now(&self) -> Millis {
        self.cluster.now()
    }

    pub(super) fn record(&mut self, body: Body) {
        let now = self.now();
        self.journal.record(now, body, self.observed);
    }

    pub(super) fn record_step(
        &mut self,
        step: &Text,
        name: &Text,
        target: &Text,
        phase: StepPhase,
        message: String,
    ) {
        let (step, name, target) = (step.clone(), name.clone(), target.clone());
        self.record(Body::Step(StepEvent { step, name, phase, target, message }));
    }

    pub(super) fn field(&self) -> Field<'_> {
        Field { view: self.journal.view(), subject: self.subject }
    }
}

/// How far something has come.
#[derive(Debug)]
pub(super) enum Progress {
    /// It goes on when something happens, and at this time at the latest.
    Pending(Option<Millis>),
    /// It has ended: with what it did, or why it could not.
    Done(Result<String, String>),
}

/// Something that goes on over time. It is polled whenever something was observed, an answer came
/// or the time that it named is there.
pub(super) trait Task: Send {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress;
}

/// The earlier of two times.
pub(super) fn sooner(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
