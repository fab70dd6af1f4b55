//! The rules that levers put on the links of actors: which request or watch event meets what. `A`
//! is how an actor is named.

use kubesim_model::request::Request;
use kubesim_model::resource::Resource;
use kubesim_model::stream::Stream;
use kubesim_model::{Millis, Text};

use super::lever::{RequestEffect, RequestSelector, WatchEffect};

/// All rules in force, in the order in which they were made.
#[derive(Clone)]
pub struct Rules<A> {
    requests: Vec<RequestRule<A>>,
    watches: Vec<WatchRule<A>>,
}

#[derive(Clone)]
struct RequestRule<A> {
    name: Text,
    actor: A,
    selector: RequestSelector,
    effect: RequestEffect,
    matched: u64,
    applied: u64,
    draws: Option<Stream>,
}

#[derive(Clone)]
struct WatchRule<A> {
    name: Text,
    actor: A,
    resource: Option<Resource>,
    effect: WatchEffect,
}

impl<A> Default for Rules<A> {
    fn default() -> Self {
        Rules { requests: Vec::new(), watches: Vec::new() }
    }
}

impl<A: Clone + PartialEq> Rules<A> {
    /// Requests of `actor` meet `effect` from now on.
    pub fn add_request_rule(
        &mut self,
        name: Text,
        actor: A,
        selector: RequestSelector,
        effect: RequestEffect,
    ) {
        let (matched, applied) = (0, 0);
        let draws = None;
        self.requests.push(RequestRule { name, actor, selector, effect, matched, applied, draws });
    }

    /// Watches of `actor` meet `effect` from now on.
    pub fn add_watch_rule(
        &mut self,
        name: Text,
        actor: A,
        resource: Option<Resource>,
        effect: WatchEffect,
    ) {
        self.watches.push(WatchRule { name, actor, resource, effect });
    }

    /// Ends the rules of this name and answers the actors whose watches it concerned.
    pub fn forget(&mut self, name: &str) -> Vec<A> {
        let watched = self.watches.iter().filter(|rule| rule.name == name);
        let mut actors: Vec<A> = watched.map(|rule| rule.actor.clone()).collect();
        actors.dedup();
        self.requests.retain(|rule| rule.name != name);
        self.watches.retain(|rule| rule.name != name);
        actors
    }

    /// The first rule that a request meets. It counts as applied. What is left to chance is drawn
    /// from a stream of `seed`.
    pub fn meet(
        &mut self,
        actor: &A,
        request: &Request,
        seed: u64,
    ) -> Option<(Text, RequestEffect)> {
        let rule = self
            .requests
            .iter_mut()
            .find_map(|rule| rule.meets(actor, request, seed).then_some(rule));
        rule.map(|rule| (rule.name.clone(), rule.effect.clone()))
    }

    /// How much later the events of an actor's watch come, in milliseconds.
    pub fn watch_delay(&self, actor: &A, resource: &Resource) -> Millis {
        self.watch_effects(actor, resource)
            .map(|effect| if let WatchEffect::Delay(delay) = effect { *delay } else { 0 })
            .sum()
    }

    /// Whether the events of an actor's watch are held back.
    pub fn watch_held(&self, actor: &A, resource: &Resource) -> bool {
        self.watch_effects(actor, resource).any(|effect| *effect == WatchEffect::Hold)
    }

    fn watch_effects(&self, actor: &A, resource: &Resource) -> impl Iterator<Item = &WatchEffect> {
        self.watches
            .iter()
            .filter(move |rule| rule.actor == *actor)
            .filter(move |rule| rule.resource.as_ref().is_none_or(|only| only == resource))
            .map(|rule| &rule.effect)
    }
}

impl<A: PartialEq> RequestRule<A> {
    fn meets(&mut self, actor: &A, request: &Request, seed: u64) -> bool {
        let selector = &self.selector;
        let matches = self.actor == *actor
            && (selector.verbs.is_empty() || selector.verbs.contains(&request.verb))
            && (!selector.writes || request.verb.is_write())
            && selector.resource.as_ref().is_none_or(|only| *only == request.resource)
            && selector.subresource.as_ref().is_none_or(|only| *only == request.subresource);
        if !matches || (selector.times > 0 && self.applied >= selector.times) {
            return false;
        }
        self.matched += 1;
        if self.matched <= selector.skip {
            return false;
        }
        if (1..100).contains(&selector.percent) {
            let name = &self.name;
            let draws =
                self.draws.get_or_insert_with(|| Stream::new(seed, &format!("rule/{name}")));
            if draws.between(0, 99) >= selector.percent {
                return false;
            }
        }
        self.applied += 1;
        true
    }
}
