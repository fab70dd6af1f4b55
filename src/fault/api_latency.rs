//! `api-latency`: requests take longer to arrive.

use super::actor;
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use crate::cluster::{Capability, RequestEffect};
use crate::history::Body;
use crate::suite::{Param, ParamKind};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "api-latency",
    doc: "Requests take longer to arrive.",
    details: "Proof: a request arrived that can only have been sent under the fault, for it came \
              later after the injection than the time that was added.",
    params: &[
        actor::SELECT,
        Param::new("by", ParamKind::Duration, "How much longer they take.").default("2s"),
        actor::VERBS,
        actor::RESOURCE,
        actor::SUBRESOURCE,
    ],
    needs: &[Capability::ApiFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let by = scene.args.duration("by").unwrap_or(2_000);
    let requests = actor::requests(scene)?;
    let (actors, injection) = actor::ruled(scene, &requests, &RequestEffect::Delay(by))?;
    Ok(injection.proved_by(move |moment| match &moment.event?.body {
        Body::Request(request)
            if moment.now >= moment.since + by
                && actors.contains(&request.actor)
                && actor::means(&requests, request) =>
        {
            let (verb, resource) = (request.verb, &request.resource);
            Some(moment.proof(format!("{verb:?} {resource} of {} came late", request.actor)))
        }
        _ => None,
    }))
}
