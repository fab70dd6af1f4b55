//! Facts about the CloneSet controller, shown on a tiny cluster with late watches.

use kubesim_model::object;
use kubesim_model::request::{Request, Verb};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use super::{
    BUGS, Bug, GRACE_ANNOTATION, IN_PLACE_READY, REVISION_LABEL, SPECIFIED_DELETE_LABEL, actor,
};
use crate::testing::{World, image, template};

const SETS: Resource = Resource::CLONE_SETS;

mod mutants;
mod storm;

fn set(replicas: i64, strategy: Tree) -> Tree {
    map! {
        "apiVersion" => "apps.kruise.io/v1beta1", "kind" => "CloneSet",
        "metadata" => map! { "name" => "web", "namespace" => "default" },
        "spec" => map! {
            "replicas" => replicas, "updateStrategy" => strategy, "template" => template("app:1"),
            "selector" => map! { "matchLabels" => map! { "app" => "web" } },
        },
    }
}

/// A world in which the set runs with all its pods.
fn running_with(bug: Option<&str>, replicas: i64, strategy: Tree) -> World {
    let mut world = World::new(actor(bug));
    world.user(Request::create(SETS, set(replicas, strategy)));
    world.run(10_000);
    assert_eq!(available(&world), replicas as usize, "the set runs at first");
    world
}

fn running(replicas: i64, strategy: Tree) -> World {
    running_with(None, replicas, strategy)
}

fn in_place() -> Tree {
    map! { "type" => "InPlaceIfPossible" }
}

fn release(world: &mut World, image: &str) {
    let patch = map! { "spec" => map! { "template" => template(image) } };
    world.merge(SETS, "web", patch);
}

fn strategy(world: &mut World, patch: Tree) {
    world.merge(SETS, "web", map! { "spec" => map! { "updateStrategy" => patch } });
}

fn scale(world: &mut World, replicas: i64) {
    world.merge(SETS, "web", map! { "spec" => map! { "replicas" => replicas } });
}

fn available(world: &World) -> usize {
    world.active().iter().filter(|pod| object::is_ready(pod)).count()
}

fn with_image(world: &World, wanted: &str) -> usize {
    world.active().iter().filter(|pod| image(pod) == wanted).count()
}

fn uids(world: &World) -> Vec<String> {
    let mut uids: Vec<_> = world.active().iter().map(|pod| object::uid(pod).to_owned()).collect();
    uids.sort();
    uids
}

fn deletions(world: &World) -> usize {
    let log = world.log.iter();
    log.filter(|(_, request, answer)| {
        request.verb == Verb::Delete && request.resource == Resource::PODS && answer.is_ok()
    })
    .count()
}

/// After every write since the measure began: at least so many pods ready, so many active at most.
fn assert_bounds(world: &World, ready: usize, active: usize) {
    let (least, most) = (world.least_ready, world.most_active);
    assert!(least >= ready, "{least} ready");
    assert!(most <= active, "{most} active");
}

#[test]
fn an_image_changes_in_place_and_within_the_budget() {
    let mut world = running(5, in_place());
    let before = uids(&world);
    world.measure_anew();
    release(&mut world, "app:2");
    world.run(20_000);
    assert_eq!(with_image(&world, "app:2"), 5);
    assert_eq!((uids(&world), available(&world), deletions(&world)), (before, 5, 0));
    for pod in world.active() {
        assert_eq!(pod["status"]["containerStatuses"][1]["restartCount"].as_i64(), Some(0));
    }
    let status = &world.get(SETS, "web")["status"];
    assert_eq!(status["updatedReadyReplicas"].as_i64(), Some(5));
    assert_eq!(status["currentRevision"], status["updateRevision"]);
    assert_bounds(&world, 4, 5);
}

#[test]
fn nothing_is_written_once_all_is_done() {
    let mut world = running(3, in_place());
    release(&mut world, "app:2");
    world.run(20_000);
    let writes = world.log.len();
    world.run(600_000);
    assert_eq!(world.log.len(), writes);
}

#[test]
fn a_pod_leaves_service_before_its_image_changes_and_returns_after_it_runs() {
    let mut world = running(1, in_place());
    let from = world.log.len();
    release(&mut world, "app:2");
    world.run(10_000);
    let pods =
        world.log[from..].iter().filter(|(_, request, _)| request.resource == Resource::PODS);
    let steps: Vec<String> = pods
        .map(|(_, request, _)| match request.subresource.as_str() {
            "status" => request.body["status"]["conditions"][0]["status"].str().to_owned(),
            _ => request.body["spec"]["containers"][0]["image"].str().to_owned(),
        })
        .collect();
    assert_eq!(steps, ["False", "app:2", "True"]);
}

#[test]
fn a_grace_period_parks_the_change_and_a_rollback_during_it_restarts_nothing() {
    let grace = map! { "gracePeriodSeconds" => 30 };
    let policy = map! { "type" => "InPlaceIfPossible", "inPlaceUpdateStrategy" => grace };
    let mut world = running(1, policy);
    release(&mut world, "app:2");
    world.run(20_000);
    let pod = world.active()[0].clone();
    assert_eq!(image(&pod), "app:1");
    assert!(!object::annotation(&pod, GRACE_ANNOTATION).is_empty());
    assert!(!object::has_condition(&pod, IN_PLACE_READY));
    release(&mut world, "app:1");
    world.run(20_000);
    let pod = world.active()[0];
    assert_eq!((image(pod).as_str(), available(&world)), ("app:1", 1));
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"].as_i64(), Some(0));
    release(&mut world, "app:3");
    world.run(29_000);
    assert_eq!(with_image(&world, "app:3"), 0);
    world.run(10_000);
    assert_eq!((with_image(&world, "app:3"), available(&world)), (1, 1));
}

#[test]
fn a_second_change_midway_ends_at_the_newest_image_and_label() {
    for pause in [50, 150, 220, 260, 400, 700, 1500] {
        let mut world = running(4, in_place());
        release(&mut world, "app:2");
        world.run(pause);
        release(&mut world, "app:3");
        world.run(30_000);
        assert_eq!(with_image(&world, "app:3"), 4, "after {pause} ms");
        assert_eq!((available(&world), deletions(&world)), (4, 0));
        let update = world.get(SETS, "web")["status"]["updateRevision"].clone();
        for pod in world.active() {
            assert_eq!(object::label(pod, REVISION_LABEL), update.str());
        }
    }
}

#[test]
fn a_bad_image_never_spreads_past_the_budget_and_is_repaired_by_a_rollback() {
    let mut world = running(10, in_place());
    world.measure_anew();
    release(&mut world, "app:bad");
    world.run(60_000);
    assert_eq!(with_image(&world, "app:bad"), 2);
    release(&mut world, "app:1");
    world.run(60_000);
    assert_eq!((with_image(&world, "app:1"), available(&world)), (10, 10));
    assert_eq!(
        world.store.keys().filter(|(kind, _)| kind.as_str().contains("revisions")).count(),
        2
    );
    assert_bounds(&world, 8, 10);
}

#[test]
fn another_change_than_images_recreates_and_in_place_only_refuses_it() {
    let change = map! { "spec" => map! { "template" => map! { "spec" => map! {
        "hostNetwork" => true,
    } } } };
    let mut world = running(3, in_place());
    let before = uids(&world);
    world.merge(SETS, "web", change.clone());
    world.run(30_000);
    assert!(uids(&world).iter().all(|uid| !before.contains(uid)));
    assert_eq!(available(&world), 3);
    let mut world = running(3, map! { "type" => "InPlaceOnly" });
    let before = uids(&world);
    world.merge(SETS, "web", change);
    world.run(30_000);
    assert_eq!(uids(&world), before);
}

#[test]
fn the_partition_rounds_up_and_holds_under_scaling() {
    let mut world = running(4, map! { "type" => "InPlaceIfPossible", "partition" => "30%" });
    release(&mut world, "app:2");
    world.run(20_000);
    assert_eq!((with_image(&world, "app:1"), with_image(&world, "app:2")), (2, 2));
    scale(&mut world, 10);
    world.run(20_000);
    assert_eq!((with_image(&world, "app:1"), with_image(&world, "app:2")), (3, 7));
    scale(&mut world, 3);
    world.run(20_000);
    assert_eq!((with_image(&world, "app:1"), with_image(&world, "app:2")), (1, 2));
    strategy(&mut world, map! { "partition" => 3 });
    world.run(20_000);
    assert_eq!(with_image(&world, "app:2"), 2, "a raised partition rolls nothing back");
    strategy(&mut world, map! { "partition" => Tree::Null });
    world.run(20_000);
    assert_eq!(with_image(&world, "app:2"), 3);
}

#[test]
fn a_percentage_below_a_hundred_updates_at_least_one_pod() {
    let mut world = running(2, map! { "type" => "InPlaceIfPossible", "partition" => "99%" });
    release(&mut world, "app:2");
    world.run(20_000);
    assert_eq!(with_image(&world, "app:2"), 1);
}

#[test]
fn surge_pods_come_first_and_go_at_the_end() {
    let mut world =
        running(3, map! { "type" => "ReCreate", "maxSurge" => 1, "maxUnavailable" => 0 });
    world.measure_anew();
    release(&mut world, "app:2");
    world.run(60_000);
    assert_eq!((with_image(&world, "app:2"), world.active().len()), (3, 3));
    assert_bounds(&world, 3, 4);
}

#[test]
fn an_in_place_release_needs_no_surge() {
    let strategy = map! { "type" => "InPlaceIfPossible", "maxSurge" => 2, "maxUnavailable" => 1 };
    let mut world = running(3, strategy);
    world.measure_anew();
    release(&mut world, "app:2");
    world.run(60_000);
    assert_eq!(with_image(&world, "app:2"), 3);
    assert_bounds(&world, 2, 3);
}

#[test]
fn a_late_watch_makes_no_extra_pod_and_breaks_no_budget() {
    let mut world = running(10, map! { "type" => "ReCreate", "maxUnavailable" => 2 });
    world.watch_delay = 3_000;
    world.measure_anew();
    release(&mut world, "app:2");
    world.run(400_000);
    assert_eq!((with_image(&world, "app:2"), available(&world)), (10, 10));
    assert_bounds(&world, 8, 10);
}

#[test]
fn while_paused_it_scales_and_heals_but_updates_nothing() {
    let mut world = running(3, map! { "type" => "InPlaceIfPossible", "paused" => true });
    release(&mut world, "app:2");
    scale(&mut world, 5);
    world.run(20_000);
    assert_eq!((with_image(&world, "app:1"), available(&world)), (3, 5));
}

#[test]
fn a_terminating_or_failed_pod_is_replaced_at_once() {
    let mut world = running(3, in_place());
    world.dead.insert("n0");
    let victims: Vec<_> = world.active().into_iter().cloned().collect();
    world.user(Request::delete(Resource::PODS, object::key(&victims[0])));
    world.merge(
        Resource::PODS,
        object::name(&victims[1]),
        map! {
            "status" => map! { "phase" => "Failed" },
        },
    );
    world.run(10_000);
    assert_eq!(world.active().len(), 3);
    assert!(world.pods().len() > 3);
}

#[test]
fn a_specified_pod_is_replaced_or_is_the_victim_of_a_scale_in() {
    let mut world = running(4, in_place());
    let name = object::name(world.active()[2]).to_owned();
    let mark =
        map! { "metadata" => map! { "labels" => map! { SPECIFIED_DELETE_LABEL => "true" } } };
    world.merge(Resource::PODS, &name, mark);
    world.run(10_000);
    assert_eq!((available(&world), deletions(&world)), (4, 1));
    assert!(world.pods().iter().all(|pod| object::name(pod) != name));
    let name = object::name(world.active()[2]).to_owned();
    let spec =
        map! { "replicas" => 3, "scaleStrategy" => map! { "podsToDelete" => list![&*name] } };
    world.merge(SETS, "web", map! { "spec" => spec });
    world.run(10_000);
    assert_eq!((available(&world), deletions(&world)), (3, 2));
    assert!(world.pods().iter().all(|pod| object::name(pod) != name));
    let left = &world.get(SETS, "web")["spec"]["scaleStrategy"]["podsToDelete"];
    assert!(left.items().is_empty(), "the name is pruned");
}

#[test]
fn scale_in_takes_pods_that_are_not_ready_first() {
    let mut world = running(3, in_place());
    world.dead.insert("n3");
    let broken = object::name(world.active()[0]).to_owned();
    let patch = map! { "spec" => map! { "nodeName" => "n3" }, "status" => map! {
        "conditions" => list![map! { "type" => "Ready", "status" => "False" }],
    } };
    world.merge(Resource::PODS, &broken, patch);
    scale(&mut world, 2);
    world.run(5_000);
    assert!(world.active().iter().all(|pod| object::name(pod) != broken));
}

#[test]
fn a_conflict_is_tried_again_in_place() {
    let mut world = running(3, in_place());
    world.fail = Some((|request| !request.body["spec"]["containers"].is_null(), 409));
    release(&mut world, "app:2");
    world.run(20_000);
    assert!(world.fail.is_none(), "the conflict happened");
    assert_eq!((with_image(&world, "app:2"), deletions(&world)), (3, 0));
}

#[test]
fn a_creation_whose_answer_was_lost_is_not_repeated() {
    let mut world = running(3, in_place());
    world.watch_delay = 2_000;
    world.measure_anew();
    world.fail = Some((|request| request.verb == Verb::Create, 0));
    scale(&mut world, 4);
    world.run(60_000);
    assert!(world.fail.is_none(), "the answer was lost");
    assert_eq!((available(&world), deletions(&world)), (4, 0));
    assert_bounds(&world, 0, 4);
}

#[test]
fn a_restart_at_any_write_loses_no_update_and_breaks_no_budget() {
    let grace = map! { "gracePeriodSeconds" => 1 };
    let policy = map! { "type" => "InPlaceIfPossible", "inPlaceUpdateStrategy" => grace };
    for pause in (0..6_000).step_by(170) {
        let mut world = running(3, policy.clone());
        world.watch_delay = 300;
        world.measure_anew();
        release(&mut world, "app:2");
        world.run(pause);
        world.restart(actor(None));
        world.run(60_000);
        assert_eq!((with_image(&world, "app:2"), available(&world)), (3, 3), "after {pause} ms");
        assert_eq!(deletions(&world), 0);
        assert_bounds(&world, 2, 3);
    }
}

#[test]
fn history_is_kept_to_its_limit() {
    let mut world = running(1, in_place());
    world.merge(SETS, "web", map! { "spec" => map! { "revisionHistoryLimit" => 2 } });
    for image in ["app:2", "app:3", "app:4", "app:5", "app:6"] {
        release(&mut world, image);
        world.run(20_000);
    }
    let revisions = world.store.keys().filter(|(kind, _)| *kind == Resource::CONTROLLER_REVISIONS);
    assert_eq!(revisions.count(), 3);
}

#[test]
fn a_wrong_spec_is_refused_and_pods_stay() {
    let mut world = running(3, in_place());
    strategy(&mut world, map! { "maxUnavailable" => "5" });
    scale(&mut world, 1);
    world.run(20_000);
    assert_eq!(available(&world), 3);
}

#[test]
fn every_bug_has_a_name() {
    assert_eq!(BUGS.iter().filter(|(name, _)| Bug::named(name).is_some()).count(), BUGS.len());
    assert_eq!(Bug::named("forgets-expectations"), Some(Bug::ForgetsExpectations));
    assert_eq!(Bug::named("hot-loop"), Some(Bug::HotLoop));
}
