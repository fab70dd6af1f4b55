//! `node-reboot`: the machine loses its power and boots again by itself.

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::{evidence, node};
use crate::cluster::{Capability, Lever};
use crate::history::HostFact;

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "node-reboot",
    doc: "The machine loses its power and boots again by itself.",
    details: "By default it is back after 30 seconds, before its node becomes `Unknown`: containers are started \
              anew in new sandboxes with new addresses. `for` says how long it is down. Proof: \
              containers ended with the power, or a pod is bound to the machine while it is down.",
    params: node::PARAMS,
    needs: &[Capability::PowerFaults],
    given: &[],
    ends: Ends::After(30_000),
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
        evidence::pod_bound(moment, &nodes)
    }))
}
