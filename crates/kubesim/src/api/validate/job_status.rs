//! The status of Jobs: counts that never fall, conditions that never end, and what a finished Job
//! must and must not say (v1.36, `pkg/apis/batch/validation` and the strategy of Jobs).

use std::collections::BTreeSet;

use kubesim_model::object::{self, has_condition};
use kubesim_model::tree::Tree;

use super::not_negative;
use crate::api::errors::Cause;

const CONDITIONS: &str = "status.conditions";

/// What is wrong with what a write to the status leaves.
pub(super) fn check(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let status = &new["status"];
    for count in ["active", "succeeded", "failed", "ready", "terminating"] {
        not_negative(&status[count], &format!("status.{count}"), causes);
    }
    check_uncounted(status, causes);
    check_finished(old, new, causes);
    check_conditions(old, new, causes);
    let number = |job: &Tree, count: &str| job["status"][count].as_i64().unwrap_or(0);
    if number(new, "ready") > number(new, "active") {
        let detail = "cannot set more ready pods than active";
        causes.push(Cause::invalid("status.ready", &status["ready"], detail));
    }
    let spec = &new["spec"];
    let elastic = spec["completionMode"] == "Indexed" && spec["completions"] == spec["parallelism"];
    let counted: &[&str] = if elastic { &["failed"] } else { &["failed", "succeeded"] };
    for count in counted {
        if number(new, count) < number(old, count) {
            let detail = format!("cannot decrease the {count} counter");
            causes.push(Cause::invalid(format!("status.{count}"), &status[*count], &detail));
        }
    }
    let (had, have) = (&old["status"]["completionTime"], &status["completionTime"]);
    if !had.is_null() && !have.is_null() && had != have {
        causes.push(Cause::invalid("status.completionTime", have, "field is immutable"));
    }
    let resumes = has_condition(old, "Suspended") && !has_condition(new, "Suspended");
    let (had, have) = (&old["status"]["startTime"], &status["startTime"]);
    if !had.is_null() && had != have && !spec["suspend"].is_true() && !resumes {
        let detail = "field is immutable for unsuspended job once set";
        causes.push(Cause::invalid("status.startTime", have, detail));
    }
    if spec["completionMode"] != "Indexed" && !status["completedIndexes"].str().is_empty() {
        let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
        causes.push(Cause::invalid("status.completedIndexes", &status["completedIndexes"], detail));
    }
    if spec["backoffLimitPerIndex"].is_null() && !status["failedIndexes"].is_null() {
        let detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
        causes.push(Cause::invalid("status.failedIndexes", &status["failedIndexes"], detail));
    }
}

fn check_uncounted(status: &Tree, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for list in ["succeeded", "failed"] {
        for (at, uid) in status["uncountedTerminatedPods"][list].items().iter().enumerate() {
            let field = format!("status.uncountedTerminatedPods.{list}[{at}]");
            if uid.str().is_empty() {
                causes.push(Cause::invalid(field, uid, "must not be empty"));
            } else if !seen.insert(uid.str()) {
                causes.push(Cause::duplicate(field, uid));
            }
        }
    }
}

fn is_finished(job: &Tree) -> bool {
    has_condition(job, "Complete") || has_condition(job, "Failed")
}

/// A finished Job has begun and has no pods left; a complete one says when it ended.
fn check_finished(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let status = &new["status"];
    let complete = has_condition(new, "Complete");
    let (began, ended) = (&status["startTime"], &status["completionTime"]);
    if complete && ended.is_null() {
        let detail = "completionTime is required for Complete jobs";
        causes.push(Cause::required("status.completionTime", detail));
    }
    if !complete && !ended.is_null() {
        let detail = "cannot set completionTime when there is no Complete=True condition";
        causes.push(Cause::invalid("status.completionTime", ended, detail));
    }
    let times = (object::parse_time(began.str()), object::parse_time(ended.str()));
    if matches!(times, (Some(began), Some(ended)) if ended < began) {
        let detail = "must be equal to or after `startTime`";
        causes.push(Cause::invalid("status.completionTime", ended, detail));
    }
    if !is_finished(new) {
        return;
    }
    let finishes = !is_finished(old);
    let changed = |field: &str| finishes || old["status"][field] != status[field];
    let idle = new["spec"]["suspend"].is_true() && new["spec"]["completions"].as_i64() == Some(0);
    if began.is_null() && changed("startTime") && !idle {
        let detail = "startTime is required for finished job";
        causes.push(Cause::required("status.startTime", detail));
    }
    for count in ["active", "terminating"] {
        if status[count].as_i64().unwrap_or(0) > 0 && changed(count) {
            let detail = format!("{count}>0 is invalid for finished job");
            causes.push(Cause::invalid(format!("status.{count}"), &status[count], &detail));
        }
    }
    let uncounted = &status["uncountedTerminatedPods"];
    let some = ["succeeded", "failed"].iter().any(|list| !uncounted[*list].items().is_empty());
    if some && changed("uncountedTerminatedPods") {
        let detail = "must be empty for finished job";
        causes.push(Cause::invalid("status.uncountedTerminatedPods", uncounted, detail));
    }
}

/// How a Job ends is said before it has ended, and once.
fn check_conditions(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let status = &new["status"]["conditions"];
    let mut refuse = |wrong: bool, detail: &str| {
        if wrong {
            causes.push(Cause::invalid(CONDITIONS, status, detail));
        }
    };
    let has = |kind: &str| has_condition(new, kind);
    let (complete, failed) = (has("Complete"), has("Failed"));
    let (success, failure) = (has("SuccessCriteriaMet"), has("FailureTarget"));
    refuse(complete && failed, "cannot set Complete=True and Failed=true conditions");
    refuse(complete && failure, "cannot set Complete=True and FailureTarget=true conditions");
    let fails = failed && !has_condition(old, "Failed");
    refuse(
        fails && !failure,
        "cannot set Failed=True condition without the FailureTarget=true condition",
    );
    let completes = complete && !has_condition(old, "Complete");
    refuse(
        completes && !success,
        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
    );
    refuse(success && failed, "cannot set SuccessCriteriaMet=True and Failed=true conditions");
    refuse(
        success && failure,
        "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
    );
    for kind in ["Failed", "Complete", "FailureTarget", "SuccessCriteriaMet"] {
        let detail = format!("cannot disable the terminal {kind}=True condition");
        refuse(has_condition(old, kind) && !has(kind), &detail);
    }
}
