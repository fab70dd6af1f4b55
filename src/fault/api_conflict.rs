//! `api-conflict`: the API answers writes as if the object had changed meanwhile.

use kubesim_model::request::Verb;

use super::actor;
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use crate::cluster::{Capability, RequestEffect};
use crate::history::Body;

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "api-conflict",
    doc: "The API answers updates and patches as if the object had changed meanwhile (409).",
    details: "Proof: a write was answered so by the fault.",
    params: &[actor::SELECT, actor::RESOURCE, actor::SUBRESOURCE, actor::TIMES, actor::PROBABILITY],
    needs: &[Capability::ApiFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let mut requests = actor::requests(scene)?;
    requests.verbs =
        vec![Verb::Update, Verb::JsonPatch, Verb::MergePatch, Verb::StrategicPatch, Verb::Apply];
    let (actors, injection) = actor::ruled(scene, &requests, &RequestEffect::Conflict)?;
    Ok(injection.proved_by(move |moment| match &moment.event?.body {
        Body::Request(request)
            if request.injected && request.code == 409 && actors.contains(&request.actor) =>
        {
            let (verb, resource) = (request.verb, &request.resource);
            Some(moment.proof(format!("{} got 409 for {verb:?} {resource}", request.actor)))
        }
        _ => None,
    }))
}
