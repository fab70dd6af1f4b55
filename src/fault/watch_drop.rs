//! `watch-drop`: the watches of an actor break.

use kubesim_model::resource::Resource;

use super::actor;
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::watch::{RESOURCE, listed, told};
use crate::cluster::{Capability, Lever};
use crate::suite::{Param, ParamKind};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "watch-drop",
    doc: "The watches of an actor break.",
    details: "They are resumed from where they were; with `expired` that version is gone (410), so \
              that the actor lists again and learns only what there is, not what happened. It is \
              over as soon as it has happened. Proof: the actor was told the next thing, with \
              `expired` a whole list.",
    params: &[
        actor::SELECT,
        RESOURCE,
        Param::new("expired", ParamKind::Bool, "Whether it must list again.").default("true"),
    ],
    needs: &[Capability::ApiFaults],
    given: &[],
    ends: Ends::AtOnce,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let expired = scene.args.flag("expired");
    let only = scene.args.text("resource").cloned().map(Resource::new);
    let (actors, mut injection) = actor::chosen(scene)?;
    for actor in &actors {
        let (actor, resource) = (actor.clone(), only.clone());
        injection.levers.push(Lever::DropWatches { actor, resource, expired });
    }
    Ok(injection.proved_by(move |moment| {
        if let Some(told) = listed(moment, &actors, only.as_ref()) {
            return Some(moment.proof(format!("{} listed again: {}", told.actor, told.resource)));
        }
        let told = told(moment, &actors, only.as_ref()).filter(|_| !expired)?;
        Some(moment.proof(format!("{} went on: {}", told.actor, told.resource)))
    }))
}
