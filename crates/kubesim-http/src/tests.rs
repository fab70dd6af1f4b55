//! Facts about what requests and answers look like on the wire.

use http::Method;
use kubesim_model::request::{Status, Verb};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::*;

fn call(method: Method, uri: &str, kind: &str, body: &str) -> Result<Call, Status> {
    let builder = http::Request::builder().method(method).uri(uri);
    let (head, ()) = builder.header("content-type", kind).body(()).unwrap().into_parts();
    read(&head, body.as_bytes())
}

fn request(method: Method, uri: &str, kind: &str, body: &str) -> kubesim_model::request::Request {
    match call(method, uri, kind, body).unwrap() {
        Call::Request { request, .. } => *request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn urls_name_resources_objects_and_subresources() {
    for (uri, resource, key, subresource) in [
        ("/api/v1/pods", "pods", "", ""),
        ("/api/v1/namespaces/shop/pods/web-0", "pods", "shop/web-0", ""),
        ("/api/v1/namespaces/shop/pods/web-0/status", "pods", "shop/web-0", "status"),
        ("/api/v1/namespaces/shop", "namespaces", "shop", ""),
        ("/api/v1/namespaces/shop/finalize", "namespaces", "shop", "finalize"),
        ("/api/v1/nodes/worker-1", "nodes", "worker-1", ""),
        ("/apis/apps/v1/namespaces/shop/deployments/web", "deployments.apps", "shop/web", ""),
        ("/apis/apps.kruise.io/v1beta1/clonesets", "clonesets.apps.kruise.io", "", ""),
    ] {
        let request = request(Method::GET, uri, "", "");
        assert_eq!(request.resource.as_str(), resource, "{uri}");
        assert_eq!(request.key.to_string(), key, "{uri}");
        assert_eq!(request.subresource, subresource, "{uri}");
    }
    assert_eq!(call(Method::GET, "/nowhere", "", "").unwrap_err().code, 404);
}

#[test]
fn methods_and_media_types_become_verbs() {
    let pod = "/api/v1/namespaces/shop/pods/web-0";
    for (method, uri, kind, verb) in [
        (Method::GET, "/api/v1/pods", "", Verb::List),
        (Method::GET, pod, "", Verb::Get),
        (Method::PUT, pod, "application/json", Verb::Update),
        (Method::DELETE, pod, "application/json", Verb::Delete),
        (Method::DELETE, "/api/v1/namespaces/shop/pods", "", Verb::DeleteCollection),
        (Method::PATCH, pod, "application/json-patch+json", Verb::JsonPatch),
        (Method::PATCH, pod, "application/merge-patch+json; charset=utf-8", Verb::MergePatch),
        (Method::PATCH, pod, "application/strategic-merge-patch+json", Verb::StrategicPatch),
    ] {
        assert_eq!(request(method, uri, kind, "{}").verb, verb);
    }
    assert_eq!(call(Method::PATCH, "/api/v1/pods", "", "{}").unwrap_err().code, 405);
}

#[test]
fn list_options_are_read_and_unknown_ones_are_nobodys() {
    let uri = "/api/v1/pods?labelSelector=app%3Dweb,tier%20in%20(a,b)&limit=5&resourceVersion=7";
    let list = request(Method::GET, uri, "", "").list;
    assert_eq!(list.label_selector, "app=web,tier in (a,b)");
    assert_eq!((list.limit, list.resource_version.as_str()), (5, "7"));
    for (wrong, code) in [("limit=many", 400), ("sendInitialEvents=1", 422)] {
        let refused = call(Method::GET, &format!("/api/v1/pods?{wrong}"), "", "").unwrap_err();
        assert_eq!(refused.code, code, "{wrong}");
    }
    let unknown = request(Method::GET, "/api/v1/pods?shardSelector=x&watch=0", "", "").list;
    assert_eq!(unknown, Default::default());
}

#[test]
fn a_new_object_is_named_by_its_metadata_and_lives_where_the_url_says() {
    let uri = "/api/v1/namespaces/shop/configmaps";
    let made = request(Method::POST, uri, "application/json", r#"{"metadata":{"name":"a"}}"#);
    assert_eq!(made.key.to_string(), "shop/a");
    let elsewhere = r#"{"metadata":{"name":"a","namespace":"other"}}"#;
    assert_eq!(call(Method::POST, uri, "application/json", elsewhere).unwrap_err().code, 400);
    let evict = "/api/v1/namespaces/shop/pods/web-0/eviction";
    let evicted = request(Method::POST, evict, "application/json", "{}");
    assert_eq!((evicted.key.name.as_str(), evicted.subresource.as_str()), ("web-0", "eviction"));
}

#[test]
fn what_is_no_json_or_too_large_is_refused() {
    let uri = "/api/v1/namespaces/shop/configmaps";
    assert_eq!(call(Method::POST, uri, "application/json", "{").unwrap_err().code, 400);
    assert_eq!(call(Method::POST, uri, "application/yaml", "a: b").unwrap_err().code, 415);
    let large = "1".repeat(4 << 20);
    assert_eq!(call(Method::POST, uri, "application/json", &large).unwrap_err().code, 413);
}

#[test]
fn delete_options_come_in_the_body_or_the_query() {
    let uri = "/api/v1/namespaces/shop/pods/a?gracePeriodSeconds=0&dryRun=All";
    let delete = request(Method::DELETE, uri, "", "");
    assert_eq!(delete.body["gracePeriodSeconds"].as_i64(), Some(0));
    assert!(delete.dry_run);
    let body = r#"{"propagationPolicy":"Foreground","dryRun":["All"]}"#;
    let delete = request(Method::DELETE, "/api/v1/nodes/a", "application/json", body);
    assert_eq!(delete.body["propagationPolicy"], "Foreground");
    assert!(delete.dry_run);
}

#[test]
fn a_watch_begins_after_its_version_or_with_what_there_is() {
    let watching = |uri: &str| match call(Method::GET, uri, "", "").unwrap() {
        Call::Watch { watching, .. } => *watching,
        other => panic!("{other:?}"),
    };
    let plain = watching("/api/v1/pods?watch=true&resourceVersion=9&timeoutSeconds=290");
    assert_eq!((plain.from, plain.timeout_seconds), (9, Some(290)));
    let endless = watching(&format!("/api/v1/pods?watch=true&timeoutSeconds={}", i64::MAX));
    assert_eq!(endless.timeout_seconds, Some(365 * 24 * 3_600));
    let streaming = "/api/v1/pods?watch=1&sendInitialEvents=true&resourceVersion=9";
    let matching = format!("{streaming}&resourceVersionMatch=NotOlderThan");
    assert_eq!(watching(&matching).from, 0);
    let refused = call(Method::GET, streaming, "", "").err().map(|status| status.code);
    assert_eq!(refused, Some(422), "kube-apiserver v1.36 wants to be told how versions match");
    let one = call(Method::GET, "/api/v1/nodes/a?watch=1", "", "").unwrap();
    assert!(matches!(one, Call::Request { .. }), "one object is not watched, but got");
}

fn served() -> kubesim::api::Api {
    kubesim::api::Api::new(1, kubesim::api::ApiConfig::default())
}

fn view(resource: Resource, accept: &str, include: &str) -> View {
    let form = Form::accepted(accept, Some(include)).unwrap();
    View::of(&served(), &resource, "v1", form, 90_000)
}

#[test]
fn metadata_alone_is_served() {
    let partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let object = map! { "metadata" => map! { "name" => "a" }, "spec" => map! {} };
    let list = map! { "items" => Tree::from(vec![object]) };
    let list = view(Resource::NODES, partial, "").answer(&list);
    assert_eq!(list["items"][0]["kind"], "PartialObjectMetadata");
    assert!(list["items"][0]["spec"].is_null());
}

#[test]
fn tables_name_their_columns_once_and_take_so_much_of_objects_as_is_asked_for() {
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let made = "2026-01-01T00:00:00Z";
    let object = map! {
        "metadata" => map! { "name" => "a", "creationTimestamp" => made, "resourceVersion" => "7" },
        "data" => map! { "x" => "1" },
    };
    let shown = view(Resource::CONFIG_MAPS, table, "Object").answer(&object);
    let names: Vec<&str> =
        shown["columnDefinitions"].items().iter().map(|column| column["name"].str()).collect();
    assert_eq!(names, ["Name", "Data", "Age"]);
    assert_eq!(shown["rows"][0]["cells"], kubesim_model::list!["a", 1, "90s"]);
    assert_eq!(shown["rows"][0]["object"]["kind"], "ConfigMap");
    assert_eq!(shown["metadata"]["resourceVersion"], "7");
    let second = view(Resource::CONFIG_MAPS, table, "None").event(&object, false);
    assert!(second["columnDefinitions"].is_null() && second["rows"][0]["object"].is_null());
    assert_eq!(Form::accepted(table, Some("Everything")).unwrap_err().code, 400);
}

#[test]
fn every_type_has_a_table_for_any_object() {
    let api = served();
    let table = Form::accepted("application/json;as=Table", Some("")).unwrap();
    for kind in api.resources() {
        let view = View::of(&api, &kind.resource, &kind.api_version(), table, 0);
        for object in [map! {}, map! { "spec" => 1, "status" => "x", "metadata" => true }] {
            let shown = view.answer(&object);
            let columns = shown["columnDefinitions"].items().len();
            assert_eq!(shown["rows"][0]["cells"].items().len(), columns, "{}", kind.resource);
        }
    }
}

#[test]
fn what_is_not_json_is_not_acceptable() {
    for accept in ["text/html", "application/yaml", "application/json;as=Nothing"] {
        assert_eq!(Form::accepted(accept, Some("")).unwrap_err().code, 406, "{accept}");
    }
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    assert_eq!(Form::accepted(table, None).unwrap_err().code, 406, "there are no tables");
    for accept in
        ["", "*/*", "text/html, */*", "application/vnd.kubernetes.protobuf,application/json"]
    {
        assert_eq!(Form::accepted(accept, Some("")), Ok(Form::Whole), "{accept}");
    }
}

#[test]
fn discovery_lists_what_the_server_serves() {
    let api = served();
    let body = |path: &str| {
        let reply = Meta::new(path, "").answer(&api);
        assert_eq!(reply.status(), 200, "{path}");
        serde_json::from_slice::<Tree>(reply.body()).unwrap()
    };
    let core = body("/api/v1");
    let names: Vec<&str> = core["resources"].items().iter().map(|row| row["name"].str()).collect();
    assert!(names.contains(&"pods/eviction") && names.contains(&"nodes"), "{names:?}");
    assert_eq!(body("/apis/apps")["preferredVersion"]["groupVersion"], "apps/v1");
    assert_eq!(body("/version")["minor"], "36");
    let nodes = core["resources"].items().iter().find(|row| row["name"] == "nodes").unwrap();
    assert_eq!((nodes["singularName"].str(), nodes["shortNames"][0].str()), ("node", "no"));
    let lost = Meta::new("/apis/none.example", "").answer(&api);
    assert_eq!((lost.status().as_u16(), lost.body().as_ref()), (404, &b"404 page not found\n"[..]));
    let other = Meta::new("/apis/apps/v9", "").answer(&api);
    assert_eq!(other.headers()["content-type"], "application/json");
}

#[test]
fn discovery_is_aggregated_for_those_who_ask_for_it() {
    let api = served();
    let accept = |version: &str| {
        format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList")
    };
    for version in ["v2", "v2beta1"] {
        let all = format!("{},application/json", accept(version));
        let reply = Meta::new("/apis", &all).answer(&api);
        assert_eq!(reply.headers()["content-type"], accept(version).as_str());
        let body: Tree = serde_json::from_slice(reply.body()).unwrap();
        let mut groups = body["items"].items().iter();
        let apps = groups.find(|group| group["metadata"]["name"] == "apps").unwrap();
        let resources = apps["versions"][0]["resources"].items();
        let found = resources.iter().find(|one| one["resource"] == "deployments").unwrap();
        assert_eq!(found["subresources"][0]["responseKind"]["kind"], "Scale");
    }
    let unknown = format!("{},application/json", accept("v3"));
    let reply = Meta::new("/api", &unknown).answer(&api);
    let body: Tree = serde_json::from_slice(reply.body()).unwrap();
    assert_eq!(body["kind"], "APIVersions");
}

#[test]
fn every_document_of_openapi_that_the_index_names_is_there_and_whole() {
    let api = served();
    let body = |path: &str| {
        let reply = Meta::new(path, "").answer(&api);
        serde_json::from_slice::<Tree>(reply.body()).unwrap()
    };
    let index = body("/openapi/v3");
    assert!(index["paths"]["apis/apps/v1"]["serverRelativeURL"].str().contains("?hash="));
    for (name, _) in index["paths"].fields() {
        let document = body(&format!("/openapi/v3/{name}")).to_string();
        let known: Tree = serde_json::from_str(&document).unwrap();
        let schemas = &known["components"]["schemas"];
        for reference in document.split("#/components/schemas/").skip(1) {
            let wanted = reference.split('"').next().unwrap();
            assert!(!schemas[wanted].is_null(), "{name} lacks {wanted}");
        }
        assert!(document.contains("fieldValidation"), "{name}");
    }
}

/// An API that serves `things.example.com` with this schema.
fn serving(schema: Tree) -> kubesim::api::Api {
    let mut api = served();
    let version = map! {
        "name" => "v1", "served" => true, "storage" => true,
        "schema" => map! { "openAPIV3Schema" => schema },
    };
    let definition = map! {
        "metadata" => map! { "name" => "things.example.com" },
        "spec" => map! {
            "group" => "example.com", "scope" => "Namespaced",
            "names" => map! { "plural" => "things", "singular" => "thing", "kind" => "Thing" },
            "versions" => list![version],
        },
    };
    let request =
        kubesim_model::request::Request::create(Resource::CUSTOM_RESOURCE_DEFINITIONS, definition);
    let nobody = kubesim::api::Identity::default();
    api.handle(0, &nobody, &request).answer.unwrap();
    api
}

/// The schema of `things.example.com` in both versions of OpenAPI.
fn published(schema: Tree) -> [Tree; 2] {
    let api = serving(schema);
    let places = [
        ("/openapi/v2", ["definitions", "com.example.v1.Thing"].as_slice()),
        ("/openapi/v3/apis/example.com/v1", &["components", "schemas", "com.example.v1.Thing"]),
    ];
    places.map(|(path, place)| {
        let reply = Meta::new(path, "application/json").answer(&api);
        serde_json::from_slice::<Tree>(reply.body()).unwrap().at(place).clone()
    })
}

#[test]
fn schemas_of_custom_types_are_published_with_what_all_objects_have() {
    let [old, new] = published(map! {
        "type" => "object", "description" => "A thing.", "required" => list!["a", "b"],
        "properties" => map! {
            "a" => map! { "type" => "string", "nullable" => true },
            "b" => map! {
                "type" => "object", "x-kubernetes-embedded-resource" => true,
                "x-kubernetes-preserve-unknown-fields" => true,
            },
            "c" => map! {
                "type" => "integer", "anyOf" => list![map! { "minimum" => 1 }],
            },
        },
    });
    for shown in [&old, &new] {
        assert_eq!(shown["description"], "A thing.");
        assert_eq!(shown["x-kubernetes-group-version-kind"][0]["kind"], "Thing");
        assert_eq!(shown["properties"]["kind"]["type"], "string");
    }
    let meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    let metadata = &old["properties"]["metadata"];
    assert_eq!(metadata["$ref"], format!("#/definitions/{meta}").as_str());
    let metadata = &new["properties"]["metadata"]["allOf"][0];
    assert_eq!(metadata["$ref"], format!("#/components/schemas/{meta}").as_str());
    let [a, b, c] = ["a", "b", "c"].map(|name| &old["properties"][name]);
    assert!(a["type"].is_null() && a["nullable"].is_null());
    assert_eq!(old["required"], list!["b"]);
    assert!(b["type"].is_null() && b["properties"].is_null());
    assert_eq!(*c, map! { "type" => "integer" });
    assert_eq!(new["required"], list!["a", "b"]);
    assert_eq!(new["properties"]["b"]["required"], list!["kind", "apiVersion"]);
}

#[test]
fn of_a_type_that_takes_anything_old_clients_are_told_no_fields() {
    let open = map! { "type" => "object", "x-kubernetes-preserve-unknown-fields" => true };
    let [old, new] = published(open);
    assert!(old["properties"].is_null() && old["type"] == "object");
    assert!(new["x-kubernetes-preserve-unknown-fields"].is_true());
}

#[test]
fn keys_that_stand_twice_are_noted_unless_nobody_wants_to_know() {
    let body = r#"{"data": {"a": "1", "a": "2"}}"#;
    let post = |query: &str, kind: &str| {
        let uri = format!("/api/v1/namespaces/shop/configmaps{query}");
        request(Method::POST, &uri, kind, body).repeated
    };
    assert_eq!(post("", "application/json"), [r#"duplicate field "data.a""#]);
    assert!(post("?fieldValidation=Ignore", "application/json").is_empty());
    let uri = "/api/v1/namespaces/shop/configmaps/a?fieldManager=me";
    let applied = request(Method::PATCH, uri, "application/apply-patch+yaml", body);
    assert!(applied.repeated[0].contains(r#"key "a" already set in map"#));
}

#[test]
fn connections_into_pods_have_options() {
    let uri = "/api/v1/namespaces/shop/pods/p/exec?command=ls&command=-l&stdin=true&container=c";
    let request = request(Method::GET, uri, "", "");
    assert_eq!((request.verb, request.subresource.as_str()), (Verb::Create, "exec"));
    let options = map! { "command" => list!["ls", "-l"], "stdin" => true, "container" => "c" };
    assert_eq!(request.body, options);
}

#[test]
fn configurations_are_read_as_json_and_as_yaml() {
    let uri = "/api/v1/namespaces/shop/configmaps/a?fieldManager=me&force=true";
    let apply = |body: &str| call(Method::PATCH, uri, "application/apply-patch+yaml", body);
    let read = |body: &str| match apply(body) {
        Ok(Call::Request { request, .. }) => *request,
        other => panic!("{other:?}"),
    };
    let json = read(r#"{"kind":"ConfigMap","data":{"a":"1","b":null}}"#);
    assert_eq!(
        (json.verb, json.field_manager.as_str(), json.force),
        (Verb::Apply, "me", Some(true))
    );
    assert!(json.body["data"].get("b").is_some(), "what is null is kept");
    let yaml = read("# a note\nkind: ConfigMap\ndata: {a: '1', b: ~}\nmode: 0644\n");
    assert_eq!(yaml.body["data"], json.body["data"]);
    assert_eq!(yaml.body["mode"].as_i64(), Some(0o644));
    for body in ["a: [b", "[]", "text", "\t"] {
        let refused = apply(body).unwrap_err();
        assert!(
            refused.code == 400 && refused.message.starts_with("error decoding YAML"),
            "{body}"
        );
    }
}
