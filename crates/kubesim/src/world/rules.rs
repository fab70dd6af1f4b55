//! The rules that levers put on the links of actors: which request or watch event meets what.

use kubesim_model::Text;
use kubesim_model::request::Request;
use kubesim_model::resource::Resource;
use kubesim_model::stream::Stream;

use super::lever::{RequestEffect, RequestSelector, WatchEffect};
use super::queue::ActorId;

/// All rules in force, in the order in which they were made.
#[derive(Clone, Default)]
pub(super) struct Rules {
    requests: Vec<RequestRule>,
    watches: Vec<WatchRule>,
}

#[derive(Clone)]
struct RequestRule {
    name: Text,
    actor: ActorId,
    selector: RequestSelector,
    effect: RequestEffect,
    matched: u64,
    applied: u64,
    draws: Option<Stream>,
}

#[derive(Clone)]
struct WatchRule {
    name: Text,
    actor: ActorId,
    resource: Option<Resource>,
    effect: WatchEffect,
}

impl Rules {
    pub(super) fn add_request_rule(
        &mut self,
        name: Text,
        actor: ActorId,
        selector: RequestSelector,
        effect: RequestEffect,
    ) {
        let (matched, applied) = (0, 0);
        let draws = None;
        self.requests.push(RequestRule { name, actor, selector, effect, matched, applied, draws });
    }

    pub(super) fn add_watch_rule(
        &mut self,
        name: Text,
        actor: ActorId,
        resource: Option<Resource>,
        effect: WatchEffect,
    ) {
        self.watches.push(WatchRule { name, actor, resource, effect });
    }

    /// Ends the rules of this name and answers the actors whose watches it concerned.
    pub(super) fn forget(&mut self, name: &str) -> Vec<ActorId> {
        let watched = self.watches.iter().filter(|rule| rule.name == name);
        let mut actors: Vec<ActorId> = watched.map(|rule| rule.actor).collect();
        actors.dedup();
        self.requests.retain(|rule| rule.name != name);
        self.watches.retain(|rule| rule.name != name);
        actors
    }

    /// The first rule that a request meets. It counts as applied.
    pub(super) fn meet(
        &mut self,
        actor: ActorId,
        request: &Request,
        seed: u64,
    ) -> Option<(Text, RequestEffect)> {
        let rule = self
            .requests
            .iter_mut()
            .find_map(|rule| rule.meets(actor, request, seed).then_some(rule));
        rule.map(|rule| (rule.name.clone(), rule.effect.clone()))
    }

    pub(super) fn watch_effects(
        &self,
        actor: ActorId,
        resource: &Resource,
    ) -> impl Iterator<Item = &WatchEffect> {
        self.watches
            .iter()
            .filter(move |rule| rule.actor == actor)
            .filter(move |rule| rule.resource.as_ref().is_none_or(|only| only == resource))
            .map(|rule| &rule.effect)
    }
}

impl RequestRule {
    fn meets(&mut self, actor: ActorId, request: &Request, seed: u64) -> bool {
        let selector = &self.selector;
        let matches = self.actor == actor
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
