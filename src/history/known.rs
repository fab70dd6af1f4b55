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

/// What the roles know.
#[derive(Clone, Debug)]
pub struct Known {
    reaction: Millis,
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
        let reaction = match clock {
            Clock::Virtual => REACTION,
            Clock::Wall => REAL_REACTION,
        };
        Known { reaction, roles: BTreeMap::new(), fresh: VecDeque::new(), unread: BTreeMap::new() }
    }

    /// The newest resourceVersion of an object that the role could know; 0 if it knows nothing.
    pub fn newest(&self, role: &str, resource: &Resource, key: &ObjectKey) -> u64 {
        let Some(role) = self.roles.get(role) else { return 0 };
        let lists = role.lists.get(resource).into_iter().flatten();
        let listed = lists
            .filter(|(namespace, _)| namespace.is_empty() || *namespace == key.namespace)
            .map(|(_, rv)| *rv)
            .max();
        let told = role.objects.get(resource, key).max(role.unanswered.get(resource, key));
        listed.unwrap_or(0).max(told)
    }

    /// Whether anything was ever delivered to this role.
    pub fn is_told(&self, role: &str) -> bool {
        let role = self.roles.get(role);
        role.is_some_and(|role| !role.lists.is_empty() || !role.objects.0.is_empty())
    }

    pub(super) fn take(&mut self, event: &Event) {
        while self.fresh.front().is_some_and(|(t, _)| t + self.reaction <= event.t) {
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
            None if delivery.answer => self.learn(delivery),
            None => self.fresh.push_back((at, delivery)),
        }
    }

    fn turned(&mut self, at: Millis, actor: &Text, phase: ActorPhase) {
        if phase == ActorPhase::Paused {
            let (unread, others): (VecDeque<_>, _) = std::mem::take(&mut self.fresh)
                .into_iter()
                .partition(|(_, delivery)| delivery.actor == *actor);
            self.fresh = others;
            let unread = unread.into_iter().map(|(_, delivery)| delivery);
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

    #[test]
    fn who_stands_still_takes_nothing_in() {
        let key = ObjectKey::new("default", "a");
        let actor = Text::new_static("mine");
        let turned = |phase| {
            let (user, user_agent, node) = (actor.clone(), Text::default(), Text::default());
            let actor = actor.clone();
            Body::Actor(ActorEvent { actor, user, user_agent, node, incarnation: 1, phase })
        };
        let told = |rv| {
            let (actor, resource, key) = (actor.clone(), Resource::PODS, key.clone());
            let incarnation = 1;
            Body::Deliver(Delivery { actor, incarnation, resource, key, rv, answer: false })
        };
        let mut known = Known::default();
        let mut newest = |t, body| {
            known.take(&Event { n: 0, t, uncertainty: 0, cause: None, body });
            known.newest("mine", &Resource::PODS, &key)
        };
        newest(0, told(5));
        assert_eq!(newest(1_500, told(6)), 5);
        newest(1_600, turned(ActorPhase::Paused));
        newest(1_700, told(7));
        assert_eq!(newest(60_000, told(8)), 5, "6 was told just before, 7 and 8 later");
        newest(61_000, turned(ActorPhase::Resumed));
        assert_eq!(newest(61_500, told(9)), 5);
        assert_eq!(newest(62_000, told(10)), 8);
    }
}
