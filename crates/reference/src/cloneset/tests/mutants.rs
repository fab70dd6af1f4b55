//! Each planted bug breaks a fact that holds without it.

use super::*;

/// Holds without a bug, and not with this one.
fn tells(bug: &str, holds: fn(Option<&str>) -> bool) {
    assert!(Bug::named(bug).is_some(), "{bug} is a bug");
    assert!(holds(None), "holds without {bug}");
    assert!(!holds(Some(bug)), "{bug} is seen");
}

/// Moves a pod to a node whose kubelet is dead, and makes it not ready.
fn lose(world: &mut World, name: &str) {
    world.dead.insert("n3");
    let unready = list![map! { "type" => "Ready", "status" => "False" }];
    let patch = map! {
        "spec" => map! { "nodeName" => "n3" },
        "status" => map! { "conditions" => unready },
    };
    let key = kubesim_model::resource::ObjectKey::new("default", name);
    world.user(Request::strategic_patch(Resource::PODS, key, patch));
}

fn name_with(world: &World, wanted: &str) -> String {
    let pods = world.active();
    let found = pods.iter().find(|pod| image(pod) == wanted).expect("one has the image");
    object::name(found).to_owned()
}

#[test]
fn budgets() {
    tells("off-by-one-unavailable", |bug| {
        let mut world = running_with(bug, 5, in_place());
        world.measure_anew();
        release(&mut world, "app:2");
        world.run(20_000);
        world.least_ready >= 4
    });
    tells("ignores-not-ready", |bug| {
        let mut world =
            running_with(bug, 5, map! { "type" => "InPlaceIfPossible", "partition" => 3 });
        release(&mut world, "app:2");
        world.run(20_000);
        let updated = name_with(&world, "app:2");
        lose(&mut world, &updated);
        world.run(1_000);
        world.measure_anew();
        strategy(&mut world, map! { "partition" => 0 });
        world.run(20_000);
        world.least_ready >= 4
    });
    tells("exceeds-surge", |bug| {
        let surge = map! { "type" => "ReCreate", "maxSurge" => 1, "maxUnavailable" => 0 };
        let mut world = running_with(bug, 3, surge);
        release(&mut world, "app:2");
        world.run(60_000);
        world.most_active <= 4
    });
    tells("ignores-partition", |bug| {
        let strategy = map! { "type" => "InPlaceIfPossible", "partition" => 2 };
        let mut world = running_with(bug, 3, strategy);
        release(&mut world, "app:2");
        world.run(20_000);
        with_image(&world, "app:1") == 2
    });
}

#[test]
fn numbers() {
    tells("off-by-one-partition", |bug| {
        let strategy = map! { "type" => "InPlaceIfPossible", "partition" => 2 };
        let mut world = running_with(bug, 3, strategy);
        release(&mut world, "app:2");
        world.run(20_000);
        with_image(&world, "app:1") == 2
    });
    tells("ignores-min-ready-seconds", |bug| {
        let mut world = running_with(bug, 5, in_place());
        world.merge(SETS, "web", map! { "spec" => map! { "minReadySeconds" => 60 } });
        world.run(120_000);
        release(&mut world, "app:2");
        world.run(100_000);
        with_image(&world, "app:1") > 0
    });
    tells("reports-wishes", |bug| {
        let mut world = running_with(bug, 3, in_place());
        let broken = object::name(world.active()[0]).to_owned();
        lose(&mut world, &broken);
        world.run(1_000);
        world.get(SETS, "web")["status"]["readyReplicas"].as_i64() == Some(2)
    });
    tells("rewrites-status", |bug| {
        let mut world = running_with(bug, 3, in_place());
        let writes = world.log.len();
        world.run(60_000);
        world.log.len() - writes < 10
    });
    tells("counts-terminating", |bug| (0..5).all(|leaving| keeps_four(bug, leaving)));
}

/// Whether a release takes no pod down while one of five terminates, which its host is too dead to
/// carry out, and its replacement is not ready yet.
fn keeps_four(bug: Option<&str>, leaving: usize) -> bool {
    let mut world = running_with(bug, 5, in_place());
    let leaving = object::name(world.active()[leaving]).to_owned();
    lose(&mut world, &leaving);
    let ready = list![map! { "type" => "Ready", "status" => "True" }];
    let key = kubesim_model::resource::ObjectKey::new("default", leaving);
    let patch = map! { "status" => map! { "conditions" => ready } };
    world.user(Request::strategic_patch(Resource::PODS, key.clone(), patch));
    world.kubelet_delay = 5_000;
    world.user(Request::delete(Resource::PODS, key));
    release(&mut world, "app:2");
    world.run(500);
    world.measure_anew();
    world.run(2_000);
    world.least_ready >= 4
}

#[test]
fn scaling() {
    tells("forgets-expectations", |bug| {
        let mut world = running_with(bug, 3, in_place());
        world.watch_delay = 300;
        scale(&mut world, 6);
        world.run(100);
        let status = map! { "status" => map! { "replicas" => 1 } };
        world.merge(SETS, "web", status);
        world.watch_delay = 5;
        world.run(20_000);
        world.most_active <= 6
    });
    tells("deletes-healthy-first", |bug| {
        let mut world = running_with(bug, 3, in_place());
        let broken = object::name(world.active()[0]).to_owned();
        lose(&mut world, &broken);
        scale(&mut world, 2);
        world.run(20_000);
        available(&world) == 2
    });
}

#[test]
fn in_place_updates() {
    tells("marks-in-place-done-early", |bug| {
        let mut world = running_with(bug, 3, in_place());
        world.kubelet_delay = 2_000;
        release(&mut world, "app:2");
        (0..500).all(|_| {
            world.run(20);
            world.active().iter().all(|pod| {
                let runs = &pod["status"]["containerStatuses"][0]["image"];
                !object::has_condition(pod, IN_PLACE_READY) || image(pod) == runs.str()
            })
        })
    });
    tells("restarts-bystanders", |bug| {
        let mut world = running_with(bug, 3, in_place());
        release(&mut world, "app:2");
        world.run(20_000);
        let restarts = |pod: &&Tree| pod["status"]["containerStatuses"][1]["restartCount"].as_i64();
        world.active().iter().all(|pod| restarts(pod) == Some(0))
    });
    tells("recreates-instead", |bug| {
        let mut world = running_with(bug, 3, in_place());
        world.fail = Some((|request| !request.body["spec"]["containers"].is_null(), 409));
        release(&mut world, "app:2");
        world.run(20_000);
        deletions(&world) == 0
    });
    tells("loses-pod-on-crash", |bug| {
        let mut world = running_with(bug, 3, in_place());
        world.kubelet_delay = 2_000;
        release(&mut world, "app:2");
        world.run(1_000);
        world.restart(actor(bug));
        world.run(60_000);
        available(&world) == 3
    });
}

#[test]
fn convergence() {
    tells("edge-triggered", |bug| {
        let mut world = running_with(bug, 3, in_place());
        world.run(1_000);
        let pod = object::key(world.active()[0]);
        world.user(Request::delete(Resource::PODS, pod));
        world.run(20_000);
        available(&world) == 3
    });
    tells("revision-flaps", |bug| {
        let mut world = running_with(bug, 3, in_place());
        release(&mut world, "app:2");
        world.run(60_000);
        let revisions: Vec<Text> = world
            .log
            .iter()
            .map(|(_, request, _)| request.body["status"]["updateRevision"].text())
            .filter(|revision| !revision.is_empty())
            .collect();
        let changes = revisions.windows(2).filter(|pair| pair[0] != pair[1]).count();
        changes == 1
    });
    tells("hot-loop", |bug| {
        let mut world = running_with(bug, 3, in_place());
        let writes = world.log.len();
        world.run(60_000);
        world.log.len() - writes < 10
    });
}
