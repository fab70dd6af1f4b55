//! The simulated controller on the simulated API server.
//!
//! Every change reaches its cache before anything else happens, as it does with the real
//! controller when there are many objects to sync in turn. So what it does follows from what is
//! there alone.

use std::collections::{BTreeMap, VecDeque};

use kubesim::api::{Api, ApiConfig, Identity, Write};
use kubesim::controllers;
use kubesim_model::actor::{Actor, Effect, Input, Io, WatchEvent, WatchSpec};
use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};
use serde_json::{Value, json};

use crate::case::Case;
use crate::theme::{Kind, Server, Theme, Verb};
use crate::writes::Writes;

/// When the case begins: 330 days after the simulation's first moment, about when the first cases
/// were recorded, so that schedules have missed the same times.
const BEGIN: Millis = 330 * 86_400_000;
/// For how long the controller is watched.
const TIME: Millis = 20_000;

struct Bed {
    api: Api,
    now: Millis,
    compared: Vec<Resource>,
    watched: Vec<Resource>,
    inputs: VecDeque<Input>,
    timers: BTreeMap<(Millis, u64), u64>,
    writes: Writes,
}

/// Puts the objects of a case on a server, in a namespace of its name.
pub(crate) fn prepare(theme: &dyn Theme, server: &mut dyn Server, case: &Case) {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": case.name },
    });
    server.ask(Verb::Create, &Kind::NAMESPACE, ("", &case.name), namespace);
    theme.prepare(server, case);
}

/// What the controller writes.
pub(crate) fn writes(theme: &dyn Theme, case: &Case) -> Vec<String> {
    let mut bed = Bed {
        api: Api::new(1, ApiConfig::default()),
        now: BEGIN,
        compared: theme.kinds().into_iter().map(|kind| kind.resource).collect(),
        watched: Vec::new(),
        inputs: VecDeque::new(),
        timers: BTreeMap::new(),
        writes: Writes::default(),
    };
    prepare(theme, &mut bed, case);
    bed.now += 2_000;
    for resource in bed.compared.clone() {
        for object in bed.all(resource) {
            bed.writes.begin(theme, &Value::from(&object));
        }
    }
    let (_, make) = controllers::all()
        .into_iter()
        .find(|(name, _)| *name == theme.controller())
        .expect("it is built in");
    bed.run(make(None));
    bed.writes.lines(theme).remove(&case.name).unwrap_or_default()
}

impl Bed {
    fn all(&self, resource: Resource) -> Vec<Tree> {
        self.api.list(&WatchSpec::all(resource)).expect("it is served").0
    }

    fn run(&mut self, mut actor: Box<dyn Actor>) {
        let (mut rng, mut next_request, mut timers) = (Stream::new(1, "actor"), 0, 0);
        let end = self.now + TIME;
        self.inputs.push_back(Input::Start);
        loop {
            let Some(input) = self.inputs.pop_front().or_else(|| self.timer(end)) else { return };
            let mut effects = Vec::new();
            actor.on(input, &mut Io::new(self.now, &mut rng, &mut next_request, &mut effects));
            for effect in effects {
                match effect {
                    Effect::Request { id, request } => self.carry_out(id, &request),
                    Effect::Timer { token, at } => {
                        timers += 1;
                        self.timers.insert((at, timers), token);
                    }
                    Effect::Watch(spec) => {
                        let resource = spec.resource.clone();
                        let items = self.all(resource.clone());
                        self.watched.push(resource.clone());
                        let listed = WatchEvent::Listed { resource, items };
                        self.inputs.push_back(Input::Watch(listed));
                    }
                    Effect::Host(_) | Effect::Event { .. } => {}
                }
            }
        }
    }

    fn timer(&mut self, end: Millis) -> Option<Input> {
        let entry = self.timers.first_entry().filter(|entry| entry.key().0 <= end)?;
        let ((at, _), token) = entry.remove_entry();
        self.now = self.now.max(at);
        Some(Input::Timer(token))
    }

    fn carry_out(&mut self, id: u64, request: &Request) {
        let handled = self.api.handle(self.now, &Identity::default(), request);
        for write in handled.writes {
            self.note(&write);
            let Write { resource, before, after, .. } = write;
            if self.watched.contains(&resource) {
                let event = match (after, before) {
                    (Some(object), _) => WatchEvent::Applied { resource, object },
                    (None, Some(object)) => WatchEvent::Deleted { resource, object },
                    (None, None) => continue,
                };
                self.inputs.push_back(Input::Watch(event));
            }
        }
        self.inputs.push_back(Input::Answer { id, answer: handled.answer });
    }

    fn note(&mut self, write: &Write) {
        if self.compared.contains(&write.resource) {
            let object = write.after.as_ref().or(write.before.as_ref());
            let object = object.expect("something was written");
            self.writes.add(write.rv, Value::from(object), write.after.is_some());
        }
    }
}

impl Server for Bed {
    fn ask(
        &mut self,
        verb: Verb,
        kind: &Kind,
        (namespace, name): (&str, &str),
        body: Value,
    ) -> Value {
        let resource = kind.resource.clone();
        let key = ObjectKey::new(Text::new(namespace), Text::new(name));
        let request = match verb {
            Verb::Create => Request::create(resource, Tree::from(body)),
            Verb::PatchStatus => {
                Request::merge_patch(resource, key, Tree::from(body)).with_subresource("status")
            }
            Verb::Delete => Request::delete(resource, key),
        };
        let answer = self.api.handle(self.now, &Identity::default(), &request).answer;
        let object =
            answer.unwrap_or_else(|error| panic!("{namespace}: {verb:?} {name}: {error:?}"));
        Value::from(&object)
    }
}
