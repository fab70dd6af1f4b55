//! The interface of an invariant: a fold over the events of a history.

use crate::history::Event;
use crate::suite::faults::Args;
use crate::suite::vocabulary::Entry;

use super::finding::Findings;
use super::observe::Scene;

/// What a history must have recorded for an invariant to be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Who made each request.
    Actors,
    /// What really ran on the hosts.
    Host,
    /// What was delivered to whom.
    Deliveries,
    /// Evictions, refused ones too.
    Evictions,
}

impl Capability {
    /// As in the header of a history.
    pub fn word(self) -> &'static str {
        match self {
            Capability::Actors => "actors",
            Capability::Host => "host",
            Capability::Deliveries => "deliveries",
            Capability::Evictions => "evictions",
        }
    }
}

/// An invariant while a history is judged. It is shown every event once, in order.
pub trait Invariant {
    /// The next event; the scene is the one after it.
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings);

    /// The history is over; the scene is the one after its last event.
    fn finish(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        let _ = (scene, findings);
    }
}

/// An invariant of the catalogue.
pub struct Definition {
    /// Its kebab-case name, one sentence, and its parameters.
    pub entry: Entry,
    /// A paragraph: what holds, what is exempt, and where its default times come from.
    pub doc: &'static str,
    /// What it can't be decided without.
    pub needs: &'static [Capability],
    /// Makes one with these arguments. An argument that is not given has its default.
    pub make: fn(&Args) -> Box<dyn Invariant>,
}
