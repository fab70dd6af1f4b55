//! The steps of a Job's sync.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, ListOptions, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use super::back_off::BackOff;
use super::count::Count;
use super::plan::{self, Plan};
use super::pods::{self, FINALIZER};
use super::spec::{is_finished, is_managed_elsewhere};
use super::sync::{Stage, Sync, is_over};
use super::track::Tracked;
use super::{end, orphans, template};
use crate::controllers::owned::batches::{Batches, Progress};
use crate::controllers::owned::claim::{self, claims};
use crate::controllers::owned::expectations::Expectations;
use crate::controllers::owned::own_writes::{OwnWrites, StaleReads};

const JOBS: Resource = Resource::JOBS;
/// How long changes of pods and statuses are gathered (`SyncJobBatchPeriod`).
const GATHERING: Millis = 1_000;
/// The first and the longest wait after a failed sync (`DefaultJobApiBackOff`, `MaxJobApiBackOff`).
const BACK_OFF: (Millis, Millis) = (1_000, 60_000);
/// The label of pods that a Job made.
const OF_A_JOB: &str = "batch.kubernetes.io/job-name";

/// The Job controller of v1.36.
pub fn actor(_: Option<&str>) -> Box<dyn Actor> {
    Box::new(Controller::new(Jobs {
        watches_pods: false,
        expectations: Expectations::default(),
        writes: OwnWrites::new(StaleReads::Refused),
        leaving: BTreeMap::new(),
        back_offs: BTreeMap::new(),
        finished: BTreeSet::new(),
        selectors: BTreeMap::new(),
        syncs: BTreeMap::new(),
    }))
}

#[derive(Clone)]
struct Jobs {
    watches_pods: bool,
    expectations: Expectations,
    writes: OwnWrites,
    /// Pods whose finalizers were taken, until the watch tells so.
    leaving: BTreeMap<ObjectKey, BTreeSet<Text>>,
    back_offs: BTreeMap<ObjectKey, BackOff>,
    /// The uids of Jobs that are written to have ended, until the watch tells so.
    finished: BTreeSet<Text>,
    /// The selectors of Jobs whose pods are to be let go.
    selectors: BTreeMap<ObjectKey, Tree>,
    syncs: BTreeMap<ObjectKey, Sync>,
}

impl Reconcile for Jobs {
    fn watches(&self) -> Vec<WatchSpec> {
        vec![WatchSpec::all(JOBS)]
    }

    /// Pods are watched once there is a Job, or if there are pods that one has left behind.
    fn also_watches(&mut self, change: &Change) -> Vec<WatchSpec> {
        if change.resource == JOBS { self.watch_pods() } else { Vec::new() }
    }

    fn waits_for_further_watches(&self) -> bool {
        true
    }

    fn first_question(&self) -> Option<Request> {
        let label_selector = Text::new_static(OF_A_JOB);
        let list = ListOptions { label_selector, limit: 1, ..ListOptions::default() };
        Some(Request { list, ..Request::list(Resource::PODS, "") })
    }

    fn first_answered(&mut self, answer: &Answer) -> Vec<WatchSpec> {
        let none = answer.as_ref().is_ok_and(|list| list["items"].items().is_empty());
        if none { Vec::new() } else { self.watch_pods() }
    }

    fn changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        self.writes.saw(change);
        if change.resource == Resource::PODS {
            return self.pod_changed(change, cache, enqueue);
        }
        let Some(job) = change.new.as_ref().or(change.old.as_ref()) else { return };
        let key = object::key(job);
        if change.new.is_none() || is_finished(job) {
            self.writes.forget(&key);
            self.back_offs.remove(&key);
            self.finished.remove(&pods::uid(job));
            if change.new.is_none() {
                self.expectations.forget(&key);
                self.leaving.remove(&key);
            }
            let pods = orphans::of_job(job);
            self.selectors.insert(pods.clone(), job["spec"]["selector"].clone());
            enqueue(pods);
        } else {
            enqueue(key);
        }
    }

    fn delay(&self, change: &Change, key: &ObjectKey, _: Millis) -> Millis {
        let generation = |job: &Option<Tree>| job.as_ref().map(object::generation);
        let is_spec = change.resource == JOBS && generation(&change.old) != generation(&change.new);
        if is_spec || orphans::is_meant(key) { 0 } else { GATHERING }
    }

    fn back_off(&self) -> (Millis, Millis) {
        BACK_OFF
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        if orphans::is_meant(key) {
            let selector = self.selectors.remove(key);
            for pod in orphans::to_let_go(key, selector.as_ref(), work.cache) {
                work.request(Request::strategic_patch(Resource::PODS, pod, template::let_go()));
            }
            return;
        }
        if !self.writes.are_seen(key, work.now()) {
            return work.retry();
        }
        let Some(job) = work.cache.get(&JOBS, key).cloned() else { return };
        if is_managed_elsewhere(&job)
            || is_finished(&job)
            || self.finished.contains(&pods::uid(&job))
        {
            return;
        }
        self.begin(key, job, work);
    }

    fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        if orphans::is_meant(key) {
            let failed = answer.as_ref().is_err_and(|failure| !failure.is_not_found());
            return if failed { Verdict::Retry } else { Verdict::Fine };
        }
        let Some(sync) = self.syncs.remove(key) else { return Verdict::Fine };
        if let (Ok(object), Verb::Create | Verb::Update | Verb::StrategicPatch) =
            (answer, request.verb)
        {
            self.writes.wrote(key, &request.resource, object, work.now());
        }
        match sync.stage {
            Stage::Claim(_) => self.claimed(key, sync, request, answer, work),
            Stage::End(_) => self.ended(key, sync, request, answer, work),
            Stage::Shrink { .. } => self.shrunk(key, sync, request, answer, work),
            Stage::Grow(_) => self.grown(key, sync, answer, work),
            Stage::Leave(_) => self.left(key, sync, request, answer, work),
            Stage::Note | Stage::Count => self.written(key, sync, answer, work),
        }
    }
}

impl Jobs {
    fn watch_pods(&mut self) -> Vec<WatchSpec> {
        let is_new = !std::mem::replace(&mut self.watches_pods, true);
        is_new.then(|| WatchSpec::all(Resource::PODS)).into_iter().collect()
    }

    fn pod_changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        let owner_of = |pod: &Tree| claim::owner_of(pod, &JOBS, "Job", cache);
        self.expectations.saw(change, owner_of);
        let has_left = change.new.as_ref().is_none_or(|pod| !pods::is_tracked(pod));
        for pod in [&change.old, &change.new].into_iter().flatten() {
            let owner = owner_of(pod);
            if has_left
                && let Some(leaving) = owner.as_ref().and_then(|key| self.leaving.get_mut(key))
            {
                leaving.remove(&pods::uid(pod));
            }
            claim::concerned(pod, &JOBS, "Job", cache, enqueue);
        }
        let Some(pod) = change.new.as_ref().filter(|pod| pods::is_tracked(pod)) else { return };
        let job = owner_of(pod).and_then(|key| cache.get(&JOBS, &key));
        let is_left_behind = match object::controller(pod) {
            None => true,
            Some(_) => object::is_terminating(pod) && job.is_none_or(is_finished),
        };
        if is_left_behind {
            enqueue(orphans::of_pod(pod));
        }
    }

    /// Takes pods in and lets them go; then goes on with what it has.
    fn begin(&mut self, key: &ObjectKey, mut job: Tree, work: &mut Work<'_, '_>) {
        let now = work.now();
        let is_settled = self.expectations.are_met(key, now);
        let all = work.cache.in_namespace(&Resource::PODS, &key.namespace);
        let claims = claims(&job, all).with_finalizer(FINALIZER);
        let mut batches = claims.requests(&Resource::PODS, &JOBS, &job);
        let pods = claims.mine.into_iter().map(pods::as_taken_in).collect::<Vec<_>>();
        Sync::begin(&mut job, now);
        let let_go = self.leaving.get(key).cloned().unwrap_or_default();
        let before = self.back_offs.get(key).copied().unwrap_or_default();
        let count = Count::of(&job, &pods, &let_go, before);
        let going = batches.start(work) == Progress::Going;
        let sync = Sync {
            pods,
            let_go,
            is_settled,
            active: i64::try_from(count.active.len()).unwrap_or(i64::MAX),
            count,
            end: None,
            tracked: Tracked::default(),
            stage: Stage::Claim(batches),
            job,
        };
        if going {
            self.syncs.insert(key.clone(), sync);
        } else {
            self.act(key, sync, work);
        }
    }

    fn claimed(
        &mut self,
        key: &ObjectKey,
        mut sync: Sync,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let Stage::Claim(batches) = &mut sync.stage else { return Verdict::Fine };
        let fine = claim::went_well(&sync.job, request, answer);
        match batches.answered(fine, work) {
            Progress::Going => drop(self.syncs.insert(key.clone(), sync)),
            Progress::Done => self.act(key, sync, work),
            Progress::Failed { .. } => return Verdict::Retry,
        }
        Verdict::Fine
    }

    /// Ends the Job, or makes and deletes pods.
    fn act(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        let now = work.now();
        sync.end = end::of(&sync.job, &sync.pods, &sync.count, now);
        if sync.end.is_some() {
            let mut batches = sync.end_pods();
            let progress = batches.start(work);
            sync.stage = Stage::End(batches);
            return match progress {
                Progress::Going => drop(self.syncs.insert(key.clone(), sync)),
                _ => self.end_if_all_went(key, sync, work),
            };
        }
        end::until_deadline(&sync.job, now).into_iter().for_each(|left| work.again_after(left));
        if !sync.is_settled || object::is_terminating(&sync.job) {
            return self.finish(key, sync, false, work);
        }
        sync.stage = match plan::of(&sync.job, &sync.pods, &sync.count, now) {
            Plan::Wait(left) => {
                work.again_after(left.max(GATHERING));
                return self.finish(key, sync, true, work);
            }
            Plan::Delete(excess) if !excess.is_empty() => {
                self.expectations.expect(key, 0, excess.iter().map(object::key), now);
                sync.shrink(&excess, work)
            }
            Plan::Create(indexes) if !indexes.is_empty() => {
                self.expectations.expect(key, indexes.len(), [], now);
                sync.active += i64::try_from(indexes.len()).unwrap_or(i64::MAX);
                let mut batches = sync.grow(&indexes);
                batches.start(work);
                Stage::Grow(batches)
            }
            _ => return self.finish(key, sync, true, work),
        };
        self.syncs.insert(key.clone(), sync);
    }

    fn ended(
        &mut self,
        key: &ObjectKey,
        mut sync: Sync,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let fine = answer.as_ref().err().is_none_or(|failure| is_over(request, failure));
        sync.deleted(&request.key, fine, true);
        let Stage::End(batches) = &mut sync.stage else { return Verdict::Fine };
        match batches.answered(fine, work) {
            Progress::Going => drop(self.syncs.insert(key.clone(), sync)),
            _ => self.end_if_all_went(key, sync, work),
        }
        if fine { Verdict::Fine } else { Verdict::Retry }
    }

    /// A Job does not end while there are pods that it has not deleted or does not know.
    fn end_if_all_went(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        if sync.active > 0 || !sync.is_settled {
            sync.end = None;
        }
        self.note(key, sync, work);
    }

    fn shrunk(
        &mut self,
        key: &ObjectKey,
        mut sync: Sync,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let patched = request.verb == Verb::StrategicPatch;
        if patched && answer.is_ok() {
            work.request(Request::delete(Resource::PODS, request.key.clone()));
            self.syncs.insert(key.clone(), sync);
            return Verdict::Fine;
        }
        let fine = answer.as_ref().err().is_none_or(|failure| is_over(request, failure));
        if answer.is_err() {
            self.expectations.deleted(key, &request.key);
        }
        sync.deleted(&request.key, fine, !patched);
        let Stage::Shrink { unanswered } = &mut sync.stage else { return Verdict::Fine };
        *unanswered -= 1;
        if *unanswered > 0 {
            self.syncs.insert(key.clone(), sync);
        } else {
            self.finish(key, sync, true, work);
        }
        if fine { Verdict::Fine } else { Verdict::Retry }
    }

    fn grown(
        &mut self,
        key: &ObjectKey,
        mut sync: Sync,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        // In a namespace that is being deleted every create fails: nothing to try again.
        let fine = answer.as_ref().err().is_none_or(|failure| {
            let causes = failure.details["causes"].items();
            causes.iter().any(|cause| cause["reason"] == "NamespaceTerminating")
        });
        let Stage::Grow(batches) = &mut sync.stage else { return Verdict::Fine };
        let progress = batches.answered(fine, work);
        let skipped = if let Progress::Failed { skipped } = progress { skipped } else { 0 };
        for _ in 0..skipped + usize::from(!fine) {
            self.expectations.created(key);
            sync.active -= 1;
        }
        match progress {
            Progress::Going => drop(self.syncs.insert(key.clone(), sync)),
            _ => self.finish(key, sync, true, work),
        }
        if fine { Verdict::Fine } else { Verdict::Retry }
    }

    /// Sees whether enough pods have succeeded; if the pods were `managed` and not, whether the Job
    /// is suspended.
    fn finish(&mut self, key: &ObjectKey, mut sync: Sync, managed: bool, work: &mut Work<'_, '_>) {
        let now = work.now();
        sync.end = end::of_completions(&sync.job, &sync.count, sync.active, now);
        if sync.end.is_none() && managed {
            sync.say_suspended(now);
        }
        self.note(key, sync, work);
    }

    fn note(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        sync.say_numbers();
        sync.note(work.now());
        if sync.tracked.is_dirty {
            sync.stage = Stage::Note;
            work.request(sync.write());
            self.syncs.insert(key.clone(), sync);
        } else {
            self.leave(key, sync, work);
        }
    }

    fn written(
        &mut self,
        key: &ObjectKey,
        mut sync: Sync,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let Ok(job) = answer else { return Verdict::Retry };
        if matches!(sync.stage, Stage::Note) {
            self.back_offs.insert(key.clone(), sync.count.back_off);
            sync.job = job.clone();
            self.leave(key, sync, work);
        } else if is_finished(job) {
            self.finished.insert(pods::uid(job));
        }
        Verdict::Fine
    }

    /// Takes the finalizers of the pods that are noted.
    fn leave(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        let leaving = std::mem::take(&mut sync.tracked.leaving);
        if leaving.is_empty() {
            return self.count(key, sync, work);
        }
        let uids = self.leaving.entry(key.clone()).or_default();
        uids.extend(leaving.iter().map(pods::uid));
        let patch =
            |pod| Request::strategic_patch(Resource::PODS, object::key(pod), template::let_go());
        let mut batches = Batches::at_once(leaving.iter().map(patch).collect());
        batches.start(work);
        sync.stage = Stage::Leave(batches);
        self.syncs.insert(key.clone(), sync);
    }

    fn left(
        &mut self,
        key: &ObjectKey,
        mut sync: Sync,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let fine = answer.as_ref().err().is_none_or(|failure| is_over(request, failure));
        let pod = sync.pod(&request.key).map(pods::uid).unwrap_or_default();
        if answer.is_err()
            && let Some(leaving) = self.leaving.get_mut(key)
        {
            leaving.remove(&pod);
        }
        if fine {
            sync.has_left(&pod);
        }
        let Stage::Leave(batches) = &mut sync.stage else { return Verdict::Fine };
        match batches.answered(fine, work) {
            Progress::Going => drop(self.syncs.insert(key.clone(), sync)),
            Progress::Done => self.count(key, sync, work),
            Progress::Failed { .. } => {
                // What was done is counted; the Job ends in a later sync.
                sync.end = None;
                self.count(key, sync, work);
            }
        }
        if fine { Verdict::Fine } else { Verdict::Retry }
    }

    /// Writes the numbers of the pods that have left, and the end of the Job.
    fn count(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        sync.count_leavers();
        sync.say_end();
        if sync.tracked.is_dirty {
            sync.stage = Stage::Count;
            work.request(sync.write());
            self.syncs.insert(key.clone(), sync);
        }
    }
}
