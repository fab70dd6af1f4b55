//! `kubelet-stop`: the kubelet ends while containers go on; healing starts it.

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::node;
use crate::cluster::{Capability, Lever};
use crate::history::{ActorPhase, Body};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "kubelet-stop",
    doc: "The kubelet ends while containers go on; healing starts it.",
    details: "The node becomes `Unknown` and its pods unready in the API, though they work. \
              Nothing is restarted or stopped on it. Proof: its kubelet ended.",
    params: node::PARAMS,
    needs: &[Capability::HostFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let injection = node::on_nodes(
        scene,
        |node| Lever::StopKubelet { node },
        |node| Lever::StartKubelet { node },
    )?;
    let nodes = injection.nodes.clone();
    Ok(injection.proved_by(move |moment| match &moment.event?.body {
        Body::Actor(actor)
            if actor.phase == ActorPhase::Crashed
                && nodes.contains(&actor.node)
                && actor.actor.starts_with("kubelet/") =>
        {
            Some(moment.proof(format!("{} ended", actor.actor)))
        }
        _ => None,
    }))
}
