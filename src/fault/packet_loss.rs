//! `packet-loss`: packets between the machine and the API server are lost by chance.

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::{evidence, node};
use crate::cluster::{Capability, Lever};
use crate::history::HostFact;
use crate::suite::{Param, ParamKind};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "packet-loss",
    doc: "Packets between the machine and the API server are lost by chance, in both directions.",
    details: "What is lost is sent again, later and later, so that everything arrives and takes \
              seconds where it took milliseconds; with half of all packets lost connections break. \
              Proof: the packet filter of the machine counted packets that it dropped.",
    params: &[
        node::PARAMS[0],
        Param::new("percent", ParamKind::Int, "How many of a hundred packets, 1 to 99.")
            .default("30"),
    ],
    needs: &[Capability::PacketLoss],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let percent = scene.args.int("percent").and_then(|percent| u64::try_from(percent).ok());
    let percent = percent.unwrap_or(30);
    if !(1..=99).contains(&percent) {
        return Err(Missed::Senseless("`percent` is from 1 to 99".to_owned()));
    }
    let lose = |node| Lever::LosePackets { node, percent };
    let injection = node::on_nodes(scene, lose, |node| Lever::KeepPackets { node })?;
    let nodes = injection.nodes.clone();
    Ok(injection.proved_by(move |moment| match evidence::fact_on(moment.event, &nodes)? {
        HostFact::PacketsLost { packets } => Some(moment.proof(format!("{packets} packets lost"))),
        _ => None,
    }))
}
