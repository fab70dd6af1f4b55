//! Facts about the ReplicaSet controller.

use kubesim_model::object;
use kubesim_model::request::{Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, list, map};

use super::{actor, actor_with, rank};
use crate::controllers::StaleReads;
use crate::controllers::bench::{Bench, workload};

const SETS: Resource = Resource::REPLICA_SETS;

fn with(bug: Option<&str>, replicas: i64) -> Bench {
    let mut bench = Bench::new(vec![actor(bug)]);
    bench.create(SETS, workload("ReplicaSet", replicas));
    bench
}

fn scale(bench: &mut Bench, replicas: i64) {
    bench.edit(SETS, "web", |set| set.set(&["spec", "replicas"], replicas));
}

fn creates(bench: &Bench) -> Vec<Millis> {
    let of = |request: &kubesim_model::request::Request| {
        request.verb == Verb::Create && request.resource == Resource::PODS
    };
    bench.log.iter().filter(|(_, request, _)| of(request)).map(|(at, ..)| *at).collect()
}

#[test]
fn pods_are_created_in_batches_that_double_when_all_went_well() {
    let mut bench = with(None, 7);
    bench.run(100);
    let times = creates(&bench);
    assert_eq!(times.len(), 7);
    let batches: Vec<usize> = times.chunk_by(|a, b| a == b).map(<[Millis]>::len).collect();
    assert_eq!(batches, [1, 2, 4]);
}

#[test]
fn a_failed_batch_ends_the_creates_until_the_next_try() {
    let mut bench = with(None, 7);
    bench.fail = |request, writes| {
        let fails = request.resource == Resource::PODS && writes < 4;
        fails.then(|| Status::new(403, "Forbidden", "exceeded quota"))
    };
    bench.run(4);
    assert_eq!(creates(&bench).len(), 1, "one failure stands for all");
    bench.run(10_000);
    assert_eq!(bench.pods().len(), 7);
    assert!(object::condition(&bench.get(SETS, "web"), "ReplicaFailure").is_none());
}

#[test]
fn a_failure_is_reported_while_it_lasts() {
    let mut bench = with(None, 3);
    bench.fail = |request, _| {
        let fails = request.resource == Resource::PODS;
        fails.then(|| Status::new(403, "Forbidden", "exceeded quota"))
    };
    bench.run(1_000);
    let set = bench.get(SETS, "web");
    assert_eq!(object::condition(&set, "ReplicaFailure").expect("noted")["reason"], "FailedCreate");
}

#[test]
fn a_stale_cache_does_not_make_it_create_twice() {
    for stale_reads in [StaleReads::Refused, StaleReads::Allowed] {
        let mut bench = Bench::new(vec![actor_with(None, stale_reads)]);
        bench.watch_delay = 3_000;
        bench.create(SETS, workload("ReplicaSet", 5));
        for _ in 0..20 {
            bench.run(700);
            bench.edit(SETS, "web", |set| {
                let seen = object::annotation(set, "touched").len();
                set.set(&["metadata", "annotations", "touched"], "x".repeat(seen + 1));
            });
        }
        assert_eq!(creates(&bench).len(), 5, "{stale_reads:?}");
    }
}

#[test]
fn forgotten_expectations_make_too_many_pods() {
    let mut bench = with(Some("forgets-expectations"), 3);
    bench.watch_delay = 500;
    bench.run(0);
    bench.edit(SETS, "web", |set| set.set(&["metadata", "annotations", "touched"], "x"));
    bench.run(2_000);
    assert!(creates(&bench).len() > 3);
}

#[test]
fn an_expected_pod_that_never_shows_is_waited_for_five_minutes() {
    let mut bench = with(None, 3);
    bench.fail = |request, writes| {
        // The answers get lost after the writes: the pods are neither counted nor made.
        let lost = request.verb == Verb::Create && request.resource == Resource::PODS;
        (lost && writes == 2).then(Status::connection_lost)
    };
    bench.run(60_000);
    assert_eq!(bench.pods().len(), 3);
}

#[test]
fn the_planted_edge_triggered_bug_never_repeats_a_failed_create() {
    let run = |bug| {
        let mut bench = with(bug, 3);
        bench.fail = |request, writes| {
            let fails = request.verb == Verb::Create && (2..4).contains(&writes);
            fails.then(|| Status::new(500, "InternalError", "no"))
        };
        bench.run(200_000);
        bench.pods().len()
    };
    assert_eq!(run(None), 3);
    assert!(run(Some("loses-failed-creates")) < 3);
}

#[test]
fn pods_are_available_after_min_ready_seconds_unless_a_bug_ignores_them() {
    for (bug, expected) in [(None, None), (Some("ignores-min-ready-seconds"), Some(3))] {
        let mut bench = with(bug, 3);
        bench.edit(SETS, "web", |set| set.set(&["spec", "minReadySeconds"], 100));
        bench.run(20_000);
        let status = bench.get(SETS, "web")["status"].clone();
        assert_eq!(status["readyReplicas"].as_i64(), Some(3));
        assert_eq!(status["availableReplicas"].as_i64(), expected);
    }
}

#[test]
fn a_replacement_is_made_when_a_pod_terminates_not_when_it_is_gone() {
    let mut bench = with(None, 3);
    bench.run(10_000);
    bench.stop = None;
    let victim = bench.names()[0].clone();
    bench.delete(Resource::PODS, &victim);
    bench.run(10_000);
    assert_eq!(bench.pods().len(), 4);
    assert_eq!(bench.count(object::is_active), 3);
    assert_eq!(bench.get(SETS, "web")["status"]["terminatingReplicas"].as_i64(), Some(1));
}

#[test]
fn the_status_counts_active_ready_and_available_pods() {
    let mut bench = with(None, 3);
    bench.edit(SETS, "web", |set| set.set(&["spec", "minReadySeconds"], 10));
    bench.run(3_000);
    let status = bench.get(SETS, "web")["status"].clone();
    assert_eq!(status["readyReplicas"].as_i64(), Some(3));
    assert!(status["availableReplicas"].is_null());
    bench.run(10_000);
    let set = bench.get(SETS, "web");
    for field in ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"] {
        assert_eq!(set["status"][field].as_i64(), Some(3), "{field}");
    }
    assert_eq!(set["status"]["observedGeneration"].as_i64(), Some(object::generation(&set)));
}

#[test]
fn matching_orphans_are_adopted_and_pods_that_no_longer_match_released() {
    let mut bench = Bench::new(vec![actor(None)]);
    let labels = map! { "app" => "web" };
    let metadata = map! { "name" => "orphan", "namespace" => "n", "labels" => labels };
    let orphan = map! { "metadata" => metadata, "spec" => map! {} };
    bench.create(Resource::PODS, orphan);
    bench.create(SETS, workload("ReplicaSet", 2));
    bench.run(10_000);
    assert_eq!(bench.pods().len(), 2);
    let set_uid = bench.get(SETS, "web");
    assert_eq!(object::controller_uid(&bench.get(Resource::PODS, "orphan")), object::uid(&set_uid));
    bench.edit(Resource::PODS, "orphan", |pod| pod.set(&["metadata", "labels", "app"], "other"));
    bench.run(10_000);
    assert!(object::controller(&bench.get(Resource::PODS, "orphan")).is_none());
    assert_eq!(bench.pods().len(), 3);
}

#[test]
fn an_owner_that_was_replaced_adopts_nothing() {
    let mut bench = Bench::new(vec![actor(None)]);
    bench.create(SETS, workload("ReplicaSet", 1));
    bench.run(10_000);
    bench.fail =
        |request, _| (request.verb == Verb::Get).then(|| Status::new(404, "NotFound", "gone"));
    let labels = map! { "app" => "web" };
    let metadata = map! { "name" => "orphan", "namespace" => "n", "labels" => labels };
    bench.create(Resource::PODS, map! { "metadata" => metadata, "spec" => map! {} });
    bench.run(1_000);
    assert!(object::controller(&bench.get(Resource::PODS, "orphan")).is_none());
}

#[test]
fn scaling_in_deletes_not_ready_pods_first_and_the_planted_bug_ready_ones() {
    let run = |bug| {
        let mut bench = with(bug, 2);
        bench.run(10_000);
        bench.start = None;
        scale(&mut bench, 4);
        bench.run(10_000);
        scale(&mut bench, 2);
        bench.run(10_000);
        bench.count(object::is_ready)
    };
    assert_eq!(run(None), 2);
    assert_eq!(run(Some("deletes-ready-first")), 0);
}

#[test]
fn the_planted_bug_deletes_the_newest_even_if_they_alone_are_ready() {
    let run = |bug| {
        let mut bench = with(bug, 1);
        bench.start = None;
        bench.run(10_000);
        bench.start = Some(1_000);
        scale(&mut bench, 2);
        bench.run(10_000);
        scale(&mut bench, 1);
        bench.run(10_000);
        bench.count(object::is_ready)
    };
    assert_eq!(run(None), 1);
    assert_eq!(run(Some("deletes-newest")), 0);
}

#[test]
fn a_conflict_on_the_status_is_tried_once_more_on_a_fresh_copy() {
    let mut bench = with(None, 1);
    bench.fail = |request, writes| {
        let fails = request.subresource == "status" && writes < 3;
        fails.then(|| Status::new(409, "Conflict", "changed"))
    };
    bench.run(10_000);
    assert_eq!(bench.get(SETS, "web")["status"]["readyReplicas"].as_i64(), Some(1));
}

/// A running, ready pod on a node, to be changed by a test.
fn pod(name: &str) -> Tree {
    let since = object::timestamp(1_000_000);
    let ready = map! { "type" => "Ready", "status" => "True", "lastTransitionTime" => &since };
    map! {
        "metadata" => map! { "name" => name, "uid" => name, "creationTimestamp" => since },
        "spec" => map! { "nodeName" => "a" },
        "status" => map! { "phase" => "Running", "conditions" => list![ready] },
    }
}

fn set(pod: &mut Tree, path: &[&str], value: impl Into<Tree>) {
    pod.set(path, value);
}

/// Whether the pod changed by `change` goes before the one that is as it was, named so that neither
/// name nor place in the list favours it.
fn goes_first(change: impl Fn(&mut Tree)) -> bool {
    let mut changed = pod("z");
    change(&mut changed);
    let other = pod("a");
    let orders = [[&changed, &other], [&other, &changed]].map(|pods| {
        let order = rank::deletion_order(pods, &[&other], 2_000_000);
        object::name(order[0]) == "z"
    });
    assert_eq!(orders[0], orders[1], "the order depends on where one starts");
    orders[0]
}

#[test]
fn the_deletion_order_is_that_of_kubernetes() {
    let cost = |value: &'static str| {
        move |pod: &mut Tree| {
            let annotations = map! { "controller.kubernetes.io/pod-deletion-cost" => value };
            set(pod, &["metadata", "annotations"], annotations);
        }
    };
    let not_ready = |pod: &mut Tree| set(pod, &["status", "conditions"], list![]);
    assert!(goes_first(|pod| set(pod, &["spec", "nodeName"], "")), "unassigned");
    assert!(goes_first(|pod| set(pod, &["status", "phase"], "Pending")), "pending");
    assert!(goes_first(|pod| set(pod, &["status", "phase"], "Unknown")), "unknown");
    assert!(goes_first(not_ready), "not ready");
    assert!(goes_first(cost("-5")), "cheap");
    assert!(!goes_first(cost("5")), "dear");
    assert!(!goes_first(|pod| set(pod, &["spec", "nodeName"], "b")), "alone on its node");
    let restarts = list![map! { "restartCount" => 3 }];
    assert!(goes_first(|pod| set(pod, &["status", "containerStatuses"], &restarts)), "restarts");
    let since = |at: Millis| {
        move |pod: &mut Tree| {
            let ready = map! {
                "type" => "Ready", "status" => "True",
                "lastTransitionTime" => object::timestamp(at),
            };
            set(pod, &["status", "conditions"], list![ready]);
        }
    };
    assert!(goes_first(since(1_995_000)), "ready for 5 s and not for 1000 s");
    assert!(goes_first(since(1_100_000)), "900 s and 1000 s: 11.95 and 12 decades");
}

#[test]
fn ages_of_one_magnitude_are_alike_and_the_uid_decides() {
    let mut young = pod("z");
    let mut old = pod("a");
    for (pod, at) in [(&mut young, 1_800_000), (&mut old, 1_500_000)] {
        pod.set(&["status", "conditions"], list![map! {
            "type" => "Ready", "status" => "True", "lastTransitionTime" => object::timestamp(at),
        }]);
    }
    let order = rank::deletion_order([&young, &old], &[], 2_000_000);
    assert_eq!(object::key(order[0]), ObjectKey::new("", "a"));
}

#[test]
fn the_pod_with_more_related_pods_on_its_node_goes_first() {
    let mut crowded = pod("z");
    crowded.set(&["spec", "nodeName"], "b");
    let alone = pod("a");
    let related = [&crowded, &crowded, &alone];
    let order = rank::deletion_order([&alone, &crowded], &related, 2_000_000);
    assert_eq!(object::name(order[0]), "z");
}
