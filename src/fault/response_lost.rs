//! `response-lost`: requests are carried out, but their answers are lost.

use super::actor;
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use crate::cluster::{Capability, RequestEffect, RequestSelector};
use crate::history::Body;
use crate::suite::{Param, ParamKind};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "response-lost",
    doc: "Writes are carried out, but their answers are lost with the connection.",
    details: "The classic trap of creates: who tries again makes a second object. Proof: a write of \
              the actor was carried out under the fault and its answer lost.",
    params: &[
        actor::SELECT,
        actor::VERBS,
        actor::RESOURCE,
        actor::SUBRESOURCE,
        actor::TIMES,
        actor::PROBABILITY,
        Param::new("skip", ParamKind::Int, "Lets so many pass first.").default("0"),
    ],
    needs: &[Capability::ApiFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let skip = scene.args.int("skip").and_then(|skip| u64::try_from(skip).ok()).unwrap_or(0);
    let requests = RequestSelector { writes: true, skip, ..actor::requests(scene)? };
    let (actors, injection) = actor::ruled(scene, &requests, &RequestEffect::LoseResponse)?;
    Ok(injection.proved_by(move |moment| match &moment.event?.body {
        Body::Request(request)
            if request.injected
                && actors.contains(&request.actor)
                && actor::means(&requests, request) =>
        {
            let (verb, resource) = (request.verb, &request.resource);
            Some(moment.proof(format!("the answer to {verb:?} {resource} was lost")))
        }
        _ => None,
    }))
}
