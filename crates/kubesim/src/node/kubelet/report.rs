//! The status manager (v1.36, `pkg/kubelet/status`): brings a pod's status to the API, at most one
//! request per pod at a time, and asks for the final delete.

use kubesim_model::actor::Io;
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{map, object};

use super::actor::{Due, Kubelet, Sent, until_tick};
use super::condition::OWNED;
use super::status;
use super::worker::{Stage, Worker};

const BATCH: u64 = 10_000;

impl Kubelet {
    /// Generates the status from what is shown, and reports it if it is news.
    pub(super) fn publish(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        worker.status = status::generate(worker, &self.config.address, self.bug, io.now);
        self.report(worker, io);
    }

    /// Sends what the API does not have yet.
    pub(super) fn report(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        if worker.gone || worker.sending.is_some() {
            return;
        }
        if let Some(patch) = difference(worker) {
            let body = map! { "metadata" => map! { "uid" => &worker.uid }, "status" => patch };
            let request = Request::strategic_patch(Resource::PODS, worker.key.clone(), body);
            let id = io.request(request.with_subresource("status"));
            worker.sending = Some(id);
            worker.sent = worker.status.clone();
            self.sent(id, Sent::PodStatus(worker.uid.clone()));
        } else if worker.released && object::is_terminating(&worker.pod) {
            self.delete(worker, io);
        }
    }

    /// Asks the API to forget a pod of which nothing runs.
    fn delete(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        if !worker.deleted {
            let request = Request::delete(Resource::PODS, worker.key.clone());
            let id = io.request(request.with_grace(0).with_uid(&worker.uid));
            worker.sending = Some(id);
            self.sent(id, Sent::PodDelete(worker.uid.clone()));
        }
    }

    /// Whether the API has something else than the kubelet wants to be known.
    pub(super) fn differs(&self, worker: &Worker) -> bool {
        difference(worker).is_some()
    }

    pub(super) fn status_answered(&mut self, worker: &mut Worker, answer: Answer, io: &mut Io<'_>) {
        worker.sending = None;
        match answer {
            Ok(pod) => {
                let old = worker.learn(pod);
                let settled = worker.status == worker.sent;
                let over = worker.stage == Stage::Terminated;
                if settled && worker.released && object::is_terminating(&worker.pod) {
                    self.delete(worker, io);
                } else if settled && self.differs(worker) {
                    // Somebody wrote over it, or the API keeps less than was sent.
                    self.report_with_batch(worker, io);
                } else {
                    self.report(worker, io);
                }
                // What others wrote meanwhile comes with the answer, and is no news in the watch.
                if let Some(old) = old.filter(|_| !over) {
                    self.react(worker, &old, io);
                }
            }
            Err(error) if error.is_not_found() || error.is_conflict() => {}
            Err(_) => self.report_with_batch(worker, io),
        }
    }

    pub(super) fn delete_answered(
        &mut self,
        worker: &mut Worker,
        answer: &Answer,
        io: &mut Io<'_>,
    ) {
        worker.sending = None;
        match answer {
            Ok(_) => worker.deleted = true,
            Err(error) if error.is_not_found() || error.is_conflict() => worker.deleted = true,
            Err(_) => self.report_with_batch(worker, io),
        }
    }

    fn report_with_batch(&mut self, worker: &mut Worker, io: &mut Io<'_>) {
        if !worker.waits_for_batch {
            worker.waits_for_batch = true;
            let wait = until_tick(io.now, BATCH, self.phases.batch);
            self.after(wait, Due::Batch(worker.uid.clone()), io);
        }
    }
}

/// The patch that brings the API's status to the kubelet's; `None` if there is nothing to say.
fn difference(worker: &Worker) -> Option<Tree> {
    let have = &worker.pod["status"];
    let mut patch = Tree::map();
    for (field, want) in worker.status.fields() {
        let new = match field.as_str() {
            "conditions" => conditions(want, have.at(&["conditions"])),
            "podIPs" if *want != have["podIPs"] && !have["podIPs"].is_null() => {
                let mut items = vec![map! { "$patch" => "replace" }];
                items.extend(want.items().iter().cloned());
                Some(items.into())
            }
            _ => (*want != have[field.as_str()]).then(|| want.clone()),
        };
        if let Some(new) = new {
            patch.set(&[field.as_str()], new);
        }
    }
    // After a boot a pod has no address until it has a new sandbox.
    for field in ["podIP", "podIPs"] {
        let lost = worker.status[field].is_null() && !have[field].is_null();
        if lost && !worker.status.is_null() {
            patch.set(&[field], Tree::Null);
        }
    }
    patch.as_map().is_some_and(|map| !map.is_empty()).then_some(patch)
}

/// The owned conditions, if one is not as the API has it. What a condition no longer says is taken
/// away explicitly, for a merge would keep it.
fn conditions(want: &Tree, have: &Tree) -> Option<Tree> {
    const FIELDS: [&str; 5] =
        ["status", "reason", "message", "lastTransitionTime", "observedGeneration"];
    let null = Tree::Null;
    let differs = |kind: &&str| {
        let want = of_type(want, kind).unwrap_or(&null);
        let have = of_type(have, kind).unwrap_or(&null);
        FIELDS.iter().any(|field| want[*field] != have[*field])
    };
    if !OWNED.iter().any(differs) {
        return None;
    }
    let mut patch = want.clone();
    for condition in patch.items_mut() {
        for field in ["reason", "message"] {
            if condition[field].is_null() {
                condition.set(&[field], Tree::Null);
            }
        }
    }
    Some(patch)
}

fn of_type<'a>(conditions: &'a Tree, kind: &str) -> Option<&'a Tree> {
    conditions.items().iter().find(|condition| condition["type"] == kind)
}
