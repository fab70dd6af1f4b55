//! `available-at-least`: no voluntary write leaves fewer pods available than stated.

use crate::check::bounded::{Bounded, Limit};
use crate::check::finding::Findings;
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::Scene;
use crate::history::Event;
use crate::suite::duration::Amount;
use crate::suite::vocabulary::{Entry, Param, ParamKind};

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "available-at-least",
        doc: "No voluntary write leaves fewer pods available than stated.",
        params: &[Param::new(
            "available",
            ParamKind::Amount,
            "How many pods; a percentage is of the replicas and rounded up.",
        )
        .default("1")],
    },
    doc: "Once as many pods of a workload were available, no write of the subject and no eviction \
          takes one down so that fewer are left. Losses by faults, and deletions by others, count \
          and are no findings themselves. What the actor could not know is counted as stale.",
    needs: &[Capability::Actors],
    make: |args| {
        let least = args.amount("available").unwrap_or(Amount::Count(1));
        Box::new(AvailableAtLeast(Bounded::new(Limit::Available(least)).with_evictions(true)))
    },
};

struct AvailableAtLeast(Bounded);

impl Invariant for AvailableAtLeast {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        self.0.event(event, scene, findings);
    }
}
