//! `controller-crash`: the process of a controller ends without warning, at once or at a write.

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::{actor, evidence};
use crate::cluster::{Capability, Lever, RequestEffect, RequestSelector};
use crate::history::ActorPhase;
use crate::suite::{Param, ParamKind};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "controller-crash",
    doc: "The process of a controller ends without warning, at once or at a write.",
    details: "A new process starts `for` later (5 seconds by default) with nothing but what the API \
              holds. With `write: n` it ends at its n-th write from now on: `after` the API carried \
              it out and before the answer came, or `before`. Proof: the process ended.",
    params: &[
        actor::SELECT,
        Param::new("write", ParamKind::Int, "At the how-manieth write, from 1; at once without."),
        Param::new("moment", ParamKind::Word(&["before", "after"]), "Before or after that write.")
            .default("after"),
        actor::RESOURCE,
        actor::SUBRESOURCE,
    ],
    needs: &[Capability::ActorFaults],
    given: &[("write", Capability::ApiFaults)],
    ends: Ends::AfterBite(5_000),
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let (actors, mut injection) = match scene.args.int("write") {
        Some(nth) => {
            let requests = RequestSelector {
                writes: true,
                skip: u64::try_from(nth.saturating_sub(1)).unwrap_or(0),
                times: 1,
                ..actor::requests(scene)?
            };
            let before = scene.args.text("moment").is_some_and(|word| word == "before");
            let effect =
                if before { RequestEffect::CrashBefore } else { RequestEffect::CrashAfter };
            actor::ruled(scene, &requests, &effect)?
        }
        None => {
            let (actors, mut injection) = actor::chosen(scene)?;
            let crash = |actor| Lever::CrashActor { actor };
            injection.levers = actors.iter().cloned().map(crash).collect();
            (actors, injection)
        }
    };
    let start = |actor| Lever::StartActor { actor };
    injection.heal.extend(actors.iter().cloned().map(start));
    Ok(injection.proved_by(evidence::actor_went(actors, ActorPhase::Crashed, "ended")))
}
