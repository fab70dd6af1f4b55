//! What actors were told, held back until what they were told of is recorded: in a history nobody
//! is told of what has not happened yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kubesim_model::resource::Resource;
use kubesim_model::{Millis, Text};

use crate::history::Delivery;

/// How long a list is held back when nothing else is to be recorded: no change may have its
/// version.
const SETTLED: Millis = 200;
/// How long anything is held back at most.
const PATIENCE: Millis = 6_000;

/// How many versions of the simulated nodes' store are known by their real ones.
const TRANSLATED: usize = 100_000;

/// What was told and is not recorded yet.
#[derive(Default)]
pub(super) struct Deliveries {
    waiting: VecDeque<(Millis, Delivery)>,
    /// The newest version of each resource of which the change is recorded.
    recorded: BTreeMap<Resource, u64>,
    /// The real version by the one that the mirror of it has.
    real: BTreeMap<u64, u64>,
}

impl Deliveries {
    /// Somebody was told of something.
    pub(super) fn told(&mut self, at: Millis, delivery: Delivery) {
        self.waiting.push_back((at, delivery));
    }

    /// The change of this version is recorded. Answers what can be recorded after it.
    pub(super) fn recorded(&mut self, resource: &Resource, rv: u64) -> Vec<(Millis, Delivery)> {
        let newest = self.recorded.entry(resource.clone()).or_default();
        *newest = rv.max(*newest);
        self.take_if(|_, _| false)
    }

    /// What can be recorded by now; with `is_settled` nothing else waits to be recorded.
    pub(super) fn due(&mut self, now: Millis, is_settled: bool) -> Vec<(Millis, Delivery)> {
        let newest = self.recorded.values().max().copied().unwrap_or(0);
        self.take_if(|at, told| {
            let held = now.saturating_sub(at);
            // No change of its resource may have the version of a list.
            let is_list = told.key.name.is_empty() && (is_settled || told.rv <= newest);
            held >= if is_list { SETTLED } else { PATIENCE }
        })
    }

    /// All up to this version was there before the trial.
    pub(super) fn is_old(&mut self, resource: &Resource, rv: u64) {
        self.recorded.insert(resource.clone(), rv);
    }

    /// Takes out what is told of what is recorded, or is due. Each is told of a resource in order.
    fn take_if(&mut self, is_due: impl Fn(Millis, &Delivery) -> bool) -> Vec<(Millis, Delivery)> {
        let (mut taken, mut left) = (Vec::new(), VecDeque::new());
        let mut waits: BTreeSet<(Text, Resource)> = BTreeSet::new();
        for (at, told) in std::mem::take(&mut self.waiting) {
            let recorded = self.recorded.get(&told.resource).copied().unwrap_or(0);
            let whom = (told.actor.clone(), told.resource.clone());
            if waits.contains(&whom) || told.rv > recorded && !is_due(at, &told) {
                waits.insert(whom);
                left.push_back((at, told));
            } else {
                taken.push((at, told));
            }
        }
        self.waiting = left;
        taken
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
    use kubesim_model::resource::ObjectKey;

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
        assert_eq!(versions(deliveries.recorded(&Resource::PODS, 6)), [5]);
        assert_eq!(versions(deliveries.due(20, false)), Vec::<u64>::new());
        assert_eq!(versions(deliveries.recorded(&Resource::NODES, 9)), Vec::<u64>::new());
        assert_eq!(versions(deliveries.recorded(&Resource::PODS, 7)), [7]);
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
