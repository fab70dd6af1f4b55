//! Facts about the StatefulSet controller.

use kubesim_model::object;
use kubesim_model::request::Status;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::actor;
use crate::controllers::bench::{Bench, image, release, workload};

const SETS: Resource = Resource::STATEFUL_SETS;

fn begin(bug: Option<&str>, replicas: i64, change: impl FnOnce(&mut Tree)) -> Bench {
    let mut bench = Bench::new(vec![actor(bug)]);
    let mut set = workload("StatefulSet", replicas);
    set.set(&["spec", "updateStrategy"], map! { "type" => "RollingUpdate" });
    change(&mut set);
    bench.create(SETS, set);
    bench
}

fn with(bug: Option<&str>, replicas: i64, change: impl FnOnce(&mut Tree)) -> Bench {
    let mut bench = begin(bug, replicas, change);
    bench.run(60_000);
    assert_eq!(bench.count(object::is_ready), replicas as usize);
    bench
}

fn parallel(set: &mut Tree) {
    set.set(&["spec", "podManagementPolicy"], "Parallel");
}

fn scale(bench: &mut Bench, replicas: i64) {
    bench.edit(SETS, "web", |set| set.set(&["spec", "replicas"], replicas));
}

fn images(bench: &Bench) -> Vec<String> {
    bench.pods().iter().map(|pod| image(pod).to_owned()).collect()
}

fn status(bench: &Bench, field: &str) -> i64 {
    bench.get(SETS, "web")["status"][field].as_i64().unwrap_or(0)
}

#[test]
fn pods_come_in_order_each_when_the_one_before_is_ready() {
    let mut bench = begin(None, 3, |_| {});
    let mut most_unready = 0;
    for _ in 0..1_000 {
        bench.run(10);
        most_unready = most_unready.max(bench.count(|pod| !object::is_ready(pod)));
    }
    assert_eq!(most_unready, 1);
    assert_eq!(bench.names(), ["web-0", "web-1", "web-2"]);
    assert_eq!(status(&bench, "availableReplicas"), 3);
}

#[test]
fn the_parallel_policy_and_the_planted_bug_make_all_at_once() {
    for (bug, change) in
        [(None, parallel as fn(&mut Tree)), (Some("parallel-always"), |_: &mut Tree| {})]
    {
        let mut bench = begin(bug, 4, change);
        bench.run(500);
        assert_eq!(bench.pods().len(), 4);
    }
}

#[test]
fn pods_carry_their_identity() {
    let mut bench = with(None, 2, |set| {
        set.set(&["spec", "ordinals", "start"], 5);
        set.set(&["spec", "serviceName"], "web");
        let claim = map! { "metadata" => map! { "name" => "data" }, "spec" => map! {} };
        set.set(&["spec", "volumeClaimTemplates"], list![claim]);
    });
    bench.run(1_000);
    assert_eq!(bench.names(), ["web-5", "web-6"]);
    let pod = bench.get(Resource::PODS, "web-6");
    let revision = bench.get(SETS, "web")["status"]["updateRevision"].text();
    assert_eq!(object::label(&pod, "statefulset.kubernetes.io/pod-name"), "web-6");
    assert_eq!(object::label(&pod, "apps.kubernetes.io/pod-index"), "6");
    assert_eq!(object::label(&pod, "controller-revision-hash"), revision);
    assert_eq!(pod["spec"]["hostname"], "web-6");
    assert_eq!(pod["spec"]["subdomain"], "web");
    let volume = &pod["spec"]["volumes"][0];
    assert_eq!(volume["persistentVolumeClaim"]["claimName"], "data-web-6");
    let claims = bench.all(&Resource::PERSISTENT_VOLUME_CLAIMS);
    let names: Vec<&str> = claims.iter().map(object::name).collect();
    assert_eq!(names, ["data-web-5", "data-web-6"]);
}

#[test]
fn claims_stay_when_pods_go() {
    let mut bench = with(None, 2, |set| {
        let claim = map! { "metadata" => map! { "name" => "data" }, "spec" => map! {} };
        set.set(&["spec", "volumeClaimTemplates"], list![claim]);
    });
    scale(&mut bench, 0);
    bench.run(20_000);
    assert_eq!(bench.pods().len(), 0);
    assert_eq!(bench.all(&Resource::PERSISTENT_VOLUME_CLAIMS).len(), 2);
}

#[test]
fn scaling_in_goes_from_the_highest_one_after_the_other() {
    let mut bench = with(None, 4, |_| {});
    scale(&mut bench, 1);
    let mut most = 0;
    for _ in 0..1_000 {
        bench.run(10);
        most = most.max(bench.count(object::is_terminating));
    }
    assert_eq!(most, 1);
    assert_eq!(bench.names(), ["web-0"]);
}

#[test]
fn scaling_in_waits_for_an_unhealthy_pod_that_stays() {
    let mut bench = with(None, 3, |_| {});
    bench.edit(Resource::PODS, "web-0", |pod| pod.set(&["status", "conditions"], list![]));
    bench.run(100);
    scale(&mut bench, 1);
    bench.run(20_000);
    assert_eq!(bench.pods().len(), 3);
}

#[test]
fn an_update_goes_from_the_highest_and_waits_for_each() {
    let mut bench = with(None, 3, |_| {});
    bench.edit(SETS, "web", release("app:2"));
    let mut seen = Vec::new();
    let mut fewest = 3;
    for _ in 0..2_000 {
        bench.run(10);
        fewest = fewest.min(bench.count(|pod| object::is_ready(pod) && object::is_active(pod)));
        if seen.last() != Some(&images(&bench)) && bench.pods().len() == 3 {
            seen.push(images(&bench));
        }
    }
    assert_eq!(fewest, 2);
    let expected = [
        ["app:1", "app:1", "app:1"],
        ["app:1", "app:1", "app:2"],
        ["app:1", "app:2", "app:2"],
        ["app:2", "app:2", "app:2"],
    ];
    assert_eq!(seen, expected);
    let set = bench.get(SETS, "web");
    assert_eq!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
    assert_eq!(status(&bench, "currentReplicas"), 3);
    assert_eq!(bench.all(&Resource::CONTROLLER_REVISIONS).len(), 2);
}

#[test]
fn the_partition_keeps_lower_ordinals_also_when_they_are_made_anew() {
    let run = |bug| {
        let mut bench = with(bug, 3, |set| {
            set.set(&["spec", "updateStrategy", "rollingUpdate", "partition"], 2);
        });
        bench.edit(SETS, "web", release("app:2"));
        bench.run(30_000);
        bench.delete(Resource::PODS, "web-0");
        bench.run(30_000);
        (images(&bench), status(&bench, "currentReplicas"), status(&bench, "updatedReplicas"))
    };
    let text = |images: [&str; 3]| images.map(str::to_owned).to_vec();
    assert_eq!(run(None), (text(["app:1", "app:1", "app:2"]), 2, 1));
    assert_eq!(run(Some("ignores-partition")).0, text(["app:2", "app:2", "app:2"]));
}

#[test]
fn on_delete_updates_only_pods_that_are_deleted() {
    let mut bench = with(None, 2, |set| {
        set.set(&["spec", "updateStrategy", "type"], "OnDelete");
    });
    bench.edit(SETS, "web", release("app:2"));
    bench.run(30_000);
    assert_eq!(images(&bench), ["app:1", "app:1"]);
    bench.delete(Resource::PODS, "web-0");
    bench.run(30_000);
    assert_eq!(images(&bench), ["app:2", "app:1"]);
}

#[test]
fn a_broken_revision_stays_stuck_even_after_a_rollback() {
    let mut bench = with(None, 3, |_| {});
    bench.start = None;
    bench.edit(SETS, "web", release("app:broken"));
    bench.run(30_000);
    assert_eq!(images(&bench), ["app:1", "app:1", "app:broken"]);
    bench.start = Some(2_000);
    bench.edit(SETS, "web", release("app:1"));
    bench.run(600_000);
    assert_eq!(images(&bench), ["app:1", "app:1", "app:broken"], "only deleting it by hand helps");
    bench.delete(Resource::PODS, "web-2");
    bench.run(30_000);
    assert_eq!(images(&bench), ["app:1", "app:1", "app:1"]);
    assert_eq!(bench.count(object::is_ready), 3);
    assert_eq!(bench.all(&Resource::CONTROLLER_REVISIONS).len(), 2, "the old revision came back");
}

#[test]
fn an_identity_is_made_anew_only_when_the_old_pod_is_gone() {
    let deletes_by_force = |bug| {
        let mut bench = with(bug, 2, |_| {});
        bench.stop = None;
        let old = bench.get(Resource::PODS, "web-1");
        bench.delete(Resource::PODS, "web-1");
        bench.run(60_000);
        let replaced = object::uid(&bench.get(Resource::PODS, "web-1")) != object::uid(&old);
        bench.remove(&Resource::PODS, &ObjectKey::new("n", "web-1"));
        bench.run(60_000);
        assert_eq!(bench.count(object::is_ready), 2);
        replaced
    };
    assert!(!deletes_by_force(None));
    assert!(deletes_by_force(Some("replaces-before-gone")));
}

#[test]
fn an_ended_pod_is_deleted_and_made_anew() {
    let mut bench = with(None, 2, |_| {});
    bench.edit(Resource::PODS, "web-0", |pod| {
        pod.set(&["status", "phase"], "Failed");
        pod.set(&["status", "conditions"], list![]);
    });
    bench.run(30_000);
    assert_eq!(bench.count(object::is_ready), 2);
}

#[test]
fn the_next_pod_waits_until_the_one_before_was_ready_long_enough() {
    let mut bench = begin(None, 2, |set| set.set(&["spec", "minReadySeconds"], 10));
    bench.run(10_000);
    assert_eq!(bench.pods().len(), 1);
    assert_eq!((status(&bench, "readyReplicas"), status(&bench, "availableReplicas")), (1, 0));
    bench.run(30_000);
    assert_eq!(status(&bench, "availableReplicas"), 2);
}

#[test]
fn old_revisions_beyond_the_limit_are_deleted() {
    let mut bench = with(None, 1, |set| set.set(&["spec", "revisionHistoryLimit"], 1));
    for version in 2..6 {
        bench.edit(SETS, "web", release(&format!("app:{version}")));
        bench.run(30_000);
    }
    assert_eq!(bench.all(&Resource::CONTROLLER_REVISIONS).len(), 2);
}

#[test]
fn a_late_watch_and_failing_requests_only_delay() {
    let mut bench = begin(None, 3, parallel);
    bench.watch_delay = 2_000;
    bench.fail = |request, writes| {
        let fails = writes % 3 == 1 && request.verb.is_write();
        fails.then(|| Status::new(500, "InternalError", "no"))
    };
    bench.run(100_000);
    bench.edit(SETS, "web", release("app:2"));
    bench.run(200_000);
    assert_eq!(images(&bench), ["app:2", "app:2", "app:2"]);
    assert_eq!(bench.count(object::is_ready), 3);
}

#[test]
fn a_set_of_any_content_is_survived() {
    let mut bench = Bench::new(vec![actor(None)]);
    for spec in [Tree::Null, 3.into(), map! { "selector" => 1, "replicas" => -7 }, list![1]] {
        let metadata = map! { "name" => "web", "namespace" => "n" };
        bench.create(SETS, map! { "metadata" => metadata, "spec" => spec });
        bench.run(1_000);
        bench.delete(SETS, "web");
        bench.run(1_000);
    }
}
