//! The recorder of a trial: numbers what is observed and done, and keeps the state after it.

use kubesim_model::Millis;

use crate::check::{Convergence, Observe, Scene, State};
use crate::cluster::Observation;
use crate::history::{Body, Event, Header, History, View};

/// Everything recorded so far.
pub(super) struct Journal {
    events: Vec<Event>,
    view: View,
    convergence: Convergence,
    /// The cluster's own number of each observation, and its number in the history.
    numbers: Vec<(u64, u64)>,
    bytes: u64,
}

/// Roughly what an event without changes takes in a file, in bytes.
const EVENT_BYTES: u64 = 250;
/// Roughly what a change takes in a file, where unchanged parts are not repeated.
const CHANGE_BYTES: u64 = 750;

impl Journal {
    pub(super) fn new(header: &Header) -> Self {
        Journal {
            events: Vec::new(),
            view: View::for_conducting(header),
            convergence: Convergence::new(0),
            numbers: Vec::new(),
            bytes: 0,
        }
    }

    /// Records something that the cluster told.
    pub(super) fn observe(&mut self, observation: Observation, subject: &dyn Observe) {
        let n = self.events.len() as u64;
        let cause = observation.cause.and_then(|cause| self.number_of(cause));
        self.numbers.push((observation.id, n));
        let Observation { at, uncertainty, body, .. } = observation;
        // What is known only after something later was recorded.
        let t = at.max(self.view.now);
        let uncertainty = uncertainty + (t - at);
        self.push(Event { n, t, uncertainty, cause, body }, subject);
    }

    /// Records something that the harness did.
    pub(super) fn record(&mut self, t: Millis, body: Body, subject: &dyn Observe) {
        let n = self.events.len() as u64;
        let t = t.max(self.view.now);
        self.push(Event { n, t, uncertainty: 0, cause: None, body }, subject);
    }

    fn number_of(&self, id: u64) -> Option<u64> {
        let at = self.numbers.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.numbers[at].1)
    }

    fn push(&mut self, event: Event, subject: &dyn Observe) {
        let changes = match &event.body {
            Body::Request(request) => request.changes.len() as u64,
            _ => 0,
        };
        self.bytes += EVENT_BYTES + changes * CHANGE_BYTES;
        self.view.take(&event);
        self.convergence.event(&event, &Scene { view: &self.view, subject });
        self.events.push(event);
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// An estimate of the history's size in a file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it has been converged for `hold` at `now`; else when it can be at the earliest, if
    /// nothing more happens. `None` when something has to happen first.
    pub(super) fn is_converged(
        &mut self,
        now: Millis,
        hold: Millis,
        subject: &dyn Observe,
    ) -> Result<(), Option<Millis>> {
        let earliest = self.convergence.quiet_since().0 + hold;
        if now < earliest {
            return Err(Some(earliest));
        }
        let scene = Scene { view: &self.view, subject };
        match self.convergence.state(&scene) {
            State::Matches => Ok(()),
            State::Not(_) | State::Undecided(_) => Err(None),
        }
    }

    /// Why it is not converged.
    pub(super) fn why_not(&mut self, subject: &dyn Observe) -> String {
        let scene = Scene { view: &self.view, subject };
        match self.convergence.state(&scene) {
            State::Matches => "something is still being written".to_owned(),
            State::Not(why) | State::Undecided(why) => why.clone(),
        }
    }

    /// When the steps, faults and desired state changed last.
    pub(super) fn disturbed(&self) -> Millis {
        self.convergence.disturbed().0
    }

    pub(super) fn into_history(self, header: Header) -> History {
        History { header, events: self.events }
    }
}
