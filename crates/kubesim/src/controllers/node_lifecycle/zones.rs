//! Zones: how disrupted each is, and how fast its nodes are tainted with `NoExecute`
//! (kube-controller-manager v1.36, `ComputeZoneState`, `RateLimitedTimedQueue`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use super::health::Ready;

/// One node each 10 s (`--node-eviction-rate` 0.1).
const INTERVAL: Millis = 10_000;
/// One node each 100 s (`--secondary-node-eviction-rate` 0.01).
const REDUCED_INTERVAL: Millis = 100_000;
/// Partly disrupted zones of up to this many nodes are left alone.
const LARGE_CLUSTER: usize = 50;
/// A queue is looked at this often.
const POLL: Millis = 100;

/// How much of a zone has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Initial,
    Normal,
    Partial,
    Full,
}

impl State {
    /// Full without any ready node; partial with more than 2, and at least 55 %, not ready.
    pub(super) fn of(nodes: impl IntoIterator<Item = Ready>) -> State {
        let (mut ready, mut failed) = (0u64, 0u64);
        for node in nodes {
            *if node == Ready::True { &mut ready } else { &mut failed } += 1;
        }
        if ready == 0 && failed > 0 {
            State::Full
        } else if failed > 2 && 100 * failed >= 55 * (ready + failed) {
            State::Partial
        } else {
            State::Normal
        }
    }

    /// The time between two nodes; `None` for never.
    pub(super) fn interval(self, nodes: usize) -> Option<Millis> {
        match self {
            State::Partial if nodes > LARGE_CLUSTER => Some(REDUCED_INTERVAL),
            State::Partial => None,
            State::Initial | State::Normal | State::Full => Some(INTERVAL),
        }
    }
}

/// A zone: its state, and its nodes that wait for their taint.
#[derive(Clone)]
pub(super) struct Zone {
    pub(super) state: State,
    waiting: VecDeque<Text>,
    /// Nodes that are waiting or were tainted; only a healthy node is queued anew.
    known: BTreeSet<Text>,
    interval: Option<Millis>,
    free_at: Millis,
}

impl Zone {
    pub(super) fn new() -> Self {
        Zone {
            state: State::Initial,
            waiting: VecDeque::new(),
            known: BTreeSet::new(),
            interval: Some(INTERVAL),
            free_at: 0,
        }
    }

    /// Lets a node wait for its taint, if it does not yet; answers whether it is new.
    pub(super) fn add(&mut self, node: &Text) -> bool {
        let new = self.known.insert(node.clone());
        if new {
            self.waiting.push_back(node.clone());
        }
        new
    }

    /// The node needs no taint any more.
    pub(super) fn remove(&mut self, node: &Text) {
        if self.known.remove(node) {
            self.waiting.retain(|waiting| waiting != node);
        }
    }

    pub(super) fn set_interval(&mut self, interval: Option<Millis>, now: Millis) {
        // A limiter that was used up stays so at the new rate.
        if let Some(interval) = interval.filter(|new| self.interval.is_some_and(|old| old != *new))
            && self.free_at > now
        {
            self.free_at = now + interval;
        }
        self.interval = interval;
    }

    /// Takes the next node, if the rate allows one now.
    pub(super) fn pop(&mut self, now: Millis) -> Option<Text> {
        let interval = self.interval.filter(|_| self.free_at <= now)?;
        let node = self.waiting.pop_front()?;
        self.free_at = now + interval;
        Some(node)
    }

    /// The taint could not be written: the node waits again.
    pub(super) fn put_back(&mut self, node: &Text) {
        if self.known.contains(node) && !self.waiting.contains(node) {
            self.waiting.push_back(node.clone());
        }
    }

    /// When [`Zone::pop`] may answer a node, on the grid of polls that began at `origin`.
    pub(super) fn due(&self, now: Millis, origin: Millis) -> Option<Millis> {
        if self.waiting.is_empty() {
            return None;
        }
        self.interval?;
        let at = self.free_at.max(now + 1) - origin;
        Some(origin + at.div_ceil(POLL) * POLL)
    }
}

/// The zone's name: region and zone labels.
pub(super) fn name(node: &Tree) -> Text {
    let (region, zone) = (
        object::label(node, "topology.kubernetes.io/region"),
        object::label(node, "topology.kubernetes.io/zone"),
    );
    if region.is_empty() && zone.is_empty() {
        return Text::default();
    }
    Text::from(format!("{region}:{zone}"))
}

/// Zones by name.
pub(super) type Zones = BTreeMap<Text, Zone>;
