//! Custom objects in several versions, of which a webhook makes one of the other.

use kubesim_model::actor::WatchSpec;
use kubesim_model::request::{Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};
use proptest::prelude::*;

use crate::api::hooks::{Attempt, Errand, Heard, Progress, Reply};
use crate::api::{Api, ApiConfig, Handled, Identity};

fn widgets() -> Resource {
    Resource::new("widgets.example.com")
}

fn version(name: &str, field: &str) -> Tree {
    let spec =
        map! { "type" => "object", "properties" => map! { field => map! { "type" => "integer" } } };
    map! {
        "name" => name, "served" => true, "storage" => name == "v1",
        "schema" => map! { "openAPIV3Schema" => map! {
            "type" => "object", "properties" => map! { "spec" => spec },
        } },
    }
}

/// A server with Widgets, whose size is a `length` in `v2`.
fn api() -> Api {
    let config = ApiConfig { has_caller: true, tracks_from_creation: true, ..ApiConfig::default() };
    let mut api = Api::new(1, config);
    let client = map! { "url" => "https://127.0.0.1:1/convert" };
    let webhook = map! { "clientConfig" => client, "conversionReviewVersions" => list!["v1"] };
    let names = map! { "plural" => "widgets", "kind" => "Widget" };
    let definition = map! {
        "metadata" => map! { "name" => "widgets.example.com" },
        "spec" => map! {
            "group" => "example.com", "scope" => "Namespaced", "names" => names,
            "versions" => list![version("v1", "size"), version("v2", "length")],
            "conversion" => map! { "strategy" => "Webhook", "webhook" => webhook },
        },
    };
    let request = Request::create(Resource::CUSTOM_RESOURCE_DEFINITIONS, definition);
    api.handle(0, &Identity::default(), &request).answer.unwrap();
    api
}

fn widget(version: &str, name: &str, field: &str, size: i64) -> Tree {
    map! {
        "apiVersion" => format!("example.com/{version}"), "kind" => "Widget",
        "metadata" => map! { "name" => name, "namespace" => "default" },
        "spec" => map! { field => size },
    }
}

fn in_version(version: &'static str, request: Request) -> Request {
    Request { version: Text::new_static(version), ..request }
}

fn make(version: &'static str, name: &str, field: &str, size: i64) -> Request {
    in_version(version, Request::create(widgets(), widget(version, name, field, size)))
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", Text::new(name))
}

/// What a well-behaved webhook makes of an object.
fn converted(object: &Tree, wanted: &str) -> Tree {
    let mut made = object.clone();
    made.set(&["apiVersion"], wanted);
    let (from, to) = if wanted.ends_with("v2") { ("size", "length") } else { ("length", "size") };
    if let Some(value) = made.remove(&["spec", from]) {
        made.set(&["spec", to], value);
    }
    made
}

fn review(errand: &Errand, change: impl Fn(&mut Tree)) -> Heard {
    let request = &errand.body["request"];
    let wanted = request["desiredAPIVersion"].str();
    let objects = request["objects"].items().iter().map(|object| {
        let mut made = converted(object, wanted);
        change(&mut made);
        made
    });
    let response = map! {
        "uid" => &request["uid"], "convertedObjects" => objects.collect::<Vec<Tree>>(),
        "result" => map! { "status" => "Success" },
    };
    let answer = map! {
        "apiVersion" => "apiextensions.k8s.io/v1", "kind" => "ConversionReview",
        "response" => response,
    };
    let body = answer.to_string().into_bytes();
    Ok(Reply { code: 200, kind: Text::new_static("application/json"), body })
}

fn well(errand: &Errand) -> Heard {
    review(errand, |_| ())
}

/// Carries a request out with a webhook that answers so; also how many objects it was sent, round
/// by round.
fn carried_out(
    api: &mut Api,
    request: &Request,
    answer: impl Fn(&Errand) -> Heard,
) -> (Handled, Vec<usize>) {
    let (mut attempt, mut rounds) = (Attempt::default(), Vec::new());
    loop {
        match api.attempt(5, &Identity::default(), request, &mut attempt) {
            Progress::Done(handled) => return (*handled, rounds),
            Progress::Waits(errands) => {
                rounds.push(errands.len());
                for errand in errands {
                    let heard = answer(&errand);
                    attempt.hear(&errand, heard);
                }
            }
        }
    }
}

#[test]
fn what_is_made_in_one_version_is_stored_and_read_in_others() {
    let mut api = api();
    let made = carried_out(&mut api, &make("v2", "a", "length", 3), well).0.answer.unwrap();
    assert_eq!(made["spec"], map! { "length" => 3 });
    let stored = api.get(&widgets(), &key("a")).unwrap().clone();
    assert_eq!(stored["apiVersion"], "example.com/v1");
    assert_eq!(stored["spec"], map! { "size" => 3 });
    let get = |version| in_version(version, Request::get(widgets(), key("a")));
    let (read, rounds) = carried_out(&mut api, &get("v1"), well);
    assert!(rounds.is_empty() && read.answer.unwrap() == stored);
    let (read, rounds) = carried_out(&mut api, &get("v2"), well);
    assert_eq!((read.answer.unwrap(), rounds), (made, vec![1]));
}

#[test]
fn all_objects_of_a_list_are_asked_about_at_once_and_selected_as_they_are_shown() {
    let mut api = api();
    for name in ["a", "b", "c"] {
        carried_out(&mut api, &make("v1", name, "size", 1), well).0.answer.unwrap();
    }
    let mut list = in_version("v2", Request::list(widgets(), "default"));
    let labelled = |errand: &Errand| {
        review(errand, |object| {
            if object["metadata"]["name"] != "b" {
                object.set(&["metadata", "labels", "seen"], "yes");
            }
        })
    };
    let (listed, rounds) = carried_out(&mut api, &list, labelled);
    assert_eq!((listed.answer.unwrap()["items"].items().len(), rounds), (3, vec![3]));
    list.list.label_selector = Text::new_static("seen=yes");
    let (listed, _) = carried_out(&mut api, &list, labelled);
    let listed = listed.answer.unwrap();
    let names = listed["items"].items().iter().map(|item| item["metadata"]["name"].str());
    assert_eq!(names.collect::<Vec<_>>(), ["a", "c"]);
}

#[test]
fn owners_keep_their_fields_in_the_version_that_they_used() {
    let mut api = api();
    let apply = |version, field, size, manager| {
        let config = widget(version, "a", field, size);
        in_version(version, Request::apply(widgets(), config, manager))
    };
    carried_out(&mut api, &apply("v1", "size", 1, "one"), well).0.answer.unwrap();
    let refused = carried_out(&mut api, &apply("v2", "length", 2, "two"), well).0.answer;
    let why = refused.unwrap_err();
    assert!(why.is_conflict() && why.message.ends_with("\"one\": .spec.size"), "{why}");
    let mut forced = apply("v2", "length", 2, "two");
    forced.force = Some(true);
    let applied = carried_out(&mut api, &forced, well).0.answer.unwrap();
    let owners = applied["metadata"]["managedFields"].items().iter();
    let owners = owners.map(|owner| format!("{} {}", owner["manager"].str(), owner["fieldsV1"]));
    let told = ["two {\"f:spec\":{\"f:length\":{}}}"];
    assert_eq!(owners.collect::<Vec<_>>(), told);
    // Who applies in another version than last time gives up what it had in that one.
    let nothing = map! {
        "apiVersion" => "example.com/v1", "kind" => "Widget",
        "metadata" => map! { "name" => "a", "namespace" => "default" },
    };
    let request = in_version("v1", Request::apply(widgets(), nothing, "two"));
    let left = carried_out(&mut api, &request, well).0.answer.unwrap();
    assert!(left["spec"]["size"].is_null(), "{left}");
}

#[test]
fn where_nobody_calls_other_versions_can_not_be_had() {
    let mut api = api();
    let who = Identity::default();
    api.handle(1, &who, &make("v1", "a", "size", 1)).answer.unwrap();
    let why = api.handle(1, &who, &make("v2", "b", "length", 1)).answer.unwrap_err();
    assert!(why.code == 500 && why.message.contains("nobody calls webhooks"), "{why}");
    let spec = |version| WatchSpec { version, ..WatchSpec::all(widgets()) };
    assert_eq!(api.list(&spec(Text::default())).unwrap().0.len(), 1);
    assert_eq!(api.list(&spec(Text::new_static("v2"))).unwrap_err().code, 500);
}

#[test]
fn a_watch_is_shown_what_the_webhook_makes_of_what_is_stored() {
    let mut api = api();
    api.handle(1, &Identity::default(), &make("v1", "a", "size", 1)).answer.unwrap();
    let spec = WatchSpec { version: Text::new_static("v2"), ..WatchSpec::all(widgets()) };
    assert!(api.select(&spec).unwrap().asks_to_convert());
    let (stored, _) = api.stored(&widgets(), "");
    let mut attempt = Attempt::default();
    let Progress::Waits(errands) = api.convert(&spec, &stored, &attempt) else {
        panic!("the webhook has to be asked");
    };
    assert!(
        errands[0].body["request"]["objects"].items()[0]["metadata"]["resourceVersion"].is_null()
    );
    errands.iter().for_each(|errand| attempt.hear(errand, well(errand)));
    let Progress::Done(shown) = api.convert(&spec, &stored, &attempt) else {
        panic!("everything is said");
    };
    let shown = shown.unwrap();
    assert_eq!(shown[0]["spec"], map! { "length" => 1 });
    assert_eq!(shown[0]["metadata"], stored[0]["metadata"]);
}

#[test]
fn webhooks_change_nothing_of_metadata_but_labels_and_annotations() {
    let mut api = api();
    carried_out(&mut api, &make("v1", "a", "size", 1), well).0.answer.unwrap();
    let get = in_version("v2", Request::get(widgets(), key("a")));
    let mut told = |change: &dyn Fn(&mut Tree)| {
        let (read, _) = carried_out(&mut api, &get, |errand| review(errand, change));
        read.answer.map_err(|why| why.message)
    };
    let kept = told(&|object| {
        object.set(&["metadata", "labels"], map! { "a" => "b" });
        object.set(&["metadata", "generation"], 9);
        object.remove(&["metadata", "creationTimestamp"]);
    });
    let kept = kept.unwrap();
    assert_eq!(kept["metadata"]["labels"], map! { "a" => "b" });
    assert_eq!(kept["metadata"]["generation"].as_i64(), Some(1));
    assert!(!kept["metadata"]["creationTimestamp"].is_null());
    let refused = |field: &'static str, value: Tree| {
        move |object: &mut Tree| object.set(&["metadata", field], value.clone())
    };
    let mut why = |field, value: Tree| told(&refused(field, value)).unwrap_err();
    assert!(why("name", "b".into()).ends_with("must have the same name: a != b"));
    assert!(why("labels", list![]).ends_with("of type []interface {} in converted object"));
    assert!(why("labels", map! { "a" => 1 }).contains("metadata.labels[a] must be a string"));
    assert!(why("labels", map! { "a" => "-" }).contains("metadata.labels: Invalid value"));
}

fn any_answer() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        any::<i64>().prop_map(Tree::Int),
        "[a-z/]{0,8}".prop_map(Tree::from),
    ];
    let key = prop::sample::select(vec![
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "labels",
        "response",
        "convertedObjects",
        "uid",
        "result",
        "status",
        "message",
    ]);
    leaf.prop_recursive(5, 30, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Tree::from),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|fields| {
                Tree::Map(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_answer_makes_a_request_hang_or_panic(answer in any_answer(), object in any_answer()) {
        let mut api = api();
        carried_out(&mut api, &make("v1", "a", "size", 1), well).0.answer.unwrap();
        let version = api.version();
        let patch = map! { "spec" => map! { "length" => 4 } };
        let patch = Request::merge_patch(widgets(), key("a"), patch);
        let requests = [Request::get(widgets(), key("a")), Request::list(widgets(), ""), patch];
        for request in requests.map(|request| in_version("v2", request)) {
            let lied = |errand: &Errand| {
                let whole = Ok(Reply {
                    code: 200, kind: Text::default(), body: answer.to_string().into_bytes(),
                });
                if answer.is_null() { review(errand, |made| *made = object.clone()) } else { whole }
            };
            let (handled, _) = carried_out(&mut api, &request, lied);
            prop_assert!(handled.answer.is_err() || request.verb == Verb::List && answer.is_null());
        }
        prop_assert_eq!(api.version(), version);
    }
}
