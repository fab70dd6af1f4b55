//! `api-error`: the API refuses requests before it carries them out.

use kubesim_model::Text;

use super::actor;
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use crate::cluster::{Capability, RequestEffect};
use crate::history::Body;
use crate::suite::{Param, ParamKind};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "api-error",
    doc: "The API refuses requests before it carries them out.",
    details: "Proof: a request was answered so by the fault.",
    params: &[
        actor::SELECT,
        Param::new("code", ParamKind::Int, "The HTTP status: 429, 500, 503 or 504, say.")
            .default("500"),
        Param::new("reason", ParamKind::Text, "The reason; by default the usual one of the code."),
        actor::VERBS,
        actor::RESOURCE,
        actor::SUBRESOURCE,
        actor::TIMES,
        actor::PROBABILITY,
    ],
    needs: &[Capability::ApiFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let code = scene.args.int("code").unwrap_or(500);
    let Some(code) = u16::try_from(code).ok().filter(|code| (400..600).contains(code)) else {
        return Err(Missed::Senseless(format!("`code: {code}` is no HTTP status of an error")));
    };
    let reason = scene.args.text("reason").cloned().unwrap_or_else(|| usual_reason(code));
    let requests = actor::requests(scene)?;
    let (actors, injection) =
        actor::ruled(scene, &requests, &RequestEffect::Refuse { code, reason })?;
    Ok(injection.proved_by(move |moment| match &moment.event?.body {
        Body::Request(request)
            if request.injected
                && request.code == code
                && actors.contains(&request.actor)
                && actor::means(&requests, request) =>
        {
            let (verb, resource) = (request.verb, &request.resource);
            Some(moment.proof(format!("{} got {code} for {verb:?} {resource}", request.actor)))
        }
        _ => None,
    }))
}

/// What the API server says with a code (apimachinery v0.36, `StatusReason`).
fn usual_reason(code: u16) -> Text {
    Text::new_static(match code {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "Unknown",
    })
}
