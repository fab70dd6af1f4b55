//! Putting the objects of a case on a server, the same way whichever it is.

use kubesim_model::resource::Resource;
use serde_json::{Value, json};

use crate::case::Case;
use crate::objects;
use crate::theme::{Kind, Server, Verb};

pub(crate) const DEPLOYMENT: Kind = Kind { path: "/apis/apps/v1", resource: Resource::DEPLOYMENTS };
pub(crate) const REPLICA_SET: Kind =
    Kind { path: "/apis/apps/v1", resource: Resource::REPLICA_SETS };

/// Writes the objects of a case, each with its status.
pub(crate) fn prepare(server: &mut dyn Server, case: &Case) {
    let (web, sets) = case.objects.split_first().expect("a case has a Deployment");
    let body = objects::deployment(web, &case.name);
    let owner = server.ask(Verb::Create, &DEPLOYMENT, (&case.name, &web.name), body);
    for set in sets {
        let body = objects::replica_set(set, &owner);
        server.ask(Verb::Create, &REPLICA_SET, (&case.name, &set.name), body);
    }
    let recent = &owner["metadata"]["creationTimestamp"];
    for object in case.objects.iter().filter(|object| !object.status.is_empty()) {
        let kind = if object.name == web.name { &DEPLOYMENT } else { &REPLICA_SET };
        let body = json!({ "status": objects::status(object, recent) });
        server.ask(Verb::PatchStatus, kind, (&case.name, &object.name), body);
    }
    if web.fields.iter().any(|(key, _)| key == "deleted") {
        server.ask(Verb::Delete, &DEPLOYMENT, (&case.name, &web.name), Value::Null);
    }
}
