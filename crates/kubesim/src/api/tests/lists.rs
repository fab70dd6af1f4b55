//! Selectors, pages, and how watches see writes.

use kubesim_model::actor::{WatchEvent, WatchSpec};
use proptest::prelude::*;

use super::*;

fn labelled(name: &str, labels: Tree) -> Tree {
    let mut object = config_map(name, "1");
    object.set(&["metadata", "labels"], labels);
    object
}

fn filled() -> Server {
    let mut server = Server::new();
    for (name, labels) in [
        ("a", map! { "app" => "web", "tier" => "1" }),
        ("b", map! { "app" => "db", "tier" => "2" }),
        ("c", map! { "app" => "web" }),
    ] {
        server.create(Resource::CONFIG_MAPS, labelled(name, labels));
    }
    server
}

fn names(list: &Tree) -> Vec<&str> {
    list["items"].items().iter().map(kubesim_model::object::name).collect()
}

fn list_with(labels: &str, fields: &str) -> Request {
    let mut request = Request::list(Resource::CONFIG_MAPS, "default");
    request.list.label_selector = labels.into();
    request.list.field_selector = fields.into();
    request
}

#[test]
fn label_selectors_in_all_their_forms() {
    let mut server = filled();
    for (selector, wanted) in [
        ("", vec!["a", "b", "c"]),
        ("app=web", vec!["a", "c"]),
        ("app==web,tier", vec!["a"]),
        ("app!=web", vec!["b"]),
        ("tier!=1", vec!["b", "c"]),
        ("!tier", vec!["c"]),
        ("app in (web, db),tier notin (1)", vec!["b", "c"]),
        ("tier>1", vec!["b"]),
        ("tier<2", vec!["a"]),
        ("app in ()", vec![]),
        ("tier=", vec![]),
    ] {
        let answer = server.fine(&list_with(selector, ""));
        assert_eq!(names(&answer), wanted, "{selector}");
    }
    for wrong in ["app in web", "=web", "app=a b", "app in (a", "app ~ web", ",", "tier>x", "a/b/c"]
    {
        assert_eq!(server.fails(&list_with(wrong, "")).code, 400, "{wrong}");
    }
}

#[test]
fn field_selectors_of_the_fields_that_a_type_supports() {
    let mut server = filled();
    let named = server.fine(&list_with("", "metadata.name=b"));
    assert_eq!(names(&named), ["b"]);
    let others = server.fine(&list_with("", "metadata.name!=b,metadata.namespace=default"));
    assert_eq!(names(&others), ["a", "c"]);
    assert_eq!(server.fails(&list_with("", "data.key=1")).code, 400);
    assert_eq!(server.fails(&list_with("", "metadata.name")).code, 400);
    server.create(Resource::PODS, pod("p"));
    for (selector, count) in [
        ("spec.nodeName=", 1),
        ("spec.nodeName=x", 0),
        ("status.phase=Pending", 1),
        ("status.phase!=Pending", 0),
        ("spec.hostNetwork=false", 1),
        ("spec.restartPolicy==Always", 1),
    ] {
        let mut request = Request::list(Resource::PODS, "");
        request.list.field_selector = selector.into();
        assert_eq!(server.fine(&request)["items"].items().len(), count, "{selector}");
    }
}

#[test]
fn pages_are_of_one_version_whatever_is_written_meanwhile() {
    let mut server = filled();
    let mut request = Request::list(Resource::CONFIG_MAPS, "");
    request.list.limit = 1;
    let first = server.fine(&request);
    assert_eq!(names(&first), ["a"]);
    assert_eq!(first["metadata"]["remainingItemCount"].as_i64(), Some(2));
    server.fine(&Request::delete(Resource::CONFIG_MAPS, key("b")));
    server.create(Resource::CONFIG_MAPS, config_map("b2", "1"));
    request.list.limit = 5;
    request.list.continue_token = first["metadata"]["continue"].text();
    let second = server.fine(&request);
    assert_eq!(names(&second), ["b", "c"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert!(second["metadata"]["continue"].is_null());
    server.api.compact(server.api.version());
    let expired = server.fails(&request);
    assert_eq!(expired.code, 410);
    // What comes after is told as it is by now.
    request.list.continue_token = expired.continue_token;
    let rest = server.fine(&request);
    assert_eq!(names(&rest), ["b2", "c"]);
    assert_eq!(rest["metadata"]["resourceVersion"], server.api.version().to_string().as_str());
    request.list.continue_token = "x".into();
    assert_eq!(server.fails(&request).code, 400);
}

#[test]
fn a_list_may_ask_for_a_version() {
    let mut server = filled();
    let rv = server.api.version();
    server.create(Resource::CONFIG_MAPS, config_map("d", "1"));
    let mut ask = |version: &str, matching: &str| {
        let mut request = Request::list(Resource::CONFIG_MAPS, "default");
        request.list.resource_version = version.into();
        request.list.resource_version_match = matching.into();
        server.ask(&request).map(|list| list["items"].items().len()).map_err(|error| error.code)
    };
    assert_eq!(ask(&rv.to_string(), "Exact"), Ok(3));
    assert_eq!(ask(&rv.to_string(), "NotOlderThan"), Ok(4));
    assert_eq!(ask("0", ""), Ok(4));
    assert_eq!(ask("9999", ""), Err(504));
    assert_eq!(ask("9999", "Exact"), Err(504));
    assert_eq!(ask("x", ""), Err(400));
    assert_eq!(ask("", "Exact"), Err(422));
    assert_eq!(ask("1", "Sometimes"), Err(422));
}

#[test]
fn a_watch_sees_objects_enter_change_and_leave_its_selection() {
    let mut server = Server::new();
    let mut spec = WatchSpec::all(Resource::CONFIG_MAPS);
    spec.label_selector = "app=web".into();
    let selection = server.api.select(&spec).unwrap();
    let mut seen = |request: &Request| {
        let write = server.handle(request).writes.remove(0);
        match selection.translate(&write) {
            Some(WatchEvent::Applied { object, .. }) => ("applied", object, write.rv),
            Some(WatchEvent::Deleted { object, .. }) => ("deleted", object, write.rv),
            _ => ("nothing", Tree::Null, write.rv),
        }
    };
    let update =
        |app: &str| Request::update(Resource::CONFIG_MAPS, labelled("a", map! { "app" => app }));
    let create = Request::create(Resource::CONFIG_MAPS, labelled("a", map! { "app" => "db" }));
    assert_eq!(seen(&create).0, "nothing");
    assert_eq!(seen(&update("web")).0, "applied");
    let (kind, object, rv) = seen(&update("db"));
    assert_eq!(kind, "deleted");
    assert_eq!(object["metadata"]["labels"]["app"], "web", "the last state that matched");
    assert_eq!(kubesim_model::object::resource_version(&object), rv);
    assert_eq!(seen(&update("web")).0, "applied");
    let (kind, object, rv) = seen(&Request::delete(Resource::CONFIG_MAPS, key("a")));
    assert_eq!(kind, "deleted");
    assert_eq!(kubesim_model::object::resource_version(&object), rv, "the deletion's version");
}

proptest! {
    #[test]
    fn no_selector_text_panics(labels in "[a-z!=<>() ,/.in]{0,24}", fields in ".{0,24}") {
        let mut server = Server::new();
        let _ = server.ask(&list_with(&labels, &fields));
        let _ = server.ask(&list_with(&fields, &labels));
    }

    #[test]
    fn no_page_token_panics(token in ".{0,24}") {
        let mut request = Request::list(Resource::PODS, "");
        request.list.continue_token = token.into();
        let _ = Server::new().ask(&request);
    }
}
