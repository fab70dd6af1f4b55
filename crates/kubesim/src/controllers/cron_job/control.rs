//! The steps of a CronJob's sync.

use std::collections::BTreeMap;

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

use super::missed::{due, until_next};
use super::schedule::{Schedule, zone};
use super::sync::{Phase, Step, Sync, active, job_name};
use crate::controllers::owned::claim;

const CRON_JOBS: Resource = Resource::CRON_JOBS;
const JOBS: Resource = Resource::JOBS;

/// The CronJob controller of v1.36.
pub fn actor(_: Option<&str>) -> Box<dyn Actor> {
    Box::new(Controller::new(CronJobs::default()))
}

#[derive(Clone, Default)]
struct CronJobs {
    watches_jobs: bool,
    syncs: BTreeMap<ObjectKey, (Sync, Step)>,
}

impl Reconcile for CronJobs {
    fn watches(&self) -> Vec<WatchSpec> {
        vec![WatchSpec::all(CRON_JOBS)]
    }

    fn also_watches(&mut self, change: &Change) -> Vec<WatchSpec> {
        let is_first = change.resource == CRON_JOBS && !self.watches_jobs;
        self.watches_jobs |= is_first;
        is_first.then(|| WatchSpec::all(JOBS)).into_iter().collect()
    }

    fn waits_for_further_watches(&self) -> bool {
        true
    }

    fn changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        let states = [&change.old, &change.new].into_iter().flatten();
        if change.resource == JOBS {
            let owners =
                states.filter_map(|job| claim::owner_of(job, &CRON_JOBS, "CronJob", cache));
            return owners.for_each(enqueue);
        }
        if let Some(cron) = &change.new {
            let keeps = change.old.as_ref().is_none_or(|old| same_schedule(old, cron));
            if keeps || schedule(cron).is_some() {
                enqueue(object::key(cron));
            }
        }
    }

    /// A new schedule is looked at when its first time comes.
    fn delay(&self, change: &Change, _: &ObjectKey, now: Millis) -> Millis {
        let (Some(old), Some(new)) = (&change.old, &change.new) else { return 0 };
        if change.resource == JOBS || same_schedule(old, new) {
            return 0;
        }
        schedule(new).and_then(|schedule| until_next(new, &schedule, now)).unwrap_or(0)
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(cron) = work.cache.get(&CRON_JOBS, key).cloned() else { return };
        let jobs = work.cache.in_namespace(&JOBS, &key.namespace);
        let mine = jobs.filter(|job| {
            object::controller(job).is_some_and(|owner| owner["name"] == key.name.as_str())
        });
        let sync = Sync::new(cron, mine.cloned().collect());
        self.go_on(key, sync, work);
    }

    fn answered(
        &mut self,
        key: &ObjectKey,
        _: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let Some((mut sync, step)) = self.syncs.remove(key) else { return Verdict::Fine };
        let fine = sync.answered(step, answer);
        if !fine {
            // What was done is written, and the sync is tried again.
            sync.end();
        }
        self.go_on(key, sync, work);
        if fine { Verdict::Fine } else { Verdict::Retry }
    }
}

impl CronJobs {
    /// Takes the next step, or begins the next phase.
    fn go_on(&mut self, key: &ObjectKey, mut sync: Sync, work: &mut Work<'_, '_>) {
        while sync.steps.is_empty() {
            match sync.phase {
                Phase::Cleaning => sync.look(work.now()),
                Phase::Looking => {
                    sync.phase = Phase::Acting;
                    decide(&mut sync, work);
                }
                Phase::Acting => {
                    sync.end();
                    let schedule = schedule(&sync.cron).filter(|_| sync.goes_on);
                    let left = schedule.and_then(|it| until_next(&sync.cron, &it, sync.now));
                    left.into_iter().for_each(|left| work.again_after(left));
                }
                Phase::Ending => return,
            }
        }
        if let Some(step) = sync.steps.pop_front() {
            work.request(sync.request(&step));
            self.syncs.insert(key.clone(), (sync, step));
        }
    }
}

/// Whether the Job of a time is to be made now.
fn decide(sync: &mut Sync, work: &mut Work<'_, '_>) {
    let (cron, now) = (&sync.cron, sync.now);
    let spec = &cron["spec"];
    if object::is_terminating(cron) || spec["suspend"].is_true() {
        return;
    }
    // Without a zone or a schedule that can be read nothing is made until the CronJob changes.
    let Some(schedule) = schedule(cron) else { return };
    sync.goes_on = true;
    let Some(due) = due(cron, &schedule, now) else { return };
    let about = object::about(&CRON_JOBS, cron);
    if due.is_one_of_many {
        work.event(about.clone(), "TooManyMissedTimes", "too many missed start times");
    }
    let deadline = spec["startingDeadlineSeconds"].as_i64();
    let until = deadline.map(|seconds| due.at + 1000 * Millis::try_from(seconds).unwrap_or(0));
    if until.is_some_and(|until| until < now) {
        let text = format!("Missed scheduled time to start a job: {}", object::timestamp(due.at));
        return work.event(about, "MissSchedule", &text);
    }
    let name = job_name(cron, due.at);
    let is_made = active(cron).iter().any(|job| job["name"] == name.as_str())
        || cron["status"]["lastScheduleTime"] == object::timestamp(due.at).as_str();
    if is_made {
        return;
    }
    match spec["concurrencyPolicy"].str() {
        "Forbid" if !active(cron).is_empty() => {
            let text = "Not starting job because prior execution is running";
            return work.event(about, "JobAlreadyActive", text);
        }
        "Replace" => sync.steps.extend(active(cron).iter().cloned().map(Step::Read)),
        _ => {}
    }
    sync.steps.push_back(Step::Make(due.at));
}

/// The schedule of a CronJob in its zone; `None` if there is no such zone or schedule.
fn schedule(cron: &Tree) -> Option<Schedule> {
    let spec = &cron["spec"];
    Schedule::read(spec["schedule"].str(), zone(spec["timeZone"].str())?)
}

fn same_schedule(a: &Tree, b: &Tree) -> bool {
    ["schedule", "timeZone"].iter().all(|field| a["spec"][*field] == b["spec"][*field])
}
