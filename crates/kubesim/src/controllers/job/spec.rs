//! What a Job asks for.

use kubesim_model::object;
use kubesim_model::tree::Tree;

/// How many pods may run at once.
pub(super) fn parallelism(job: &Tree) -> i64 {
    job["spec"]["parallelism"].as_i64().unwrap_or(1)
}

/// How many pods are to succeed; without a number it is enough that one does.
pub(super) fn completions(job: &Tree) -> Option<i64> {
    job["spec"]["completions"].as_i64()
}

/// Whether each completion has an index of its own.
pub(super) fn is_indexed(job: &Tree) -> bool {
    job["spec"]["completionMode"] == "Indexed"
}

/// Whether no pods are to run for now.
pub(super) fn is_suspended(job: &Tree) -> bool {
    job["spec"]["suspend"].is_true()
}

/// How often each index may fail, if failures are limited by index.
pub(super) fn back_off_limit_per_index(job: &Tree) -> Option<i64> {
    job["spec"]["backoffLimitPerIndex"].as_i64()
}

/// Whether a terminating pod is replaced only when it has ended.
pub(super) fn replaces_failed_only(job: &Tree) -> bool {
    job["spec"]["podReplacementPolicy"] == "Failed" || !job["spec"]["podFailurePolicy"].is_null()
}

/// Whether somebody else looks after the Job.
pub(super) fn is_managed_elsewhere(job: &Tree) -> bool {
    let manager = &job["spec"]["managedBy"];
    !manager.is_null() && *manager != "kubernetes.io/job-controller"
}

/// Whether the Job has ended, one way or the other.
pub(super) fn is_finished(job: &Tree) -> bool {
    ["Complete", "Failed"].iter().any(|end| object::has_condition(job, end))
}
