//! What happens in a served cluster, as observations in one order: the world's records, and between
//! them what the proxy did to programs and told them.

use kubesim::world::{Record, What};
use kubesim_model::resource::Resource;
use kubesim_model::{Millis, Text};

use super::cluster::ServedCluster;
use crate::cluster::Observation;
use crate::cluster::real::{Happened, Mark, Who, is_followed, is_of_the_system, refused};
use crate::cluster::sim_record::observation;
use crate::history::{Body, Delivery};

/// How many observations are remembered as causes of others.
const CAUSES: usize = 100_000;

impl ServedCluster {
    /// Observes what the world has recorded, and of what was heard at the proxy what came before,
    /// at least its first `known`: of those the world told already. Answers whose processes a
    /// fault wants ended.
    pub(super) fn tell(&mut self, known: usize) -> Vec<Text> {
        let mut ends = Vec::new();
        let mut rest = known;
        for record in std::mem::take(&mut self.early) {
            let mut mark = None;
            if let What::Request(request) = &record.what {
                let waited = self.heard.len();
                let (before, of_request) = self.heard.until(&request.id);
                rest = rest.saturating_sub(waited - self.heard.len());
                mark = of_request;
                ends.extend(before.into_iter().filter_map(|happened| self.pass(happened)));
            }
            self.record(record, mark);
        }
        let before = self.heard.first(rest);
        ends.extend(before.into_iter().filter_map(|happened| self.pass(happened)));
        ends
    }

    /// Observes a record of the world. `mark` is what the proxy knows of the request.
    fn record(&mut self, record: Record, mark: Option<Mark>) {
        let Some(Observation { id, at, cause, mut body, .. }) = observation(record) else { return };
        match &mut body {
            Body::Request(request) if !is_told(&request.resource, &request.key.namespace) => return,
            Body::Request(request) => {
                if let Some(outsider) = self.cast.outsider(&request.actor) {
                    request.actor = outsider.name.clone();
                }
                if let Some(Mark { incarnation, injected }) = mark {
                    request.incarnation = incarnation.unwrap_or(request.incarnation);
                    request.injected |= injected;
                }
            }
            Body::Deliver(told) => match self.cast.outsider(&told.actor) {
                Some(outsider) if outsider.is_program => return,
                Some(outsider) => told.actor = outsider.name.clone(),
                None => {}
            },
            Body::Actor(event) => {
                if let Some(outsider) = self.cast.meet(event) {
                    event.actor = outsider.name;
                    let is_new = match outsider.is_program {
                        true => {
                            let started = self.programs.arrived(&event.actor, &event.user_agent);
                            started.map(|started| *event = started).is_some()
                        }
                        false => self.cast.is_new(&event.actor),
                    };
                    if !is_new {
                        return;
                    }
                }
            }
            _ => {}
        }
        let cause = cause.and_then(|cause| self.numbers.get(&cause).copied());
        self.numbers.insert(id, self.next_observation);
        if self.numbers.len() > CAUSES {
            self.numbers.pop_first();
        }
        self.observe(at, cause, body);
    }

    /// Observes what happened at the proxy; answers who is to end for it.
    fn pass(&mut self, happened: Happened) -> Option<Text> {
        match happened {
            Happened::Refused { who: Who::Actor(actor, incarnation), request, status, at } => {
                let event = refused((actor, incarnation), &request, &status);
                self.observe(at, None, Body::Request(Box::new(event)));
                None
            }
            Happened::Told {
                who: Who::Actor(actor, incarnation),
                resource,
                key,
                rv,
                answer,
                at,
            } => {
                if is_told(&resource, &key.namespace) {
                    let told = Delivery { actor, incarnation, resource, key, rv, answer };
                    self.observe(at, None, Body::Deliver(told));
                }
                None
            }
            Happened::Ends { who } => Some(who.name()),
            // None but programs come through this proxy.
            Happened::Refused { .. } | Happened::Told { .. } | Happened::Passed { .. } => None,
        }
    }

    /// Observes what happened at a time since the epoch. The order of all is known, so nothing is
    /// earlier than what was observed before it.
    pub(super) fn observe(&mut self, at: Millis, cause: Option<u64>, body: Body) {
        self.last = self.last.max(at.saturating_sub(self.server.began()));
        let (id, at) = (self.next_observation, self.last);
        self.next_observation += 1;
        self.observed.push(Observation { id, at, uncertainty: 0, cause, body });
    }
}

/// Whether histories speak of requests about such objects: not of what real clusters are not asked
/// to log either.
fn is_told(resource: &Resource, namespace: &str) -> bool {
    let passing = ["events.k8s.io", "authentication.k8s.io", "authorization.k8s.io"];
    is_followed(resource) && !passing.contains(&resource.group()) && !is_of_the_system(namespace)
}
