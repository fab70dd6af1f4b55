//! Defaults of Jobs and CronJobs, and the selector that the server makes for Jobs (v1.36,
//! `pkg/apis/batch/v1/defaults.go` and `pkg/registry/batch/job`).

use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use super::{default, pod};

/// Labels of a Job's pods: its name and its uid, each under the old and the prefixed key.
const NAME: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];
const UID: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];

/// Completes a Job.
pub(super) fn fill_job(job: &mut Tree, old: &Tree) {
    if job["spec"].is_same(&old["spec"]) {
        return;
    }
    let spec = job.field_mut("spec");
    if spec["parallelism"].is_null() && spec["completions"].is_null() {
        default(spec, "completions", 1);
    }
    default(spec, "parallelism", 1);
    let limit = if spec["backoffLimitPerIndex"].is_null() { 6 } else { i32::MAX };
    default(spec, "backoffLimit", limit);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    let replaced =
        if spec["podFailurePolicy"].is_null() { "TerminatingOrFailed" } else { "Failed" };
    default(spec, "podReplacementPolicy", replaced);
    default(spec, "manualSelector", false);
    fill_spec(spec);
}

/// A Job without labels has those of its pods; they are looked at there.
pub(in super::super) fn label_job(job: &mut Tree) {
    let labels = job["spec"]["template"]["metadata"]["labels"].clone();
    if labels.as_map().is_some() && job["metadata"]["labels"].is_null() {
        job.set(&["metadata", "labels"], labels);
    }
}

/// Completes a CronJob.
pub(super) fn fill_cron_job(spec: &mut Tree) {
    default(spec, "concurrencyPolicy", "Allow");
    default(spec, "suspend", false);
    default(spec, "successfulJobsHistoryLimit", 3);
    default(spec, "failedJobsHistoryLimit", 1);
    if spec["jobTemplate"]["spec"].as_map().is_some() {
        fill_spec(spec.at_mut(&["jobTemplate", "spec"]));
    }
}

/// What the spec of a Job and of the template of one share.
fn fill_spec(spec: &mut Tree) {
    if spec["template"].as_map().is_some() {
        pod::fill_spec(spec.at_mut(&["template", "spec"]));
    }
    if spec["podFailurePolicy"]["rules"].items().is_empty() {
        return;
    }
    for rule in spec.at_mut(&["podFailurePolicy", "rules"]).items_mut() {
        pod::each(rule, "onPodConditions", |pattern| {
            if pattern["status"].str().is_empty() {
                pattern.set(&["status"], "True");
            }
        });
    }
}

/// The labels by which a new Job knows its pods, and the selector of them, unless it brings them.
pub(in super::super) fn select_own_pods(job: &mut Tree) {
    if job["spec"]["manualSelector"].is_true() {
        return;
    }
    let (name, uid) = (Text::new(object::name(job)), Text::new(object::uid(job)));
    for (keys, value) in [(NAME, &name), (UID, &uid)] {
        for key in keys {
            let labels = job.at_mut(&["spec", "template", "metadata", "labels"]);
            default(labels, key, value);
        }
    }
    default(job.at_mut(&["spec", "selector", "matchLabels"]), UID[1], uid);
}
