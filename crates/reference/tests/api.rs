//! The simulated API accepts what the CloneSet controller writes, status patches and guards
//! included.

use std::collections::BTreeSet;

use kubesim::api::{Api, ApiConfig, Identity};
use kubesim_model::actor::WatchSpec;
use kubesim_model::request::{Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};
use reference::cloneset::{self, Action, View, decide};

fn carry_out(api: &mut Api, request: &Request) -> Tree {
    let handled = api.handle(1_000, &Identity::default(), request);
    handled.answer.unwrap_or_else(|status| panic!("{}: {status}", request.key))
}

fn all(api: &Api, resource: Resource) -> Vec<Tree> {
    api.list(&WatchSpec::all(resource)).expect("the resource is served").0
}

/// Decides once and carries everything out; answers the actions.
fn turn(api: &mut Api, now: u64) -> Vec<Action> {
    let sets = all(api, Resource::CLONE_SETS);
    let (pods, revisions) = (all(api, Resource::PODS), all(api, Resource::CONTROLLER_REVISIONS));
    let view = View {
        set: &sets[0],
        pods: pods.iter().collect(),
        revisions: revisions.iter().collect(),
        now,
        entropy: now,
        bug: None,
        started: &BTreeSet::new(),
    };
    let plan = decide(&view);
    for request in plan.actions.iter().filter_map(Action::request) {
        carry_out(api, &request);
    }
    plan.actions
}

/// What a kubelet would report.
fn report(api: &mut Api) {
    for pod in all(api, Resource::PODS) {
        let image = &pod["spec"]["containers"][0]["image"];
        let running = map! { "running" => map! { "startedAt" => "2026-01-01T00:00:00Z" } };
        let status =
            map! { "name" => "app", "image" => image, "imageID" => image, "state" => running };
        let ready = map! { "type" => "Ready", "status" => "True" };
        let patch = map! { "status" => map! {
            "phase" => "Running", "conditions" => list![ready], "containerStatuses" => list![status],
            "observedGeneration" => object::generation(&pod),
        } };
        let request = Request::strategic_patch(Resource::PODS, object::key(&pod), patch);
        carry_out(api, &request.with_subresource("status"));
    }
}

#[test]
fn the_simulated_api_accepts_an_in_place_release() {
    let mut api = Api::new(1, ApiConfig::default());
    let crds = Resource::CUSTOM_RESOURCE_DEFINITIONS;
    carry_out(&mut api, &Request::create(crds, cloneset::crd()));
    let template = |image: &str| {
        map! {
            "metadata" => map! { "labels" => map! { "app" => "web" } },
            "spec" => map! { "containers" => list![map! { "name" => "app", "image" => image }] },
        }
    };
    let set = map! {
        "apiVersion" => "apps.kruise.io/v1beta1", "kind" => "CloneSet",
        "metadata" => map! { "name" => "web", "namespace" => "default" },
        "spec" => map! {
            "replicas" => 2, "template" => template("app:1"),
            "selector" => map! { "matchLabels" => map! { "app" => "web" } },
            "updateStrategy" => map! { "type" => "InPlaceIfPossible" },
        },
    };
    carry_out(&mut api, &Request::create(Resource::CLONE_SETS, set));
    let settle = |api: &mut Api| {
        (0..40).any(|now| {
            let actions = turn(api, now);
            report(api);
            actions.is_empty()
        })
    };
    assert!(settle(&mut api), "the set comes up");
    let key = ObjectKey::new("default", "web");
    let patch = map! { "spec" => map! { "template" => template("app:2") } };
    let release = Request::new(Verb::MergePatch, Resource::CLONE_SETS, key).with_body(patch);
    carry_out(&mut api, &release);
    assert!(settle(&mut api), "the release ends");
    let pods = all(&api, Resource::PODS);
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|pod| pod["spec"]["containers"][0]["image"] == "app:2"));
    let status = &all(&api, Resource::CLONE_SETS)[0]["status"];
    assert_eq!(status["updatedReadyReplicas"].as_i64(), Some(2));
}
