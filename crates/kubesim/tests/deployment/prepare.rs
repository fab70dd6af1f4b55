//! Putting the objects of a case on a server, the same way whichever it is.

use serde_json::{Value, json};

use crate::case::Case;
use crate::objects;

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    /// A merge patch of the status.
    PatchStatus,
    Delete,
}

/// What it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Namespace,
    Deployment,
    ReplicaSet,
}

/// Someone who answers requests; panics when one is refused.
pub(crate) trait Server {
    /// Sends a request for the object of this name in this namespace; answers the object.
    fn ask(&mut self, verb: Verb, kind: Kind, place: (&str, &str), body: Value) -> Value;
}

/// Writes the objects of a case, each with its status.
pub(crate) fn prepare(server: &mut impl Server, case: &Case) {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": case.name },
    });
    server.ask(Verb::Create, Kind::Namespace, ("", &case.name), namespace);
    let (web, sets) = case.objects.split_first().expect("a case has a Deployment");
    let body = objects::deployment(web, &case.name);
    let owner = server.ask(Verb::Create, Kind::Deployment, (&case.name, &web.name), body);
    for set in sets {
        let body = objects::replica_set(set, &owner);
        server.ask(Verb::Create, Kind::ReplicaSet, (&case.name, &set.name), body);
    }
    let recent = &owner["metadata"]["creationTimestamp"];
    for object in case.objects.iter().filter(|object| !object.status.is_empty()) {
        let kind = if object.name == web.name { Kind::Deployment } else { Kind::ReplicaSet };
        let body = json!({ "status": objects::status(object, recent) });
        server.ask(Verb::PatchStatus, kind, (&case.name, &object.name), body);
    }
    if web.fields.iter().any(|(key, _)| key == "deleted") {
        server.ask(Verb::Delete, Kind::Deployment, (&case.name, &web.name), Value::Null);
    }
}
