//! `container-stuck`: the process of a container hangs, as after SIGSTOP.

use super::container::{Chosen, SELECT};
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::evidence;
use crate::cluster::{Capability, Lever};
use crate::history::HostFact;

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "container-stuck",
    doc: "The process of a container hangs, as after SIGSTOP.",
    details: "It answers no probe and heeds no signal but SIGKILL. With a liveness probe the kubelet \
              restarts it; the new process is not stuck. Proof: the process hung on its host.",
    params: &[SELECT],
    needs: &[Capability::ContainerFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let chosen = Chosen::running(scene)?;
    let mut injection = chosen.injection();
    let stick = |container| Lever::StickContainer { container };
    let unstick = |container| Lever::UnstickContainer { container };
    injection.levers = chosen.selectors.iter().cloned().map(stick).collect();
    injection.heal = chosen.selectors.iter().cloned().map(unstick).collect();
    Ok(injection.proved_by(move |moment| match evidence::fact(moment.event)? {
        HostFact::ContainerStuck { container, stuck: true } if chosen.has(container) => {
            Some(moment.proof(format!("{} of {} hangs", container.name, container.pod)))
        }
        _ => None,
    }))
}
