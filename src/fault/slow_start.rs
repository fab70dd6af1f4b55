//! `slow-start`: processes need longer before their probes succeed.

use super::container::{Chosen, IMAGE, SELECT, is_unready, says_unready};
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::evidence;
use crate::cluster::{Behaviour, Capability};
use crate::history::{ContainerFact, HostFact};
use crate::suite::{Param, ParamKind};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "slow-start",
    doc: "Processes need longer before their probes succeed.",
    details: "It concerns containers that start while it is in force. Proof: such a container was \
              still unready after most of the time that was added, or ended unready after half of it.",
    params: &[
        SELECT,
        IMAGE,
        Param::new("by", ParamKind::Duration, "How much longer they need.").default("30s"),
    ],
    needs: &[Capability::ContainerBehaviour],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let by = scene.args.duration("by").unwrap_or(30_000);
    let chosen = Chosen::pods_or_image(scene)?;
    let injection = chosen.behaving(&scene.id, &Behaviour::SlowStart(by));
    let mut started: Vec<(u64, ContainerFact)> = Vec::new();
    Ok(injection.proved_by(move |moment| {
        let fact = evidence::fact(moment.event).and_then(evidence::started);
        if let Some(container) = fact.filter(|container| chosen.has(container)) {
            started.push((moment.now, container.clone()));
        }
        if let Some(HostFact::ContainerExited { container, .. }) = evidence::fact(moment.event) {
            // A liveness probe may not wait for so long.
            let same =
                |(_, have): &(u64, ContainerFact)| have.container_id == container.container_id;
            let ended = started.iter().position(same).map(|at| started.remove(at));
            let age = ended.map_or(0, |(at, _)| moment.now - at);
            if age > 0 && age >= by / 2 && says_unready(moment.view, container) {
                let what = format!("{} of {} ended unready", container.name, container.pod);
                return Some(moment.proof(format!("{what} after {age} ms")));
            }
        }
        let slow = |(at, container): &&(u64, ContainerFact)| {
            at + by / 4 * 3 <= moment.now && is_unready(moment.view, container)
        };
        let (at, container) = started.iter().find(slow)?;
        let age = moment.now - at;
        let what = format!("{} of {} is unready after {age} ms", container.name, container.pod);
        Some(moment.proof(what))
    }))
}
