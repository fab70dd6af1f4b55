//! The life of a node: paused, killed, stopped, started.

use std::time::Duration;

use kind_rs::{Error, Status};

use crate::{Stage, until};

pub(crate) async fn pause(stage: &Stage) -> Result<(), Error> {
    let node = &stage.worker;
    let before = node.state().await?;
    assert_eq!((&before.status, before.exit_code), (&Status::Running, None));
    node.pause().await?;
    let state = node.state().await?;
    assert_eq!((state.status, state.started_at), (Status::Paused, before.started_at));
    assert!(matches!(node.exec(["true"]).await, Err(Error::Unreachable { .. })));
    assert!(matches!(node.pause().await, Err(Error::Failed(_))));
    node.unpause().await?;
    assert_eq!(node.state().await?.status, Status::Running);
    assert!(node.exec(["true"]).await?.is_success());
    assert!(matches!(node.unpause().await, Err(Error::Failed(_))));
    Ok(())
}

/// Waits until the node's kubelet runs.
async fn is_up(stage: &Stage) {
    let kubelet = stage.worker.unit("kubelet");
    until(60, "the kubelet runs", async || kubelet.is_active().await).await;
}

pub(crate) async fn kill_and_start(stage: &Stage) -> Result<(), Error> {
    let node = &stage.worker;
    let before = node.state().await?;
    node.write_file("/run/before".into(), "").await?;
    node.kill().await?;
    let state = node.state().await?;
    assert_eq!((state.status, state.exit_code, state.pid), (Status::Exited, Some(137), None));
    assert!(state.finished_at > state.started_at);
    assert_eq!(state.networks[stage.kind.network()].iter().count(), 0);
    assert!(matches!(node.exec(["true"]).await, Err(Error::Unreachable { .. })));
    assert!(matches!(node.kill().await, Err(Error::Failed(_))));
    node.start().await?;
    let after = node.state().await?;
    assert_eq!((after.status, after.restart_count), (Status::Running, 0));
    assert!(after.started_at > before.started_at);
    assert_eq!(after.container_id, before.container_id);
    is_up(stage).await;
    assert_eq!(node.exec(["test", "-e", "/run/before"]).await?.code, Some(1));

    node.pause().await?;
    node.kill().await?;
    assert_eq!(node.state().await?.exit_code, Some(137));
    node.start().await?;
    is_up(stage).await;
    Ok(())
}

pub(crate) async fn stop_and_restart(stage: &Stage) -> Result<(), Error> {
    let node = &stage.worker;
    node.stop(Duration::from_secs(20)).await?;
    let state = node.state().await?;
    assert_eq!(state.status, Status::Exited);
    assert_ne!(state.exit_code, Some(137));
    node.stop(Duration::from_secs(1)).await?;
    node.start().await?;
    let before = node.state().await?;
    is_up(stage).await;
    node.restart(Duration::from_secs(20)).await?;
    let after = node.state().await?;
    assert_eq!(after.status, Status::Running);
    assert!(after.started_at > before.started_at);
    is_up(stage).await;
    Ok(())
}
