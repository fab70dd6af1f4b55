//! Whether a Job comes to its end, and the conditions that say so.
//!
//! An end is announced (`SuccessCriteriaMet`, `FailureTarget`) while pods are still to go, and said
//! (`Complete`, `Failed`) when none is left.

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map, object};

use super::count::Count;
use super::pods::has_failed;
use super::policy;
use super::spec::{completions, is_suspended};

pub(super) const SUCCESS: &str = "SuccessCriteriaMet";
pub(super) const FAILURE: &str = "FailureTarget";

/// A condition of a Job that is true.
pub(super) fn condition(kind: &str, reason: &str, message: &str, now: Millis) -> Tree {
    map! {
        "type" => kind, "status" => "True", "reason" => reason, "message" => message,
        "lastProbeTime" => object::timestamp(now),
        "lastTransitionTime" => object::timestamp(now),
    }
}

/// The condition of this type with the reason and message of another.
pub(super) fn likewise(kind: &str, other: &Tree, now: Millis) -> Tree {
    condition(kind, other["reason"].str(), other["message"].str(), now)
}

/// The end that was announced already, or is to be announced now.
pub(super) fn of(job: &Tree, pods: &[Tree], count: &Count, now: Millis) -> Option<Tree> {
    let announced =
        |kind: &str| object::condition(job, kind).filter(|condition| condition["status"] == "True");
    if let Some(success) = announced(SUCCESS) {
        return Some(success.clone());
    }
    if let Some(failure) = announced(FAILURE) {
        return Some(likewise("Failed", failure, now));
    }
    let failure = |reason: &str, message: &str| Some(condition(FAILURE, reason, message, now));
    let failed = pods.iter().filter(|pod| has_failed(pod, job));
    if let Some(why) = failed.filter_map(|pod| policy::failure(job, pod).ends_job).next() {
        return failure("PodFailurePolicy", &why);
    }
    let limit = job["spec"]["backoffLimit"].as_i64().unwrap_or(6);
    if count.failed > limit || restarts_too_often(job, pods, limit) {
        return failure("BackoffLimitExceeded", "Job has reached the specified backoff limit");
    }
    if until_deadline(job, now) == Some(0) {
        return failure("DeadlineExceeded", "Job was active longer than specified deadline");
    }
    let (number, indexes) = (completions(job)?, count.indexes.as_ref()?);
    if let Some(failed) = &indexes.failed {
        let most = job["spec"]["maxFailedIndexes"].as_i64();
        if most.is_some_and(|most| failed.total() > most) {
            let why = "Job has exceeded the specified maximal number of failed indexes";
            return failure("MaxFailedIndexesExceeded", why);
        }
        if failed.total() > 0 && failed.total() + indexes.succeeded.total() >= number {
            return failure("FailedIndexes", "Job has failed indexes");
        }
    }
    let why = policy::success(job, number, &indexes.succeeded)?;
    Some(condition(SUCCESS, "SuccessPolicy", &why, now))
}

/// The success that is to be announced because enough pods succeeded and none is left.
pub(super) fn of_completions(job: &Tree, count: &Count, active: i64, now: Millis) -> Option<Tree> {
    let enough = match completions(job) {
        // One success is enough, and the other pods may come to their end.
        None => count.succeeded > 0,
        Some(number) => count.succeeded >= number,
    };
    let why = "Reached expected number of succeeded pods";
    (enough && active == 0).then(|| condition(SUCCESS, "CompletionsReached", why, now))
}

/// How long the Job may go on; `None` without a deadline, or while it is suspended.
pub(super) fn until_deadline(job: &Tree, now: Millis) -> Option<Millis> {
    let seconds = job["spec"]["activeDeadlineSeconds"].as_i64().filter(|_| !is_suspended(job))?;
    let since = object::parse_time(job["status"]["startTime"].str())?;
    let allowed = 1000 * Millis::try_from(seconds).unwrap_or(0);
    // The start is written in whole seconds: a Job that starts now has all its time.
    let passed = Some(now.saturating_sub(since)).filter(|passed| *passed >= 1_000);
    Some(allowed.saturating_sub(passed.unwrap_or(0)))
}

/// Whether containers that are restarted in their pods were so too often.
fn restarts_too_often(job: &Tree, pods: &[Tree], limit: i64) -> bool {
    if job["spec"]["template"]["spec"]["restartPolicy"] != "OnFailure" {
        return false;
    }
    let going = |pod: &&Tree| matches!(pod["status"]["phase"].str(), "Running" | "Pending");
    let restarts = |pod: &Tree| -> i64 {
        let lists = ["initContainerStatuses", "containerStatuses"];
        let all = lists.iter().flat_map(|list| pod["status"][*list].items());
        all.filter_map(|container| container["restartCount"].as_i64()).sum()
    };
    let total: i64 = pods.iter().filter(going).map(restarts).sum();
    total >= limit.max(1)
}
