//! Facts about the DaemonSet controller.

use kubesim_model::object;
use kubesim_model::request::Status;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::actor;
use super::nodes::{Place, place, pod};
use crate::controllers::bench::{Bench, image, release, workload};

const SETS: Resource = Resource::DAEMON_SETS;

fn node(name: &str, taints: Tree) -> Tree {
    let labels = map! { "disk" => "ssd" };
    map! {
        "metadata" => map! { "name" => name, "labels" => labels },
        "spec" => map! { "taints" => taints },
    }
}

fn taint(key: &str, effect: &str) -> Tree {
    map! { "key" => key, "effect" => effect }
}

fn with(bug: Option<&str>, nodes: usize, change: impl FnOnce(&mut Tree)) -> Bench {
    let mut bench = Bench::new(vec![actor(bug)]);
    for at in 0..nodes {
        bench.create(Resource::NODES, node(&format!("node-{at}"), list![]));
    }
    let mut set = workload("DaemonSet", 0);
    set.set(&["spec", "updateStrategy"], map! { "type" => "RollingUpdate" });
    change(&mut set);
    bench.create(SETS, set);
    bench.run(20_000);
    bench
}

fn rolling(unavailable: Tree, surge: Tree) -> impl FnOnce(&mut Tree) {
    move |set| {
        let rolling = map! { "maxUnavailable" => unavailable, "maxSurge" => surge };
        set.set(&["spec", "updateStrategy", "rollingUpdate"], rolling);
    }
}

fn nodes_of(bench: &Bench) -> Vec<String> {
    let mut nodes: Vec<String> =
        bench.pods().iter().map(|pod| pod["spec"]["nodeName"].str().to_owned()).collect();
    nodes.sort();
    nodes
}

/// Runs on; answers the fewest ready active pods and the most active ones.
fn extremes(bench: &mut Bench, time: u64) -> (usize, usize) {
    let (mut fewest, mut most) = (usize::MAX, 0);
    for _ in 0..time / 10 {
        bench.run(10);
        most = most.max(bench.count(object::is_active));
        fewest = fewest.min(bench.count(|pod| object::is_active(pod) && object::is_ready(pod)));
    }
    (fewest, most)
}

#[test]
fn each_node_that_admits_the_pod_gets_one() {
    let mut bench = with(None, 3, |_| {});
    assert_eq!(nodes_of(&bench), ["node-0", "node-1", "node-2"]);
    bench.create(Resource::NODES, node("node-3", list![]));
    bench.run(10_000);
    assert_eq!(nodes_of(&bench).len(), 4);
    let status = bench.get(SETS, "web")["status"].clone();
    for field in [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "numberAvailable",
        "updatedNumberScheduled",
    ] {
        assert_eq!(status[field].as_i64(), Some(4), "{field}");
    }
    assert_eq!(status["numberMisscheduled"].as_i64(), Some(0));
}

#[test]
fn taints_selectors_and_affinity_decide_where_pods_belong() {
    let set = workload("DaemonSet", 0);
    let mut picky = set.clone();
    picky.set(&["spec", "template", "spec", "nodeSelector", "disk"], "hdd");
    let mut bound = set.clone();
    bound.set(&["spec", "template", "spec", "nodeName"], "b");
    let mut tolerant = set.clone();
    let all = list![map! { "operator" => "Exists" }];
    tolerant.set(&["spec", "template", "spec", "tolerations"], all);
    for (set, taints, expected) in [
        (&set, list![], Place::Wanted),
        (&picky, list![], Place::Foreign),
        (&bound, list![], Place::Foreign),
        (&set, list![taint("mine", "NoSchedule")], Place::Kept),
        (&set, list![taint("mine", "NoExecute")], Place::Foreign),
        (&set, list![taint("mine", "PreferNoSchedule")], Place::Wanted),
        (&tolerant, list![taint("mine", "NoExecute")], Place::Wanted),
        (&set, list![taint("node.kubernetes.io/unschedulable", "NoSchedule")], Place::Wanted),
        (&set, list![taint("node.kubernetes.io/not-ready", "NoExecute")], Place::Wanted),
        (&set, list![taint("node.kubernetes.io/not-ready", "NoSchedule")], Place::Kept),
        (&set, list![taint("node.kubernetes.io/network-unavailable", "NoSchedule")], Place::Kept),
    ] {
        assert_eq!(place(set, &node("a", taints.clone())), expected, "{taints}");
    }
}

#[test]
fn a_pod_is_pinned_to_its_node_beside_its_own_affinity() {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let wanted = map! { "key" => "disk", "operator" => "Exists" };
    let terms = list![map! { "matchExpressions" => list![&wanted] }];
    let mut set = workload("DaemonSet", 0);
    let path = ["spec", "template", "spec", "affinity", "nodeAffinity", required];
    set.set(&path, map! { "nodeSelectorTerms" => terms });
    let pod = pod(&set, "node-7", "abc");
    let term = &pod.at(&["spec", "affinity", "nodeAffinity", required])["nodeSelectorTerms"][0];
    assert_eq!(term["matchExpressions"][0], wanted);
    assert_eq!(term["matchFields"][0]["values"][0], "node-7");
    assert_eq!(object::label(&pod, "controller-revision-hash"), "abc");
    assert_eq!(super::nodes::node_of(&pod), "node-7");
}

#[test]
fn a_pod_leaves_a_node_that_repels_it_and_stays_on_one_that_only_takes_no_more() {
    let mut bench = with(None, 2, |_| {});
    bench.remove(&Resource::NODES, &ObjectKey::new("", "node-0"));
    bench.create(Resource::NODES, node("node-0", list![taint("mine", "NoSchedule")]));
    bench.run(10_000);
    assert_eq!(nodes_of(&bench), ["node-0", "node-1"]);
    assert_eq!(bench.get(SETS, "web")["status"]["numberMisscheduled"].as_i64(), Some(1));
    bench.remove(&Resource::NODES, &ObjectKey::new("", "node-0"));
    bench.create(Resource::NODES, node("node-0", list![taint("mine", "NoExecute")]));
    bench.run(10_000);
    assert_eq!(nodes_of(&bench), ["node-1"]);
}

#[test]
fn a_rolling_update_keeps_to_max_unavailable_and_the_planted_bug_does_not() {
    let run = |bug, unavailable: Tree| {
        let mut bench = with(bug, 5, rolling(unavailable, 0.into()));
        bench.edit(SETS, "web", release("app:2"));
        let found = extremes(&mut bench, 60_000);
        assert_eq!(bench.count(|pod| image(pod) == "app:2" && object::is_ready(pod)), 5);
        found
    };
    assert_eq!(run(None, Tree::Null), (4, 5));
    assert_eq!(run(None, 2.into()), (3, 5));
    assert_eq!(run(None, "50%".into()), (2, 5));
    assert_eq!(run(None, 0.into()), (4, 5), "both 0 stands for 1");
    assert_eq!(run(Some("max-unavailable-ignored"), Tree::Null).0, 0);
}

#[test]
fn old_pods_that_are_not_available_are_replaced_whatever_the_limit() {
    let mut bench = with(None, 4, |_| {});
    let names = bench.names();
    for name in &names[..3] {
        bench.edit(Resource::PODS, name, |pod| pod.set(&["status", "conditions"], list![]));
    }
    bench.start = None;
    bench.edit(SETS, "web", release("app:2"));
    bench.run(20_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:2"), 3);
    assert_eq!(bench.count(|pod| image(pod) == "app:1" && object::is_ready(pod)), 1);
}

#[test]
fn surge_makes_the_new_pod_before_the_old_one_goes() {
    let mut bench = with(None, 5, rolling(0.into(), 2.into()));
    bench.edit(SETS, "web", release("app:2"));
    assert_eq!(extremes(&mut bench, 60_000), (5, 7));
    assert_eq!(bench.count(|pod| image(pod) == "app:2"), 5);
    assert_eq!(bench.pods().len(), 5);
}

#[test]
fn with_surge_a_node_never_waits_for_the_end_of_a_pod() {
    let mut bench = with(None, 2, rolling(0.into(), 1.into()));
    bench.stop = None;
    let name = bench.names()[0].clone();
    bench.delete(Resource::PODS, &name);
    bench.run(10_000);
    assert_eq!((bench.pods().len(), bench.count(object::is_active)), (3, 2));
}

#[test]
fn with_surge_an_old_pod_that_is_down_goes_from_a_node_that_takes_no_more() {
    let mut bench = with(None, 3, rolling(0.into(), 1.into()));
    bench.remove(&Resource::NODES, &ObjectKey::new("", "node-0"));
    let taints = list![taint("node.kubernetes.io/unreachable", "NoSchedule")];
    bench.create(Resource::NODES, node("node-0", taints));
    let lost = |pod: &Tree| super::nodes::node_of(pod) == "node-0";
    let name = bench.pods().iter().find(|pod| lost(pod)).map(|pod| object::name(pod).to_owned());
    let name = name.expect("each node has a pod");
    bench.edit(Resource::PODS, &name, |pod| pod.set(&["status", "conditions"], list![]));
    bench.edit(SETS, "web", release("app:2"));
    bench.run(60_000);
    assert_eq!(bench.count(lost), 0, "and none is made there");
    assert_eq!(bench.count(|pod| image(pod) == "app:2" && object::is_ready(pod)), 2);
}

#[test]
fn a_broken_update_stops_at_the_limit() {
    let mut bench = with(None, 5, |_| {});
    bench.start = None;
    bench.edit(SETS, "web", release("app:broken"));
    bench.run(600_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:broken"), 1);
    bench.start = Some(1_000);
    bench.edit(SETS, "web", release("app:1"));
    bench.run(60_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:1" && object::is_ready(pod)), 5);
    assert_eq!(bench.all(&Resource::CONTROLLER_REVISIONS).len(), 2);
}

#[test]
fn on_delete_waits_for_somebody_to_delete() {
    let mut bench = with(None, 2, |set| {
        set.set(&["spec", "updateStrategy", "type"], "OnDelete");
    });
    bench.edit(SETS, "web", release("app:2"));
    bench.run(30_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:1"), 2);
    let name = bench.names()[0].clone();
    bench.delete(Resource::PODS, &name);
    bench.run(30_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:2"), 1);
    assert_eq!(bench.get(SETS, "web")["status"]["updatedNumberScheduled"].as_i64(), Some(1));
}

#[test]
fn a_replacement_waits_until_the_old_pod_has_ended_or_is_gone() {
    let mut bench = with(None, 1, |_| {});
    bench.stop = None;
    let name = bench.names()[0].clone();
    bench.delete(Resource::PODS, &name);
    bench.run(30_000);
    assert_eq!(bench.pods().len(), 1);
    bench.edit(Resource::PODS, &name, |pod| pod.set(&["status", "phase"], "Failed"));
    bench.run(30_000);
    assert_eq!(bench.pods().len(), 2, "the ended one is still there as an object");
}

#[test]
fn failed_pods_of_a_node_are_replaced_less_and_less_often() {
    let mut bench = with(None, 1, |_| {});
    let mut deletions = Vec::new();
    for _ in 0..4_000 {
        bench.run(10);
        for name in bench.names() {
            let pod = bench.get(Resource::PODS, &name);
            if object::is_active(&pod) {
                bench.edit(Resource::PODS, &name, |pod| pod.set(&["status", "phase"], "Failed"));
            }
        }
        let deleted = bench
            .log
            .iter()
            .filter(|(_, request, _)| request.verb == kubesim_model::request::Verb::Delete);
        deletions = deleted.map(|(at, ..)| *at).collect();
    }
    let gaps: Vec<u64> = deletions.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() >= 4, "{gaps:?}");
    assert!(gaps.windows(2).skip(1).all(|pair| pair[1] > pair[0]), "{gaps:?}");
    assert!(gaps.last() >= Some(&8_000), "{gaps:?}");
}

#[test]
fn a_late_watch_and_failing_requests_only_delay() {
    let mut bench = with(None, 4, |_| {});
    bench.watch_delay = 2_000;
    bench.fail = |request, writes| {
        let fails = writes % 3 == 1 && request.verb.is_write();
        fails.then(|| Status::new(500, "InternalError", "no"))
    };
    bench.edit(SETS, "web", release("app:2"));
    bench.run(300_000);
    assert_eq!(bench.count(|pod| image(pod) == "app:2" && object::is_ready(pod)), 4);
    assert_eq!(bench.pods().len(), 4);
}

#[test]
fn a_set_of_any_content_is_survived() {
    let mut bench = with(None, 1, |_| {});
    bench.delete(SETS, "web");
    for spec in [Tree::Null, 3.into(), map! { "selector" => 1 }, list![1]] {
        let metadata = map! { "name" => "web", "namespace" => "n" };
        bench.create(SETS, map! { "metadata" => metadata, "spec" => spec });
        bench.run(1_000);
        bench.delete(SETS, "web");
        bench.run(1_000);
    }
}
