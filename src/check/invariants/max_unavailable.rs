//! `max-unavailable`: the subject keeps the `maxUnavailable` of its own workload.

use crate::check::bounded::{Bounded, Limit};
use crate::check::finding::Findings;
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::Scene;
use crate::history::Event;
use crate::suite::vocabulary::Entry;

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "max-unavailable",
        doc: "The subject keeps the `maxUnavailable` of its own workload.",
        params: &[],
    },
    doc: "When the subject deletes, evicts or changes an available pod of its workload, no more pods \
          of it are unavailable then than its `maxUnavailable` allows, whoever took the others down. \
          Unlike `disruption-bounded`, budgets and other actors are not looked at. A pod of which a \
          container is being replaced counts as unavailable from the write that asks for it. What \
          the subject could not know is counted as stale.",
    needs: &[Capability::Actors],
    make: |_| Box::new(MaxUnavailable(Bounded::new(Limit::OfTheWorkload))),
};

struct MaxUnavailable(Bounded);

impl Invariant for MaxUnavailable {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        self.0.event(event, scene, findings);
    }
}
