//! How fast a world runs: a release of 30 pods on 5 nodes while one node is lost, 15 virtual
//! minutes.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement for people")]

use std::time::Instant;

use kubesim::world::{Lever, World, WorldConfig};
use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::{list, map};

fn trial(seed: u64) -> (u64, usize) {
    let mut world = World::new(WorldConfig {
        record_deliveries_of: Some(vec!["deployment-controller".into()]),
        ..WorldConfig::new(seed, 5)
    });
    world.add_client("user", "admin", "speed");
    let container = |image: &str| list![map! { "name" => "app", "image" => image }];
    let labels = || map! { "app" => "web" };
    let deployment = map! {
        "apiVersion" => "apps/v1", "kind" => "Deployment",
        "metadata" => map! { "name" => "web", "namespace" => "default" },
        "spec" => map! {
            "replicas" => 30,
            "selector" => map! { "matchLabels" => labels() },
            "template" => map! {
                "metadata" => map! { "labels" => labels() },
                "spec" => map! { "containers" => container("agnhost:2.59") },
            },
        },
    };
    world.submit("user", Request::create(Resource::DEPLOYMENTS, deployment));
    run(&mut world, 60_000);
    let patch = map! { "spec" => map! { "template" => map! {
        "spec" => map! { "containers" => container("agnhost:2.60") },
    } } };
    let key = ObjectKey::new("default", "web");
    world.submit("user", Request::strategic_patch(Resource::DEPLOYMENTS, key, patch));
    run(&mut world, 63_000);
    let _ = world.pull(&Lever::PowerOff { node: "worker-1".into() });
    run(&mut world, 900_000);
    (world.steps(), world.take_records().len())
}

fn run(world: &mut World, until: u64) {
    while world.next_event().is_some_and(|at| at <= until) {
        world.step();
    }
}

fn main() {
    let count = 50;
    let begin = Instant::now();
    let (mut steps, mut records) = (0, 0);
    for seed in 0..count {
        let (more_steps, more_records) = trial(seed);
        steps += more_steps;
        records += more_records;
    }
    let took = begin.elapsed().as_secs_f64();
    let each = count as f64;
    println!(
        "{:.1} trials/s, {:.2} ms each, {:.0} steps and {:.0} records each, {:.0} virtual s per s",
        each / took,
        took * 1e3 / each,
        steps as f64 / each,
        records as f64 / each,
        900.0 * each / took,
    );
}
