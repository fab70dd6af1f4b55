//! `watch-delay`: what happens reaches an actor later, or not before the fault ends.

use kubesim_model::resource::Resource;

use super::actor;
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::watch::{RESOURCE, Writes, told};
use crate::cluster::{Capability, Lever, WatchEffect};
use crate::suite::{Param, ParamKind};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "watch-delay",
    doc: "What happens reaches an actor later, or not before the fault ends.",
    details: "The stream stays open and in order: the actor can't know that it sees an old state. \
              Proof: the actor was told of a write that much later, or with `hold` there were writes \
              and for two seconds it was told nothing.",
    params: &[
        actor::SELECT,
        RESOURCE,
        Param::new("by", ParamKind::Duration, "How much later.").default("5s"),
        Param::new("hold", ParamKind::Bool, "Holds everything back until the fault ends."),
    ],
    needs: &[Capability::ApiFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

/// Longer than any write needs to be told of without a fault.
const PROMPT: u64 = 2_000;

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let by = scene.args.duration("by").unwrap_or(5_000);
    let hold = scene.args.flag("hold");
    let only = scene.args.text("resource").cloned().map(Resource::new);
    let effect = if hold { WatchEffect::Hold } else { WatchEffect::Delay(by) };
    let (actors, mut injection) = actor::chosen(scene)?;
    for actor in &actors {
        let (rule, actor, resource) = (scene.id.clone(), actor.clone(), only.clone());
        injection.levers.push(Lever::WatchRule { rule, actor, resource, effect: effect.clone() });
    }
    injection.heal.push(Lever::Forget { rule: scene.id.clone() });
    let mut writes = Writes::default();
    Ok(injection.proved_by(move |moment| {
        writes.take(moment, only.as_ref());
        let told = told(moment, &actors, only.as_ref());
        if hold {
            let first = writes.first()?;
            let held = moment.now >= first + PROMPT && told.is_none();
            return held.then(|| moment.proof("writes were held back"));
        }
        let told = told?;
        let late = moment.now - writes.at(told.rv)?;
        let what =
            format!("{} was told of {} {} after {late} ms", told.actor, told.resource, told.key);
        (late >= by).then(|| moment.proof(what))
    }))
}
