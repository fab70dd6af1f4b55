//! Facts about the ticket workflow: what it does well, and how it fails.

use kubesim_model::host::{ContainerInfo, HostCommand, HostEvent};
use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map, object};

use super::{ACKNOWLEDGED_ANNOTATION, APPLICATION_LABEL, REQUEST_ANNOTATION, agent, workflow};
use crate::testing::{World, image};

fn running(replicas: u32) -> World {
    running_with(None, replicas)
}

fn running_with(bug: Option<&str>, replicas: u32) -> World {
    let mut world = World::new(workflow(bug));
    let application = map! {
        "apiVersion" => "v1", "kind" => "ConfigMap",
        "metadata" => map! {
            "name" => "web", "namespace" => "default",
            "labels" => map! { APPLICATION_LABEL => "" },
        },
        "data" => map! { "replicas" => replicas.to_string(), "image" => "app:1" },
    };
    world.user(Request::create(Resource::CONFIG_MAPS, application));
    world.run(60_000);
    assert_eq!(world.active().len(), replicas as usize);
    assert!(is_closed(&world));
    world
}

fn wish(world: &mut World, key: &str, value: &str) {
    world.merge(Resource::CONFIG_MAPS, "web", map! { "data" => map! { key => value } });
}

fn data(world: &World) -> &Tree {
    &world.get(Resource::CONFIG_MAPS, "web")["data"]
}

fn is_closed(world: &World) -> bool {
    data(world)["ticket.scale"].is_null() && data(world)["ticket.release"].is_null()
}

fn rows(world: &World) -> Vec<(String, String)> {
    let rows = data(world).fields().filter_map(|(key, image)| {
        Some((key.strip_prefix("row.")?.to_owned(), image.str().to_owned()))
    });
    rows.collect()
}

fn pods(world: &World) -> Vec<(String, String)> {
    let of = |pod: &&Tree| (object::name(pod).to_owned(), image(pod).to_string());
    world.active().iter().map(of).collect()
}

#[test]
fn a_scale_out_creates_bare_pods_one_after_another() {
    let world = running(3);
    assert_eq!(rows(&world), pods(&world));
    let ready = |pod: &Tree| object::condition(pod, "Ready").unwrap()["lastTransitionTime"].text();
    let mut pods: Vec<_> = world.active();
    pods.sort_by_key(|pod| object::resource_version(pod));
    assert!(ready(pods[0]) <= pods[2]["metadata"]["creationTimestamp"].text());
    for pod in pods {
        assert!(object::controller(pod).is_none());
        let toleration = &pod["spec"]["tolerations"][0];
        assert!(toleration["tolerationSeconds"].is_null());
        assert_eq!(pod["spec"]["restartPolicy"], "Always");
    }
}

#[test]
fn on_a_healthy_cluster_tickets_do_what_they_say() {
    let mut world = running(3);
    wish(&mut world, "image", "app:2");
    world.run(60_000);
    assert!(is_closed(&world));
    assert!(pods(&world).iter().all(|(_, image)| image == "app:2"));
    wish(&mut world, "replicas", "1");
    world.run(60_000);
    assert!(is_closed(&world));
    assert_eq!((rows(&world).len(), rows(&world)), (1, pods(&world)));
}

#[test]
fn a_host_that_is_away_during_a_release_keeps_the_old_image_for_ever() {
    let mut world = running(3);
    world.dead.insert("n1");
    wish(&mut world, "image", "app:2");
    world.run(170_000);
    assert!(!is_closed(&world), "three tries of a minute");
    world.run(30_000);
    assert!(is_closed(&world));
    world.dead.clear();
    world.run(3_600_000);
    let old = pods(&world).into_iter().filter(|(_, image)| image == "app:1").count();
    assert_eq!(old, 1);
    assert_eq!(rows(&world), pods(&world), "the database says so, and nobody repairs it");
    let asked = |pod: &&Tree| !object::annotation(pod, REQUEST_ANNOTATION).is_empty();
    assert_eq!(world.active().into_iter().filter(asked).count(), 2, "one was taken back");
}

#[test]
fn a_host_that_is_away_during_a_scale_in_comes_back_with_a_zombie() {
    let mut world = running(3);
    let last = rows(&world).last().unwrap().0.clone();
    let node: &'static str = match world.get(Resource::PODS, &last)["spec"]["nodeName"].str() {
        "n0" => "n0",
        "n1" => "n1",
        _ => "n2",
    };
    world.dead.insert(node);
    wish(&mut world, "replicas", "2");
    world.run(300_000);
    assert!(is_closed(&world));
    world.dead.clear();
    world.run(600_000);
    assert_eq!((rows(&world).len(), world.active().len()), (2, 3));
    assert!(rows(&world).iter().all(|(name, _)| *name != last));
}

#[test]
fn a_scale_out_beside_a_release_leaves_an_old_image() {
    let mut world = running(2);
    wish(&mut world, "image", "app:2");
    wish(&mut world, "replicas", "4");
    world.run(600_000);
    assert!(is_closed(&world));
    let old = pods(&world).into_iter().filter(|(_, image)| image == "app:1").count();
    assert_eq!(old, 2);
}

#[test]
fn one_that_believes_at_once_closes_a_ticket_whose_requests_nobody_did() {
    let mut world = running_with(Some("believes-at-once"), 2);
    world.dead.extend(["n0", "n1", "n2"]);
    wish(&mut world, "image", "app:2");
    world.run(5_000);
    assert!(is_closed(&world));
    assert!(pods(&world).iter().all(|(_, image)| image == "app:1"));
}

#[test]
fn a_broken_table_is_left_alone() {
    let mut world = running(1);
    wish(&mut world, "replicas", "many");
    world.run(5_000);
    wish(&mut world, "replicas", "1");
    wish(&mut world, "ticket.scale", "[");
    world.run(5_000);
    assert_eq!(world.active().len(), 1);
}

/// A world of which the agent on `n0` is the actor, and a request on its pod.
fn asked(request: Tree) -> (World, Text) {
    let mut world = World::new(agent(Text::new("n0")));
    world.dead.insert("n0");
    let pod = map! {
        "metadata" => map! {
            "name" => "web-0", "namespace" => "default",
            "annotations" => map! { REQUEST_ANNOTATION => request.to_string() },
        },
        "spec" => map! {
            "nodeName" => "n0",
            "containers" => list![map! { "name" => "app", "image" => "app:1" }],
        },
    };
    let uid = world.user(Request::create(Resource::PODS, pod))["metadata"]["uid"].text();
    world.run(1_000);
    (world, uid)
}

fn container(pod_uid: &Text, image: &str) -> ContainerInfo {
    ContainerInfo {
        container_id: Text::new(image),
        pod_uid: pod_uid.clone(),
        pod: ObjectKey::new("default", "web-0"),
        name: Text::new("app"),
        image: Text::new(image),
        image_id: Text::new("sha256:1"),
        attempt: 0,
        started_at: 0,
        exited: None,
    }
}

fn tell(world: &mut World, container: ContainerInfo) {
    let Some(HostCommand::List { op }) = world.commands.pop() else { panic!("it looked") };
    let (sandboxes, containers) = (Vec::new(), vec![container]);
    world.host(HostEvent::Inventory { op, boot_id: Text::new("1"), sandboxes, containers });
    world.run(2_000);
}

fn acknowledged(world: &World) -> String {
    object::annotation(world.get(Resource::PODS, "web-0"), ACKNOWLEDGED_ANNOTATION).to_owned()
}

#[test]
fn the_agent_acknowledges_a_change_when_the_new_container_runs() {
    let (mut world, uid) = asked(map! {
        "id" => "1", "op" => "change", "container" => "app", "image" => "app:2",
    });
    assert_eq!(image(world.get(Resource::PODS, "web-0")), "app:2");
    tell(&mut world, container(&uid, "app:1"));
    assert_eq!(acknowledged(&world), "");
    tell(&mut world, container(&uid, "app:2"));
    assert_eq!(acknowledged(&world), "1");
}

#[test]
fn the_agent_acknowledges_a_stop_when_the_container_has_ended() {
    let (mut world, uid) = asked(map! { "id" => "2", "op" => "stop" });
    tell(&mut world, container(&uid, "app:1"));
    let command = world.commands.pop();
    assert!(matches!(command, Some(HostCommand::StopContainer { grace: 30_000, .. })));
    assert_eq!(acknowledged(&world), "");
    world.host(HostEvent::ContainerExited {
        container_id: Text::new("app:1"),
        pod_uid: uid,
        name: Text::new("app"),
        exit_code: 143,
        reason: Text::new("Error"),
    });
    world.run(1_000);
    assert_eq!(acknowledged(&world), "2");
}

#[test]
fn the_agent_forgets_a_request_that_was_taken_back() {
    let (mut world, uid) = asked(map! { "id" => "3", "op" => "stop" });
    let nothing = map! { "metadata" => map! { "annotations" => map! {
        REQUEST_ANNOTATION => Tree::Null,
    } } };
    world.merge(Resource::PODS, "web-0", nothing);
    world.run(1_000);
    tell(&mut world, container(&uid, "app:1"));
    assert!(world.commands.is_empty());
    assert_eq!(acknowledged(&world), "");
}
