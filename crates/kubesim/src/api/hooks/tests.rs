//! Requests that wait for webhooks: what they ask, what they leave behind, and what answers do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesim_model::request::{Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};
use proptest::prelude::*;

use super::{Attempt, Errand, Heard, Progress, Reply};
use crate::api::{Api, ApiConfig, Handled, Identity};

const MAPS: Resource = Resource::CONFIG_MAPS;

fn api() -> Api {
    Api::new(1, ApiConfig { has_caller: true, ..ApiConfig::default() })
}

fn kind(name: &str) -> Resource {
    Resource::new(format!("{name}webhookconfigurations.admissionregistration.k8s.io"))
}

fn hook(name: &str, operations: Tree, resources: Tree) -> Tree {
    map! {
        "name" => format!("{name}.example.com"), "sideEffects" => "None",
        "admissionReviewVersions" => list!["v1"],
        "clientConfig" => map! { "url" => format!("https://127.0.0.1:1/{name}") },
        "rules" => list![map! {
            "apiGroups" => list!["*"], "apiVersions" => list!["*"], "operations" => operations,
            "resources" => resources,
        }],
    }
}

fn add(api: &mut Api, which: &str, name: &str, hooks: Tree) {
    let object = map! { "metadata" => map! { "name" => name }, "webhooks" => hooks };
    let request = Request::create(kind(which), object);
    api.handle(0, &Identity::default(), &request).answer.unwrap();
}

fn config(name: &str) -> Tree {
    let metadata = map! { "name" => name, "namespace" => "default" };
    map! { "metadata" => metadata, "data" => map! { "a" => "1" } }
}

fn make(name: &str) -> Request {
    Request::create(MAPS, config(name))
}

fn reply(answer: &Tree) -> Heard {
    let body = answer.to_string().into_bytes();
    Ok(Reply { code: 200, kind: Text::new_static("application/json"), body })
}

fn review(errand: &Errand, response: Tree) -> Heard {
    let mut response = response;
    response.set(&["uid"], &errand.body["request"]["uid"]);
    reply(&map! {
        "apiVersion" => "admission.k8s.io/v1", "kind" => "AdmissionReview", "response" => response,
    })
}

fn allow(errand: &Errand) -> Heard {
    review(errand, map! { "allowed" => true })
}

/// Carries a request out with webhooks that answer so; also whom it asked, round by round.
fn carried_out(
    api: &mut Api,
    request: &Request,
    answer: impl Fn(&Errand) -> Heard,
) -> (Handled, Vec<Vec<String>>) {
    let (mut attempt, mut rounds) = (Attempt::default(), Vec::new());
    loop {
        match api.attempt(5, &Identity::default(), request, &mut attempt) {
            Progress::Done(handled) => return (*handled, rounds),
            Progress::Waits(errands) => {
                rounds.push(errands.iter().map(|errand| errand.url.to_string()).collect());
                for errand in errands {
                    let heard = answer(&errand);
                    attempt.hear(&errand, heard);
                }
            }
        }
    }
}

fn asked(api: &mut Api, request: &Request) -> usize {
    carried_out(api, request, allow).1.iter().map(Vec::len).sum()
}

#[test]
fn a_request_that_waits_leaves_no_trace_and_stays_what_it_was() {
    let mut api = api();
    add(&mut api, "mutating", "a", list![hook("m", list!["CREATE"], list!["configmaps"])]);
    add(&mut api, "validating", "a", list![hook("v", list!["CREATE"], list!["configmaps"])]);
    let version = api.version();
    let mut generated = make("");
    generated.body.set(&["metadata", "generateName"], "drawn-");
    let (mut attempt, who) = (Attempt::default(), Identity::default());
    let Progress::Waits(first) = api.attempt(5, &who, &generated, &mut attempt) else {
        panic!("it has to wait");
    };
    let Progress::Waits(again) = api.attempt(7, &who, &generated, &mut attempt) else {
        panic!("it has to wait");
    };
    assert_eq!(first, again);
    // Another request comes in between and draws what it draws.
    let other = carried_out(&mut api, &generated, allow).0.answer.unwrap();
    assert_eq!(api.version(), version + 1);
    attempt.hear(&first[0], allow(&first[0]));
    let Progress::Waits(last) = api.attempt(9, &who, &generated, &mut attempt) else {
        panic!("it has to wait");
    };
    let shown = &last[0].body["request"]["object"]["metadata"];
    attempt.hear(&last[0], allow(&last[0]));
    let Progress::Done(done) = api.attempt(11, &who, &generated, &mut attempt) else {
        panic!("everything is said");
    };
    let made = done.answer.unwrap();
    for field in ["name", "uid", "creationTimestamp"] {
        assert_eq!(made["metadata"][field], shown[field]);
    }
    for field in ["name", "uid"] {
        assert_ne!(made["metadata"][field], other["metadata"][field]);
    }
    assert_eq!(done.writes.len(), 1);
}

#[test]
fn who_changes_is_asked_in_turn_and_who_checks_at_once() {
    let mut api = api();
    let hooks = |names: [&str; 2]| {
        list![
            hook(names[0], list!["CREATE"], list!["configmaps"]),
            hook(names[1], list!["CREATE"], list!["configmaps"])
        ]
    };
    add(&mut api, "mutating", "b", hooks(["m3", "m4"]));
    add(&mut api, "mutating", "a", hooks(["m1", "m2"]));
    add(&mut api, "validating", "a", hooks(["v1", "v2"]));
    let (_, rounds) = carried_out(&mut api, &make("a"), allow);
    let rounds: Vec<String> = rounds.iter().map(|round| round.join(" ")).collect();
    let told = rounds.join("|").replace("https://127.0.0.1:1/", "");
    assert_eq!(told, "m1|m2|m3|m4|v1 v2");
}

#[test]
fn an_object_that_changed_meanwhile_is_asked_about_anew() {
    let mut api = api();
    carried_out(&mut api, &make("a"), allow);
    add(&mut api, "validating", "a", list![hook("v", list!["UPDATE"], list!["*"])]);
    let key = ObjectKey::new("default", "a");
    let patch = |name: &str| {
        let patch = map! { "data" => map! { name => "2" } };
        Request::merge_patch(MAPS, key.clone(), patch)
    };
    let (mut attempt, who) = (Attempt::default(), Identity::default());
    let request = patch("b");
    let Progress::Waits(first) = api.attempt(5, &who, &request, &mut attempt) else {
        panic!("it has to wait");
    };
    attempt.hear(&first[0], allow(&first[0]));
    carried_out(&mut api, &patch("c"), allow).0.answer.unwrap();
    let Progress::Waits(second) = api.attempt(5, &who, &request, &mut attempt) else {
        panic!("it has to wait again");
    };
    assert_eq!(second[0].body["request"]["oldObject"]["data"]["c"], "2");
    assert_ne!(first[0].key, second[0].key);
}

#[test]
fn all_objects_of_a_collection_are_asked_about_at_once() {
    let mut api = api();
    for name in ["a", "b", "c"] {
        carried_out(&mut api, &make(name), allow);
    }
    add(&mut api, "validating", "a", list![hook("v", list!["DELETE"], list!["configmaps"])]);
    let all = Request::new(Verb::DeleteCollection, MAPS, ObjectKey::new("default", ""));
    let (handled, rounds) = carried_out(&mut api, &all, |errand| {
        let is_b = errand.body["request"]["oldObject"]["metadata"]["name"] == "b";
        review(errand, map! { "allowed" => !is_b })
    });
    assert_eq!(rounds.len(), 1);
    assert_eq!(rounds[0].len(), 3);
    assert_eq!(handled.answer.unwrap_err().code, 400);
    let left = |name: &str| api.get(&MAPS, &ObjectKey::new("default", name)).is_some();
    assert_eq!(["a", "b", "c"].map(left), [false, true, true]);
}

#[test]
fn rules_choose_by_operation_group_version_resource_and_part() {
    let cases: [(Tree, Tree, usize); 7] = [
        (list!["CREATE"], list!["configmaps"], 1),
        (list!["*"], list!["*"], 1),
        (list!["*"], list!["*/*"], 1),
        (list!["*"], list!["configmaps/*"], 1),
        (list!["UPDATE", "DELETE"], list!["configmaps"], 0),
        (list!["CREATE"], list!["secrets", "configmaps/status"], 0),
        (list!["CREATE"], list!["*/status"], 0),
    ];
    for (operations, resources, count) in cases {
        let mut api = api();
        let told = format!("{operations} {resources}");
        add(&mut api, "validating", "a", list![hook("v", operations, resources)]);
        assert_eq!(asked(&mut api, &make("a")), count, "{told}");
    }
    for (field, value, count) in [
        ("apiGroups", list!["apps"], 0),
        ("apiVersions", list!["v2"], 0),
        ("scope", Tree::from("Cluster"), 0),
        ("scope", Tree::from("Namespaced"), 1),
    ] {
        let mut api = api();
        let mut hook = hook("v", list!["*"], list!["*"]);
        hook.field_mut("rules").items_mut()[0].set(&[field], value);
        add(&mut api, "validating", "a", list![hook]);
        assert_eq!(asked(&mut api, &make("a")), count, "{field}");
    }
}

#[test]
fn nobody_is_asked_about_webhooks_and_policies_themselves() {
    let mut api = api();
    add(&mut api, "validating", "a", list![hook("v", list!["*"], list!["*"])]);
    let object = map! { "metadata" => map! { "name" => "b" }, "webhooks" => list![] };
    assert_eq!(asked(&mut api, &Request::create(kind("mutating"), object)), 0);
}

#[test]
fn where_nobody_calls_a_webhook_fails_as_it_says() {
    for (policy, code) in [("Fail", Some(500)), ("Ignore", None)] {
        let mut api = Api::new(1, ApiConfig::default());
        let mut hook = hook("v", list!["*"], list!["configmaps"]);
        hook.set(&["failurePolicy"], policy);
        add(&mut api, "validating", "a", list![hook]);
        let answer = api.handle(0, &Identity::default(), &make("a")).answer;
        assert_eq!(answer.as_ref().err().map(|status| status.code), code);
        if let Err(status) = answer {
            assert!(status.message.contains("nobody calls webhooks"), "{}", status.message);
        }
    }
}

#[test]
fn a_service_leads_to_what_is_written_down_for_it() {
    let mut api = api();
    let mut hook = hook("v", list!["CREATE"], list!["configmaps"]);
    let service = map! { "namespace" => "default", "name" => "hook", "port" => 8443 };
    hook.set(&["clientConfig"], map! { "service" => service });
    add(&mut api, "validating", "a", list![hook]);
    let leads = |api: &mut Api| {
        let mut attempt = Attempt::default();
        match api.attempt(5, &Identity::default(), &make("a"), &mut attempt) {
            Progress::Waits(errands) => format!("{:?}", errands[0].to),
            Progress::Done(done) => format!("{:?}", done.answer),
        }
    };
    assert!(leads(&mut api).contains("service \\\"hook\\\" not found"));
    let ports = list![map! { "name" => "https", "port" => 8443 }];
    let service = map! {
        "metadata" => map! { "name" => "hook", "namespace" => "default" },
        "spec" => map! { "ports" => &ports },
    };
    let make = |api: &mut Api, resource: Resource, object: Tree| {
        carried_out(api, &Request::create(resource, object), allow).0.answer.unwrap();
    };
    make(&mut api, Resource::SERVICES, service);
    assert!(leads(&mut api).contains("no endpoints available"), "{}", leads(&mut api));
    let slice = map! {
        "metadata" => map! {
            "name" => "x", "namespace" => "default",
            "labels" => map! { "kubernetes.io/service-name" => "hook" },
        },
        "addressType" => "IPv4",
        "endpoints" => list![map! { "addresses" => list!["127.0.0.1"] }],
        "ports" => list![map! { "name" => "https", "port" => 9443 }],
    };
    make(&mut api, Resource::ENDPOINT_SLICES, slice);
    assert!(leads(&mut api).contains("\"127.0.0.1\", 9443"), "{}", leads(&mut api));
}

/// Any tree that a webhook may answer.
fn anything() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        "[a-zA-Z/=+]{0,8}".prop_map(Tree::from),
    ];
    let keys = prop_oneof![
        Just("uid"),
        Just("allowed"),
        Just("patch"),
        Just("patchType"),
        Just("status"),
        Just("warnings"),
        Just("code"),
        Just("message"),
        Just("op"),
        Just("path"),
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        let keyed = proptest::collection::vec((keys.clone(), inner.clone()), 0..5);
        let map = keyed.prop_map(|pairs| {
            let mut map = Tree::map();
            pairs.into_iter().for_each(|(key, value)| map.set(&[key], value));
            map
        });
        prop_oneof![proptest::collection::vec(inner, 0..3).prop_map(Tree::from), map]
    })
}

proptest! {
    #[test]
    fn no_answer_of_a_webhook_panics(
        response in anything(),
        operations in anything(),
        raw in proptest::collection::vec(any::<u8>(), 0..32),
        code in 0u16..700,
        form in 0usize..3,
    ) {
        let mut api = api();
        let hook = hook("m", list!["CREATE"], list!["configmaps"]);
        add(&mut api, "mutating", "a", list![hook.clone()]);
        add(&mut api, "validating", "a", list![hook]);
        let (handled, _) = carried_out(&mut api, &make("a"), |errand| match form {
            0 => Ok(Reply { code, kind: Text::default(), body: raw.clone() }),
            1 => review(errand, response.clone()),
            _ => review(errand, map! {
                "allowed" => true, "patchType" => "JSONPatch",
                "patch" => STANDARD.encode(operations.to_string()),
            }),
        });
        if let Err(status) = handled.answer {
            prop_assert!((400..600).contains(&status.code));
        }
    }
}

#[test]
fn keys_of_questions_differ_by_what_they_ask() {
    let of = |hook: &str, round: usize, text: &str| {
        crate::api::hooks::Outside::Nobody.identify(hook, round, &Tree::from(Text::new(text)))
    };
    let (key, uid) = of("a", 0, "x");
    assert_eq!((key, uid.clone()), of("a", 0, "x"));
    assert!([of("b", 0, "x"), of("a", 1, "x"), of("a", 0, "y")].iter().all(|one| one.0 != key));
    assert_eq!(uid.len(), 36);
}
