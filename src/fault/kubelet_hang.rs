//! `kubelet-hang`: the kubelet stands still while containers go on.

use kubesim_model::Text;

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::{evidence, node};
use crate::cluster::{Capability, Lever};
use crate::history::ActorPhase;

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "kubelet-hang",
    doc: "The kubelet stands still while containers go on; healing lets it go on where it stood.",
    details: "As after SIGSTOP: nothing is started, probed, reported or ended on the node, which \
              becomes `Unknown`. Unlike one that was started anew, it then acts on what it knew \
              before, and learns the rest late. Proof: its kubelet stood still.",
    params: node::PARAMS,
    needs: &[Capability::HostFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let injection = node::on_nodes(
        scene,
        |node| Lever::PauseActor { actor: kubelet(&node) },
        |node| Lever::ResumeActor { actor: kubelet(&node) },
    )?;
    let kubelets = injection.nodes.iter().map(|node| kubelet(node)).collect();
    Ok(injection.proved_by(evidence::actor_went(kubelets, ActorPhase::Paused, "stands still")))
}

/// The actor that a node's kubelet is.
fn kubelet(node: &str) -> Text {
    Text::from(format!("kubelet/{node}"))
}
