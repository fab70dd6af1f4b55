//! Whatever comes together, a CloneSet ends as its last spec says, and then is quiet.

use kubesim_model::stream::Stream;

use super::*;

fn disturb(world: &mut World, random: &mut Stream) {
    match random.between(0, 9) {
        0 | 1 => release(world, ["app:1", "app:2", "app:3", "app:bad"][random.index(4)]),
        2 => scale(world, random.between(0, 12) as i64),
        3 => strategy(world, map! { "partition" => ["0%", "30%", "50%", "100%"][random.index(4)] }),
        4 => world.restart(actor(None)),
        5 => world.watch_delay = [1, 5, 400, 3_000][random.index(4)],
        6 => world.kubelet_delay = [20, 200, 2_500][random.index(3)],
        7 => {
            let code = [0, 409, 500][random.index(3)];
            world.fail = Some((|request| request.verb.is_write(), code));
        }
        8 => {
            let keys: Vec<_> = world.active().into_iter().map(object::key).collect();
            if let Some(key) = keys.get(random.index(keys.len())) {
                world.user(Request::delete(Resource::PODS, key.clone()));
            }
        }
        _ => strategy(world, map! { "paused" => random.chance(0.5) }),
    }
}

fn weather(seed: u64) -> World {
    let mut random = Stream::new(seed, "storm");
    let mut strategy = map! {
        "type" => ["ReCreate", "InPlaceIfPossible"][random.index(2)],
        "maxUnavailable" => ["20%", "50%"][random.index(2)],
        "maxSurge" => random.between(0, 2),
    };
    if random.chance(0.5) {
        let grace = map! { "gracePeriodSeconds" => 3 };
        strategy.set(&["inPlaceUpdateStrategy"], grace);
    }
    let mut world = running(6, strategy);
    for _ in 0..random.between(3, 12) {
        disturb(&mut world, &mut random);
        world.run(random.between(0, 8_000));
    }
    world
}

#[test]
fn after_any_storm_the_last_spec_holds_and_nothing_is_written_any_more() {
    for seed in 0..400 {
        let mut world = weather(seed);
        release(&mut world, "app:9");
        scale(&mut world, 7);
        let open = map! { "paused" => false, "partition" => 0, "maxUnavailable" => 1 };
        strategy(&mut world, open);
        world.run(400_000);
        assert_eq!((available(&world), world.active().len()), (7, 7), "seed {seed}");
        assert_eq!(with_image(&world, "app:9"), 7, "seed {seed}");
        let status = world.get(SETS, "web")["status"].clone();
        assert_eq!(status["updatedReadyReplicas"].as_i64(), Some(7), "seed {seed}");
        assert_eq!(status["currentRevision"], status["updateRevision"], "seed {seed}");
        let writes = world.log.len();
        world.run(600_000);
        assert_eq!(world.log.len(), writes, "seed {seed}");
    }
}

#[test]
fn in_no_storm_there_are_more_pods_than_replicas_and_surge() {
    for seed in 1_000..1_200 {
        let mut random = Stream::new(seed, "bounds");
        let surge = map! { "type" => "ReCreate", "maxSurge" => 2, "maxUnavailable" => 0 };
        let mut world = running(6, surge);
        world.measure_anew();
        release(&mut world, "app:2");
        for _ in 0..random.between(3, 12) {
            match random.between(0, 2) {
                0 => world.restart(actor(None)),
                1 => world.watch_delay = [1, 5, 400, 3_000][random.index(4)],
                _ => {
                    let code = [0, 500][random.index(2)];
                    world.fail = Some((|request| request.verb.is_write(), code));
                }
            }
            world.run(random.between(0, 3_000));
        }
        world.run(300_000);
        assert_eq!(with_image(&world, "app:2"), 6, "seed {seed}");
        assert_bounds(&world, 6, 8);
    }
}
