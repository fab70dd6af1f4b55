//! Patches, status isolation, generation.

use kubesim_model::request::Verb;

use super::*;

fn json_patch(resource: Resource, name: &str, operations: Tree) -> Request {
    Request::new(Verb::JsonPatch, resource, key(name)).with_body(operations)
}

fn image(name: &str, image: &str) -> Tree {
    let containers = list![map! { "name" => name, "image" => image }];
    map! { "spec" => map! { "containers" => containers } }
}

#[test]
fn generation_counts_changes_of_the_spec_only() {
    let mut server = Server::new();
    server.create(Resource::DEPLOYMENTS, deployment("web"));
    let mut generation = |patch: Tree, subresource: &'static str| {
        let request = Request::merge_patch(Resource::DEPLOYMENTS, key("web"), patch);
        let after = server.fine(&request.with_subresource(subresource));
        after["metadata"]["generation"].as_i64()
    };
    assert_eq!(generation(map! { "spec" => map! { "replicas" => 3 } }, ""), Some(2));
    assert_eq!(generation(map! { "status" => map! { "replicas" => 3 } }, "status"), Some(2));
    let noted = |key: &str| {
        map! { "metadata" => map! { "annotations" => map! { key => "b" } } }
    };
    assert_eq!(generation(noted("a"), "status"), Some(2), "status writes never count");
    let labelled = map! { "metadata" => map! { "labels" => map! { "a" => "b" } } };
    assert_eq!(generation(labelled, ""), Some(2));
    assert_eq!(generation(noted("c"), ""), Some(3), "annotations of a Deployment count");
}

#[test]
fn status_and_the_rest_are_written_apart() {
    let mut server = Server::new();
    server.create(Resource::DEPLOYMENTS, deployment("web"));
    let both = map! {
        "spec" => map! { "replicas" => 5 }, "status" => map! { "replicas" => 7 },
    };
    let main = Request::merge_patch(Resource::DEPLOYMENTS, key("web"), both.clone());
    let after = server.fine(&main);
    assert_eq!(after["spec"]["replicas"].as_i64(), Some(5));
    assert!(after["status"]["replicas"].is_null());
    let other = map! {
        "spec" => map! { "replicas" => 6 }, "status" => map! { "replicas" => 7 },
    };
    let status = Request::merge_patch(Resource::DEPLOYMENTS, key("web"), other);
    let after = server.fine(&status.with_subresource("status"));
    assert_eq!(after["spec"]["replicas"].as_i64(), Some(5));
    assert_eq!(after["status"]["replicas"].as_i64(), Some(7));
}

#[test]
fn a_status_patch_shares_the_spec_with_the_state_before() {
    let mut server = Server::new();
    let before = server.create(Resource::PODS, pod("a"));
    let patch = map! { "status" => map! { "podIP" => "10.0.0.1" } };
    let request = Request::strategic_patch(Resource::PODS, key("a"), patch);
    let after = server.fine(&request.with_subresource("status"));
    assert!(after["spec"].is_same(&before["spec"]));
}

#[test]
fn a_strategic_patch_changes_one_container_by_name() {
    let mut server = Server::new();
    server.create(Resource::PODS, pod("a"));
    let request = Request::strategic_patch(Resource::PODS, key("a"), image("app", "web:2"));
    let after = server.fine(&request);
    assert_eq!(after["spec"]["containers"][0]["image"], "web:2");
    assert_eq!(after["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent");
    assert_eq!(after["metadata"]["generation"].as_i64(), Some(2));
}

#[test]
fn a_patch_with_a_stale_version_conflicts_and_one_without_never_does() {
    let mut server = Server::new();
    server.create(Resource::CONFIG_MAPS, config_map("a", "1"));
    let patch = |version: Tree| {
        let patch = map! {
            "data" => map! { "key" => "9" }, "metadata" => map! { "resourceVersion" => version },
        };
        Request::merge_patch(Resource::CONFIG_MAPS, key("a"), patch)
    };
    assert!(server.fails(&patch("1".into())).is_conflict());
    server.fine(&Request::merge_patch(
        Resource::CONFIG_MAPS,
        key("a"),
        map! { "data" => map! { "key" => "2" } },
    ));
}

#[test]
fn json_patches_test_and_fail_as_a_whole() {
    let mut server = Server::new();
    server.create(Resource::CONFIG_MAPS, config_map("a", "1"));
    let operations = |value: &str| {
        list![
            map! { "op" => "replace", "path" => "/data/key", "value" => "2" },
            map! { "op" => "test", "path" => "/data/key", "value" => value },
        ]
    };
    let error = server.fails(&json_patch(Resource::CONFIG_MAPS, "a", operations("1")));
    assert_eq!(error.code, 422);
    assert_eq!(server.get(Resource::CONFIG_MAPS, "a").unwrap()["data"]["key"], "1");
    server.fine(&json_patch(Resource::CONFIG_MAPS, "a", operations("2")));
    assert_eq!(server.fails(&json_patch(Resource::CONFIG_MAPS, "a", map! {})).code, 400);
    let gone = list![map! { "op" => "replace", "path" => "", "value" => 7 }];
    assert_eq!(server.fails(&json_patch(Resource::CONFIG_MAPS, "a", gone)).code, 400);
}

#[test]
fn metadata_of_the_server_and_nulls_do_not_get_in() {
    let mut server = Server::new();
    let made = server.create(Resource::DEPLOYMENTS, deployment("web"));
    let mut object = deployment("web");
    object.set(&["metadata", "creationTimestamp"], Tree::Null);
    object.set(&["metadata", "generation"], 99);
    object.set(&["spec", "template", "metadata", "creationTimestamp"], Tree::Null);
    object.set(&["metadata", "labels"], map! {});
    let handled = server.handle(&Request::update(Resource::DEPLOYMENTS, object));
    assert_eq!(handled.answer.unwrap(), made);
    let renamed = map! { "metadata" => map! { "name" => "other" } };
    let request = Request::merge_patch(Resource::DEPLOYMENTS, key("web"), renamed);
    assert_eq!(server.fails(&request).code, 400);
    let other = map! { "metadata" => map! { "uid" => "other" } };
    let request = Request::merge_patch(Resource::DEPLOYMENTS, key("web"), other);
    assert_eq!(server.fails(&request).code, 422);
}
