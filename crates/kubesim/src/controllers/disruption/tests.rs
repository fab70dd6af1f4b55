//! Facts about the disruption controller.

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use super::actor;
use crate::testbed::{Testbed, pod};

const BUDGETS: Resource = Resource::POD_DISRUPTION_BUDGETS;

/// A budget over `ready` ready pods of a ReplicaSet of `replicas`.
fn cluster(bug: Option<&str>, limit: &str, value: Tree, replicas: i64, ready: i64) -> Testbed {
    let mut bed = Testbed::new(actor(bug));
    bed.put(
        &Resource::REPLICA_SETS,
        map! {
            "metadata" => map! { "name" => "rs", "namespace" => "n" },
            "spec" => map! { "replicas" => replicas },
        },
    );
    for number in 0..replicas {
        bed.put(&Resource::PODS, owned(number, "ReplicaSet", "apps/v1", "rs", number < ready));
    }
    bed.put(
        &BUDGETS,
        map! {
            "metadata" => map! { "name" => "pdb", "namespace" => "n", "generation" => 3 },
            "spec" => map! {
                limit => value,
                "selector" => map! { "matchLabels" => map! { "app" => "web" } },
            },
        },
    );
    bed.run(100);
    bed
}

fn owned(number: i64, kind: &str, version: &str, name: &str, ready: bool) -> Tree {
    let mut pod = pod(&format!("p{number}"), "w1", "1");
    let owner = map! {
        "apiVersion" => version, "kind" => kind, "name" => name,
        "uid" => format!("uid-{name}"), "controller" => true,
    };
    pod.set(&["metadata", "ownerReferences"], list![owner]);
    if !ready {
        pod.set(&["status", "conditions"], list![]);
    }
    pod
}

fn status(bed: &Testbed) -> Tree {
    bed.get(BUDGETS, "n", "pdb")["status"].clone()
}

fn numbers(bed: &Testbed) -> [i64; 4] {
    let status = status(bed);
    ["expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed"]
        .map(|field| status[field].as_i64().unwrap_or(-1))
}

fn reason(bed: &Testbed) -> String {
    let budget = bed.get(BUDGETS, "n", "pdb");
    object::condition(&budget, "DisruptionAllowed").expect("set")["reason"].str().to_owned()
}

#[test]
fn percentages_round_up_in_both_forms() {
    let bed = cluster(None, "maxUnavailable", "10%".into(), 10, 10);
    assert_eq!(numbers(&bed), [10, 10, 9, 1]);
    let bed = cluster(None, "maxUnavailable", "10%".into(), 11, 11);
    assert_eq!(numbers(&bed), [11, 11, 9, 2]);
    let bed = cluster(None, "maxUnavailable", "1%".into(), 7, 7);
    assert_eq!(numbers(&bed), [7, 7, 6, 1]);
    let bed = cluster(None, "minAvailable", "51%".into(), 3, 3);
    assert_eq!(numbers(&bed), [3, 3, 2, 1]);
    assert_eq!(status(&bed)["observedGeneration"].as_i64(), Some(3));
    assert_eq!(reason(&bed), "SufficientPods");
}

#[test]
fn a_new_scale_counts_from_the_next_pod_on() {
    let mut bed = cluster(None, "minAvailable", "50%".into(), 4, 4);
    assert_eq!(numbers(&bed), [4, 4, 2, 2]);
    bed.edit(Resource::REPLICA_SETS, "n", "rs", |set| set.set(&["spec", "replicas"], 8));
    bed.run(1_000);
    assert_eq!(numbers(&bed), [4, 4, 2, 2]);
    bed.put(&Resource::PODS, owned(4, "ReplicaSet", "apps/v1", "rs", false));
    bed.run(1_000);
    assert_eq!(numbers(&bed), [8, 4, 4, 0]);
}

#[test]
fn only_ready_pods_that_stay_are_healthy() {
    let mut bed = cluster(None, "minAvailable", 2.into(), 4, 3);
    assert_eq!(numbers(&bed), [4, 3, 2, 1]);
    let gone = object::timestamp(0);
    bed.edit(Resource::PODS, "n", "p0", |pod| pod.set(&["metadata", "deletionTimestamp"], gone));
    bed.run(100);
    assert_eq!(numbers(&bed), [4, 2, 2, 0]);
    assert_eq!(reason(&bed), "InsufficientPods");
}

#[test]
fn a_granted_eviction_counts_for_two_minutes_if_the_pod_stays() {
    let mut bed = cluster(None, "minAvailable", 2.into(), 4, 4);
    bed.edit(BUDGETS, "n", "pdb", |budget| {
        budget.set(&["status", "disruptedPods"], map! { "p1" => object::timestamp(0) });
    });
    bed.run(1_000);
    assert_eq!(numbers(&bed), [4, 3, 2, 1]);
    bed.run(120_000);
    assert_eq!(numbers(&bed), [4, 4, 2, 2]);
    assert!(status(&bed)["disruptedPods"].is_null());
}

#[test]
fn the_scale_of_an_unknown_kind_is_asked_for_and_without_one_nothing_is_allowed() {
    let mut bed = cluster(None, "maxUnavailable", 1.into(), 0, 0);
    bed.put(
        &Resource::CLONE_SETS,
        map! {
            "metadata" => map! { "name" => "cs", "namespace" => "n" },
            "spec" => map! { "replicas" => 3 },
        },
    );
    for number in 0..3 {
        let pod = owned(number, "CloneSet", "apps.kruise.io/v1alpha1", "cs", true);
        bed.put(&Resource::PODS, pod);
    }
    bed.run(100);
    assert_eq!(numbers(&bed), [3, 3, 2, 1]);
    bed.remove(Resource::CLONE_SETS, "n", "cs");
    bed.edit(Resource::PODS, "n", "p0", |pod| pod.set(&["status", "conditions"], list![]));
    bed.run(1_000);
    assert_eq!(status(&bed)["disruptionsAllowed"].as_i64(), Some(0));
    assert_eq!(reason(&bed), "SyncFailed");
}

#[test]
fn a_missing_owner_and_a_senseless_limit_fail_the_sync() {
    let mut bed = cluster(None, "maxUnavailable", 1.into(), 2, 2);
    bed.remove(Resource::REPLICA_SETS, "n", "rs");
    bed.edit(Resource::PODS, "n", "p0", |pod| pod.set(&["status", "conditions"], list![]));
    bed.run(1_000);
    assert_eq!(reason(&bed), "SyncFailed");
    let bed = cluster(None, "maxUnavailable", "much".into(), 2, 2);
    assert_eq!(reason(&bed), "SyncFailed");
    let bed = cluster(None, "minAvailable", i64::MIN.into(), 2, 2);
    assert_eq!(numbers(&bed)[0], 2);
}

#[test]
fn a_disruption_that_did_not_happen_is_taken_back_after_two_minutes() {
    let mut bed = cluster(None, "minAvailable", 1.into(), 2, 2);
    let target = map! {
        "type" => "DisruptionTarget", "status" => "True",
        "lastTransitionTime" => object::timestamp(0),
    };
    bed.edit(Resource::PODS, "n", "p0", |pod| {
        pod.at_mut(&["status", "conditions"]).items_mut().push(target);
    });
    bed.run(119_000);
    assert!(object::has_condition(&bed.pod("p0"), "DisruptionTarget"));
    bed.run(2_000);
    assert!(!object::has_condition(&bed.pod("p0"), "DisruptionTarget"));
}

#[test]
fn the_planted_bugs_allow_too_much_or_too_little() {
    let allowed = |bug, limit: &str, value: Tree, ready| {
        numbers(&cluster(Some(bug), limit, value, 4, ready))[3]
    };
    assert_eq!(allowed("off-by-one-budget", "minAvailable", 4.into(), 4), 1);
    assert_eq!(allowed("counts-not-ready-as-healthy", "minAvailable", 2.into(), 2), 2);
    assert_eq!(allowed("percent-rounds-down", "minAvailable", "51%".into(), 4), 2);
    assert_eq!(allowed("allows-one-too-few", "maxUnavailable", 1.into(), 4), 0);
}
