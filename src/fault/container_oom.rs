//! `container-oom`: a container runs out of memory.

use super::container::{Chosen, SELECT};
use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::evidence;
use crate::cluster::{Capability, Lever};
use crate::history::HostFact;

/// The reason that container runtimes give.
const REASON: &str = "OOMKilled";

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "container-oom",
    doc: "A container runs out of memory, and the kernel ends its process.",
    details: "The kubelet restarts it as the pod's restartPolicy says, with growing back-off. It is \
              over as soon as it has happened. Proof: the container ended on its host for this \
              reason (`OOMKilled`).",
    params: &[SELECT],
    needs: &[Capability::OomKills],
    given: &[],
    ends: Ends::AtOnce,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let chosen = Chosen::running(scene)?;
    let mut injection = chosen.injection();
    let oom = |container| Lever::OomContainer { container };
    injection.levers = chosen.selectors.iter().cloned().map(oom).collect();
    Ok(injection.proved_by(move |moment| match evidence::fact(moment.event)? {
        HostFact::ContainerExited { container, reason, .. }
            if chosen.has(container) && reason == REASON =>
        {
            let what = format!("{} of {} ran out of memory", container.name, container.pod);
            Some(moment.proof(what))
        }
        _ => None,
    }))
}
