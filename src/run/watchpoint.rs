//! Triggers: waiting for a time, for the end of a step, for the n-th event of a kind.

use kubesim_model::Millis;
use kubesim_model::map;
use kubesim_model::request::Verb;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::stage::{NAMESPACE, Stage};
use crate::history::{Body, Change as Write, Event, RequestEvent};
use crate::subject::Kinds;
use crate::suite::cel::Bindings;
use crate::suite::select::{Change, EventFilter, Trigger};

/// Counts the events that a filter means, from those recorded after it was made.
pub(super) struct EventCounter {
    filter: EventFilter,
    cursor: usize,
    seen: u32,
    /// Why the condition could not be evaluated the last time.
    pub(super) error: Option<String>,
}

impl EventCounter {
    pub(super) fn new(filter: &EventFilter, stage: &Stage<'_>) -> Self {
        let cursor = stage.journal.events().len();
        EventCounter { filter: filter.clone(), cursor, seen: 0, error: None }
    }

    /// Whether the n-th one has been recorded.
    pub(super) fn is_reached(&mut self, stage: &Stage<'_>) -> bool {
        let kind = &self.filter.kind;
        let Ok(resource) = Kinds::of(stage.subject).resource(kind, None) else {
            self.error = Some(format!("the kind `{}` is not known", kind.value));
            return false;
        };
        let events = stage.journal.events();
        while self.seen < self.filter.nth && self.cursor < events.len() {
            let event = &events[self.cursor];
            self.cursor += 1;
            if let Body::Request(request) = &event.body {
                self.seen += self.count(&resource, event, request, stage);
            }
        }
        self.seen >= self.filter.nth
    }

    fn count(
        &mut self,
        resource: &Resource,
        event: &Event,
        request: &RequestEvent,
        stage: &Stage<'_>,
    ) -> u32 {
        let filter = &self.filter;
        let plays = |role: &str| stage.field().plays(&request.actor, role);
        let by_whom = filter.actor.as_deref().is_none_or(plays)
            && filter.subresource.as_ref().is_none_or(|only| *only == request.subresource);
        if !by_whom {
            return 0;
        }
        let mut count = 0;
        for write in request.changes.iter().filter(|write| write.resource == *resource) {
            if self.means(write, event, request, stage.params) {
                count += 1;
            }
        }
        count
    }

    fn means(
        &mut self,
        write: &Write,
        event: &Event,
        request: &RequestEvent,
        params: &Tree,
    ) -> bool {
        let filter = &self.filter;
        let on = match filter.on {
            Change::Any => true,
            Change::Create => write.before.is_none(),
            Change::Update => write.before.is_some() && write.after.is_some(),
            Change::Delete => write.after.is_none(),
        };
        let namespace = &write.key.namespace;
        let wanted = filter.namespace.as_deref().unwrap_or(NAMESPACE);
        let here = namespace.is_empty() || namespace == wanted;
        if !on || !here || filter.name.as_ref().is_some_and(|name| *name != write.key.name) {
            return false;
        }
        let Some(condition) = &filter.where_ else { return true };
        let bindings = Bindings::new()
            .with("object", write.after.as_ref().or(write.before.as_ref()).cloned())
            .with("oldObject", write.before.clone())
            .with("event", event_tree(event, request))
            .with("params", params);
        // A field that is not there yet makes a condition fail to evaluate: it does not hold then.
        match condition.holds(&bindings) {
            Ok(holds) => holds,
            Err(error) => {
                self.error = Some(error.to_string());
                false
            }
        }
    }
}

/// What conditions see as `event`.
fn event_tree(event: &Event, request: &RequestEvent) -> Tree {
    let verb = match request.verb {
        Verb::Get => "get",
        Verb::List => "list",
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::JsonPatch | Verb::MergePatch | Verb::StrategicPatch | Verb::Apply => "patch",
        Verb::Delete => "delete",
        Verb::DeleteCollection => "deletecollection",
    };
    map! {
        "n" => event.n, "t" => event.t, "actor" => &request.actor, "verb" => verb,
        "resource" => request.resource.as_str(), "subresource" => &request.subresource,
        "name" => &request.key.name, "namespace" => &request.key.namespace,
        "code" => u32::from(request.code),
    }
}

/// A trigger that waits.
pub(super) struct Watchpoint {
    trigger: Trigger,
    base: Millis,
    counter: Option<EventCounter>,
    met: Option<Millis>,
}

impl Watchpoint {
    /// Times count from `base`, events from now.
    pub(super) fn new(trigger: &Trigger, base: Millis, stage: &Stage<'_>) -> Self {
        let counter = trigger.event.as_ref().map(|filter| EventCounter::new(filter, stage));
        Watchpoint { trigger: trigger.clone(), base, counter, met: None }
    }

    /// `Ok` if it fired, else when to ask again at the latest.
    pub(super) fn poll(&mut self, stage: &Stage<'_>) -> Result<(), Option<Millis>> {
        let now = stage.now();
        let event = self.counter.as_mut().is_none_or(|counter| counter.is_reached(stage));
        let step = self.trigger.step.as_ref();
        let step = step.is_none_or(|name| stage.ended_steps.contains(&name.value));
        let at = self.trigger.at.map(|at| self.base + at);
        if at.is_some_and(|at| now < at) {
            return Err(at);
        }
        if !event || !step {
            return Err(None);
        }
        let due = *self.met.get_or_insert(now) + self.trigger.after.unwrap_or(0);
        if now < due { Err(Some(due)) } else { Ok(()) }
    }

    /// Why it has not fired.
    pub(super) fn why_not(&self) -> String {
        let counter = self.counter.as_ref();
        match counter {
            Some(counter) => {
                let (seen, nth, kind) = (counter.seen, counter.filter.nth, &counter.filter.kind);
                let error = counter.error.as_ref();
                let error = error.map(|error| format!("; `where`: {error}")).unwrap_or_default();
                format!("{seen} of {nth} events of {} were seen{error}", kind.value)
            }
            None => "its step has not ended".to_owned(),
        }
    }
}
