//! Deleting: grace, finalizers, propagation, preconditions.

use super::*;

fn running(server: &mut Server, name: &str) -> Tree {
    server.create(Resource::PODS, pod(name));
    let request = Request::new(kubesim_model::request::Verb::Create, Resource::PODS, key(name));
    server.fine(&request.with_subresource("binding").with_body(binding(name)));
    let patch = map! { "status" => map! { "phase" => "Running" } };
    let request = Request::merge_patch(Resource::PODS, key(name), patch);
    server.fine(&request.with_subresource("status"))
}

#[test]
fn a_running_pod_is_marked_for_its_grace_and_removed_with_grace_zero() {
    let mut server = Server::new();
    running(&mut server, "a");
    server.now = 10_000;
    let handled = server.handle(&Request::delete(Resource::PODS, key("a")));
    assert_eq!(handled.writes.len(), 1);
    let marked = server.get(Resource::PODS, "a").unwrap();
    assert_eq!(marked["metadata"]["deletionTimestamp"], "2026-01-01T00:00:40Z");
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"].as_i64(), Some(30));
    assert_eq!(marked["metadata"]["generation"].as_i64(), Some(2));
    let longer = server.handle(&Request::delete(Resource::PODS, key("a")).with_grace(60));
    assert!(longer.answer.is_ok() && longer.writes.is_empty(), "grace only shortens");
    server.fine(&Request::delete(Resource::PODS, key("a")).with_grace(5));
    let shorter = server.get(Resource::PODS, "a").unwrap();
    assert_eq!(shorter["metadata"]["deletionTimestamp"], "2026-01-01T00:00:15Z");
    let last = server.handle(&Request::delete(Resource::PODS, key("a")).with_grace(0));
    assert_eq!(last.writes.len(), 2, "marked with grace 0, then deleted");
    assert!(last.writes[1].after.is_none() && server.get(Resource::PODS, "a").is_none());
}

#[test]
fn unscheduled_and_ended_pods_get_no_grace() {
    let mut server = Server::new();
    server.create(Resource::PODS, pod("a"));
    server.fine(&Request::delete(Resource::PODS, key("a")));
    assert!(server.get(Resource::PODS, "a").is_none());
    running(&mut server, "b");
    let patch = map! { "status" => map! { "phase" => "Failed" } };
    let request = Request::merge_patch(Resource::PODS, key("b"), patch);
    server.fine(&request.with_subresource("status"));
    server.fine(&Request::delete(Resource::PODS, key("b")).with_grace(100));
    assert!(server.get(Resource::PODS, "b").is_none());
}

#[test]
fn finalizers_hold_an_object_until_the_last_is_gone_and_none_is_added() {
    let mut server = Server::new();
    let mut object = config_map("a", "1");
    object.set(&["metadata", "finalizers"], list!["example.com/hold"]);
    server.create(Resource::CONFIG_MAPS, object);
    server.fine(&Request::delete(Resource::CONFIG_MAPS, key("a")));
    let held = server.get(Resource::CONFIG_MAPS, "a").unwrap();
    assert!(kubesim_model::object::is_terminating(&held));
    let again = server.handle(&Request::delete(Resource::CONFIG_MAPS, key("a")));
    assert!(again.writes.is_empty(), "it goes already");
    let add = map! { "metadata" => map! { "finalizers" => list!["example.com/hold", "e.com/b"] } };
    let error = server.fails(&Request::merge_patch(Resource::CONFIG_MAPS, key("a"), add));
    assert_eq!(error.code, 422);
    let free = map! { "metadata" => map! { "finalizers" => Tree::Null } };
    let handled = server.handle(&Request::merge_patch(Resource::CONFIG_MAPS, key("a"), free));
    assert!(handled.writes[0].after.is_none());
    assert!(server.get(Resource::CONFIG_MAPS, "a").is_none());
}

#[test]
fn a_pod_without_finalizers_and_grace_goes_only_by_its_kubelet() {
    let mut server = Server::new();
    running(&mut server, "a");
    server.fine(&Request::delete(Resource::PODS, key("a")));
    let touch = map! { "metadata" => map! { "labels" => map! { "a" => "b" } } };
    server.fine(&Request::merge_patch(Resource::PODS, key("a"), touch));
    assert!(server.get(Resource::PODS, "a").is_some());
}

#[test]
fn policies_become_finalizers_of_the_garbage_collector() {
    for (policy, finalizer) in [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")] {
        let mut server = Server::new();
        server.create(Resource::DEPLOYMENTS, deployment("web"));
        let body = map! { "propagationPolicy" => policy };
        server.fine(&Request::delete(Resource::DEPLOYMENTS, key("web")).with_body(body));
        let held = server.get(Resource::DEPLOYMENTS, "web").unwrap();
        assert_eq!(held["metadata"]["finalizers"], list![finalizer]);
        let body = map! { "propagationPolicy" => "Background" };
        server.fine(&Request::delete(Resource::DEPLOYMENTS, key("web")).with_body(body));
        assert!(server.get(Resource::DEPLOYMENTS, "web").is_none());
    }
    let mut server = Server::new();
    server.create(Resource::DEPLOYMENTS, deployment("web"));
    let body = map! { "propagationPolicy" => "Sideways" };
    let error = server.fails(&Request::delete(Resource::DEPLOYMENTS, key("web")).with_body(body));
    assert_eq!(error.code, 422);
}

#[test]
fn preconditions_protect_the_successor_of_the_same_name() {
    let mut server = Server::new();
    server.create(Resource::PODS, pod("a"));
    let error = server.fails(&Request::delete(Resource::PODS, key("a")).with_uid("other"));
    assert!(error.is_conflict(), "{error}");
    let body = map! { "preconditions" => map! { "resourceVersion" => "1" } };
    let error = server.fails(&Request::delete(Resource::PODS, key("a")).with_body(body));
    assert!(error.is_conflict(), "{error}");
    assert!(server.get(Resource::PODS, "a").is_some());
}

#[test]
fn a_collection_is_deleted_by_its_selector() {
    let mut server = Server::new();
    for name in ["a", "b"] {
        let mut object = config_map(name, "1");
        object.set(&["metadata", "labels", "name"], name);
        server.create(Resource::CONFIG_MAPS, object);
    }
    let verb = kubesim_model::request::Verb::DeleteCollection;
    let mut request = Request::new(verb, Resource::CONFIG_MAPS, key(""));
    request.list.label_selector = "name=a".into();
    server.fine(&request);
    assert!(server.get(Resource::CONFIG_MAPS, "a").is_none());
    assert!(server.get(Resource::CONFIG_MAPS, "b").is_some());
}

#[test]
fn a_namespace_ends_when_it_is_finalized() {
    let mut server = Server::new();
    let shop = ObjectKey::new("", "shop");
    server.create(Resource::NAMESPACES, map! { "metadata" => map! { "name" => "shop" } });
    server.fine(&Request::delete(Resource::NAMESPACES, shop.clone()));
    let mut ending = server.api.get(&Resource::NAMESPACES, &shop).unwrap().clone();
    assert_eq!(ending["status"]["phase"], "Terminating");
    ending.set(&["spec", "finalizers"], list![]);
    server.fine(&Request::update(Resource::NAMESPACES, ending).with_subresource("finalize"));
    assert!(server.api.get(&Resource::NAMESPACES, &shop).is_none());
    let fixed = Request::delete(Resource::NAMESPACES, ObjectKey::new("", "kube-system"));
    assert_eq!(server.fails(&fixed).code, 403);
}
