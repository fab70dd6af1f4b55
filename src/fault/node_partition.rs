//! `node-partition`: no message passes between the machine and the API server.

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::{evidence, node};
use crate::cluster::{Capability, Lever};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "node-partition",
    doc: "No message passes between the machine and the API server.",
    details: "Kubelet and containers go on with what they know; the rest of the cluster sees an \
              `Unknown` node. When healed, the kubelet learns what was wanted meanwhile. Proof: a \
              living kubelet was cut off for longer than it takes until it renews its lease (12 \
              seconds), or the node became `Unknown`.",
    params: node::PARAMS,
    needs: &[Capability::HostFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let injection =
        node::on_nodes(scene, |node| Lever::Partition { node }, |node| Lever::Join { node })?;
    let nodes = injection.nodes.clone();
    Ok(injection.proved_by(evidence::renewal_lost(nodes)))
}
