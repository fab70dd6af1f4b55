//! What the faults of controllers and of their connection to the API share: which actors, and which
//! of their requests.

use kubesim_model::Text;
use kubesim_model::request::Verb;
use kubesim_model::resource::Resource;

use super::definition::{Injection, Missed, Scene};
use super::target::Field;
use crate::cluster::{Lever, RequestEffect, RequestSelector};
use crate::history::RequestEvent;
use crate::suite::{Param, ParamKind};

/// Which actors.
pub(super) const SELECT: Param = Param::new(
    "select",
    ParamKind::Select,
    "Which actors, by `actor`: `subject` (the default), or a component such as `kubelet`.",
);

/// Which requests, by verb.
pub(super) const VERBS: Param = Param::new(
    "verbs",
    ParamKind::Texts,
    "Only requests with these verbs: get, list, create, update, patch, delete; any by default.",
);

/// Which requests, by resource.
pub(super) const RESOURCE: Param = Param::new(
    "resource",
    ParamKind::Text,
    "Only requests for this resource, as in `pods` or `deployments.apps`.",
);

/// Which requests, by subresource.
pub(super) const SUBRESOURCE: Param =
    Param::new("subresource", ParamKind::Text, "Only requests for this subresource.");

/// How many requests.
pub(super) const TIMES: Param =
    Param::new("times", ParamKind::Int, "How many requests; all that match by default.");

/// With which probability.
pub(super) const PROBABILITY: Param =
    Param::new("probability", ParamKind::Probability, "Each only with this probability.");

/// The actors that the fault selects, and an injection that names them.
pub(super) fn chosen(scene: &mut Scene<'_>) -> Result<(Vec<Text>, Injection), Missed> {
    let select = scene.args.select("select").cloned().unwrap_or_default();
    let field = Field { view: scene.view, subject: scene.subject };
    let actors = field.actors(&select, scene.draws);
    if actors.is_empty() {
        let role = select.actor.unwrap_or(Text::new_static("subject"));
        return Err(Missed::NothingThere(format!("no actor plays `{role}`")));
    }
    let target = |actor: &Text| Text::from(format!("actor {actor}"));
    let injection = Injection::on(actors.iter().map(target).collect());
    Ok((actors, injection))
}

/// Which requests the fault's arguments mean.
pub(super) fn requests(scene: &Scene<'_>) -> Result<RequestSelector, Missed> {
    let args = scene.args;
    let mut verbs = Vec::new();
    for word in args.texts("verbs") {
        verbs.extend(verbs_named(word)?);
    }
    let percent = args.probability("probability").map_or(100.0, |p| (p * 100.0).round());
    Ok(RequestSelector {
        verbs,
        resource: args.text("resource").cloned().map(Resource::new),
        subresource: args.text("subresource").cloned(),
        times: args.int("times").and_then(|times| u64::try_from(times).ok()).unwrap_or(0),
        percent: (percent as u64).clamp(1, 100),
        ..Default::default()
    })
}

fn verbs_named(word: &str) -> Result<Vec<Verb>, Missed> {
    Ok(match word {
        "get" => vec![Verb::Get],
        "list" => vec![Verb::List],
        "create" => vec![Verb::Create],
        "update" => vec![Verb::Update],
        "patch" => vec![Verb::JsonPatch, Verb::MergePatch, Verb::StrategicPatch, Verb::Apply],
        "delete" => vec![Verb::Delete, Verb::DeleteCollection],
        _ => return Err(Missed::Senseless(format!("there is no verb `{word}`"))),
    })
}

/// Whether the selector means a request like this one; counts and probabilities aside.
pub(super) fn means(selector: &RequestSelector, request: &RequestEvent) -> bool {
    (selector.verbs.is_empty() || selector.verbs.contains(&request.verb))
        && (!selector.writes || request.verb.is_write())
        && selector.resource.as_ref().is_none_or(|only| *only == request.resource)
        && selector.subresource.as_ref().is_none_or(|only| *only == request.subresource)
}

/// An injection by which requests of the selected actors meet `effect`.
pub(super) fn ruled(
    scene: &mut Scene<'_>,
    requests: &RequestSelector,
    effect: &RequestEffect,
) -> Result<(Vec<Text>, Injection), Missed> {
    let (actors, mut injection) = chosen(scene)?;
    for actor in &actors {
        injection.levers.push(Lever::RequestRule {
            rule: scene.id.clone(),
            actor: actor.clone(),
            requests: requests.clone(),
            effect: effect.clone(),
        });
    }
    injection.heal.push(Lever::Forget { rule: scene.id.clone() });
    Ok((actors, injection))
}
