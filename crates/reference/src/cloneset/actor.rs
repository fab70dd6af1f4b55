//! The CloneSet decisions in the frame of a controller: caches, expectations, answers.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use super::Bug;
use super::decide::{Action, Plan, View, decide};
use crate::expectations::{Expectations, Missing};

/// The CloneSet controller as an actor, with the planted bug of this name in [`super::BUGS`]; an
/// unknown name means none.
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    Box::new(Controller::new(CloneSets::new(bug.and_then(Bug::named))))
}

/// The decisions with their memory.
#[derive(Clone, Debug, Default)]
pub struct CloneSets {
    bug: Option<Bug>,
    expectations: Expectations,
    /// The CloneSets whose state was read from the API once by this incarnation.
    synced: BTreeMap<ObjectKey, Sync>,
    /// Pods that this incarnation began to update (for a planted bug).
    started: BTreeSet<Text>,
    /// The generation that was carried out (for a planted bug).
    settled: BTreeMap<ObjectKey, i64>,
}

/// How far the first reading of a CloneSet is: which resources are still to come.
#[derive(Clone, Debug, Default)]
struct Sync {
    read: BTreeSet<Resource>,
}

impl CloneSets {
    /// The decisions with this planted bug.
    pub fn new(bug: Option<Bug>) -> Self {
        CloneSets { bug, ..CloneSets::default() }
    }

    /// A new incarnation knows nothing of the writes of the one before, and its first list may be
    /// older than they are: so the newest state is read once, and waited for.
    fn sync(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) -> bool {
        let read = self.synced.get(key).map(|sync| &sync.read);
        let missing: Vec<Resource> = watched()
            .into_iter()
            .filter(|resource| read.is_none_or(|read| !read.contains(resource)))
            .collect();
        for resource in &missing {
            let request = match *resource == Resource::CLONE_SETS {
                true => Request::get(resource.clone(), key.clone()),
                false => Request::list(resource.clone(), key.namespace.clone()),
            };
            work.request(request);
        }
        missing.is_empty()
    }

    fn synced(&mut self, key: &ObjectKey, request: &Request, answer: &Tree, work: &Work<'_, '_>) {
        let resource = &request.resource;
        self.synced.entry(key.clone()).or_default().read.insert(resource.clone());
        let uid = work.cache.get(&Resource::CLONE_SETS, key).map(object::uid).unwrap_or_default();
        let now = work.now();
        if request.verb == Verb::Get {
            let of = (resource.clone(), key.clone());
            self.expectations.expect_version(key, of, object::resource_version(answer), now);
            return;
        }
        let mut there = BTreeSet::new();
        for item in
            answer["items"].items().iter().filter(|item| object::controller_uid(item) == uid)
        {
            there.insert(object::uid(item));
            let of = (resource.clone(), object::key(item));
            self.expectations.expect_version(key, of, object::resource_version(item), now);
        }
        for known in work.cache.controlled_by(resource, uid) {
            if !there.contains(object::uid(known)) {
                let of = (resource.clone(), object::key(known));
                self.expectations.expect_gone(key, of, Text::new(object::uid(known)), now);
            }
        }
    }

    /// Whether everything written was seen; else asks or waits.
    fn is_up_to_date(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) -> bool {
        if self.bug == Some(Bug::ForgetsExpectations) {
            return true;
        }
        if !self.sync(key, work) {
            return false;
        }
        match self.expectations.missing(key, work.cache, work.now()) {
            Missing::Nothing => true,
            Missing::Wait(after) => {
                work.again_after(after.max(1));
                false
            }
            Missing::Ask(questions) => {
                questions.into_iter().for_each(|question| work.request(question));
                false
            }
        }
    }

    fn plan(&self, set: &Tree, work: &mut Work<'_, '_>) -> Plan {
        let uid = object::uid(set);
        let entropy = work.rng().bits();
        decide(&View {
            set,
            pods: work.cache.controlled_by(&Resource::PODS, uid).collect(),
            revisions: work.cache.controlled_by(&Resource::CONTROLLER_REVISIONS, uid).collect(),
            now: work.now(),
            entropy,
            bug: self.bug,
            started: &self.started,
        })
    }

    fn carry_out(&mut self, key: &ObjectKey, set: &Tree, plan: Plan, work: &mut Work<'_, '_>) {
        for action in &plan.actions {
            if let Action::Report { reason, message } = action {
                let about = object::about(&Resource::CLONE_SETS, set);
                work.event(about, reason, message);
            }
            if let Action::ChangeInPlace { uid, .. } = action {
                self.started.insert(uid.clone());
            }
            if let Action::ParkInPlace { key: pod, .. } = action {
                let pod = work.cache.get(&Resource::PODS, pod);
                self.started.extend(pod.map(|pod| Text::new(object::uid(pod))));
            }
            if let Some(request) = action.request() {
                self.expectations.sent(key, &request, work.now());
                work.request(request);
            }
        }
        if let Some(after) = plan.again {
            work.again_after(after);
        }
    }

    /// The bug `edge-triggered`: once all is as the spec wants it, only a new spec matters.
    fn looks_away(&mut self, key: &ObjectKey, set: &Tree, plan: &Plan) -> bool {
        if self.bug != Some(Bug::EdgeTriggered) {
            return false;
        }
        let (generation, status) = (object::generation(set), &set["status"]);
        if self.settled.get(key) == Some(&generation) {
            return true;
        }
        let wanted = set["spec"]["replicas"].as_i64().unwrap_or(1);
        if plan.actions.is_empty()
            && status["observedGeneration"].as_i64() == Some(generation)
            && status["availableReplicas"].as_i64() == Some(wanted)
            && status["updatedReplicas"] == status["expectedUpdatedReplicas"]
        {
            self.settled.insert(key.clone(), generation);
        }
        false
    }
}

fn watched() -> [Resource; 3] {
    [Resource::CLONE_SETS, Resource::PODS, Resource::CONTROLLER_REVISIONS]
}

impl Reconcile for CloneSets {
    fn watches(&self) -> Vec<WatchSpec> {
        watched().into_iter().map(WatchSpec::all).collect()
    }

    fn changed(&mut self, change: &Change, _: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        self.expectations.changed(change);
        for object in [&change.old, &change.new].into_iter().flatten() {
            if change.resource == Resource::CLONE_SETS {
                enqueue(object::key(object));
            } else if let Some(owner) = object::controller(object)
                && owner["kind"] == "CloneSet"
            {
                enqueue(ObjectKey::new(object::namespace(object), owner["name"].text()));
            }
        }
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(set) = work.cache.get(&Resource::CLONE_SETS, key).cloned() else {
            self.expectations.forget(key);
            self.synced.remove(key);
            self.settled.remove(key);
            return;
        };
        if !self.is_up_to_date(key, work) {
            return;
        }
        let plan = self.plan(&set, work);
        if !self.looks_away(key, &set, &plan) {
            self.carry_out(key, &set, plan, work);
        }
    }

    fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let retry = if answer.is_ok() { Verdict::Fine } else { Verdict::Retry };
        let first_reading = match self.synced.get(key) {
            Some(sync) => !sync.read.contains(&request.resource),
            None => true,
        };
        if !request.verb.is_write() && first_reading {
            if let Ok(answer) = answer {
                self.synced(key, request, answer, work);
                work.again_after(0);
            }
            return retry;
        }
        self.expectations.answered(key, request, answer, work.now());
        if !request.verb.is_write() {
            // Whatever the answer says, there is more to know than before.
            work.again_after(1);
            return Verdict::Fine;
        }
        if self.bug == Some(Bug::RecreatesInstead) {
            self.recreate_instead(key, request, answer, work);
        }
        retry
    }
}

impl CloneSets {
    /// The bug `recreates-instead` (against IP-8).
    fn recreate_instead(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) {
        let conflict = answer.as_ref().is_err_and(|status| status.is_conflict());
        if conflict && request.resource == Resource::PODS && request.verb.is_patch() {
            let delete = Request::delete(Resource::PODS, request.key.clone());
            self.expectations.sent(key, &delete, work.now());
            work.request(delete);
        }
    }
}
