//! `never-ready`: readiness probes of containers fail.

use super::container::{Chosen, IMAGE, SELECT, is_unready};
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::evidence;
use crate::cluster::{Behaviour, Capability};
use crate::history::ContainerFact;

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "never-ready",
    doc: "Readiness probes of containers fail.",
    details: "Containers without a readiness probe are ready as soon as they run, so it can't bite \
              them. With `image` it is the bad release that never becomes ready. Proof: a \
              container that is meant runs for 20 seconds or longer and its pod says it is unready, \
              or was ready and is no longer.",
    params: &[SELECT, IMAGE],
    needs: &[Capability::ContainerBehaviour],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

/// Longer than a container needs to become ready by default (kubelet v1.36: probe period 10 s).
const PATIENCE: u64 = 20_000;

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let chosen = Chosen::pods_or_image(scene)?;
    let injection = chosen.behaving(&scene.id, &Behaviour::NeverReady);
    let hosts = scene.view.hosts.running();
    // Those that are ready now bite as soon as they cease to be; others when they stay so.
    let running = hosts.filter(|running| chosen.has(&running.container));
    let mut watched: Vec<(u64, ContainerFact)> = running
        .map(|running| {
            let container = running.container.clone();
            let wait = if is_unready(scene.view, &container) { PATIENCE } else { 0 };
            (scene.now + wait, container)
        })
        .collect();
    Ok(injection.proved_by(move |moment| {
        let started = evidence::fact(moment.event).and_then(evidence::started);
        if let Some(container) = started.filter(|container| chosen.has(container)) {
            watched.push((moment.now + PATIENCE, container.clone()));
        }
        let unready = |(from, container): &&(u64, ContainerFact)| {
            *from <= moment.now && is_unready(moment.view, container)
        };
        let (_, container) = watched.iter().find(unready)?;
        Some(moment.proof(format!("{} of {} is unready", container.name, container.pod)))
    }))
}
