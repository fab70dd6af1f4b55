//! Scale, binding, eviction, custom resources.

use kubesim_model::request::Verb;

use super::*;

fn sub(verb: Verb, resource: Resource, name: &str, subresource: &'static str) -> Request {
    Request::new(verb, resource, key(name)).with_subresource(subresource)
}

fn status(server: &mut Server, resource: Resource, name: &str, status: Tree) {
    let patch = map! { "status" => status };
    let request = Request::merge_patch(resource, key(name), patch);
    server.fine(&request.with_subresource("status"));
}

/// A running, ready pod of the application `web`, and how it is bound.
fn web_pod(server: &mut Server, name: &str, ready: &str) {
    let mut object = pod(name);
    object.set(&["metadata", "labels"], map! { "app" => "web" });
    server.create(Resource::PODS, object);
    server.fine(&sub(Verb::Create, Resource::PODS, name, "binding").with_body(binding(name)));
    let conditions = list![map! { "type" => "Ready", "status" => ready }];
    let state = map! { "phase" => "Running", "conditions" => conditions };
    status(server, Resource::PODS, name, state);
}

/// A budget over `web` whose controller said this.
fn budget(server: &mut Server, name: &str, allowed: i64, healthy: i64, policy: Tree) {
    let selector = map! { "matchLabels" => map! { "app" => "web" } };
    let mut spec = map! { "maxUnavailable" => 1, "selector" => selector };
    if !policy.is_null() {
        spec.set(&["unhealthyPodEvictionPolicy"], policy);
    }
    let object = map! { "metadata" => meta(name), "spec" => spec };
    server.create(Resource::POD_DISRUPTION_BUDGETS, object);
    let said = map! {
        "disruptionsAllowed" => allowed, "currentHealthy" => healthy, "desiredHealthy" => 2,
        "expectedPods" => 3, "observedGeneration" => 1,
    };
    status(server, Resource::POD_DISRUPTION_BUDGETS, name, said);
}

#[test]
fn scale_reads_and_sets_replicas() {
    let mut server = Server::new();
    server.create(Resource::DEPLOYMENTS, deployment("web"));
    let scale = server.fine(&sub(Verb::Get, Resource::DEPLOYMENTS, "web", "scale"));
    assert_eq!(scale["spec"]["replicas"].as_i64(), Some(1));
    assert_eq!(scale["status"]["selector"], "app=web");
    let set = |replicas: i64| map! { "spec" => map! { "replicas" => replicas } };
    let patch = sub(Verb::MergePatch, Resource::DEPLOYMENTS, "web", "scale").with_body(set(4));
    assert_eq!(server.fine(&patch)["spec"]["replicas"].as_i64(), Some(4));
    let stored = server.get(Resource::DEPLOYMENTS, "web").unwrap();
    assert_eq!(stored["spec"]["replicas"].as_i64(), Some(4));
    assert_eq!(stored["metadata"]["generation"].as_i64(), Some(2));
    let update = sub(Verb::Update, Resource::DEPLOYMENTS, "web", "scale");
    let stale = update.clone().with_body(scale);
    assert!(server.fails(&stale).is_conflict());
    assert_eq!(server.fails(&update.with_body(set(-1))).code, 422);
    assert_eq!(server.fails(&sub(Verb::Delete, Resource::DEPLOYMENTS, "web", "scale")).code, 405);
}

#[test]
fn a_pod_is_bound_once() {
    let mut server = Server::new();
    server.create(Resource::PODS, pod("a"));
    let bind = sub(Verb::Create, Resource::PODS, "a", "binding").with_body(binding("a"));
    server.fine(&bind);
    let bound = server.get(Resource::PODS, "a").unwrap();
    assert_eq!(bound["spec"]["nodeName"], "worker-1");
    assert!(kubesim_model::object::has_condition(&bound, "PodScheduled"));
    assert!(server.fails(&bind).is_conflict());
    let nowhere = sub(Verb::Create, Resource::PODS, "a", "binding").with_body(map! {});
    assert_eq!(server.fails(&nowhere).code, 400);
}

#[test]
fn an_eviction_takes_from_the_budget_marks_and_deletes() {
    let mut server = Server::new();
    web_pod(&mut server, "a", "True");
    budget(&mut server, "web", 1, 3, Tree::Null);
    let handled = server.handle(&Request::evict(key("a")));
    assert_eq!(handled.answer.unwrap()["status"], "Success");
    let resources: Vec<&str> = handled.writes.iter().map(|write| write.resource.as_str()).collect();
    assert_eq!(resources, ["poddisruptionbudgets.policy", "pods", "pods"]);
    let taken = server.get(Resource::POD_DISRUPTION_BUDGETS, "web").unwrap();
    assert_eq!(taken["status"]["disruptionsAllowed"].as_i64(), Some(0));
    assert!(!taken["status"]["disruptedPods"]["a"].is_null());
    assert_eq!(taken["metadata"]["generation"].as_i64(), Some(1));
    let going = server.get(Resource::PODS, "a").unwrap();
    assert!(kubesim_model::object::is_terminating(&going));
    let reason = &kubesim_model::object::condition(&going, "DisruptionTarget").unwrap()["reason"];
    assert_eq!(*reason, "EvictionByEvictionAPI");
    web_pod(&mut server, "b", "True");
    let error = server.fails(&Request::evict(key("b")));
    assert_eq!((error.code, error.reason.as_str()), (429, "TooManyRequests"));
    assert!(error.details["retryAfterSeconds"].is_null());
    assert_eq!(
        error.details["causes"][0]["message"],
        "The disruption budget web does not allow evicting pods currently"
    );
    assert!(!kubesim_model::object::is_terminating(&server.get(Resource::PODS, "b").unwrap()));
}

#[test]
fn a_budget_that_was_not_looked_at_yet_refuses_for_ten_seconds() {
    let mut server = Server::new();
    web_pod(&mut server, "a", "True");
    budget(&mut server, "web", 1, 3, Tree::Null);
    let change = map! { "spec" => map! { "maxUnavailable" => 2 } };
    server.fine(&Request::merge_patch(Resource::POD_DISRUPTION_BUDGETS, key("web"), change));
    let error = server.fails(&Request::evict(key("a")));
    assert_eq!(error.code, 429);
    assert_eq!(error.details["retryAfterSeconds"].as_i64(), Some(10));
    budget(&mut server, "second", 1, 3, Tree::Null);
    assert_eq!(server.fails(&Request::evict(key("a"))).code, 500, "two budgets");
}

#[test]
fn unready_pods_go_as_their_policy_says_and_pods_that_are_not_up_always() {
    for (healthy, policy, goes) in [
        (2, Tree::Null, true),
        (1, Tree::Null, false),
        (1, "IfHealthyBudget".into(), false),
        (1, "AlwaysAllow".into(), true),
    ] {
        let mut server = Server::new();
        web_pod(&mut server, "a", "False");
        budget(&mut server, "web", 0, healthy, policy);
        let handled = server.handle(&Request::evict(key("a")));
        assert_eq!(handled.answer.is_ok(), goes);
        assert_eq!(handled.writes.len(), if goes { 2 } else { 0 }, "nothing is taken");
    }
    let mut server = Server::new();
    budget(&mut server, "web", 0, 2, Tree::Null);
    let mut object = pod("a");
    object.set(&["metadata", "labels"], map! { "app" => "web" });
    server.create(Resource::PODS, object);
    server.fine(&Request::evict(key("a")));
    assert!(server.get(Resource::PODS, "a").is_none(), "unscheduled: gone at once");
    web_pod(&mut server, "b", "True");
    server.fine(&Request::delete(Resource::PODS, key("b")));
    server.fine(&Request::evict(key("b")));
}

#[test]
fn an_eviction_honours_its_delete_options_and_dry_run() {
    let mut server = Server::new();
    web_pod(&mut server, "a", "True");
    budget(&mut server, "web", 1, 3, Tree::Null);
    let mut dry = Request::evict(key("a"));
    dry.dry_run = true;
    server.fine(&dry);
    assert!(!kubesim_model::object::is_terminating(&server.get(Resource::PODS, "a").unwrap()));
    let mut other = Request::evict(key("a"));
    other.body.set(&["deleteOptions", "preconditions", "uid"], "other");
    assert!(server.fails(&other).is_conflict());
    let mut short = Request::evict(key("a"));
    short.body.set(&["deleteOptions", "gracePeriodSeconds"], 7);
    server.api.compact(0);
    let allowed = map! { "disruptionsAllowed" => 1 };
    status(&mut server, Resource::POD_DISRUPTION_BUDGETS, "web", allowed);
    server.fine(&short);
    let going = server.get(Resource::PODS, "a").unwrap();
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"].as_i64(), Some(7));
}

fn definition() -> Tree {
    let scale = map! {
        "specReplicasPath" => ".spec.replicas", "statusReplicasPath" => ".status.replicas",
        "labelSelectorPath" => ".status.labelSelector",
    };
    let version = map! {
        "name" => "v1alpha1", "served" => true, "storage" => true,
        "subresources" => map! { "status" => map! {}, "scale" => scale },
        "schema" => map! { "openAPIV3Schema" => map! {
            "type" => "object", "x-kubernetes-preserve-unknown-fields" => true,
        } },
    };
    map! {
        "metadata" => map! { "name" => "clonesets.apps.kruise.io" },
        "spec" => map! {
            "group" => "apps.kruise.io", "scope" => "Namespaced", "versions" => list![version],
            "names" => map! { "plural" => "clonesets", "kind" => "CloneSet" },
        },
    }
}

fn clone_set() -> Tree {
    map! {
        "apiVersion" => "apps.kruise.io/v1alpha1", "kind" => "CloneSet", "metadata" => meta("web"),
        "spec" => map! { "replicas" => 3, "anything" => list![1, Tree::Null] },
        "status" => map! { "replicas" => 9 },
    }
}

#[test]
fn a_definition_serves_its_type_with_status_and_scale() {
    let mut server = Server::new();
    let create = Request::create(Resource::CLONE_SETS, clone_set());
    assert_eq!(server.fails(&create).code, 404);
    let made = server.create(Resource::CUSTOM_RESOURCE_DEFINITIONS, definition());
    assert!(kubesim_model::object::has_condition(&made, "Established"));
    let made = server.fine(&create);
    assert!(made["status"].is_null(), "status is a subresource");
    assert_eq!(made["spec"]["anything"], list![1, Tree::Null], "content is kept as it is");
    status(&mut server, Resource::CLONE_SETS, "web", map! { "labelSelector" => "app=web" });
    let scale = server.fine(&sub(Verb::Get, Resource::CLONE_SETS, "web", "scale"));
    assert_eq!(scale["spec"]["replicas"].as_i64(), Some(3));
    assert_eq!(scale["status"]["selector"], "app=web");
    let set = map! { "spec" => map! { "replicas" => 5 } };
    server.fine(&sub(Verb::MergePatch, Resource::CLONE_SETS, "web", "scale").with_body(set));
    let stored = server.get(Resource::CLONE_SETS, "web").unwrap();
    assert_eq!(stored["metadata"]["generation"].as_i64(), Some(2));
    let patch = Request::strategic_patch(Resource::CLONE_SETS, key("web"), map! {});
    assert_eq!(server.fails(&patch).code, 415);
    let blind = server.fails(&Request::update(Resource::CLONE_SETS, clone_set()));
    assert_eq!(blind.code, 422, "custom resources want a resourceVersion");
    assert!(server.api.resources().any(|kind| kind.kind == "CloneSet" && kind.custom));
}

#[test]
fn with_a_definition_go_its_objects() {
    let mut server = Server::new();
    server.create(Resource::CUSTOM_RESOURCE_DEFINITIONS, definition());
    server.create(Resource::CLONE_SETS, clone_set());
    let name = ObjectKey::new("", "clonesets.apps.kruise.io");
    let handled = server.handle(&Request::delete(Resource::CUSTOM_RESOURCE_DEFINITIONS, name));
    assert_eq!(handled.writes.len(), 2);
    assert_eq!(server.fails(&Request::list(Resource::CLONE_SETS, "")).code, 404);
}

#[test]
fn definitions_that_break_rules_are_refused() {
    let mut server = Server::new();
    for (path, value) in [
        (vec!["spec", "scope"], Tree::from("Everywhere")),
        (vec!["spec", "versions"], list![]),
        (vec!["spec", "group"], Tree::Null),
        (vec!["metadata", "name"], "other.apps.kruise.io".into()),
    ] {
        let mut wrong = definition();
        wrong.set(&path, value);
        let request = Request::create(Resource::CUSTOM_RESOURCE_DEFINITIONS, wrong);
        assert_eq!(server.fails(&request).code, 422, "{path:?}");
    }
}

#[test]
fn an_eviction_that_only_rehearses_takes_nothing() {
    let mut server = Server::new();
    web_pod(&mut server, "a", "True");
    budget(&mut server, "web", 1, 3, Tree::Null);
    let mut rehearsal = Request::evict(key("a"));
    rehearsal.body.set(&["deleteOptions", "dryRun"], list!["All"]);
    let handled = server.handle(&rehearsal);
    assert!(handled.answer.is_ok() && handled.writes.is_empty());
    let budget = server.get(Resource::POD_DISRUPTION_BUDGETS, "web").unwrap();
    assert_eq!(budget["status"]["disruptionsAllowed"].as_i64(), Some(1));
}
