//! Facts about the EndpointSlice controller.

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use super::actor;
use crate::testbed::{Testbed, pod};

const SLICES: Resource = Resource::ENDPOINT_SLICES;

fn cluster(bug: Option<&str>, pods: usize) -> Testbed {
    let mut bed = Testbed::new(actor(bug));
    bed.add_node("w1", "a");
    bed.put(
        &Resource::SERVICES,
        map! {
            "metadata" => map! { "name" => "web", "namespace" => "n" },
            "spec" => map! {
                "selector" => map! { "app" => "web" },
                "ports" => list![map! { "name" => "http", "port" => 80, "targetPort" => 8080 }],
            },
        },
    );
    for number in 0..pods {
        bed.put(&Resource::PODS, pod(&format!("p{number}"), "w1", "1"));
    }
    bed.run(100);
    bed
}

fn endpoint(bed: &Testbed, name: &str) -> Tree {
    let slices = bed.all(&SLICES);
    let mut endpoints = slices.iter().flat_map(|slice| slice["endpoints"].items());
    endpoints.find(|e| e["targetRef"]["name"] == name).cloned().unwrap_or_default()
}

fn conditions(bed: &Testbed, name: &str) -> [bool; 3] {
    let endpoint = endpoint(bed, name);
    ["ready", "serving", "terminating"].map(|kind| endpoint["conditions"][kind].is_true())
}

fn terminate(bed: &mut Testbed, name: &str) {
    bed.edit(Resource::PODS, "n", name, |pod| {
        pod.set(&["metadata", "deletionTimestamp"], object::timestamp(0));
    });
    bed.run(100);
}

fn unready(bed: &mut Testbed, name: &str) {
    bed.edit(Resource::PODS, "n", name, |pod| pod.set(&["status", "conditions"], list![]));
    bed.run(100);
}

#[test]
fn a_slice_names_its_service_its_manager_its_ports_and_each_pod() {
    let bed = cluster(None, 2);
    let slices = bed.all(&SLICES);
    assert_eq!(slices.len(), 1);
    assert_eq!(object::label(&slices[0], "kubernetes.io/service-name"), "web");
    let manager = object::label(&slices[0], "endpointslice.kubernetes.io/managed-by");
    assert_eq!(manager, "endpointslice-controller.k8s.io");
    assert_eq!(slices[0]["ports"][0]["port"].as_i64(), Some(8080));
    assert_eq!(object::controller_uid(&slices[0]), "uid-web");
    let endpoint = endpoint(&bed, "p1");
    assert_eq!(endpoint["nodeName"], "w1");
    assert_eq!(endpoint["zone"], "a");
    assert_eq!(endpoint["targetRef"]["uid"], "uid-p1");
    assert_eq!(conditions(&bed, "p1"), [true, true, false]);
}

#[test]
fn readiness_and_termination_are_followed() {
    let mut bed = cluster(None, 3);
    unready(&mut bed, "p0");
    assert_eq!(conditions(&bed, "p0"), [false, false, false]);
    terminate(&mut bed, "p1");
    assert_eq!(conditions(&bed, "p1"), [false, true, true]);
    bed.edit(Resource::PODS, "n", "p2", |pod| pod.set(&["status", "phase"], "Failed"));
    bed.run(100);
    assert!(endpoint(&bed, "p2").is_null());
}

#[test]
fn not_ready_addresses_are_published_on_demand() {
    let mut bed = cluster(None, 1);
    bed.edit(Resource::SERVICES, "n", "web", |service| {
        service.set(&["spec", "publishNotReadyAddresses"], true);
    });
    unready(&mut bed, "p0");
    assert_eq!(conditions(&bed, "p0"), [true, false, false]);
}

#[test]
fn a_slice_holds_100_endpoints_and_an_empty_service_has_one_empty_slice() {
    let mut bed = cluster(None, 101);
    let mut sizes: Vec<usize> =
        bed.all(&SLICES).iter().map(|slice| slice["endpoints"].items().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 100]);
    for number in 0..101 {
        bed.remove(Resource::PODS, "n", &format!("p{number}"));
    }
    bed.run(1_000);
    let slices = bed.all(&SLICES);
    assert_eq!(slices.len(), 1);
    assert!(slices[0]["endpoints"].items().is_empty());
}

#[test]
fn a_slow_watch_makes_no_second_slice() {
    let mut bed = cluster(None, 1);
    bed.watch_delay = 1_000;
    for number in 1..5 {
        bed.put(&Resource::PODS, pod(&format!("p{number}"), "w1", "1"));
        bed.run(300);
    }
    bed.run(5_000);
    assert_eq!(bed.all(&SLICES).len(), 1);
    assert_eq!(conditions(&bed, "p4"), [true, true, false]);
}

#[test]
fn status_changes_that_make_no_difference_cost_nothing() {
    let mut bed = cluster(None, 3);
    let requests = bed.requests;
    bed.edit(Resource::PODS, "n", "p0", |pod| pod.set(&["status", "message"], "x"));
    bed.run(1_000);
    assert_eq!(bed.requests, requests);
}

#[test]
fn the_planted_bugs_lie_about_readiness_and_termination() {
    let mut bed = cluster(Some("keeps-not-ready-endpoints"), 1);
    unready(&mut bed, "p0");
    assert_eq!(conditions(&bed, "p0"), [true, true, false]);
    let mut bed = cluster(Some("forgets-terminating"), 1);
    terminate(&mut bed, "p0");
    assert_eq!(conditions(&bed, "p0"), [true, true, false]);
}
