//! Facts about the scheduler.

use std::collections::BTreeMap;

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use super::actor;
use crate::testbed::{Testbed, pod};

fn cluster(nodes: usize) -> Testbed {
    let mut bed = Testbed::new(actor(None));
    for number in 1..=nodes {
        bed.add_node(&format!("w{number}"), ["a", "b", "c"][number % 3]);
    }
    bed.run(100);
    bed
}

fn wait(bed: &mut Testbed, pods: &[Tree]) {
    for pod in pods {
        bed.put(&Resource::PODS, pod.clone());
    }
    bed.run(200);
}

fn node_of(bed: &Testbed, name: &str) -> String {
    bed.pod(name)["spec"]["nodeName"].str().to_owned()
}

fn per_node(bed: &Testbed) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for pod in bed.all(&Resource::PODS) {
        *counts.entry(pod["spec"]["nodeName"].str().to_owned()).or_default() += 1;
    }
    counts
}

fn with(mut pod: Tree, path: &[&str], value: impl Into<Tree>) -> Tree {
    pod.set(path, value);
    pod
}

fn scheduled(bed: &Testbed, name: &str) -> Tree {
    object::condition(&bed.pod(name), "PodScheduled").cloned().unwrap_or_default()
}

fn near_or_far(kind: &str, key: &str) -> Tree {
    let selector = map! { "matchLabels" => map! { "app" => "web" } };
    let term = map! { "topologyKey" => key, "labelSelector" => selector };
    map! { kind => map! { "requiredDuringSchedulingIgnoredDuringExecution" => list![term] } }
}

#[test]
fn pods_that_come_together_are_spread_before_the_watch_tells_of_any() {
    let mut bed = cluster(5);
    bed.watch_delay = 50;
    let pods: Vec<Tree> = (0..10).map(|n| pod(&format!("p{n}"), "", "500m")).collect();
    wait(&mut bed, &pods);
    assert!(per_node(&bed).values().all(|count| *count == 2), "{:?}", per_node(&bed));
}

#[test]
fn the_planted_bug_overfills_a_node() {
    let mut bed = Testbed::new(actor(Some("forgets-assumed-pods")));
    bed.add_node("w1", "a");
    bed.run(100);
    let pods: Vec<Tree> = (0..3).map(|n| pod(&format!("p{n}"), "", "3")).collect();
    wait(&mut bed, &pods);
    assert_eq!(per_node(&bed).get("w1"), Some(&3));
}

#[test]
fn a_pod_that_fits_nowhere_says_why_and_goes_when_another_has_gone() {
    let mut bed = cluster(2);
    bed.edit(Resource::NODES, "", "w2", |node| {
        node.set(&["spec", "taints"], list![map! { "key" => "k", "effect" => "NoSchedule" }]);
    });
    bed.put(&Resource::PODS, pod("old", "w1", "3"));
    bed.run(100);
    wait(&mut bed, &[pod("new", "", "3")]);
    let condition = scheduled(&bed, "new");
    assert_eq!((condition["status"].str(), condition["reason"].str()), ("False", "Unschedulable"));
    assert_eq!(
        condition["message"],
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). \
         preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, \
         1 Preemption is not helpful for scheduling."
    );
    let writes = bed.log.len();
    bed.run(60_000);
    assert_eq!(bed.log.len(), writes, "it waits without a write");
    bed.remove(Resource::PODS, "n", "old");
    bed.run(100);
    assert_eq!(node_of(&bed, "new"), "w1");
}

#[test]
fn a_pod_is_tried_again_after_its_back_off_when_an_event_comes_early() {
    let mut bed = cluster(1);
    bed.put(&Resource::PODS, pod("old", "w1", "3"));
    bed.run(100);
    wait(&mut bed, &[pod("new", "", "3")]);
    bed.remove(Resource::PODS, "n", "old");
    bed.run(100);
    assert_eq!(node_of(&bed, "new"), "");
    bed.run(1_000);
    assert_eq!(node_of(&bed, "new"), "w1");
}

#[test]
fn gates_hold_a_pod_back() {
    let mut bed = cluster(1);
    let gates = list![map! { "name" => "g" }];
    wait(&mut bed, &[with(pod("p", "", "1"), &["spec", "schedulingGates"], gates)]);
    assert_eq!(node_of(&bed, "p"), "");
    bed.edit(Resource::PODS, "n", "p", |pod| pod.set(&["spec", "schedulingGates"], list![]));
    bed.run(100);
    assert_eq!(node_of(&bed, "p"), "w1");
}

#[test]
fn cordoned_nodes_selectors_and_affinity_are_honoured() {
    let mut bed = cluster(3);
    bed.edit(Resource::NODES, "", "w1", |node| node.set(&["spec", "unschedulable"], true));
    bed.run(50);
    let zone = map! { "topology.kubernetes.io/zone" => "b" };
    let by_zone = with(pod("zone", "", "1"), &["spec", "nodeSelector"], zone);
    let hostname = map! { "kubernetes.io/hostname" => "w3" };
    let by_name = with(pod("name", "", "1"), &["spec", "nodeSelector"], hostname);
    wait(&mut bed, &[by_zone, by_name]);
    assert_eq!(node_of(&bed, "zone"), "");
    assert_eq!(node_of(&bed, "name"), "w3");
    assert!(scheduled(&bed, "zone")["message"].str().contains("1 node(s) were unschedulable"));
}

#[test]
fn required_anti_affinity_puts_one_pod_on_each_host_in_both_directions() {
    let mut bed = cluster(3);
    let apart = near_or_far("podAntiAffinity", "kubernetes.io/hostname");
    let far = |n: usize| with(pod(&format!("p{n}"), "", "100m"), &["spec", "affinity"], &apart);
    wait(&mut bed, &[far(0), far(1), far(2), far(3), pod("q", "", "100m")]);
    let counts = per_node(&bed);
    assert!(["w1", "w2", "w3"].iter().all(|node| counts[*node] == 1), "{counts:?}");
    let message = scheduled(&bed, "q");
    let refused = "3 node(s) didn't satisfy existing pods anti-affinity rules";
    assert!(message["message"].str().contains(refused), "{message}");
}

#[test]
fn required_affinity_lets_the_first_of_its_kind_in_and_keeps_the_others_near() {
    let mut bed = cluster(3);
    let near = near_or_far("podAffinity", "kubernetes.io/hostname");
    let pods: Vec<Tree> = (0..4)
        .map(|n| with(pod(&format!("p{n}"), "", "100m"), &["spec", "affinity"], &near))
        .collect();
    wait(&mut bed, &pods);
    assert_eq!(per_node(&bed).len(), 1);
}

#[test]
fn hard_spread_keeps_the_skew_between_zones() {
    let mut bed = cluster(3);
    for name in ["w2", "w3"] {
        bed.edit(Resource::NODES, "", name, |node| {
            node.set(&["status", "allocatable", "cpu"], "1");
        });
    }
    bed.run(50);
    let spread = list![map! {
        "topologyKey" => "topology.kubernetes.io/zone", "maxSkew" => 1,
        "whenUnsatisfiable" => "DoNotSchedule",
        "labelSelector" => map! { "matchLabels" => map! { "app" => "web" } },
    }];
    let pods: Vec<Tree> = (0..5)
        .map(|n| pod(&format!("p{n}"), "", "1"))
        .map(|pod| with(pod, &["spec", "topologySpreadConstraints"], &spread))
        .collect();
    wait(&mut bed, &pods);
    let counts = per_node(&bed);
    assert_eq!((counts["w1"], counts["w2"], counts["w3"], counts[""]), (2, 1, 1, 1));
}

#[test]
fn host_ports_conflict_on_one_node() {
    let mut bed = cluster(2);
    let port = |name: &str| {
        let ports = list![map! { "hostPort" => 80, "containerPort" => 80 }];
        with(pod(name, "", "1"), &["spec", "containers"], list![map! { "ports" => ports }])
    };
    wait(&mut bed, &[port("p"), port("q"), port("r")]);
    assert_eq!(per_node(&bed).len(), 3, "two nodes, and one pod without");
}

#[test]
fn the_greatest_init_container_counts_if_it_asks_for_more() {
    let mut bed = cluster(1);
    let requests = map! { "requests" => map! { "cpu" => "5" } };
    let init = list![map! { "name" => "init", "resources" => requests }];
    wait(&mut bed, &[with(pod("p", "", "1"), &["spec", "initContainers"], init)]);
    assert!(scheduled(&bed, "p")["message"].str().contains("1 Insufficient cpu"));
}

#[test]
fn a_pod_of_higher_priority_preempts_the_least_important_and_takes_its_place() {
    let mut bed = cluster(1);
    let placed =
        |name: &str, priority: i64| with(pod(name, "w1", "2"), &["spec", "priority"], priority);
    bed.put(&Resource::PODS, placed("low", 1));
    bed.put(&Resource::PODS, placed("middle", 5));
    bed.run(100);
    wait(&mut bed, &[with(pod("high", "", "2"), &["spec", "priority"], 10)]);
    let victim = bed.pod("low");
    assert!(object::is_terminating(&victim) && !object::is_terminating(&bed.pod("middle")));
    let target = object::condition(&victim, "DisruptionTarget").expect("set");
    assert_eq!(target["reason"], "PreemptionByScheduler");
    assert_eq!(bed.pod("high")["status"]["nominatedNodeName"], "w1");
    bed.run(30_000);
    bed.remove(Resource::PODS, "n", "low");
    bed.run(100);
    assert_eq!(node_of(&bed, "high"), "w1");
}

#[test]
fn preemption_prefers_the_node_whose_budget_allows_it() {
    let mut bed = cluster(2);
    for (name, node, app) in [("kept", "w1", "db"), ("free", "w2", "web")] {
        let labels = map! { "app" => app };
        bed.put(&Resource::PODS, with(pod(name, node, "3"), &["metadata", "labels"], labels));
    }
    bed.put(
        &Resource::POD_DISRUPTION_BUDGETS,
        map! {
            "metadata" => map! { "name" => "db", "namespace" => "n" },
            "spec" =>
                map! { "selector" => map! { "matchLabels" => map! { "app" => "db" } } },
            "status" => map! { "disruptionsAllowed" => 0 },
        },
    );
    bed.run(100);
    wait(&mut bed, &[with(pod("high", "", "3"), &["spec", "priority"], 10)]);
    assert!(object::is_terminating(&bed.pod("free")));
    assert!(!object::is_terminating(&bed.pod("kept")));
}

#[test]
fn heartbeats_and_arbitrary_objects_cost_nothing_and_panic_nowhere() {
    let mut bed = cluster(3);
    for spec in [Tree::Null, "text".into(), list![1, 2], map! { "containers" => "x" }] {
        let odd = map! { "metadata" => map! { "name" => spec.to_string(), "namespace" => "n" } };
        wait(&mut bed, &[with(odd, &["spec"], spec)]);
    }
    let requests = bed.requests;
    bed.edit(Resource::NODES, "", "w1", |node| node.set(&["status", "conditions"], list![]));
    bed.run(1_000);
    assert_eq!(bed.requests, requests);
}
