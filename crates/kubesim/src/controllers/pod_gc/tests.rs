//! Facts about the pod garbage collector controller.

use kubesim_model::resource::Resource;
use kubesim_model::{list, map, object};

use super::actor;
use crate::testbed::{Testbed, pod};

fn cluster(bug: Option<&str>) -> Testbed {
    let mut bed = Testbed::new(actor(bug));
    bed.add_node("w1", "a");
    bed.add_node("w2", "a");
    bed.put(&Resource::PODS, pod("p1", "w1", "1"));
    bed.put(&Resource::PODS, pod("p2", "w2", "1"));
    bed.run(1_000);
    bed
}

#[test]
fn pods_of_a_node_that_is_gone_for_40_s_are_failed_and_removed_without_grace() {
    for (bug, stays) in [(None, false), (Some("keeps-orphans"), true)] {
        let mut bed = cluster(bug);
        bed.remove(Resource::NODES, "", "w1");
        bed.run(40_000);
        assert!(!bed.pod("p1").is_null());
        bed.run(60_000);
        assert_eq!(!bed.pod("p1").is_null(), stays);
        assert!(!bed.pod("p2").is_null());
        if !stays {
            let patch = &bed.log[0].1.body["status"];
            assert_eq!(patch["phase"], "Failed");
            assert_eq!(patch["conditions"][0]["reason"], "DeletionByPodGC");
        }
    }
}

#[test]
fn a_node_that_the_cache_misses_but_the_api_has_keeps_its_pods() {
    let mut bed = cluster(None);
    let node = bed.node("w1");
    bed.remove(Resource::NODES, "", "w1");
    bed.run(30_000);
    bed.watch_delay = 500_000;
    bed.put(&Resource::NODES, node);
    bed.run(120_000);
    assert!(!bed.pod("p1").is_null());
    assert!(bed.requests > 0, "it asked");
}

#[test]
fn terminating_pods_go_when_unbound_or_when_their_node_is_out_of_service() {
    let mut bed = cluster(None);
    let mut unbound = pod("unbound", "", "1");
    unbound.set(&["metadata", "deletionTimestamp"], object::timestamp(0));
    bed.put(&Resource::PODS, unbound);
    bed.edit(Resource::PODS, "n", "p1", |pod| {
        pod.set(&["metadata", "deletionTimestamp"], object::timestamp(0));
    });
    bed.run(21_000);
    assert!(bed.pod("unbound").is_null());
    assert!(!bed.pod("p1").is_null());
    bed.edit(Resource::NODES, "", "w1", |node| {
        let taint = map! { "key" => "node.kubernetes.io/out-of-service", "effect" => "NoExecute" };
        node.set(&["spec", "taints"], list![taint]);
        node.set(&["status", "conditions"], list![]);
    });
    bed.run(21_000);
    assert!(bed.pod("p1").is_null());
}
