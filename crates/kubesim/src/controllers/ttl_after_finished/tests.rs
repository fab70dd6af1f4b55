//! Facts about the TTL-after-finished controller.

use kubesim_model::request::Verb;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use super::actor;
use crate::testbed::Testbed;

fn job(end: &str, seconds: Option<i64>) -> Tree {
    let ended = map! {
        "type" => end, "status" => "True", "lastTransitionTime" => object::timestamp(60_000),
    };
    map! {
        "metadata" => map! { "name" => "j", "namespace" => "n" },
        "spec" => map! { "ttlSecondsAfterFinished" => seconds },
        "status" => map! { "conditions" => list![ended] },
    }
}

/// When the Job is deleted.
fn deleted(job: Tree) -> Option<u64> {
    let mut bed = Testbed::new(actor(None));
    bed.put(&Resource::JOBS, job);
    bed.run(300_000);
    let delete = bed.log.iter().find(|(_, request)| request.verb == Verb::Delete);
    delete.map(|(at, request)| {
        assert_eq!(request.body["propagationPolicy"], "Foreground");
        at / 1_000
    })
}

#[test]
fn a_job_goes_so_long_after_its_end() {
    assert_eq!(deleted(job("Complete", Some(30))), Some(90));
    assert_eq!(deleted(job("Failed", Some(100))), Some(160));
    assert_eq!(deleted(job("Complete", Some(0))), Some(60));
}

#[test]
fn a_job_without_a_time_or_an_end_stays() {
    assert_eq!(deleted(job("Complete", None)), None);
    assert_eq!(deleted(job("Suspended", Some(0))), None);
}
