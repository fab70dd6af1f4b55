//! What each role could know of the API at one point of a history.
//!
//! A role knows what was ever delivered to any of its incarnations: a restart is no excuse. What is
//! delivered takes a moment to become a request, so a delivery counts as known from [`REACTION`]
//! on, where time is real from [`REAL_REACTION`] on. What a role wrote it knows at once, for it
//! asked for it; a write that the role was never told the outcome of counts while its incarnation
//! lives, unless a fault took the answer away. Who stands still takes nothing in: what reaches him
//! then, or did a moment before, he knows that long after he goes on.

use std::collections::{BTreeMap, VecDeque};

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::{Millis, Text};

use super::event::{ActorPhase, Body, Clock, Delivery, Event, RequestEvent};

/// The time between a delivery and the arrival of the last request that may not have considered it,
/// in milliseconds: work queue, the requests that a sync sends one after the other, and client-side
/// throttling (client-go v1.36: 20 requests a second beyond a burst of 30).
pub const REACTION: Millis = 1_000;

/// The same where time is real: processes wait for a processor too, and who is blamed for what he
/// could not know yet is blamed wrongly.
pub const REAL_REACTION: Millis = 5_000;

/// For how long it is looked back, where time is real: what was recorded late may have happened
/// when others knew less.
const LOOKS_BACK: Millis = 300_000;

/// What the roles know.
#[derive(Clone, Debug)]
pub struct Known {
    reaction: Millis,
    looks_back: Millis,
    /// When the event happened at the earliest of which is asked who knew what.
    happened: Millis,
    roles: BTreeMap<Text, Role>,
    fresh: VecDeque<(Millis, Delivery)>,
    /// What those who stand still have not taken in.
    unread: BTreeMap<Text, Vec<Delivery>>,
}

#[derive(Clone, Debug, Default)]
struct Role {
    lists: BTreeMap<Resource, Vec<(Text, u64)>>,
    objects: Versions,
    /// Own writes that no answer was delivered for yet.
    unanswered: Versions,
}

/// A resourceVersion of each object.
#[derive(Clone, Debug, Default)]
struct Versions(BTreeMap<Resource, BTreeMap<ObjectKey, u64>>);

impl Versions {
    fn get(&self, resource: &Resource, key: &ObjectKey) -> u64 {
        self.0.get(resource).and_then(|of| of.get(key)).copied().unwrap_or(0)
    }

    fn of(&mut self, resource: Resource) -> &mut BTreeMap<ObjectKey, u64> {
        self.0.entry(resource).or_default()
    }
}

impl Default for Known {
    fn default() -> Self {
        Known::by(Clock::Virtual)
    }
}

impl Known {
    /// Nobody knows anything yet, in a history of this clock.
    pub fn by(clock: Clock) -> Self {
        let (reaction, looks_back) = match clock {
            Clock::Virtual => (REACTION, 0),
            Clock::Wall => (REAL_REACTION, LOOKS_BACK),
        };
        Known {
            reaction,
            looks_back,
            happened: 0,
            roles: BTreeMap::new(),
            fresh: VecDeque::new(),
            unread: BTreeMap::new(),
        }
    }

    /// The newest resourceVersion of an object that the role could know; 0 if it knows nothing.
    pub fn newest(&self, role: &str, resource: &Resource, key: &ObjectKey) -> u64 {
        let lately = self.lately(role).filter(|told| {
            let is_list = told.key.name.is_empty();
            let is_within = told.key.namespace.is_empty() || told.key.namespace == key.namespace;
            told.resource == *resource && (told.key == *key || is_list && is_within)
        });
        let lately = lately.map(|told| told.rv).max().unwrap_or(0);
        let Some(role) = self.roles.get(role) else { return lately };
        let lists = role.lists.get(resource).into_iter().flatten();
        let listed = lists
            .filter(|(namespace, _)| namespace.is_empty() || *namespace == key.namespace)
            .map(|(_, rv)| *rv)
            .max();
        let told = role.objects.get(resource, key).max(role.unanswered.get(resource, key));
        listed.unwrap_or(0).max(told).max(lately)
    }

    /// Whether anything was ever delivered to this role.
    pub fn is_told(&self, role: &str) -> bool {
        let known = self.roles.get(role);
        known.is_some_and(|role| !role.lists.is_empty() || !role.objects.0.is_empty())
            || self.lately(role).next().is_some()
    }

    /// What a role was told long enough before what happened, but not so long that it can't have
    /// happened before.
    fn lately(&self, role: &str) -> impl Iterator<Item = &Delivery> {
        let fresh = self.fresh.iter().take(if self.looks_back > 0 { usize::MAX } else { 0 });
        let told = fresh.filter(|(t, _)| t + self.reaction <= self.happened);
        told.map(|(_, told)| told).filter(move |told| told.actor == *role)
    }

    pub(super) fn take(&mut self, event: &Event) {
        let ripe = self.reaction + self.looks_back;
        self.happened = event.t.saturating_sub(event.uncertainty);
        while self.fresh.front().is_some_and(|(t, _)| t + ripe <= event.t) {
            let Some((_, delivery)) = self.fresh.pop_front() else { break };
            self.learn(delivery);
        }
        match &event.body {
            Body::Deliver(delivery) => self.told(event.t, delivery.clone()),
            Body::Request(request) if !request.injected => self.wrote(request),
            Body::Actor(actor) => self.turned(event.t, &actor.actor, actor.phase),
            _ => {}
        }
    }

    fn told(&mut self, at: Millis, delivery: Delivery) {
        match self.unread.get_mut(&delivery.actor) {
            Some(unread) => unread.push(delivery),
            // Who asked waits for it.
            None if delivery.answer && self.looks_back == 0 => self.learn(delivery),
            None if delivery.answer => {
                self.fresh.push_back((at.saturating_sub(self.reaction), delivery));
            }
            None => self.fresh.push_back((at, delivery)),
        }
    }

    fn turned(&mut self, at: Millis, actor: &Text, phase: ActorPhase) {
        if phase == ActorPhase::Paused {
            let is_read = |t: Millis| t + self.reaction <= at;
            let (unread, others): (VecDeque<_>, _) = std::mem::take(&mut self.fresh)
                .into_iter()
                .partition(|(t, told)| told.actor == *actor && !is_read(*t));
            self.fresh = others;
            let unread = unread.into_iter().map(|(_, told)| told);
            self.unread.entry(actor.clone()).or_default().extend(unread);
            return;
        }
        let unread = self.unread.remove(actor).unwrap_or_default();
        self.fresh.extend(unread.into_iter().map(|delivery| (at, delivery)));
        if phase == ActorPhase::Crashed
            && let Some(role) = self.roles.get_mut(actor)
        {
            role.unanswered.0.clear();
        }
    }

    fn wrote(&mut self, request: &RequestEvent) {
        if request.changes.is_empty() {
            return;
        }
        let role = self.roles.entry(request.actor.clone()).or_default();
        for change in &request.changes {
            role.unanswered.of(change.resource.clone()).insert(change.key.clone(), change.rv);
        }
    }

    fn learn(&mut self, delivery: Delivery) {
        let Delivery { actor, resource, key, rv, .. } = delivery;
        let role = self.roles.entry(actor).or_default();
        if key.name.is_empty() {
            let lists = role.lists.entry(resource).or_default();
            match lists.iter_mut().find(|(namespace, _)| *namespace == key.namespace) {
                Some((_, newest)) => *newest = rv.max(*newest),
                None => lists.push((key.namespace, rv)),
            }
        } else {
            let newest = role.objects.of(resource).entry(key).or_default();
            *newest = rv.max(*newest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::ActorEvent;
    use super::*;

    const ACTOR: Text = Text::new_static("mine");

    fn told(rv: u64) -> Body {
        let (resource, key) = (Resource::PODS, ObjectKey::new("default", "a"));
        Body::Deliver(Delivery { actor: ACTOR, incarnation: 1, resource, key, rv, answer: false })
    }

    fn turned(phase: ActorPhase) -> Body {
        let (user, user_agent, node) = (ACTOR, Text::default(), Text::default());
        Body::Actor(ActorEvent { actor: ACTOR, user, user_agent, node, incarnation: 1, phase })
    }

    /// What is known when this has happened.
    fn newest(known: &mut Known, (t, uncertainty): (Millis, Millis), body: Body) -> u64 {
        known.take(&Event { n: 0, t, uncertainty, cause: None, body });
        known.newest("mine", &Resource::PODS, &ObjectKey::new("default", "a"))
    }

    #[test]
    fn who_stands_still_takes_nothing_in() {
        for clock in [Clock::Virtual, Clock::Wall] {
            let mut known = Known::by(clock);
            let mut newest = |t: Millis, body| newest(&mut known, (t * 5, 0), body);
            newest(0, told(5));
            assert_eq!(newest(1_500, told(6)), 5);
            newest(1_600, turned(ActorPhase::Paused));
            newest(1_700, told(7));
            let at_last = newest(60_000, told(8));
            assert!(at_last < 7, "7 and 8 came later");
            newest(61_000, turned(ActorPhase::Resumed));
            assert!(newest(61_100, told(9)) < 7);
            assert!(newest(62_000, told(10)) >= 8);
        }
    }

    #[test]
    fn what_was_recorded_late_may_have_been_decided_on_less() {
        let mut known = Known::by(Clock::Wall);
        newest(&mut known, (0, 0), told(5));
        newest(&mut known, (20_000, 0), told(6));
        assert_eq!(newest(&mut known, (40_000, 0), told(7)), 6);
        assert_eq!(newest(&mut known, (40_000, 18_000), told(8)), 5);
        assert_eq!(newest(&mut known, (40_000, 38_000), told(8)), 0);
        assert_eq!(newest(&mut known, (41_000, 0), told(9)), 6);
    }
}
