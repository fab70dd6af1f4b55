//! `runtime-stop`: the container runtime ends while containers go on; healing starts it.

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::{evidence, node};
use crate::cluster::{Capability, Lever};
use crate::history::HostFact;

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "runtime-stop",
    doc: "The container runtime ends while containers go on; healing starts it.",
    details: "The kubelet can neither start nor end containers nor tell what runs, and after half a \
              minute says that its node is not ready. Pods that are deleted stay until the runtime \
              is back. Proof: the runtime ended, and the kubelet did not start it again.",
    params: node::PARAMS,
    needs: &[Capability::RuntimeFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let injection = node::on_nodes(
        scene,
        |node| Lever::StopRuntime { node },
        |node| Lever::StartRuntime { node },
    )?;
    let nodes = injection.nodes.clone();
    Ok(injection.proved_by(move |moment| match evidence::fact_on(moment.event, &nodes)? {
        HostFact::RuntimeStopped => Some(moment.proof("the container runtime ended")),
        _ => None,
    }))
}
