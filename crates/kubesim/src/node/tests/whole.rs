//! The kubelet in a whole world, over the real API and its patches.

use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use crate::world::{Lever, World, WorldConfig};

fn run(world: &mut World, until: u64) {
    while world.next_event().is_some_and(|at| at <= until) && world.step() {}
    world.advance_to(until);
}

fn ask(world: &mut World, request: Request) -> Tree {
    let id = world.submit("tester", request).expect("the client is there");
    let until = world.now() + 1_000;
    run(world, until);
    world.take_answer("tester", id).expect("an answer came").expect("it was granted")
}

#[test]
fn a_pod_lives_through_a_reboot_and_a_deletion_over_the_real_api() {
    let mut world = World::new(WorldConfig::new(1, 2));
    world.add_client("tester", "kubernetes-admin", "test");
    run(&mut world, 10_000);
    let node = world.nodes().next().expect("there are nodes").clone();
    let key = ObjectKey::new("default", "web");
    let spec = map! {
        "nodeName" => &node,
        "containers" => list![map! { "name" => "app", "image" => "nginx:1" }],
    };
    let metadata = map! { "name" => "web", "namespace" => "default" };
    let pod =
        map! { "apiVersion" => "v1", "kind" => "Pod", "metadata" => metadata, "spec" => spec };
    ask(&mut world, Request::create(Resource::PODS, pod));
    run(&mut world, 30_000);
    let get = || Request::get(Resource::PODS, key.clone());
    let before = ask(&mut world, get());
    assert!(object::is_ready(&before), "{before}");
    world.pull(&Lever::PowerOff { node: node.clone() }).expect("the node is there");
    run(&mut world, 40_000);
    world.pull(&Lever::PowerOn { node }).expect("the node is there");
    run(&mut world, 70_000);
    let after = ask(&mut world, get());
    assert!(object::is_ready(&after), "{after}");
    let ips = after["status"]["podIPs"].items();
    assert_ne!(after["status"]["podIP"], before["status"]["podIP"]);
    assert_eq!((ips.len(), &ips[0]["ip"]), (1, &after["status"]["podIP"]));
    ask(&mut world, Request::delete(Resource::PODS, key.clone()));
    run(&mut world, 110_000);
    let id = world.submit("tester", get()).expect("the client is there");
    run(&mut world, 111_000);
    let gone = world.take_answer("tester", id).expect("an answer came");
    assert!(gone.as_ref().is_err_and(|error| error.is_not_found()), "{gone:?}");
}
