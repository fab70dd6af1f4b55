//! The link between a node and the control plane: cut off in one or both directions, or lossy.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use kind_rs::{Direction as Packets, Error, Exec, Node, Partition};
use kubesim_model::Text;

use super::hosts::{Seen, Watched};
use crate::cluster::Direction;
use crate::cluster::real::now;
use crate::history::{HostEvent, HostFact};

/// The tags of the packet filter rules that cut a node off, and that lose packets.
const CUT: &str = "shakedown";
const LOSSY: &str = "shakedown-loss";

/// How often the packets that were lost are counted.
const COUNT: Duration = Duration::from_millis(500);

/// Cuts a node off from the control plane, and proves it: nothing else would tell, for a kubelet
/// that is not heard of for a while may have nothing to say.
pub(super) async fn cut(
    node: &Node,
    control_plane: &Node,
    direction: Direction,
) -> Result<(), Error> {
    let peers = control_plane.addresses();
    let packets = match direction {
        Direction::Both => Packets::Both,
        Direction::In => Packets::Inbound,
        Direction::Out => Packets::Outbound,
    };
    node.partition(&Partition::new(CUT, peers.iter())?.direction(packets)).await?;
    for address in peers.iter() {
        // Neither half of a handshake is enough.
        let connects_not = format!("! timeout 1 bash -c '</dev/tcp/{address}/6443'");
        if let Err(error) = node.exec_checked(Exec::sh(connects_not)).await {
            node.heal(CUT).await?;
            return Err(error);
        }
    }
    Ok(())
}

/// Takes back what [`cut`] did.
pub(super) async fn join(node: &Node) -> Result<(), Error> {
    node.heal(CUT).await.map(drop)
}

/// Lets so many of a hundred packets be lost.
pub(super) async fn lose(node: &Node, control_plane: &Node, percent: u64) -> Result<(), Error> {
    let peers = control_plane.addresses();
    let percent = u8::try_from(percent).unwrap_or(u8::MAX);
    node.partition(&Partition::new(LOSSY, peers.iter())?.percent(percent)?).await
}

/// Takes back what [`lose`] did.
pub(super) async fn keep(node: &Node) -> Result<(), Error> {
    node.heal(LOSSY).await.map(drop)
}

/// Tells once that packets were lost, as soon as the node has counted some.
pub(super) async fn count(node: Node, name: Text, watched: Arc<Watched>, tell: Sender<Seen>) {
    loop {
        tokio::time::sleep(COUNT).await;
        let _looks = watched.quiet.lock().await;
        let Ok(mut rules) = node.partitions().await else { continue };
        rules.retain(|rule| rule.tag == LOSSY);
        let packets: u64 = rules.iter().map(|rule| rule.packets).sum();
        if packets > 0 {
            let event = HostEvent { node: name, fact: HostFact::PacketsLost { packets } };
            // Nobody listens any more once the trial is over.
            let _ = tell.send((now(), 0, event));
            return;
        }
        if rules.is_empty() {
            return;
        }
    }
}
