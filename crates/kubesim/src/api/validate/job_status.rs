//! The status of Jobs: counts that never fall, conditions that never end, and what a finished Job
//! must and must not say (v1.36, `pkg/apis/batch/validation` and the strategy of Jobs).

use std::collections::BTreeSet;

use kubesim_model::object::has_condition;
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
    check_times(old, new, causes);
    check_end(old, new, causes);
    check_finished(old, new, causes);
    check_conditions(old, new, causes);
    let number = |job: &Tree, count: &str| job["status"][count].as_i64().unwrap_or(0);
    if !status["ready"].is_null() && number(new, "ready") > number(new, "active") {
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

/// A complete Job, and only such a one, says when it ended; that and its begin stay.
fn check_times(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
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
    // Times are texts of one form, which are ordered as the times are.
    if !began.is_null() && !ended.is_null() && ended.str() < began.str() {
        let detail = "must be equal to or after `startTime`";
        causes.push(Cause::invalid("status.completionTime", ended, detail));
    }
    let had = &old["status"]["completionTime"];
    if !had.is_null() && !ended.is_null() && had != ended {
        causes.push(Cause::invalid("status.completionTime", ended, "field is immutable"));
    }
    let resumes = has_condition(old, "Suspended") && !has_condition(new, "Suspended");
    let had = &old["status"]["startTime"];
    if !had.is_null() && had != began && !new["spec"]["suspend"].is_true() && !resumes {
        let detail = "field is immutable for unsuspended job once set";
        causes.push(Cause::invalid("status.startTime", began, detail));
    }
}

/// How a Job ends is said before it has ended.
fn check_end(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let begins = |kind: &str| has_condition(new, kind) && !has_condition(old, kind);
    for (end, target) in [("Failed", "FailureTarget"), ("Complete", "SuccessCriteriaMet")] {
        if begins(end) && !has_condition(new, target) {
            let detail =
                format!("cannot set {end}=True condition without the {target}=true condition");
            causes.push(Cause::invalid(CONDITIONS, &new["status"]["conditions"], &detail));
        }
    }
}

/// A finished Job has begun and has no pods left.
fn check_finished(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    if !is_finished(new) {
        return;
    }
    let status = &new["status"];
    let began = &status["startTime"];
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

/// A Job ends in one way, for ever.
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
