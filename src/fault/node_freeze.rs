//! `node-freeze`: the machine stands still; healing lets it go on where it stood.

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::{evidence, node};
use crate::cluster::{Capability, Lever};
use crate::history::HostFact;

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "node-freeze",
    doc: "The machine stands still; healing lets it go on where it stood.",
    details: "Containers neither work nor end, connections stay open and silent, leases are not renewed. What was \
              sent meanwhile arrives when it thaws, and its containers still run then, also those that \
              the API has replaced. Proof: containers stood still, a pod is bound to it, or the node \
              became `Unknown`.",
    params: node::PARAMS,
    needs: &[Capability::PowerFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let injection =
        node::on_nodes(scene, |node| Lever::Freeze { node }, |node| Lever::Thaw { node })?;
    let nodes = injection.nodes.clone();
    let containers = evidence::running_on(scene.view, &nodes);
    Ok(injection.proved_by(move |moment| {
        let frozen = matches!(evidence::fact_on(moment.event, &nodes), Some(HostFact::Frozen));
        if frozen && containers > 0 {
            return Some(moment.proof(format!("frozen with {containers} containers")));
        }
        if let Some(proof) = evidence::pod_bound(moment, &nodes) {
            return Some(proof);
        }
        let unknown = evidence::unknown_node(moment, &nodes)?;
        Some(moment.proof(format!("node {unknown} is Unknown")))
    }))
}
