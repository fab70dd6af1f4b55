//! `node-partition`: no message passes between the machine and the API server.

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::{evidence, node};
use crate::cluster::{Capability, Direction, Lever};
use crate::suite::{Param, ParamKind};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "node-partition",
    doc: "No message passes between the machine and the API server.",
    details: "Kubelet and containers go on with what they know; the rest of the cluster sees an \
              `Unknown` node. When healed, the kubelet learns what was wanted meanwhile. With \
              `direction: in` nothing reaches the machine: what it asks for is still done, but it \
              never hears so. With `out` nothing leaves it: it still hears what is wanted, but \
              cannot tell what it did. Either lasts only as long as connections from before hold, \
              some 45 seconds; then nothing passes at all. Proof: a \
              living kubelet was cut off for longer than it takes until it renews its lease (12 \
              seconds), or the node became `Unknown`.",
    params: &[
        node::PARAMS[0],
        Param::new("direction", ParamKind::Word(&["both", "in", "out"]), "Which messages.")
            .default("both"),
    ],
    needs: &[Capability::HostFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let direction = match scene.args.text("direction").map_or("both", |word| word.as_str()) {
        "in" => Direction::In,
        "out" => Direction::Out,
        _ => Direction::Both,
    };
    let cut = |node| Lever::Partition { node, direction };
    let injection = node::on_nodes(scene, cut, |node| Lever::Join { node })?;
    let nodes = injection.nodes.clone();
    Ok(injection.proved_by(evidence::renewal_lost(nodes, direction, scene.pace)))
}
