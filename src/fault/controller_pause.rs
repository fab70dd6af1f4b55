//! `controller-pause`: the process of a controller stands still.

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::{actor, evidence};
use crate::cluster::{Capability, Lever};
use crate::history::ActorPhase;

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "controller-pause",
    doc: "The process of a controller stands still; healing lets it go on.",
    details: "What it was told meanwhile reaches it when it goes on, so that it acts on an old view \
              for a moment. Proof: the process stood still.",
    params: &[actor::SELECT],
    needs: &[Capability::ActorFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let (actors, mut injection) = actor::chosen(scene)?;
    let pause = |actor| Lever::PauseActor { actor };
    let resume = |actor| Lever::ResumeActor { actor };
    injection.levers = actors.iter().cloned().map(pause).collect();
    injection.heal = actors.iter().cloned().map(resume).collect();
    Ok(injection.proved_by(evidence::actor_went(actors, ActorPhase::Paused, "stands still")))
}
