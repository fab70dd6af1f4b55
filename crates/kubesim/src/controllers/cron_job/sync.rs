//! One sync of a CronJob: the requests it makes one after another, and the status it comes to.

use std::collections::VecDeque;

use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object};

use super::schedule::zone;

/// What tells the Jobs of a CronJob for which time they were made.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// What is to be asked next.
#[derive(Clone)]
pub(super) enum Step {
    /// Delete a Job that ended and is one too many.
    Clean(Tree),
    /// See whether the CronJob knows a Job that its copy in the cache does not.
    Ask(Tree),
    /// See whether a Job that should be active is there.
    Find(Tree),
    /// Read a Job that is to be replaced.
    Read(Tree),
    /// Delete it.
    Replace(Tree),
    /// Make the Job of this time.
    Make(Millis),
    /// Read the Job that has its name.
    Reread(Millis),
    /// Write the status.
    Write,
}

/// How far a sync is when no step is left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Jobs that are too many are gone.
    Cleaning,
    /// It is known which Jobs there are.
    Looking,
    /// A Job is made, or it is not time.
    Acting,
    /// All is written.
    Ending,
}

/// A sync, with the CronJob as it is to be written.
#[derive(Clone)]
pub(super) struct Sync {
    pub(super) cron: Tree,
    jobs: Vec<Tree>,
    pub(super) phase: Phase,
    pub(super) steps: VecDeque<Step>,
    /// The time by which everything is decided.
    pub(super) now: Millis,
    /// Whether there is a next time to wait for.
    pub(super) goes_on: bool,
    is_dirty: bool,
}

/// The active Jobs, as references.
pub(super) fn active(cron: &Tree) -> &[Tree] {
    cron["status"]["active"].items()
}

fn is_active(cron: &Tree, job: &Tree) -> bool {
    active(cron).iter().any(|have| have["uid"] == job["metadata"]["uid"])
}

/// The condition by which a Job ended.
fn end(job: &Tree) -> Option<&'static str> {
    ["Complete", "Failed"].into_iter().find(|end| object::has_condition(job, end))
}

impl Sync {
    pub(super) fn new(cron: Tree, jobs: Vec<Tree>) -> Sync {
        let steps = superfluous(&cron, &jobs).into_iter().map(Step::Clean).collect();
        let phase = Phase::Cleaning;
        Sync { cron, jobs, phase, steps, now: 0, goes_on: false, is_dirty: false }
    }

    /// Begins to look at the Jobs, at the time by which everything is decided.
    pub(super) fn look(&mut self, now: Millis) {
        self.now = now;
        self.phase = Phase::Looking;
        self.take_jobs();
    }

    /// Writes what has changed, and nothing else.
    pub(super) fn end(&mut self) {
        self.phase = Phase::Ending;
        self.steps.clear();
        if std::mem::take(&mut self.is_dirty) {
            self.steps.push_back(Step::Write);
        }
    }

    /// Takes the answer of a step; answers whether the sync may go on.
    pub(super) fn answered(&mut self, step: Step, answer: &Answer) -> bool {
        match (step, answer) {
            (Step::Clean(job) | Step::Replace(job), Ok(_)) => {
                self.drop_active(&job["metadata"]["uid"]);
            }
            (Step::Clean(_), Err(_)) | (Step::Find(_) | Step::Write, Ok(_)) => {}
            (Step::Ask(job), Ok(cron)) => {
                if is_active(cron, &job) {
                    self.cron = cron.clone();
                    self.is_dirty = false;
                    self.take_jobs();
                }
            }
            (Step::Find(reference), Err(failure)) if failure.is_not_found() => {
                self.drop_active(&reference["uid"]);
            }
            (Step::Read(_), Ok(job)) => self.steps.push_front(Step::Replace(job.clone())),
            (Step::Make(at), Ok(job)) => self.add_active(job, at),
            (Step::Make(at), Err(failure)) if failure.is_already_exists() => {
                self.steps.push_front(Step::Reread(at));
            }
            (Step::Reread(at), Ok(job)) => {
                let is_own = object::controller_uid(job) == object::uid(&self.cron);
                if is_own && !is_active(&self.cron, job) {
                    self.add_active(job, at);
                } else {
                    self.goes_on = false;
                }
            }
            (_, Err(_)) => return false,
        }
        true
    }

    /// The request of a step.
    pub(super) fn request(&self, step: &Step) -> Request {
        let jobs = Resource::JOBS;
        let key_of = |reference: &Tree| {
            ObjectKey::new(reference["namespace"].text(), reference["name"].text())
        };
        match step {
            Step::Clean(job) | Step::Replace(job) => {
                let mut delete = Request::delete(jobs, object::key(job));
                delete.body.set(&["propagationPolicy"], "Background");
                delete
            }
            Step::Ask(_) => Request::get(Resource::CRON_JOBS, object::key(&self.cron)),
            Step::Find(reference) | Step::Read(reference) => Request::get(jobs, key_of(reference)),
            Step::Make(at) => Request::create(jobs, self.job(*at)),
            Step::Reread(at) => Request::get(jobs, object::key(&self.job(*at))),
            Step::Write => {
                Request::update(Resource::CRON_JOBS, self.cron.clone()).with_subresource("status")
            }
        }
    }

    /// Takes in what has become of the Jobs. What is to be found out of those that are not as
    /// expected are the next steps.
    fn take_jobs(&mut self) {
        let mut steps = Vec::new();
        for job in self.jobs.clone() {
            let known = is_active(&self.cron, &job);
            match end(&job) {
                None if !known => steps.push(Step::Ask(job)),
                None => {}
                Some(end) => {
                    if known {
                        self.drop_active(&job["metadata"]["uid"]);
                    }
                    if end == "Complete" {
                        self.note_success(&job["status"]["completionTime"]);
                    }
                }
            }
        }
        let is_there = |reference: &&Tree| {
            self.jobs.iter().any(|job| job["metadata"]["uid"] == reference["uid"])
        };
        let lost = active(&self.cron).iter().filter(|reference| !is_there(reference));
        steps.extend(lost.cloned().map(Step::Find));
        self.steps = steps.into();
    }

    fn note_success(&mut self, at: &Tree) {
        let last = &self.cron["status"]["lastSuccessfulTime"];
        // Times are texts of one form, which are ordered as the times are.
        if !at.is_null() && (last.is_null() || last.str() < at.str()) {
            self.cron.set(&["status", "lastSuccessfulTime"], at);
            self.is_dirty = true;
        }
    }

    /// Takes a Job off the active ones.
    fn drop_active(&mut self, uid: &Tree) {
        let left = active(&self.cron).iter().filter(|have| have["uid"] != *uid);
        let left: Vec<Tree> = left.cloned().collect();
        if left.is_empty() {
            self.cron.field_mut("status").remove(&["active"]);
        } else {
            self.cron.set(&["status", "active"], left);
        }
        self.is_dirty = true;
    }

    /// Notes the Job that was made for a time.
    fn add_active(&mut self, job: &Tree, at: Millis) {
        let metadata = &job["metadata"];
        let reference = map! {
            "apiVersion" => "batch/v1", "kind" => "Job", "name" => &metadata["name"],
            "namespace" => &metadata["namespace"], "uid" => &metadata["uid"],
            "resourceVersion" => &metadata["resourceVersion"],
        };
        self.cron.at_mut(&["status", "active"]).items_mut().push(reference);
        self.cron.set(&["status", "lastScheduleTime"], object::timestamp(at));
        self.is_dirty = true;
    }

    /// The Job of a time.
    fn job(&self, at: Millis) -> Tree {
        let (template, metadata) = (&self.cron["spec"]["jobTemplate"], &self.cron["metadata"]);
        let mut annotations = template["metadata"]["annotations"].clone();
        annotations.set(&[SCHEDULED], self.time_text(at));
        let mut own = map! {
            "name" => job_name(&self.cron, at), "namespace" => &metadata["namespace"],
            "annotations" => annotations,
            "ownerReferences" => list![object::controller_reference(&self.cron)],
        };
        if !template["metadata"]["labels"].is_null() {
            own.set(&["labels"], &template["metadata"]["labels"]);
        }
        let spec = &template["spec"];
        map! { "apiVersion" => "batch/v1", "kind" => "Job", "metadata" => own, "spec" => spec }
    }

    /// A time in the zone of the CronJob.
    fn time_text(&self, at: Millis) -> Text {
        let utc = object::timestamp(at);
        let name = self.cron["spec"]["timeZone"].str();
        let time = zone(name).filter(|_| !name.is_empty()).zip(utc.parse::<jiff::Timestamp>().ok());
        let Some((zone, time)) = time else { return utc };
        let text = time.to_zoned_datetime(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        Text::from(text.replace("+00:00", "Z"))
    }
}

/// What the Job of a time is called: by its minute.
pub(super) fn job_name(cron: &Tree, at: Millis) -> String {
    let minute = (object::EPOCH + i64::try_from(at).unwrap_or(0)) / 60_000;
    format!("{}-{minute}", object::name(cron))
}

/// The Jobs that ended and are more than are to be kept, the oldest of each kind.
fn superfluous(cron: &Tree, jobs: &[Tree]) -> Vec<Tree> {
    let limits = [("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")];
    let mut all = Vec::new();
    for (kind, limit) in limits {
        let Some(limit) = cron["spec"][limit].as_i64() else { continue };
        let mut ended: Vec<&Tree> = jobs.iter().filter(|job| end(job) == Some(kind)).collect();
        ended.sort_by_key(|job| {
            let began = job["status"]["startTime"].str();
            (began.is_empty(), began, object::name(job))
        });
        let excess = ended.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        all.extend(ended.into_iter().take(excess).cloned());
    }
    all
}
