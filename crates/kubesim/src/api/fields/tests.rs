//! Owners of fields, through requests.

use kubesim_model::request::{Answer, Request, Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};
use proptest::prelude::*;

use super::set::Set;
use super::structural::Structural;
use crate::api::{Api, ApiConfig, Identity};

struct Server(Api, u64);

impl Server {
    fn new(tracks_from_creation: bool) -> Server {
        Server(Api::new(1, ApiConfig { tracks_from_creation, ..ApiConfig::default() }), 0)
    }

    fn ask(&mut self, request: &Request) -> Answer {
        self.1 += 1_000;
        let who = Identity { user: "me".into(), user_agent: "tester/v1 (linux)".into() };
        self.0.handle(self.1, &who, request).answer
    }

    fn update(&mut self, data: Tree) -> Answer {
        let patch = map! { "data" => data };
        self.ask(&Request::merge_patch(Resource::CONFIG_MAPS, key(), patch))
    }

    fn apply(&mut self, manager: &str, data: Tree) -> Answer {
        self.ask(&applying(manager, data))
    }
}

fn key() -> ObjectKey {
    ObjectKey::new("default", "a")
}

fn config(data: Tree) -> Tree {
    map! {
        "apiVersion" => "v1", "kind" => "ConfigMap",
        "metadata" => map! { "name" => "a", "namespace" => "default" }, "data" => data,
    }
}

fn applying(manager: &str, data: Tree) -> Request {
    Request::apply(Resource::CONFIG_MAPS, config(data), manager)
}

/// `manager operation: fields`, in the order of the entries.
fn owners(object: &Tree) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].items().iter();
    let told = entries.map(|entry| {
        let (manager, operation) = (entry["manager"].str(), entry["operation"].str());
        format!("{manager} {operation}: {}", entry["fieldsV1"]["f:data"])
    });
    told.collect()
}

#[test]
fn where_nobody_applies_nobody_owns_anything() {
    let mut server = Server::new(false);
    let made = server.ask(&Request::create(Resource::CONFIG_MAPS, config(map! { "a" => "1" })));
    assert!(made.unwrap()["metadata"].get("managedFields").is_none());
    let changed = server.update(map! { "a" => "2" }).unwrap();
    assert!(changed["metadata"].get("managedFields").is_none());
}

#[test]
fn from_the_first_apply_on_every_write_is_tracked() {
    let mut server = Server::new(false);
    server.ask(&Request::create(Resource::CONFIG_MAPS, config(map! { "a" => "1" }))).unwrap();
    let refused = server.apply("one", map! { "a" => "2" }).unwrap_err();
    assert!(refused.is_conflict());
    assert!(refused.message.contains("\"before-first-apply\" using v1: .data.a"));
    let applied = server.apply("one", map! { "b" => "2" }).unwrap();
    assert_eq!(
        owners(&applied),
        ["one Apply: {\"f:b\":{}}", "before-first-apply Update: {\".\":{},\"f:a\":{}}"]
    );
    let changed = server.update(map! { "a" => "3" }).unwrap();
    assert_eq!(
        owners(&changed),
        ["one Apply: {\"f:b\":{}}", "before-first-apply Update: {}", "tester Update: {\"f:a\":{}}",]
    );
}

#[test]
fn what_is_tracked_from_its_creation_names_its_maker() {
    let mut server = Server::new(true);
    let made = server.ask(&Request::create(Resource::CONFIG_MAPS, config(map! { "a" => "1" })));
    assert_eq!(owners(&made.unwrap()), ["tester Update: {\".\":{},\"f:a\":{}}"]);
}

#[test]
fn an_apply_that_changes_nothing_keeps_the_version() {
    let mut server = Server::new(false);
    let made = server.apply("one", map! { "a" => "1" }).unwrap();
    let again = server.apply("one", map! { "a" => "1" }).unwrap();
    assert_eq!(made, again);
}

#[test]
fn a_rehearsed_apply_changes_nothing() {
    let mut server = Server::new(false);
    let mut request = applying("one", map! { "a" => "1" });
    request.dry_run = true;
    assert_eq!(server.ask(&request).unwrap()["data"]["a"], "1");
    assert!(server.0.get(&Resource::CONFIG_MAPS, &key()).is_none());
}

#[test]
fn what_became_one_value_is_owned_as_one() {
    let list = map! { "type" => "array", "items" => map! { "type" => "string" } };
    let kind = Structural::of(&map! {
        "type" => "object", "properties" => map! { "tags" => list },
    });
    let read = |text: &str| Set::read(&serde_json::from_str(text).unwrap()).unwrap();
    let owned = read(r#"{"f:other":{"f:a":{}},"f:tags":{"v:\"x\"":{}}}"#).as_in(kind.root());
    assert_eq!(owned, read(r#"{"f:other":{"f:a":{}},"f:tags":{}}"#));
}

fn value() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        (-2i64..3).prop_map(Tree::Int),
        "[a-c]{0,2}".prop_map(Tree::from),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let names = prop_oneof![
            "name|image|env|ports|containerPort|protocol|value|key|type".prop_map(String::from),
            "[a-c]",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Tree::from),
            proptest::collection::btree_map(names, inner, 0..4).prop_map(|fields| {
                let mut map = Tree::map();
                fields.iter().for_each(|(key, value)| map.set(&[key], value));
                map
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_applied_is_carried_out_or_refused(
        place in 0usize..6, values in proptest::collection::vec(value(), 3), force: bool,
    ) {
        let mut server = Server::new(true);
        let pod = map! {
            "apiVersion" => "v1", "kind" => "Pod",
            "metadata" => map! { "name" => "a", "namespace" => "default" },
            "spec" => map! { "containers" => list![map! { "name" => "a", "image" => "a:1" }] },
        };
        for (at, value) in values.iter().enumerate() {
            let mut config = pod.clone();
            let path: &[&str] = [
                &["spec", "containers"][..],
                &["spec"],
                &["metadata", "labels"],
                &["metadata", "managedFields"],
                &["metadata"],
                &["spec", "volumes"],
            ][place];
            config.set(path, value);
            let key = ObjectKey::new("default", "a");
            let mut request = Request::new(Verb::Apply, Resource::PODS, key).with_body(config);
            request.field_manager = if at == 1 { "one".into() } else { "two".into() };
            request.force = Some(force);
            let answers = [server.ask(&request), server.ask(&request)];
            // What is forced is not refused for its owners.
            let conflict = |answer: &Answer| answer.as_ref().is_err_and(Status::is_conflict);
            prop_assert!(!force || !answers.iter().any(conflict));
        }
    }

    #[test]
    fn whatever_owners_are_given_are_taken_or_passed_over(
        fields in value(), key in "[fkvi.]:.{0,9}",
    ) {
        let mut server = Server::new(true);
        server.apply("one", map! { "a" => "1" }).unwrap();
        let mut fields = fields;
        fields.set(&[&key], Tree::map());
        let entry = map! {
            "manager" => "m", "operation" => "Update", "apiVersion" => "v1",
            "fieldsType" => "FieldsV1", "fieldsV1" => fields,
        };
        let mut request = applying("two", map! { "b" => "1" });
        let given = map! { "metadata" => map! { "managedFields" => list![entry] } };
        let patch = Request::merge_patch(Resource::CONFIG_MAPS, self::key(), given);
        let _ = server.ask(&patch);
        request.force = Some(true);
        prop_assert!(server.ask(&request).is_ok());
    }
}
