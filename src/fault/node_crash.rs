//! `node-crash`: the machine loses its power; healing boots it again.

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::{evidence, node};
use crate::cluster::{Capability, Lever};
use crate::history::HostFact;

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "node-crash",
    doc: "The machine loses its power; healing boots it again.",
    details: "Containers, kubelet and agents end at once, the API goes on believing in them. Some 40 to 55 seconds \
              later the node is `Unknown`, after five minutes more its pods are evicted by taint. \
              When it boots, containers are started anew in new sandboxes. Proof: containers ended \
              with the power, a pod is bound to it, or the node \
              became `Unknown`.",
    params: node::PARAMS,
    needs: &[Capability::PowerFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let injection =
        node::on_nodes(scene, |node| Lever::PowerOff { node }, |node| Lever::PowerOn { node })?;
    let nodes = injection.nodes.clone();
    let containers = evidence::running_on(scene.view, &nodes);
    Ok(injection.proved_by(move |moment| {
        let off = matches!(evidence::fact_on(moment.event, &nodes), Some(HostFact::PoweredOff));
        if off && containers > 0 {
            return Some(moment.proof(format!("power off, {containers} containers ended")));
        }
        if let Some(proof) = evidence::pod_bound(moment, &nodes) {
            return Some(proof);
        }
        let unknown = evidence::unknown_node(moment, &nodes)?;
        Some(moment.proof(format!("node {unknown} is Unknown")))
    }))
}
