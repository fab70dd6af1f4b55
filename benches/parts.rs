//! How long the parts of a trial take: fields of trees, writes to the store, telling the watches,
//! a whole trial, and judging it. `cargo bench`; `shakedown bench` measures them all together.
#![allow(clippy::unwrap_used, reason = "a measurement that can't be made is to fail")]

use divan::{Bencher, black_box};
use kubesim::api::{Api, ApiConfig, Identity};
use kubesim::world::{World, WorldConfig};
use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};
use shakedown::check::{Observed, judge};
use shakedown::cluster::Sim;
use shakedown::history::{History, Limits};
use shakedown::plan::{Selection, Trial, Workspace};
use shakedown::run::record_trial;

fn main() {
    divan::main();
}

fn deployment(replicas: i64) -> Tree {
    let labels = || map! { "app" => "web" };
    let container = map! { "name" => "app", "image" => "agnhost:2.59" };
    map! {
        "apiVersion" => "apps/v1", "kind" => "Deployment",
        "metadata" => map! { "name" => "web", "namespace" => "default", "labels" => labels() },
        "spec" => map! {
            "replicas" => replicas,
            "selector" => map! { "matchLabels" => labels() },
            "template" => map! {
                "metadata" => map! { "labels" => labels() },
                "spec" => map! { "containers" => list![container] },
            },
        },
    }
}

fn step_until(world: &mut World, until: u64) {
    while world.next_event().is_some_and(|at| at <= until) {
        world.step();
    }
}

#[divan::bench]
fn a_field_four_levels_deep_is_read(bencher: Bencher<'_, '_>) {
    let object = deployment(3);
    bencher.bench(|| {
        black_box(&object)["spec"]["template"]["spec"]["containers"][0]["image"].as_str()
    });
}

#[divan::bench]
fn a_field_three_levels_deep_is_set_on_a_copy(bencher: Bencher<'_, '_>) {
    let object = deployment(3);
    bencher.bench(|| {
        let mut copy = black_box(&object).clone();
        copy.set(&["spec", "selector", "matchLabels"], map! {});
        copy
    });
}

#[divan::bench]
fn an_object_is_written_to_the_store(bencher: Bencher<'_, '_>) {
    let (mut api, who) = (Api::new(1, ApiConfig::default()), Identity::default());
    api.handle(0, &who, &Request::create(Resource::DEPLOYMENTS, deployment(3))).answer.unwrap();
    let mut replicas = 3;
    bencher.bench_local(|| {
        replicas += 1;
        let patch = map! { "spec" => map! { "replicas" => replicas } };
        let key = ObjectKey::new("default", "web");
        api.handle(0, &who, &Request::merge_patch(Resource::DEPLOYMENTS, key, patch))
    });
}

/// A label of a pod, of which no controller makes anything.
#[divan::bench]
fn all_controllers_are_told_of_a_pod(bencher: Bencher<'_, '_>) {
    let mut world = World::new(WorldConfig::new(1, 5));
    world.add_client("user", "admin", "bench");
    world.submit("user", Request::create(Resource::DEPLOYMENTS, deployment(30)));
    step_until(&mut world, 120_000);
    let pods = kubesim_model::actor::WatchSpec::all(Resource::PODS);
    let (pods, _) = world.api().list(&pods).unwrap();
    let key = kubesim_model::object::key(&pods[0]);
    bencher.with_inputs(|| world.clone()).bench_local_values(|mut world| {
        let patch = map! { "metadata" => map! { "annotations" => map! { "note" => "new" } } };
        world.submit("user", Request::merge_patch(Resource::PODS, key.clone(), patch));
        let until = world.now() + 1_000;
        step_until(&mut world, until);
        world
    });
}

fn trial() -> Trial {
    let workspace = Workspace::of_the_benchmark().unwrap();
    workspace.trials(&Selection::default()).unwrap().remove(0)
}

/// Simulated, recorded and judged.
#[divan::bench(sample_count = 20)]
fn a_release_of_30_pods_with_a_lost_node(bencher: Bencher<'_, '_>) {
    let trial = trial();
    bencher.bench(|| record_trial(&trial, false, &Sim).unwrap());
}

fn stored() -> (Trial, Vec<u8>) {
    let (trial, mut bytes) = (trial(), Vec::new());
    record_trial(&trial, false, &Sim).unwrap().history.write(&mut bytes).unwrap();
    (trial, bytes)
}

#[divan::bench(sample_count = 20)]
fn a_stored_history_is_judged(bencher: Bencher<'_, '_>) {
    let (trial, bytes) = stored();
    let history = History::read(&bytes[..], &Limits::default()).unwrap();
    bencher.bench(|| {
        let observed = Observed::new(&trial.subject);
        judge(&history, &trial.judge_plan(&observed))
    });
}

#[divan::bench(sample_count = 20)]
fn a_history_is_written(bencher: Bencher<'_, '_>) {
    let trial = trial();
    let history = record_trial(&trial, false, &Sim).unwrap().history;
    bencher.bench(|| {
        let mut bytes = Vec::new();
        history.write(&mut bytes).unwrap();
        bytes
    });
}

#[divan::bench(sample_count = 20)]
fn a_history_is_read(bencher: Bencher<'_, '_>) {
    let (_, bytes) = stored();
    bencher.bench(|| History::read(&bytes[..], &Limits::default()).unwrap());
}
