//! Which pod is scheduled next (kube-scheduler v1.36, `backend/queue`): active pods by priority
//! and age, pods that back off after a failure, and pods that wait for an event.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::Millis;
use kubesim_model::resource::ObjectKey;

const FIRST_BACK_OFF: Millis = 1_000;
const LONGEST_BACK_OFF: Millis = 10_000;
/// After this long a waiting pod is tried again without any event.
const LONGEST_WAIT: Millis = 300_000;

/// What can change for a pod that found no node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happening {
    /// A node came, or its labels, taints, capacity or schedulability changed.
    Node,
    /// A bound pod came, or its labels changed.
    PodAdded,
    /// A bound pod went, or ended.
    PodRemoved,
}

/// Why a pod found no node: decides which events bring it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Plugin {
    Unschedulable,
    NodeName,
    Taints,
    NodeAffinity,
    Ports,
    Fit,
    Spread,
    PodAffinity,
}

impl Plugin {
    fn is_helped_by(self, happening: Happening) -> bool {
        match self {
            Plugin::Unschedulable | Plugin::NodeName | Plugin::Taints | Plugin::NodeAffinity => {
                happening == Happening::Node
            }
            Plugin::Ports | Plugin::Fit => happening != Happening::PodAdded,
            Plugin::Spread | Plugin::PodAffinity => true,
        }
    }
}

#[derive(Clone)]
struct Entry {
    priority: i64,
    /// When it came into the queue at first: the older pod goes first.
    since: Millis,
    number: u64,
    failures: u32,
    state: State,
}

#[derive(Clone)]
enum State {
    Active,
    BacksOff {
        until: Millis,
    },
    Waits {
        back_off_until: Millis,
        since: Millis,
        rejected_by: BTreeSet<Plugin>,
    },
    /// Taken out to be scheduled, or assumed and being bound.
    InFlight,
}

/// The pods that have no node yet.
#[derive(Clone, Default)]
pub(super) struct Queue {
    entries: BTreeMap<ObjectKey, Entry>,
    active: BTreeSet<(Reverse<i64>, Millis, u64, ObjectKey)>,
    next_number: u64,
}

impl Queue {
    /// Whether the pod is known to the queue, also in flight.
    pub(super) fn has(&self, key: &ObjectKey) -> bool {
        self.entries.contains_key(key)
    }

    /// Takes a new pod in.
    pub(super) fn add(&mut self, key: ObjectKey, priority: i64, now: Millis) {
        self.remove(&key);
        let number = self.next_number;
        self.next_number += 1;
        let entry = Entry { priority, since: now, number, failures: 0, state: State::Active };
        self.entries.insert(key.clone(), entry);
        self.activate(&key);
    }

    /// Forgets a pod: it is bound by the watch's word, or gone.
    pub(super) fn remove(&mut self, key: &ObjectKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.active.remove(&rank(&entry, key));
        }
    }

    /// The next pod to schedule.
    pub(super) fn pop(&mut self) -> Option<ObjectKey> {
        let (.., key) = self.active.pop_first()?;
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.state = State::InFlight;
        }
        Some(key)
    }

    /// The pod found no node: it waits for an event that helps against what rejected it.
    pub(super) fn wait(&mut self, key: &ObjectKey, rejected_by: BTreeSet<Plugin>, now: Millis) {
        self.fail(key, now, |until| State::Waits {
            back_off_until: until,
            since: now,
            rejected_by,
        });
    }

    /// Scheduling or binding failed by an error: the pod is tried again after its back-off.
    pub(super) fn back_off(&mut self, key: &ObjectKey, now: Millis) {
        self.fail(key, now, |until| State::BacksOff { until });
    }

    fn fail(&mut self, key: &ObjectKey, now: Millis, state: impl FnOnce(Millis) -> State) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let back_off = FIRST_BACK_OFF << entry.failures.min(4);
        entry.failures += 1;
        entry.state = state(now + back_off.min(LONGEST_BACK_OFF));
    }

    /// Brings back the waiting pods that `happening` may help.
    pub(super) fn happened(&mut self, happening: Happening, now: Millis) {
        let helped: Vec<ObjectKey> = self
            .entries
            .iter()
            .filter(|(_, entry)| match &entry.state {
                State::Waits { rejected_by, .. } => {
                    rejected_by.iter().any(|plugin| plugin.is_helped_by(happening))
                }
                _ => false,
            })
            .map(|(key, _)| key.clone())
            .collect();
        helped.iter().for_each(|key| self.bring_back(key, now));
    }

    /// Brings back a waiting pod, because it changed itself.
    pub(super) fn bring_back(&mut self, key: &ObjectKey, now: Millis) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let State::Waits { back_off_until, .. } = entry.state else { return };
        if back_off_until > now {
            entry.state = State::BacksOff { until: back_off_until };
        } else {
            self.activate(key);
        }
    }

    /// Activates what has backed off, and what has waited too long.
    pub(super) fn advance(&mut self, now: Millis) {
        let due: Vec<ObjectKey> = self
            .entries
            .iter()
            .filter(|(_, entry)| due(entry).is_some_and(|at| at <= now))
            .map(|(key, _)| key.clone())
            .collect();
        due.iter().for_each(|key| self.activate(key));
    }

    /// When [`Queue::advance`] has something to do next.
    pub(super) fn next_due(&self) -> Option<Millis> {
        self.entries.values().filter_map(due).min()
    }

    fn activate(&mut self, key: &ObjectKey) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.state = State::Active;
            self.active.insert(rank(entry, key));
        }
    }
}

fn rank(entry: &Entry, key: &ObjectKey) -> (Reverse<i64>, Millis, u64, ObjectKey) {
    (Reverse(entry.priority), entry.since, entry.number, key.clone())
}

fn due(entry: &Entry) -> Option<Millis> {
    match &entry.state {
        State::BacksOff { until } => Some(*until),
        State::Waits { since, .. } => Some(since + LONGEST_WAIT),
        State::Active | State::InFlight => None,
    }
}
