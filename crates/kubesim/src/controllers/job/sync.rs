//! One sync of a Job: what was known when it began, what it has done so far.

use std::collections::BTreeSet;

use kubesim_model::controller::Work;
use kubesim_model::request::{Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map, object};

use super::count::{Count, number};
use super::end;
use super::spec::is_suspended;
use super::track::{Tracked, set_number};
use super::{pods, template};
use crate::controllers::owned::batches::Batches;
use crate::controllers::owned::status::update;

/// A sync, with the Job as it is to be written next.
#[derive(Clone)]
pub(super) struct Sync {
    pub(super) job: Tree,
    pub(super) pods: Vec<Tree>,
    /// Pods whose finalizers were taken, and whose watch has not told so yet.
    pub(super) let_go: BTreeSet<Text>,
    /// Whether the cache has shown all that was asked for.
    pub(super) is_settled: bool,
    pub(super) count: Count,
    /// How many pods are active after what was done.
    pub(super) active: i64,
    /// The condition that ends the Job.
    pub(super) end: Option<Tree>,
    pub(super) tracked: Tracked,
    pub(super) stage: Stage,
}

/// How far a sync is.
#[derive(Clone)]
pub(super) enum Stage {
    /// Pods are taken in and let go.
    Claim(Batches),
    /// The pods of a Job that ends are deleted.
    End(Batches),
    /// Pods that are too many lose their finalizers and are deleted.
    Shrink { unanswered: usize },
    /// Pods are made.
    Grow(Batches),
    /// Pods that ended are noted in the status.
    Note,
    /// They lose their finalizers.
    Leave(Batches),
    /// They are counted in the status.
    Count,
}

impl Sync {
    /// Sets when the Job began, if it begins now.
    pub(super) fn begin(job: &mut Tree, now: Millis) {
        if job["status"]["uncountedTerminatedPods"].is_null() {
            job.set(&["status", "uncountedTerminatedPods"], map! {});
        }
        if job["status"]["startTime"].is_null() && !is_suspended(job) {
            job.set(&["status", "startTime"], object::timestamp(now));
        }
    }

    /// The deletes of the pods that are active.
    pub(super) fn end_pods(&self) -> Batches {
        let delete = |pod| Request::delete(Resource::PODS, object::key(pod));
        Batches::at_once(self.count.active.iter().map(delete).collect())
    }

    /// Notes that a pod was deleted, or could not be.
    pub(super) fn deleted(&mut self, key: &ObjectKey, fine: bool, counts_ready: bool) {
        if fine {
            self.active -= 1;
            self.count.terminating += 1;
        }
        let pod = self.pod(key);
        let was_ready = counts_ready && pod.is_some_and(object::is_ready);
        self.count.ready -= i64::from(was_ready);
    }

    pub(super) fn pod(&self, key: &ObjectKey) -> Option<&Tree> {
        self.pods.iter().find(|pod| object::name(pod) == key.name)
    }

    /// The first request for each pod that is too many.
    pub(super) fn shrink(&self, excess: &[Tree], work: &mut Work<'_, '_>) -> Stage {
        for pod in excess {
            let key = object::key(pod);
            work.request(match pods::is_tracked(pod) {
                true => Request::strategic_patch(Resource::PODS, key, template::let_go()),
                false => Request::delete(Resource::PODS, key),
            });
        }
        Stage::Shrink { unanswered: excess.len() }
    }

    /// The creates of pods for these indexes.
    pub(super) fn grow(&self, indexes: &[Option<i64>]) -> Batches {
        let pod = template::pod(&self.job);
        let replaced = |index: i64| self.count.indexes.as_ref()?.to_replace.get(&index);
        let pods = indexes.iter().map(|index| match *index {
            None => pod.clone(),
            Some(index) => template::for_index(&self.job, &pod, index, replaced(index)),
        });
        let create = |pod| Request::create(Resource::PODS, pod);
        Batches::slow_start(pods.map(create).collect())
    }

    /// Says that the Job is suspended, or no longer. Answers whether that is new.
    pub(super) fn say_suspended(&mut self, now: Millis) {
        let suspended = is_suspended(&self.job);
        let (value, reason, message) = match suspended {
            true => ("True", "JobSuspended", "Job suspended"),
            false => ("False", "JobResumed", "Job resumed"),
        };
        let mut condition = end::condition("Suspended", reason, message, now);
        condition.set(&["status"], value);
        let conditions = self.job["status"]["conditions"].items();
        let at = conditions.iter().position(|have| have["type"] == "Suspended");
        let is_said = |have: &Tree| {
            ["status", "reason", "message"].iter().all(|field| have[*field] == condition[*field])
        };
        if at.map_or(!suspended, |at| is_said(&conditions[at])) {
            return;
        }
        let conditions = self.job.at_mut(&["status", "conditions"]).items_mut();
        match at {
            Some(at) => conditions[at] = condition,
            None => conditions.push(condition),
        }
        if suspended {
            self.job.field_mut("status").remove(&["startTime"]);
        } else {
            self.job.set(&["status", "startTime"], object::timestamp(now));
        }
        self.tracked.is_dirty = true;
    }

    /// Notes how many pods there are now.
    pub(super) fn say_numbers(&mut self) {
        let (ready, terminating) = (Tree::Int(self.count.ready), Tree::Int(self.count.terminating));
        let status = &self.job["status"];
        self.tracked.is_dirty |= number(&self.job, "active") != self.active
            || status["ready"] != ready
            || status["terminating"] != terminating;
        set_number(&mut self.job, "active", self.active);
        self.job.set(&["status", "ready"], ready);
        self.job.set(&["status", "terminating"], terminating);
    }

    /// The write of the status.
    pub(super) fn write(&mut self) -> Request {
        self.tracked.is_dirty = false;
        update(&Resource::JOBS, &self.job, &self.job["status"])
    }
}

/// Whether a failed request for a pod is one that a sync goes on after: the pod is gone.
pub(super) fn is_over(request: &Request, failure: &kubesim_model::request::Status) -> bool {
    request.verb != Verb::Create && failure.is_not_found()
}
