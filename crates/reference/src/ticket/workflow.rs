//! The workflow: opens tickets, goes through their steps, and closes them whatever came of it.

use std::collections::BTreeMap;

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use super::table::{Changes, ReleaseTicket, ScaleTicket, Step, Table};
use super::{ACKNOWLEDGED_ANNOTATION, APPLICATION_LABEL, pod};
use crate::expectations::{Expectations, Missing};

/// The bugs that can be planted, beyond those that the workflow has by its nature.
pub const BUGS: &[(&str, &str)] =
    &[("believes-at-once", "takes a request for done as soon as it was sent")];

const PATIENCE: Millis = 60_000;
const TRIES: u32 = 3;

/// The workflow as an actor. An unknown bug means none.
pub fn workflow(bug: Option<&str>) -> Box<dyn Actor> {
    let believes = bug == Some("believes-at-once");
    Box::new(Controller::new(Workflow { believes, expectations: Expectations::default() }))
}

#[derive(Clone)]
struct Workflow {
    believes: bool,
    expectations: Expectations,
}

/// What one pass over an application is made from and adds up to.
struct Pass<'a> {
    application: &'a ObjectKey,
    pods: BTreeMap<&'a str, &'a Tree>,
    now: Millis,
    believes: bool,
    new_name: Text,
    changes: Changes,
    requests: Vec<Request>,
    again: Option<Millis>,
}

/// How a step through an agent stands.
enum Standing {
    /// The agent has time left.
    Pending,
    /// It acknowledged, or there is nothing left to act on.
    Done,
    /// The time of this try is over; the next one.
    Again(Step),
    /// All tries are over.
    GivenUp,
}

impl Pass<'_> {
    fn scale(&mut self, table: &mut Table, ticket: ScaleTicket) {
        let (rows, wanted) = (table.rows.len(), ticket.replicas);
        let next = match &ticket.step {
            None if rows == wanted => {
                self.changes.put("ticket.scale", None);
                self.changes.put("official-replicas", Some(wanted.to_string()));
                return;
            }
            None if rows < wanted => {
                let name = self.new_name.clone();
                self.changes.put_row(&name, Some(&ticket.image));
                Some(self.step(name))
            }
            None => table.rows.keys().next_back().cloned().map(|name| self.step(name)),
            Some(step) if rows <= wanted => self.create(table, &ticket, step),
            Some(step) => self.stop(table, step),
        };
        if next != ticket.step {
            let ticket = ScaleTicket { step: next, ..ticket };
            self.changes.put("ticket.scale", Some(ticket.write()));
        }
    }

    /// Makes the pod of a new row and waits until it is ready.
    fn create(&mut self, table: &Table, ticket: &ScaleTicket, step: &Step) -> Option<Step> {
        let found = self.pods.get(step.pod.as_str());
        if found.is_some_and(|pod| object::is_ready(pod)) {
            return None;
        }
        if step.until <= self.now {
            return self.next_try(step);
        }
        if found.is_none() {
            let new = pod::make(self.application, table, &step.pod, &ticket.image);
            self.requests.push(Request::create(Resource::PODS, new));
        }
        self.look_again(step);
        Some(step.clone())
    }

    /// Has a pod stopped by its agent, then deletes it and drops its row. Nobody else deletes it:
    /// what the agent did not stop in time runs on.
    fn stop(&mut self, table: &mut Table, step: &Step) -> Option<Step> {
        match self.through_agent(table, "stop", step, "") {
            Standing::Pending => return Some(step.clone()),
            Standing::Again(step) => return Some(step),
            Standing::Done => match self.alive(&step.pod) {
                Some(pod) => {
                    let delete = Request::delete(Resource::PODS, object::key(pod));
                    self.requests.push(delete.with_uid(object::uid(pod)));
                    return Some(step.clone());
                }
                None => self.drop_row(table, &step.pod),
            },
            Standing::GivenUp => self.drop_row(table, &step.pod),
        }
        None
    }

    fn drop_row(&mut self, table: &mut Table, pod: &Text) {
        table.rows.remove(pod);
        self.changes.put_row(pod, None);
    }

    fn release(&mut self, table: &Table, mut ticket: ReleaseTicket) {
        let before = ticket.clone();
        ticket.todo.retain(|pod| table.rows.contains_key(pod) && self.alive(pod).is_some());
        ticket.step = match ticket.step.take() {
            Some(step) if ticket.todo.contains(&step.pod) => {
                match self.through_agent(table, "change", &step, &ticket.image) {
                    Standing::Pending => Some(step),
                    Standing::Again(step) => Some(step),
                    Standing::Done => {
                        self.changes.put_row(&step.pod, Some(&ticket.image));
                        ticket.todo.retain(|pod| *pod != step.pod);
                        None
                    }
                    Standing::GivenUp => {
                        ticket.todo.retain(|pod| *pod != step.pod);
                        None
                    }
                }
            }
            _ => None,
        };
        if ticket.step.is_none() {
            ticket.step = ticket.todo.first().cloned().map(|pod| self.step(pod));
        }
        if ticket.step.is_none() {
            self.changes.put("ticket.release", None);
            self.changes.put("official-image", Some(ticket.image.to_string()));
        } else if ticket != before {
            self.changes.put("ticket.release", Some(ticket.write()));
        }
    }

    /// Asks the agent of the pod's host, or looks what it answered.
    fn through_agent(&mut self, table: &Table, op: &str, step: &Step, image: &str) -> Standing {
        let Some(pod) = self.alive(&step.pod) else { return Standing::Done };
        let id = pod::request_id(op, step);
        let asked = pod::request_on(pod).is_some_and(|have| have == id);
        let acknowledged = object::annotation(pod, ACKNOWLEDGED_ANNOTATION) == id;
        if acknowledged || (asked && self.believes) {
            return Standing::Done;
        }
        if step.until <= self.now {
            if let Some(next) = self.next_try(step) {
                return Standing::Again(next);
            }
            self.requests.push(pod::withdraw(pod));
            return Standing::GivenUp;
        }
        if !asked {
            let request = pod::ask(pod, op, step, &table.container, &Text::new(image));
            self.requests.push(request);
        }
        self.look_again(step);
        Standing::Pending
    }

    fn alive(&self, pod: &str) -> Option<&'_ Tree> {
        self.pods.get(pod).copied().filter(|pod| !object::is_terminating(pod))
    }

    fn step(&mut self, pod: Text) -> Step {
        Step { pod, attempt: 1, until: self.now + PATIENCE }
    }

    fn next_try(&self, step: &Step) -> Option<Step> {
        let (attempt, until) = (step.attempt + 1, self.now + PATIENCE);
        (attempt <= TRIES).then(|| Step { pod: step.pod.clone(), attempt, until })
    }

    fn look_again(&mut self, step: &Step) {
        let wait = step.until.saturating_sub(self.now).max(1);
        self.again = Some(self.again.map_or(wait, |have| have.min(wait)));
    }

    /// Opens a ticket for each wish that has none. Nothing keeps two tickets apart.
    fn open(&mut self, table: &mut Table) {
        if table.official_image.is_empty() {
            table.official_image = table.image.clone();
            self.changes.put("official-image", Some(table.image.to_string()));
        }
        if table.scale.is_none() && table.replicas != table.official_replicas {
            let image = table.official_image.clone();
            let ticket = ScaleTicket { replicas: table.replicas, image, step: None };
            self.changes.put("ticket.scale", Some(ticket.write()));
        }
        if table.release.is_none() && table.image != table.official_image {
            let todo = table.rows.keys().cloned().collect();
            let ticket = ReleaseTicket { image: table.image.clone(), todo, step: None };
            self.changes.put("ticket.release", Some(ticket.write()));
        }
    }
}

impl Workflow {
    fn is_up_to_date(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) -> bool {
        match self.expectations.missing(key, work.cache, work.now()) {
            Missing::Nothing => return true,
            Missing::Wait(after) => work.again_after(after.max(1)),
            Missing::Ask(questions) => {
                questions.into_iter().for_each(|question| work.request(question));
            }
        }
        false
    }

    fn pass(
        &mut self,
        key: &ObjectKey,
        config_map: &Tree,
        mut table: Table,
        work: &mut Work<'_, '_>,
    ) {
        let suffix = work.rng().bits() & 0xff_ffff;
        let cache = work.cache;
        let pods = cache.in_namespace(&Resource::PODS, &key.namespace);
        let pods = pods.filter(|pod| object::label(pod, APPLICATION_LABEL) == key.name);
        let mut pass = Pass {
            application: key,
            pods: pods.map(|pod| (object::name(pod), pod)).collect(),
            now: work.now(),
            believes: self.believes,
            new_name: Text::from(format!("{}-{suffix:06x}", key.name)),
            changes: Changes::default(),
            requests: Vec::new(),
            again: None,
        };
        pass.open(&mut table);
        if let Some(ticket) = table.scale.take() {
            pass.scale(&mut table, ticket);
        }
        if let Some(ticket) = table.release.take() {
            pass.release(&table, ticket);
        }
        let Pass { changes, mut requests, again, .. } = pass;
        requests.extend(
            changes
                .patch(config_map)
                .map(|patch| Request::merge_patch(Resource::CONFIG_MAPS, key.clone(), patch)),
        );
        for request in requests {
            self.expectations.sent(key, &request, work.now());
            work.request(request);
        }
        if let Some(after) = again {
            work.again_after(after);
        }
    }
}

impl Reconcile for Workflow {
    fn watches(&self) -> Vec<WatchSpec> {
        [Resource::CONFIG_MAPS, Resource::PODS].into_iter().map(WatchSpec::all).collect()
    }

    fn changed(&mut self, change: &Change, _: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        self.expectations.changed(change);
        for object in [&change.old, &change.new].into_iter().flatten() {
            let application = object::label(object, APPLICATION_LABEL);
            if change.resource == Resource::CONFIG_MAPS {
                enqueue(object::key(object));
            } else if !application.is_empty() {
                enqueue(ObjectKey::new(object::namespace(object), application));
            }
        }
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(config_map) = work.cache.get(&Resource::CONFIG_MAPS, key).cloned() else {
            return self.expectations.forget(key);
        };
        let table = match Table::read(&config_map) {
            None => return,
            Some(Ok(table)) => table,
            Some(Err(error)) => {
                let about = object::about(&Resource::CONFIG_MAPS, &config_map);
                return work.event(about, "InvalidApplication", &error.to_string());
            }
        };
        if self.is_up_to_date(key, work) {
            self.pass(key, &config_map, table, work);
        }
    }

    fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        self.expectations.answered(key, request, answer, work.now());
        if !request.verb.is_write() {
            work.again_after(1);
            return Verdict::Fine;
        }
        if answer.is_ok() { Verdict::Fine } else { Verdict::Retry }
    }
}
