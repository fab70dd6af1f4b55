//! What a trial sees of a cluster that is not its own, and what it is refused.

use camino::Utf8PathBuf;
use kubesim::world::{World, WorldConfig};
use kubesim_model::{list, map};

use super::*;
use crate::cluster::real::{Header, Journal};

fn scope(name: &str) -> (Scope, SharedJournal, Utf8PathBuf) {
    let folder =
        std::env::temp_dir().join(format!("shakedown-scope-{}-{name}", std::process::id()));
    let folder = Utf8PathBuf::from_path_buf(folder).unwrap();
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let journal = Journal::create(&folder, Header::new("kubeconfig", &"a", true)).unwrap();
    let journal = SharedJournal::new(journal);
    let names = |pairs: &[(&'static str, &'static str)]| {
        Names::new(pairs.iter().map(|(real, told)| ((*real).into(), (*told).into())))
    };
    let (namespaces, nodes) = (names(&[("mine", "default")]), names(&[("pool-7", "worker-1")]));
    let before = vec![map! { "metadata" => map! { "name" => "pool-7" } }];
    let scope = Scope::of(namespaces, (nodes, before), "run-1".to_owned(), journal.clone());
    (scope, journal, folder)
}

fn kind(resource: &Resource) -> Type {
    let world = World::remote(WorldConfig::new(1, 0), 0);
    let found = world.api().resources().find(|kind| kind.resource == *resource).cloned();
    found.expect("it is built in")
}

fn pod(namespace: &str, node: &str) -> Tree {
    let values = list![map! { "key" => "kubernetes.io/hostname", "values" => list![node] }];
    map! {
        "kind" => "Pod",
        "metadata" => map! { "name" => node, "namespace" => namespace },
        "spec" => map! { "nodeName" => node, "terms" => values },
    }
}

#[test]
fn a_request_goes_out_under_the_names_of_the_cluster() {
    let (scope, _, folder) = scope("out");
    let create = Request::create(Resource::PODS, pod("default", "worker-1"));
    let sent = scope.asked(&kind(&Resource::PODS), &create).unwrap();
    assert_eq!(sent.key, ObjectKey::new("mine", "worker-1"), "a pod may be called like a node");
    let mut want = pod("mine", "pool-7");
    want.set(&["metadata", "name"], "worker-1");
    assert_eq!(sent.body, want);
    let mut list = Request::list(Resource::PODS, "");
    list.list.field_selector = "spec.nodeName=worker-1".into();
    let sent = scope.asked(&kind(&Resource::PODS), &list).unwrap();
    assert_eq!(sent.key.namespace, "mine");
    assert_eq!(sent.list.field_selector, "spec.nodeName=pool-7");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_not_marked_is_refused() {
    let (scope, _, folder) = scope("refused");
    let refused = |resource: Resource, request: Request| {
        let status = scope.asked(&kind(&resource), &request).unwrap_err();
        assert_eq!((status.code, status.reason.as_str()), (403, "OutOfScope"));
        status.message
    };
    let key = |namespace, name| ObjectKey::new(namespace, name);
    let elsewhere = Request::get(Resource::PODS, key("mine", "a"));
    assert!(refused(Resource::PODS, elsewhere).contains("`mine` is not marked"), "not its name");
    let node = Request::merge_patch(Resource::NODES, key("", "pool-8"), map! {});
    assert!(refused(Resource::NODES, node).contains("`pool-8` is not marked"));
    refused(Resource::NODES, Request::delete(Resource::NODES, key("", "worker-1")));
    let namespace = map! { "metadata" => map! { "name" => "b" } };
    refused(Resource::NAMESPACES, Request::create(Resource::NAMESPACES, namespace));
    let class = Request::delete(Resource::PRIORITY_CLASSES, key("", "theirs"));
    refused(Resource::PRIORITY_CLASSES, class);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_a_trial_makes_outside_of_namespaces_is_written_down_and_marked() {
    let (scope, journal, folder) = scope("made");
    let classes = Resource::PRIORITY_CLASSES;
    let object = map! { "metadata" => map! { "name" => "high" } };
    let sent = scope.asked(&kind(&classes), &Request::create(classes.clone(), object)).unwrap();
    assert_eq!(sent.body["metadata"]["labels"][MADE_BY], "run-1");
    let path = "/apis/scheduling.k8s.io/v1/priorityclasses/high".to_owned();
    let undo = Undo::Delete { path, mark: "run-1".to_owned() };
    assert_eq!(journal.with(|journal| journal.open_entries()), [undo]);
    let delete = Request::delete(classes.clone(), ObjectKey::new("", "high"));
    assert!(scope.asked(&kind(&classes), &delete).is_err(), "it may be somebody else's");
    scope.answered(&kind(&classes), sent.body);
    assert!(scope.asked(&kind(&classes), &delete).is_ok(), "it is the trial's own");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_a_trial_writes_to_a_node_is_written_down() {
    let (scope, journal, folder) = scope("nodes");
    let cordon = map! { "spec" => map! { "unschedulable" => true } };
    let cordon = Request::merge_patch(Resource::NODES, ObjectKey::new("", "worker-1"), cordon);
    assert!(scope.asked(&kind(&Resource::NODES), &cordon).is_ok());
    assert!(scope.asked(&kind(&Resource::NODES), &cordon).is_ok());
    let patch = serde_json::json!({"spec": {"unschedulable": null}});
    let undo = Undo::Node { name: "pool-7".to_owned(), patch };
    assert_eq!(journal.with(|journal| journal.open_entries()), [undo]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn only_what_is_marked_is_told_under_the_names_of_the_trial() {
    let (scope, _, folder) = scope("told");
    let pods = kind(&Resource::PODS);
    let told = scope.told(&pods, pod("mine", "pool-7")).unwrap();
    assert_eq!(told["metadata"]["namespace"], "default");
    assert_eq!(told["spec"]["nodeName"], "worker-1");
    assert_eq!(told["spec"]["terms"][0]["values"][0], "worker-1");
    assert_eq!(scope.told(&pods, pod("default", "pool-7")), None, "another one");
    let node = |name: &str| map! { "metadata" => map! { "name" => name } };
    let nodes = kind(&Resource::NODES);
    assert_eq!(scope.told(&nodes, node("pool-7")), Some(node("worker-1")));
    assert_eq!(scope.told(&nodes, node("pool-8")), None);
    let listed = map! { "kind" => "NodeList", "items" => list![node("pool-7"), node("pool-8")] };
    assert_eq!(scope.answered(&nodes, listed)["items"].items(), [node("worker-1")]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn without_bounds_everything_is_as_it_is() {
    let scope = Scope::default();
    let request = Request::delete(Resource::NODES, ObjectKey::new("", "a"));
    assert_eq!(scope.asked(&kind(&Resource::NODES), &request), Ok(request));
    let pod = pod("kube-system", "a");
    assert_eq!(scope.told(&kind(&Resource::PODS), pod.clone()), Some(pod));
}
