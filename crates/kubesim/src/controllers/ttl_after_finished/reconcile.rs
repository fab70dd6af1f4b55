//! Deleting Jobs whose time after their end is over.

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

const JOBS: Resource = Resource::JOBS;

/// The TTL-after-finished controller of v1.36.
pub fn actor(_: Option<&str>) -> Box<dyn Actor> {
    Box::new(Controller::new(Expired))
}

#[derive(Clone)]
struct Expired;

impl Reconcile for Expired {
    fn watches(&self) -> Vec<WatchSpec> {
        vec![WatchSpec::all(JOBS)]
    }

    fn changed(&mut self, change: &Change, _: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        if let Some(job) = change.new.as_ref().filter(|job| expires_at(job).is_some()) {
            enqueue(object::key(job));
        }
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(job) = work.cache.get(&JOBS, key) else { return };
        let Some(at) = expires_at(job) else { return };
        match at.saturating_sub(work.now()) {
            // The cache may be late: what is to go is read afresh.
            0 => work.request(Request::get(JOBS, key.clone())),
            left => work.again_after(left),
        }
    }

    fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let job = match answer {
            Ok(job) if request.verb == Verb::Get => job,
            Ok(_) => return Verdict::Fine,
            Err(failure) if request.verb == Verb::Get && failure.is_not_found() => {
                return Verdict::Fine;
            }
            Err(_) => return Verdict::Retry,
        };
        let Some(at) = expires_at(job) else { return Verdict::Fine };
        match at.saturating_sub(work.now()) {
            0 => {
                let mut delete = Request::delete(JOBS, key.clone()).with_uid(object::uid(job));
                delete.body.set(&["propagationPolicy"], "Foreground");
                work.request(delete);
            }
            left => work.again_after(left),
        }
        Verdict::Fine
    }
}

/// When a Job is to be deleted, if it has ended and is to be deleted at all.
fn expires_at(job: &Tree) -> Option<Millis> {
    let seconds = job["spec"]["ttlSecondsAfterFinished"].as_i64()?;
    let mut ends = ["Complete", "Failed"].iter().filter_map(|end| object::condition(job, end));
    let end = ends.find(|end| end["status"] == "True")?;
    let at = object::parse_time(end["lastTransitionTime"].str())?;
    let wait = 1000 * Millis::try_from(seconds).unwrap_or(0);
    (!object::is_terminating(job)).then_some(at + wait)
}
