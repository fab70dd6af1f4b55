//! Facts about the CronJob controller.

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, list, map, object};

use super::actor;
use crate::testbed::Testbed;

const MINUTE: Millis = 60_000;

/// A bed with a CronJob of every ten minutes, made at its beginning, with these fields.
fn with(fields: Tree) -> Testbed {
    let mut bed = Testbed::new(actor(None));
    let template = map! { "spec" => map! { "completions" => 1 } };
    let mut spec = map! {
        "schedule" => "*/10 * * * *", "jobTemplate" => template, "concurrencyPolicy" => "Allow",
        "successfulJobsHistoryLimit" => 2, "failedJobsHistoryLimit" => 1,
    };
    for (field, value) in fields.fields() {
        spec.set(&[field], value);
    }
    bed.put(
        &Resource::CRON_JOBS,
        map! {
            "apiVersion" => "batch/v1", "kind" => "CronJob", "spec" => spec,
            "metadata" => map! {
                "name" => "c", "namespace" => "n", "creationTimestamp" => object::timestamp(0),
            },
        },
    );
    bed
}

fn jobs(bed: &Testbed) -> Vec<String> {
    bed.all(&Resource::JOBS).iter().map(|job| object::name(job).to_owned()).collect()
}

fn status(bed: &Testbed) -> Tree {
    bed.get(Resource::CRON_JOBS, "n", "c")["status"].clone()
}

fn end(bed: &mut Testbed, job: &str, kind: &str) {
    let now = bed.now;
    bed.edit(Resource::JOBS, "n", job, |job| {
        let ended = map! { "type" => kind, "status" => "True" };
        job.set(&["status", "conditions"], list![ended]);
        job.set(&["status", "startTime"], object::timestamp(now));
        if kind == "Complete" {
            job.set(&["status", "completionTime"], object::timestamp(now));
        }
    });
}

#[test]
fn a_job_is_made_just_after_each_time() {
    let mut bed = with(map! {});
    bed.run(10 * MINUTE);
    assert!(jobs(&bed).is_empty());
    bed.run(200);
    assert_eq!(jobs(&bed), ["c-29453770"]);
    let job = bed.get(Resource::JOBS, "n", "c-29453770");
    let at = object::annotation(&job, "batch.kubernetes.io/cronjob-scheduled-timestamp");
    assert_eq!(at, "2026-01-01T00:10:00Z");
    assert_eq!(job["spec"]["completions"].as_i64(), Some(1));
    bed.run(20 * MINUTE);
    assert_eq!(jobs(&bed).len(), 3);
    assert_eq!(status(&bed)["active"].items().len(), 3);
    assert_eq!(status(&bed)["lastScheduleTime"], "2026-01-01T00:30:00Z");
}

#[test]
fn a_policy_forbids_or_replaces_what_still_runs() {
    let mut bed = with(map! { "concurrencyPolicy" => "Forbid" });
    bed.run(35 * MINUTE);
    assert_eq!(jobs(&bed), ["c-29453770"]);
    let mut bed = with(map! { "concurrencyPolicy" => "Replace" });
    bed.run(35 * MINUTE);
    assert_eq!(jobs(&bed), ["c-29453790"]);
    assert_eq!(status(&bed)["active"][0]["name"], "c-29453790");
}

#[test]
fn jobs_that_ended_are_kept_up_to_a_limit() {
    let mut bed = with(map! {});
    for at in 0..5 {
        bed.run(10 * MINUTE + 200);
        let last = jobs(&bed).pop().expect("a job was made");
        end(&mut bed, &last, if at == 1 { "Failed" } else { "Complete" });
    }
    bed.run(1_000);
    assert_eq!(jobs(&bed), ["c-29453780", "c-29453800", "c-29453810"]);
    assert!(status(&bed)["active"].is_null());
    assert_eq!(status(&bed)["lastSuccessfulTime"], "2026-01-01T00:50:01Z");
}

#[test]
fn while_it_is_suspended_nothing_is_made_and_then_the_latest() {
    let mut bed = with(map! { "suspend" => true });
    bed.run(35 * MINUTE);
    assert!(jobs(&bed).is_empty());
    bed.edit(Resource::CRON_JOBS, "n", "c", |cron| cron.set(&["spec", "suspend"], false));
    bed.run(1_000);
    assert_eq!(jobs(&bed), ["c-29453790"]);
}

#[test]
fn a_time_that_was_missed_for_too_long_is_left_out() {
    let mut bed = with(map! { "suspend" => true, "startingDeadlineSeconds" => 60 });
    bed.run(35 * MINUTE);
    bed.edit(Resource::CRON_JOBS, "n", "c", |cron| cron.set(&["spec", "suspend"], false));
    bed.run(MINUTE);
    assert!(jobs(&bed).is_empty());
    bed.run(5 * MINUTE);
    assert_eq!(jobs(&bed), ["c-29453800"]);
}

#[test]
fn a_new_schedule_waits_for_its_first_time() {
    let mut bed = with(map! { "schedule" => "0 0 * * *" });
    bed.run(35 * MINUTE);
    bed.edit(Resource::CRON_JOBS, "n", "c", |cron| {
        cron.set(&["spec", "schedule"], "*/10 * * * *");
    });
    bed.run(4 * MINUTE);
    assert!(jobs(&bed).is_empty());
    bed.run(2 * MINUTE);
    assert_eq!(jobs(&bed), ["c-29453800"]);
}

#[test]
fn a_job_that_is_gone_is_no_longer_active_and_not_made_again() {
    let mut bed = with(map! {});
    bed.run(11 * MINUTE);
    bed.remove(Resource::JOBS, "n", "c-29453770");
    bed.run(MINUTE);
    assert!(jobs(&bed).is_empty());
    assert!(status(&bed)["active"].is_null());
}
