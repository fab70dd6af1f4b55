//! What actors were told, held back until what they were told of is recorded: in a history nobody
//! is told of what has not happened yet.

use std::collections::{BTreeMap, VecDeque};

use kubesim_model::Millis;

use crate::history::Delivery;

/// How long a list is held back when nothing else is to be recorded: no change may have its version.
const SETTLED: Millis = 200;
/// How long anything is held back at most.
const PATIENCE: Millis = 6_000;

/// How many versions of the simulated nodes' store are known by their real ones.
const TRANSLATED: usize = 100_000;

/// What was told and is not recorded yet.
#[derive(Default)]
pub(super) struct Deliveries {
    waiting: VecDeque<(Millis, Delivery)>,
    /// The newest version of which the change is recorded.
    recorded: u64,
    /// The real version by the one that the mirror of it has.
    real: BTreeMap<u64, u64>,
}

impl Deliveries {
    /// Somebody was told of something.
    pub(super) fn told(&mut self, at: Millis, delivery: Delivery) {
        self.waiting.push_back((at, delivery));
    }

    /// The change of this version is recorded. Answers what can be recorded after it.
    pub(super) fn recorded(&mut self, rv: u64) -> Vec<(Millis, Delivery)> {
        self.recorded = self.recorded.max(rv);
        let recorded = self.recorded;
        self.take_while(|_, told| told.rv <= recorded)
    }

    /// What can be recorded by now; with `is_settled` nothing else waits to be recorded.
    pub(super) fn due(&mut self, now: Millis, is_settled: bool) -> Vec<(Millis, Delivery)> {
        let recorded = self.recorded;
        self.take_while(|at, told| {
            let is_list = told.key.name.is_empty();
            let held = if is_list && is_settled { SETTLED } else { PATIENCE };
            told.rv <= recorded || now.saturating_sub(at) >= held
        })
    }

    fn take_while(&mut self, goes: impl Fn(Millis, &Delivery) -> bool) -> Vec<(Millis, Delivery)> {
        let end = self.waiting.iter().position(|(at, told)| !goes(*at, told));
        self.waiting.drain(..end.unwrap_or(self.waiting.len())).collect()
    }

    /// The mirror's version `own` is the real version `real`.
    pub(super) fn translates(&mut self, own: u64, real: u64) {
        self.real.insert(own, real);
        if self.real.len() > TRANSLATED {
            self.real.pop_first();
        }
    }

    /// The newest real version that a version of the mirror holds; 0 if there is none.
    pub(super) fn translated(&self, own: u64) -> u64 {
        self.real.range(..=own).next_back().map_or(0, |(_, real)| *real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::resource::{ObjectKey, Resource};

    fn told(rv: u64) -> Delivery {
        let (resource, key) = (Resource::PODS, ObjectKey::new("default", "a"));
        Delivery { actor: "mine".into(), incarnation: 1, resource, key, rv, answer: false }
    }

    fn versions(due: Vec<(Millis, Delivery)>) -> Vec<u64> {
        due.into_iter().map(|(_, told)| told.rv).collect()
    }

    #[test]
    fn nobody_is_told_of_what_is_not_recorded() {
        let mut deliveries = Deliveries::default();
        deliveries.told(10, told(5));
        deliveries.told(11, told(7));
        assert_eq!(versions(deliveries.due(20, false)), Vec::<u64>::new());
        assert_eq!(versions(deliveries.recorded(6)), [5]);
        assert_eq!(versions(deliveries.due(20, false)), Vec::<u64>::new());
        assert_eq!(versions(deliveries.recorded(7)), [7]);
    }

    #[test]
    fn what_never_changes_is_told_at_last() {
        let mut deliveries = Deliveries::default();
        deliveries.told(10, Delivery { key: ObjectKey::default(), ..told(5) });
        assert_eq!(versions(deliveries.due(10 + SETTLED, false)), Vec::<u64>::new());
        assert_eq!(versions(deliveries.due(10 + SETTLED, true)), [5]);
        // The harness's own watch may be the slower one.
        deliveries.told(10, told(6));
        assert_eq!(versions(deliveries.due(10 + SETTLED, true)), Vec::<u64>::new());
        assert_eq!(versions(deliveries.due(10 + PATIENCE, false)), [6]);
    }

    #[test]
    fn versions_of_the_mirror_are_translated() {
        let mut deliveries = Deliveries::default();
        assert_eq!(deliveries.translated(3), 0);
        deliveries.translates(2, 70);
        deliveries.translates(4, 90);
        assert_eq!([2, 3, 4, 9].map(|own| deliveries.translated(own)), [70, 70, 90, 90]);
    }
}
