//! Facts about whole worlds: everything built in, together.

use kubesim::node::HostFact;
use kubesim::world::{
    Direction, HostRecord, Lever, RawEvent, RequestEffect, RequestSelector, What, World,
    WorldConfig,
};
use kubesim_model::actor::WatchSpec;
use kubesim_model::request::{Answer, Request};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object};

const MINUTE: Millis = 60_000;

fn deployment(replicas: i64) -> Tree {
    map! {
        "apiVersion" => "apps/v1", "kind" => "Deployment",
        "metadata" => map! { "name" => "web", "namespace" => "default" },
        "spec" => map! {
            "replicas" => replicas,
            "selector" => map! { "matchLabels" => map! { "app" => "web" } },
            "template" => map! {
                "metadata" => map! { "labels" => map! { "app" => "web" } },
                "spec" => map! { "containers" => list![map! {
                    "name" => "app", "image" => "registry.k8s.io/e2e-test-images/agnhost:2.59",
                }] },
            },
        },
    }
}

fn world(seed: u64) -> World {
    let mut world = World::new(WorldConfig::new(seed, 5));
    world.add_client("user", "admin", "test");
    run(&mut world, 5_000);
    world
}

fn run(world: &mut World, until: Millis) {
    while world.next_event().is_some_and(|at| at <= until) {
        world.step();
    }
    world.advance_to(until);
}

fn ask(world: &mut World, request: Request) -> Answer {
    let id = world.submit("user", request).expect("the client lives");
    loop {
        if let Some(answer) = world.take_answer("user", id) {
            return answer;
        }
        assert!(world.step(), "an answer comes");
    }
}

fn pods(world: &World) -> Vec<Tree> {
    let (pods, _) = world.api().list(&WatchSpec::all(Resource::PODS)).expect("pods are served");
    pods
}

fn ready(world: &World) -> usize {
    pods(world).iter().filter(|pod| object::is_ready(pod) && object::is_active(pod)).count()
}

#[test]
fn a_deployment_becomes_ready_within_half_a_minute() {
    let mut world = world(1);
    ask(&mut world, Request::create(Resource::DEPLOYMENTS, deployment(6))).expect("created");
    run(&mut world, 35_000);
    assert_eq!(ready(&world), 6, "{:#?}", pods(&world));
    let key = ObjectKey::new("default", "web");
    let status = &world.api().get(&Resource::DEPLOYMENTS, &key).expect("there")["status"];
    assert_eq!(status["availableReplicas"].as_i64(), Some(6), "{status}");
}

#[test]
fn pods_of_a_dead_node_are_replaced_after_the_toleration() {
    let mut world = world(2);
    ask(&mut world, Request::create(Resource::DEPLOYMENTS, deployment(6))).expect("created");
    run(&mut world, MINUTE);
    let node = pods(&world)[0]["spec"]["nodeName"].text();
    world.pull(&Lever::PowerOff { node: node.clone() }).expect("the node exists");
    run(&mut world, 6 * MINUTE);
    assert!(ready(&world) < 6, "nothing is evicted before 350 s");
    run(&mut world, 9 * MINUTE);
    assert_eq!(ready(&world), 6);
    assert!(pods(&world).iter().any(object::is_terminating), "the old pods are stuck");
    world.pull(&Lever::PowerOn { node }).expect("the node exists");
    run(&mut world, 11 * MINUTE);
    assert_eq!(pods(&world).len(), 6, "the node came back and the old pods went");
}

/// Cuts worker-1 off in this direction, has a pod made there, and answers after which times, in
/// seconds, its container ran and the API knew.
fn cut_off(direction: Direction) -> (Option<Millis>, Option<Millis>) {
    let mut world = world(1);
    let node = Text::new("worker-1");
    world.pull(&Lever::Partition { node: node.clone(), direction }).expect("the node exists");
    let pod = map! {
        "apiVersion" => "v1", "kind" => "Pod",
        "metadata" => map! { "name" => "web", "namespace" => "default" },
        "spec" => map! { "nodeName" => "worker-1", "containers" => list![map! {
            "name" => "app", "image" => "registry.k8s.io/e2e-test-images/agnhost:2.59",
        }] },
    };
    ask(&mut world, Request::create(Resource::PODS, pod)).expect("pods can be made");
    let (mut ran, mut known) = (None, None);
    for second in 0..200 {
        if second == 100 {
            world.pull(&Lever::Join { node: node.clone() }).expect("the node exists");
        }
        let until = world.now() + 1_000;
        run(&mut world, until);
        let started = world.take_records().into_iter().any(|record| {
            matches!(record.what, What::Host { fact: HostRecord::Fact(fact), .. }
                if matches!(*fact, HostFact::ContainerStarted(_)))
        });
        ran = ran.or(started.then_some(second));
        known = known.or((ready(&world) == 1).then_some(second));
    }
    (ran, known)
}

#[test]
fn a_node_that_is_not_heard_does_what_it_hears_and_tells_so_later() {
    let (ran, known) = cut_off(Direction::Out);
    assert!(ran.is_some_and(|ran| ran < 20), "{ran:?}");
    assert!(known.is_some_and(|known| known >= 100), "{known:?}");
}

#[test]
fn a_node_that_hears_nothing_does_nothing_new() {
    for direction in [Direction::In, Direction::Both] {
        let (ran, known) = cut_off(direction);
        assert!(ran.is_some_and(|ran| ran >= 100), "{direction:?}: {ran:?}");
        assert!(known.is_some_and(|known| known >= 100), "{direction:?}: {known:?}");
    }
}

#[test]
fn a_node_that_hears_nothing_is_heard_until_it_gives_its_connections_up() {
    for (direction, seconds) in [(Direction::In, 80..120), (Direction::Both, 35..75)] {
        let mut world = world(1);
        let node = Text::new("worker-1");
        world.pull(&Lever::Partition { node, direction }).expect("the node exists");
        let is_unknown = |world: &World| {
            let (nodes, _) = world.api().list(&WatchSpec::all(Resource::NODES)).expect("served");
            nodes.iter().any(|node| {
                object::condition(node, "Ready").is_some_and(|ready| ready["status"] == "Unknown")
            })
        };
        let unknown = (0..200).find(|_| {
            let until = world.now() + 1_000;
            run(&mut world, until);
            is_unknown(&world)
        });
        assert!(unknown.is_some_and(|at| seconds.contains(&at)), "{direction:?}: {unknown:?}");
    }
}

#[test]
fn a_release_replaces_every_pod() {
    let mut world = world(3);
    ask(&mut world, Request::create(Resource::DEPLOYMENTS, deployment(6))).expect("created");
    run(&mut world, MINUTE);
    let key = ObjectKey::new("default", "web");
    let image = "registry.k8s.io/e2e-test-images/agnhost:2.60";
    let patch = map! { "spec" => map! { "template" => map! { "spec" => map! {
        "containers" => list![map! { "name" => "app", "image" => image }],
    } } } };
    ask(&mut world, Request::strategic_patch(Resource::DEPLOYMENTS, key, patch)).expect("patched");
    run(&mut world, 3 * MINUTE);
    assert_eq!(ready(&world), 6);
    for pod in pods(&world) {
        assert_eq!(pod["spec"]["containers"][0]["image"], image);
        assert_eq!(pod["status"]["containerStatuses"][0]["image"], image);
    }
}

#[test]
fn a_lost_response_is_carried_out_and_not_acknowledged() {
    let mut world = world(4);
    world
        .pull(&Lever::RequestRule {
            rule: "lost".into(),
            actor: "user".into(),
            requests: RequestSelector { times: 1, ..RequestSelector::default() },
            effect: RequestEffect::LoseResponse,
        })
        .expect("the actor exists");
    let answer = ask(&mut world, Request::create(Resource::DEPLOYMENTS, deployment(1)));
    assert_eq!(answer.expect_err("lost").code, 0);
    let again = ask(&mut world, Request::create(Resource::DEPLOYMENTS, deployment(1)));
    assert!(again.expect_err("it is there already").is_already_exists());
}

fn trace(seed: u64) -> Vec<String> {
    let mut world = world(seed);
    ask(&mut world, Request::create(Resource::DEPLOYMENTS, deployment(6))).expect("created");
    run(&mut world, MINUTE);
    world.pull(&Lever::Freeze { node: "worker-1".into() }).expect("the node exists");
    run(&mut world, 8 * MINUTE);
    world.pull(&Lever::Thaw { node: "worker-1".into() }).expect("the node exists");
    run(&mut world, 10 * MINUTE);
    world.take_records().iter().map(|record| format!("{record:?}")).collect()
}

#[test]
fn the_same_seed_gives_the_same_records_and_another_gives_others() {
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}

#[test]
fn a_forked_world_goes_on_as_the_first() {
    let mut world = world(6);
    ask(&mut world, Request::create(Resource::DEPLOYMENTS, deployment(6))).expect("created");
    run(&mut world, 20_000);
    world.take_records();
    let mut fork = world.clone();
    run(&mut world, 2 * MINUTE);
    run(&mut fork, 2 * MINUTE);
    let shown = |world: &mut World| format!("{:?}", world.take_records());
    assert_eq!(shown(&mut world), shown(&mut fork));
}

#[test]
fn at_rest_only_leases_and_node_heartbeats_are_written() {
    let mut world = world(7);
    ask(&mut world, Request::create(Resource::DEPLOYMENTS, deployment(6))).expect("created");
    run(&mut world, 2 * MINUTE);
    world.take_records();
    run(&mut world, 12 * MINUTE);
    let mut writes = Vec::new();
    for record in world.take_records() {
        if let What::Request(request) = record.what {
            writes.extend(request.writes.into_iter().map(|write| write.resource));
        }
    }
    writes.retain(|resource| *resource != Resource::NODES);
    assert!(writes.is_empty(), "{writes:?}");
}

fn raw_events(world: &mut World, until: u64) -> Vec<(usize, RawEvent)> {
    let mut events = Vec::new();
    while world.next_event().is_some_and(|at| at <= until) {
        world.step();
        events.extend(world.take_raw_events("user"));
    }
    events
}

#[test]
fn a_client_that_stands_still_sends_nothing_until_it_goes_on() {
    let mut world = world(8);
    let user = || "user".into();
    world.pull(&Lever::PauseActor { actor: user() }).expect("the actor exists");
    let request = Request::create(Resource::DEPLOYMENTS, deployment(1));
    let id = world.submit("user", request).expect("it lives");
    run(&mut world, MINUTE);
    assert!(pods(&world).is_empty() && world.take_answer("user", id).is_none());
    world.pull(&Lever::ResumeActor { actor: user() }).expect("the actor exists");
    run(&mut world, MINUTE + 100);
    assert!(world.take_answers("user")[0].1.0.is_ok());
}

#[test]
fn a_watch_from_nothing_first_tells_what_there_is() {
    let mut world = world(9);
    let watch = world.watch_from("user", WatchSpec::all(Resource::NAMESPACES), 0).expect("lives");
    let events = raw_events(&mut world, 6_000);
    assert!(matches!(events[0], (id, RawEvent::Opened) if id == watch), "{events:?}");
    assert!(matches!(&events[1].1, RawEvent::Initial { items, .. } if items.len() == 4));
    assert_eq!(world.bookmark("user", watch), Some(world.api().version()));
}

#[test]
fn a_watch_that_was_closed_before_it_was_open_stays_closed() {
    let mut world = world(10);
    let watch = world.watch_from("user", WatchSpec::all(Resource::NODES), 0).expect("lives");
    world.close_watch("user", watch);
    assert!(raw_events(&mut world, MINUTE).is_empty());
    assert_eq!(world.bookmark("user", watch), None);
}

#[test]
fn a_watch_of_an_unknown_resource_is_refused() {
    let mut world = world(11);
    let spec = WatchSpec::all(Resource::new("wonders.example.com"));
    world.watch_from("user", spec, 1).expect("lives");
    let events = raw_events(&mut world, 6_000);
    assert!(matches!(&events[0].1, RawEvent::Refused(status) if status.is_not_found()));
    assert_eq!(events.len(), 1);
}

#[test]
fn objects_owned_by_a_custom_resource_go_with_it() {
    let mut world = world(8);
    let definition = map! {
        "apiVersion" => "apiextensions.k8s.io/v1", "kind" => "CustomResourceDefinition",
        "metadata" => map! { "name" => "clonesets.apps.kruise.io" },
        "spec" => map! {
            "group" => "apps.kruise.io", "scope" => "Namespaced",
            "names" => map! { "plural" => "clonesets", "kind" => "CloneSet" },
            "versions" => list![map! { "name" => "v1alpha1", "served" => true, "storage" => true }],
        },
    };
    ask(&mut world, Request::create(Resource::CUSTOM_RESOURCE_DEFINITIONS, definition))
        .expect("defined");
    let owner = map! {
        "apiVersion" => "apps.kruise.io/v1alpha1", "kind" => "CloneSet",
        "metadata" => map! { "name" => "web", "namespace" => "default" },
    };
    let owner = ask(&mut world, Request::create(Resource::CLONE_SETS, owner)).expect("created");
    let owned = map! {
        "apiVersion" => "v1", "kind" => "ConfigMap",
        "metadata" => map! {
            "name" => "owned", "namespace" => "default",
            "ownerReferences" => list![object::controller_reference(&owner)],
        },
    };
    ask(&mut world, Request::create(Resource::CONFIG_MAPS, owned)).expect("created");
    run(&mut world, 10_000);
    let key = ObjectKey::new("default", "owned");
    assert!(world.api().get(&Resource::CONFIG_MAPS, &key).is_some(), "its owner lives");
    let owner = ObjectKey::new("default", "web");
    ask(&mut world, Request::delete(Resource::CLONE_SETS, owner)).expect("deleted");
    run(&mut world, 60_000);
    assert!(world.api().get(&Resource::CONFIG_MAPS, &key).is_none(), "its owner is gone");
}

#[test]
fn the_answer_to_a_create_tells_of_the_object_that_was_made_and_of_no_other() {
    let mut world = world(1);
    ask(&mut world, Request::create(Resource::DEPLOYMENTS, deployment(3))).expect("created");
    let now = world.now();
    run(&mut world, now + MINUTE);
    let names: Vec<_> = world
        .take_records()
        .into_iter()
        .filter_map(|record| match record.what {
            What::Deliver { actor, resource, key, answer: true, .. }
                if actor == "replicaset-controller" && resource == Resource::PODS =>
            {
                Some(key.name)
            }
            _ => None,
        })
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("web-")), "{names:?}");
}
