//! The bare pods of an application, and the requests on them.

use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map, object};

use super::table::{Step, Table};
use super::{ACKNOWLEDGED_ANNOTATION, APPLICATION_LABEL, REQUEST_ANNOTATION};

/// A pod that nobody owns and no dead node drives away.
pub(super) fn make(application: &ObjectKey, table: &Table, name: &Text, image: &Text) -> Tree {
    let mut pod = map! {
        "apiVersion" => "v1", "kind" => "Pod",
        "metadata" => map! {
            "name" => name, "namespace" => &application.namespace,
            "labels" => &table.template["metadata"]["labels"],
        },
        "spec" => &table.template["spec"],
    };
    let annotations = &table.template["metadata"]["annotations"];
    if !annotations.is_null() {
        pod.set(&["metadata", "annotations"], annotations);
    }
    pod.set(&["metadata", "labels", APPLICATION_LABEL], &application.name);
    pod.set(&["spec", "restartPolicy"], "Always");
    let tolerations = pod.at_mut(&["spec", "tolerations"]).items_mut();
    for taint in ["unreachable", "not-ready"] {
        tolerations.push(map! {
            "key" => format!("node.kubernetes.io/{taint}"),
            "operator" => "Exists", "effect" => "NoExecute",
        });
    }
    for container in pod.at_mut(&["spec", "containers"]).items_mut() {
        if container["name"] == table.container.as_str() {
            container.set(&["image"], image);
        }
    }
    pod
}

/// The name of a step's request: another one for each try.
pub(super) fn request_id(op: &str, step: &Step) -> String {
    format!("{op}-{}-{}", step.attempt, step.until)
}

/// Asks the agent of the pod's host.
pub(super) fn ask(pod: &Tree, op: &str, step: &Step, container: &Text, image: &Text) -> Request {
    let request = map! {
        "id" => request_id(op, step), "op" => op, "container" => container, "image" => image,
    };
    annotate(pod, REQUEST_ANNOTATION, request.to_string().into())
}

/// Takes the request on a pod back.
pub(super) fn withdraw(pod: &Tree) -> Request {
    annotate(pod, REQUEST_ANNOTATION, Tree::Null)
}

/// Tells the workflow that a request is done.
pub(super) fn acknowledge(pod: &Tree, id: &str) -> Request {
    annotate(pod, ACKNOWLEDGED_ANNOTATION, id.into())
}

/// The image of a container, written through the API.
pub(super) fn change_image(pod: &Tree, container: &str, image: &str) -> Request {
    let containers = list![map! { "name" => container, "image" => image }];
    let patch = map! {
        "metadata" => map! { "uid" => object::uid(pod) },
        "spec" => map! { "containers" => containers },
    };
    Request::strategic_patch(Resource::PODS, object::key(pod), patch)
}

/// The request on a pod, if there is one that was not acknowledged.
pub(super) fn open_request(pod: &Tree) -> Option<Tree> {
    let request: Tree = serde_json::from_str(object::annotation(pod, REQUEST_ANNOTATION)).ok()?;
    (request["id"] != object::annotation(pod, ACKNOWLEDGED_ANNOTATION)).then_some(request)
}

/// The id of the request on a pod, acknowledged or not.
pub(super) fn request_on(pod: &Tree) -> Option<Text> {
    let request: Tree = serde_json::from_str(object::annotation(pod, REQUEST_ANNOTATION)).ok()?;
    Some(request["id"].text())
}

fn annotate(pod: &Tree, key: &str, value: Tree) -> Request {
    let patch = map! { "metadata" => map! {
        "uid" => object::uid(pod), "annotations" => map! { key => value },
    } };
    Request::merge_patch(Resource::PODS, object::key(pod), patch)
}
