//! Facts about the node lifecycle controller.

use kubesim_model::resource::Resource;
use kubesim_model::{Millis, object};

use super::actor;
use super::taints::has_no_execute;
use crate::testbed::{Testbed, pod};

const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

fn cluster(bug: Option<&str>, nodes: usize) -> Testbed {
    let mut bed = Testbed::new(actor(bug));
    for number in 1..=nodes {
        bed.add_node(&format!("w{number}"), "a");
        bed.put(&Resource::PODS, pod(&format!("p{number}"), &format!("w{number}"), "1"));
    }
    bed.run(30_000);
    bed
}

fn is_tainted(bed: &Testbed, node: &str) -> bool {
    has_no_execute(&bed.node(node), UNREACHABLE)
}

/// When the node gets its NoExecute taint, from now.
fn tainted_after(bed: &mut Testbed, node: &str, within: Millis) -> Option<Millis> {
    let from = bed.now;
    while bed.now < from + within {
        if is_tainted(bed, node) {
            return Some(bed.now - from);
        }
        bed.run(100);
    }
    None
}

#[test]
fn healthy_nodes_cost_no_requests() {
    let mut bed = cluster(None, 5);
    bed.run(600_000);
    assert_eq!(bed.requests, 0);
}

#[test]
fn a_silent_node_turns_unknown_after_40_to_60_seconds_and_its_pods_not_ready() {
    let mut bed = cluster(None, 5);
    bed.alive.remove("w2");
    bed.run(40_000);
    assert!(object::is_ready(&bed.node("w2")));
    bed.run(20_100);
    let node = bed.node("w2");
    for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        let condition = object::condition(&node, kind).expect("reported");
        assert_eq!(condition["status"], "Unknown");
        assert_eq!(condition["reason"], "NodeStatusUnknown");
    }
    let taints = node["spec"]["taints"].items();
    assert!(taints.iter().any(|t| t["key"] == UNREACHABLE && t["effect"] == "NoSchedule"));
    assert!(!object::is_ready(&bed.pod("p2")));
    assert_eq!(bed.pod("p2")["status"]["phase"], "Running");
    assert!(object::is_ready(&bed.pod("p1")));
}

#[test]
fn a_node_that_turns_unknown_waits_for_its_no_execute_taint_no_more_than_a_poll() {
    // Observed on kind, v1.36.3, six times: 0.05 s to 0.2 s after the status.
    let mut bed = cluster(None, 5);
    bed.alive.remove("w2");
    let is_up = |bed: &Testbed| object::is_ready(&bed.node("w2"));
    for _ in 0..7_000 {
        if !is_up(&bed) {
            break;
        }
        bed.run(10);
    }
    assert!(!is_up(&bed));
    let taint = tainted_after(&mut bed, "w2", 10_000).expect("it is tainted");
    assert!(taint <= 200, "{taint}");
}

#[test]
fn nodes_of_a_zone_are_tainted_one_each_ten_seconds() {
    let mut bed = cluster(None, 5);
    bed.alive.remove("w1");
    bed.alive.remove("w2");
    let first = tainted_after(&mut bed, "w1", 120_000).expect("w1 is tainted");
    assert!((40_000..=66_000).contains(&first), "{first}");
    assert!(!is_tainted(&bed, "w2"));
    let second = tainted_after(&mut bed, "w2", 60_000).expect("w2 is tainted");
    assert!((9_800..=10_200).contains(&second), "{second}");
}

#[test]
fn five_nodes_that_lose_three_at_once_evict_nothing() {
    let mut bed = cluster(None, 5);
    for node in ["w1", "w2", "w3"] {
        bed.alive.remove(node);
    }
    bed.run(900_000);
    for node in ["w1", "w2", "w3"] {
        assert_eq!(object::condition(&bed.node(node), "Ready").expect("set")["status"], "Unknown");
        assert!(!is_tainted(&bed, node));
    }
}

#[test]
fn a_cluster_that_loses_all_nodes_evicts_nothing_and_gives_them_time_after() {
    let mut bed = cluster(None, 3);
    for node in ["w1", "w2", "w3"] {
        bed.alive.remove(node);
    }
    bed.run(600_000);
    assert!(["w1", "w2", "w3"].iter().all(|node| !is_tainted(&bed, node)));
    bed.revive("w1");
    bed.run(6_000);
    assert!(!is_tainted(&bed, "w1"));
    assert!(bed.node("w1")["spec"]["taints"].items().is_empty());
}

#[test]
fn a_node_that_is_back_loses_all_its_taints_unless_a_bug_keeps_them() {
    for (bug, stays) in [(None, false), (Some("never-recovers"), true)] {
        let mut bed = cluster(bug, 5);
        bed.alive.remove("w4");
        assert!(tainted_after(&mut bed, "w4", 120_000).is_some());
        bed.revive("w4");
        bed.run(6_000);
        assert_eq!(is_tainted(&bed, "w4"), stays);
        let taints = bed.node("w4")["spec"]["taints"].clone();
        assert!(taints.items().iter().all(|taint| taint["effect"] != "NoSchedule"));
    }
}

#[test]
fn a_partly_disrupted_zone_is_left_alone_unless_a_bug_ignores_zones() {
    for (bug, tainted) in [(None, false), (Some("ignores-zones"), true)] {
        let mut bed = cluster(bug, 5);
        for node in ["w1", "w2", "w3"] {
            bed.alive.remove(node);
        }
        bed.run(200_000);
        assert_eq!(is_tainted(&bed, "w1"), tainted);
    }
}

#[test]
fn a_cordoned_node_is_tainted_no_schedule_and_freed_after() {
    let mut bed = cluster(None, 3);
    bed.edit(Resource::NODES, "", "w1", |node| node.set(&["spec", "unschedulable"], true));
    bed.run(100);
    let taints = bed.node("w1")["spec"]["taints"].clone();
    assert_eq!(taints[0]["key"], "node.kubernetes.io/unschedulable");
    assert_eq!(taints[0]["effect"], "NoSchedule");
    bed.edit(Resource::NODES, "", "w1", |node| node.set(&["spec", "unschedulable"], false));
    bed.run(100);
    assert!(bed.node("w1")["spec"]["taints"].items().is_empty());
}

#[test]
fn a_stale_cache_does_not_lose_a_foreign_taint() {
    let mut bed = cluster(None, 3);
    bed.watch_delay = 500;
    let mine = kubesim_model::map! { "key" => "mine", "effect" => "NoSchedule" };
    bed.edit(Resource::NODES, "", "w1", |node| node.set(&["spec", "unschedulable"], true));
    bed.run(400);
    bed.edit(Resource::NODES, "", "w1", |node| {
        node.set(&["spec", "taints"], kubesim_model::list![mine]);
    });
    bed.run(2_000);
    let taints = bed.node("w1")["spec"]["taints"].clone();
    let keys: Vec<&str> = taints.items().iter().map(|taint| taint["key"].str()).collect();
    assert_eq!(keys, ["mine", "node.kubernetes.io/unschedulable"]);
}
