//! Creating, reading, changing, and the log of it.

use kubesim_model::actor::WatchSpec;
use kubesim_model::request::Verb;

use super::*;

#[test]
fn what_is_created_is_read_and_every_write_has_the_next_version() {
    let mut server = Server::new();
    let before = server.api.version();
    let made = server.create(Resource::CONFIG_MAPS, config_map("a", "1"));
    assert_eq!(made["metadata"]["resourceVersion"], (before + 1).to_string().as_str());
    assert_eq!(made["metadata"]["uid"].str().len(), 36);
    assert_eq!(made["kind"], "ConfigMap");
    assert_eq!(server.fine(&Request::get(Resource::CONFIG_MAPS, key("a"))), made);
    let mut changed = made.clone();
    changed.set(&["data", "key"], "2");
    let handled = server.handle(&Request::update(Resource::CONFIG_MAPS, changed));
    assert_eq!(handled.writes.len(), 1);
    assert_eq!(handled.writes[0].rv, before + 2);
    assert_eq!(handled.writes[0].before.as_ref(), Some(&made));
    let changes: Vec<_> =
        server.api.changes_since(before, &Resource::CONFIG_MAPS).unwrap().collect();
    assert_eq!(changes.len(), 2);
}

#[test]
fn a_write_that_changes_nothing_keeps_the_version() {
    let mut server = Server::new();
    let made = server.create(Resource::DEPLOYMENTS, deployment("web"));
    let handled = server.handle(&Request::update(Resource::DEPLOYMENTS, deployment("web")));
    assert_eq!(handled.answer.unwrap(), made);
    assert!(handled.writes.is_empty());
}

#[test]
fn a_stale_update_conflicts_and_a_blind_one_does_not() {
    let mut server = Server::new();
    let read = server.create(Resource::CONFIG_MAPS, config_map("a", "1"));
    server.fine(&Request::update(Resource::CONFIG_MAPS, config_map("a", "2")));
    let mut stale = read;
    stale.set(&["data", "key"], "3");
    let error = server.fails(&Request::update(Resource::CONFIG_MAPS, stale));
    assert!(error.is_conflict(), "{error}");
    assert_eq!(error.details["name"], "a");
    assert_eq!(server.get(Resource::CONFIG_MAPS, "a").unwrap()["data"]["key"], "2");
}

#[test]
fn an_object_exists_once_and_what_does_not_exist_is_not_found() {
    let mut server = Server::new();
    server.create(Resource::CONFIG_MAPS, config_map("a", "1"));
    let again = server.fails(&Request::create(Resource::CONFIG_MAPS, config_map("a", "1")));
    assert!(again.is_already_exists(), "{again}");
    for request in [
        Request::get(Resource::CONFIG_MAPS, key("b")),
        Request::update(Resource::CONFIG_MAPS, config_map("b", "1")),
        Request::delete(Resource::CONFIG_MAPS, key("b")),
        Request::merge_patch(Resource::CONFIG_MAPS, key("b"), map! {}),
        Request::get(Resource::new("things.example.com"), key("b")),
        Request::get(Resource::CONFIG_MAPS, key("a")).with_subresource("status"),
    ] {
        assert_eq!(server.fails(&request).code, 404, "{request:?}");
    }
}

#[test]
fn a_dry_run_answers_and_stores_nothing() {
    let mut server = Server::new();
    let mut request = Request::create(Resource::CONFIG_MAPS, config_map("a", "1"));
    request.dry_run = true;
    let handled = server.handle(&request);
    assert!(handled.answer.is_ok() && handled.writes.is_empty());
    assert!(server.get(Resource::CONFIG_MAPS, "a").is_none());
}

#[test]
fn namespaces_must_exist_and_not_be_ending() {
    let mut server = Server::new();
    let in_shop = || {
        let mut object = config_map("a", "1");
        object.set(&["metadata", "namespace"], "shop");
        Request::create(Resource::CONFIG_MAPS, object)
    };
    let missing = server.fails(&in_shop());
    assert!(missing.is_not_found(), "{missing}");
    server.create(Resource::NAMESPACES, map! { "metadata" => map! { "name" => "shop" } });
    server.fine(&in_shop());
    server.fine(&Request::delete(Resource::NAMESPACES, ObjectKey::new("", "shop")));
    let ending = server.fails(&Request::create(
        Resource::CONFIG_MAPS,
        map! { "metadata" => map! { "name" => "b", "namespace" => "shop" } },
    ));
    assert_eq!(ending.code, 403);
    assert_eq!(ending.details["causes"][0]["reason"], "NamespaceTerminating");
}

#[test]
fn generated_names_begin_with_their_base_and_differ() {
    let mut server = Server::new();
    let mut object = config_map("a", "1");
    object.remove(&["metadata", "name"]);
    object.set(&["metadata", "generateName"], "web-");
    let names: Vec<_> = (0..3)
        .map(|_| server.create(Resource::CONFIG_MAPS, object.clone())["metadata"]["name"].text())
        .collect();
    assert!(names.iter().all(|name| name.len() == 9 && name.starts_with("web-")), "{names:?}");
    assert!(names[0] != names[1] && names[1] != names[2]);
}

#[test]
fn a_window_that_does_not_reach_back_is_expired() {
    let mut server = Server::new();
    server.create(Resource::CONFIG_MAPS, config_map("a", "1"));
    let newest = server.api.version();
    server.api.compact(newest);
    let error = server.api.changes_since(newest - 1, &Resource::PODS).err().unwrap();
    assert_eq!((error.code, error.reason.as_str()), (410, "Expired"));
    let wanted = format!("too old resource version: {} ({newest})", newest - 1);
    assert_eq!(error.message, wanted);
    assert_eq!(server.api.changes_since(newest, &Resource::PODS).unwrap().count(), 0);
    assert_eq!(server.api.changes_since(newest + 1, &Resource::PODS).err().unwrap().code, 504);
}

#[test]
fn a_reflector_lists_what_its_spec_selects_and_the_version_to_watch_from() {
    let mut server = Server::new();
    server.create(Resource::PODS, pod("a"));
    server.create(Resource::PODS, pod("b"));
    let spec = WatchSpec::all(Resource::PODS).with_fields("metadata.name=b");
    let (items, rv) = server.api.list(&spec).unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(rv, server.api.version());
}

#[test]
fn the_same_seed_makes_the_same_uids_and_copies_are_independent() {
    let mut one = Server::new();
    let mut two = Server { api: one.api.clone(), now: 0 };
    let a = one.create(Resource::PODS, pod("a"));
    let b = two.create(Resource::PODS, pod("a"));
    assert_eq!(a, b);
    one.fine(&Request::new(Verb::Delete, Resource::PODS, key("a")));
    assert!(one.get(Resource::PODS, "a").is_none() && two.get(Resource::PODS, "a").is_some());
}

#[test]
fn an_update_makes_a_lease_but_no_config_map() {
    let mut server = Server::new();
    let lease = map! { "metadata" => meta("a"), "spec" => map! { "holderIdentity" => "me" } };
    server.fine(&Request::update(Resource::LEASES, lease));
    assert_eq!(server.get(Resource::LEASES, "a").unwrap()["spec"]["holderIdentity"], "me");
    let request = Request::update(Resource::CONFIG_MAPS, config_map("a", "1"));
    assert!(server.fails(&request).is_not_found());
}

#[test]
fn fields_that_a_type_does_not_have_are_dropped_or_refused() {
    let mut server = Server::new();
    let mut wrong = deployment("web");
    wrong.set(&["spec", "replica"], 3);
    let mut strict = Request::create(Resource::DEPLOYMENTS, wrong);
    strict.strict = true;
    let refused = server.fails(&strict);
    assert_eq!(refused.code, 400);
    assert!(refused.message.ends_with("unknown field \"spec.replica\""), "{refused}");
    strict.strict = false;
    assert!(server.fine(&strict)["spec"]["replica"].is_null());
}

#[test]
fn values_of_another_shape_are_refused() {
    let mut server = Server::new();
    let mut wrong = deployment("web");
    wrong.set(&["spec", "replicas"], "3");
    let refused = server.fails(&Request::create(Resource::DEPLOYMENTS, wrong));
    assert_eq!((refused.code, refused.reason.as_str()), (400, "BadRequest"));
    server.create(Resource::DEPLOYMENTS, deployment("web"));
    let patch = map! { "spec" => map! { "replicas" => "3" } };
    let refused = server.fails(&Request::merge_patch(Resource::DEPLOYMENTS, key("web"), patch));
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));
}
