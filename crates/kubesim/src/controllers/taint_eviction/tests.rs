//! Facts about the taint eviction controller.

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use super::actor;
use crate::testbed::{Testbed, pod};

fn unreachable() -> Tree {
    map! { "key" => "node.kubernetes.io/unreachable", "effect" => "NoExecute" }
}

fn taint(bed: &mut Testbed, taints: Tree) {
    bed.edit(Resource::NODES, "", "w1", |node| node.set(&["spec", "taints"], taints));
}

/// A tainted node with a pod of this toleration.
fn cluster(bug: Option<&str>, toleration: Tree) -> Testbed {
    let mut bed = Testbed::new(actor(bug));
    bed.add_node("w1", "a");
    let mut pod = pod("p", "w1", "1");
    pod.set(&["spec", "tolerations"], list![toleration]);
    bed.put(&Resource::PODS, pod);
    bed.run(1_000);
    taint(&mut bed, list![unreachable()]);
    bed
}

fn tolerates_for(seconds: i64) -> Tree {
    map! { "operator" => "Exists", "effect" => "NoExecute", "tolerationSeconds" => seconds }
}

#[test]
fn a_pod_goes_when_its_toleration_runs_out_and_says_why() {
    let mut bed = cluster(None, tolerates_for(300));
    bed.run(299_900);
    assert!(!object::is_terminating(&bed.pod("p")));
    bed.run(200);
    let pod = bed.pod("p");
    assert!(object::is_terminating(&pod));
    let target = object::condition(&pod, "DisruptionTarget").expect("set");
    assert_eq!(target["reason"], "DeletionByTaintManager");
    let deletes = bed.log.iter().filter(|(_, r)| r.verb == kubesim_model::request::Verb::Delete);
    assert_eq!(deletes.count(), 1);
}

#[test]
fn a_pod_that_does_not_tolerate_goes_at_once() {
    let mut bed = cluster(None, map! { "key" => "other", "operator" => "Exists" });
    bed.run(100);
    assert!(object::is_terminating(&bed.pod("p")));
}

#[test]
fn a_pod_that_tolerates_for_ever_stays() {
    let mut bed = cluster(None, map! { "operator" => "Exists" });
    bed.run(3_600_000);
    assert!(!object::is_terminating(&bed.pod("p")));
    assert_eq!(bed.requests, 0);
}

#[test]
fn the_eviction_is_called_off_when_the_taint_goes_and_begins_anew_with_it() {
    let mut bed = cluster(None, tolerates_for(300));
    bed.run(200_000);
    taint(&mut bed, list![]);
    bed.run(200_000);
    assert!(!object::is_terminating(&bed.pod("p")));
    taint(&mut bed, list![unreachable()]);
    bed.run(299_000);
    assert!(!object::is_terminating(&bed.pod("p")));
    bed.run(2_000);
    assert!(object::is_terminating(&bed.pod("p")));
}

#[test]
fn the_planted_bug_ignores_toleration_seconds() {
    let mut bed = cluster(Some("evicts-at-once"), tolerates_for(300));
    bed.run(1_000);
    assert!(object::is_terminating(&bed.pod("p")));
}
