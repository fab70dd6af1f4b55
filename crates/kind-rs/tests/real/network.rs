//! Partitions and disconnected networks, and whether packets really stay away.

use std::time::Duration;

use kind_rs::{Chain, Direction, Error, Exec, Kind, Node, Partition};

use crate::{Stage, until};

/// Whether `from` can open a connection to the API server on `to`.
async fn reaches(from: &Node, to: &Node) -> Result<bool, Error> {
    let address = to.addresses().ipv4.expect("it has one");
    let script = format!("timeout 1 bash -c '</dev/tcp/{address}/6443'");
    Ok(from.exec(Exec::sh(script).timeout(Duration::from_secs(10))).await?.is_success())
}

pub(crate) async fn is_partitioned(stage: &Stage) -> Result<(), Error> {
    let Stage { control_plane, worker, .. } = stage;
    assert!(reaches(worker, control_plane).await?);
    let peers: Vec<_> = control_plane.addresses().iter().collect();
    let partition = Partition::new("from-api", peers.clone())?;
    worker.partition(&partition).await?;
    let rules = worker.partitions().await?;
    assert_eq!(rules.len(), 2 * peers.len());
    let before: u64 = rules.iter().map(|rule| rule.packets).sum();
    assert!(!reaches(worker, control_plane).await?);
    let after = worker.partitions().await?;
    assert!(after.iter().map(|rule| rule.packets).sum::<u64>() > before);
    let output = after.iter().find(|rule| rule.chain == Chain::Output && rule.packets > 0);
    assert!(output.is_some_and(|rule| rule.tag == "from-api" && rule.bytes >= 40), "{after:?}");

    assert!(worker.heal("other").await?.is_empty());
    let healed = worker.heal("from-api").await?;
    assert_eq!(healed.len(), rules.len());
    assert!(healed.iter().any(|rule| rule.packets > 0));
    assert!(worker.partitions().await?.is_empty());
    until(5, "the API server is back", async || reaches(worker, control_plane).await).await;

    // What one program leaves behind another one finds.
    let inbound = Partition::new("inbound", peers)?.direction(Direction::Inbound).forwarded(true);
    worker.partition(&inbound).await?;
    let other = Kind::detect().await?.cluster(stage.cluster.name())?;
    let found = other.node(worker.name()).await?.heal_all().await?;
    assert!(found.iter().all(|rule| rule.direction == Direction::Inbound));
    assert!(found.iter().any(|rule| rule.chain == Chain::Forward));
    assert!(worker.partitions().await?.is_empty());
    Ok(())
}

pub(crate) async fn is_disconnected(stage: &Stage) -> Result<(), Error> {
    let Stage { control_plane, worker, kind, .. } = stage;
    worker.disconnect().await?;
    assert!(worker.state().await?.networks.is_empty());
    assert!(!reaches(worker, control_plane).await?);
    assert!(matches!(worker.disconnect().await, Err(Error::Failed(_))));
    worker.connect().await?;
    let networks = worker.state().await?.networks;
    assert!(networks[kind.network()].ipv4.is_some());
    until(10, "the API server is back", async || reaches(worker, control_plane).await).await;
    Ok(())
}
