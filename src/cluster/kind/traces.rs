//! What a fault could have left on a host, and healing all of it.

use std::collections::BTreeSet;

use kind_rs::{Error, Exec, Node, Status};
use serde::{Deserialize, Serialize};

use super::ground::name_host;
use super::images;
use crate::cluster::real::is_of_the_system;

/// Packet filter rules but those of the cluster's network, and disturbed interfaces.
const ASK: &str = "iptables-save | grep '^-A' | grep -v 'KUBE-\\|DOCKER_\\|CNI-' \
                   | sed 's/^-A/the packet filter rule/'; \
                   tc qdisc show | grep -w netem | sed 's/^/the disturbed interface /'; true";

/// Lets what stands still go on, and starts what has ended.
const GO_ON: &str = "systemctl kill -s CONT kubelet containerd; systemctl start containerd kubelet";

/// How often what still runs of a trial is asked for, and with what pause in between.
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_millis(500);
const PATIENCE: u32 = 40;

/// What a host answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Traces {
    /// What disturbs, line by line.
    pub(super) lines: BTreeSet<String>,
    /// The names of its images. More of them harm nobody.
    pub(super) images: BTreeSet<String>,
}

impl Traces {
    pub(super) async fn of(node: &Node) -> Result<Traces, Error> {
        let answer = node.exec_checked(Exec::sh(ASK)).await?.stdout_text();
        let lines = answer.lines().map(|line| line.trim().to_owned());
        let images = node.cri().images().await?;
        let images = images.into_iter().flat_map(|image| image.repo_tags);
        Ok(Traces { lines: lines.collect(), images: images.collect() })
    }
}

/// Heals whatever a fault may have done to a host that is registered under this name.
pub(super) async fn revive(node: &Node, name: &str) -> Result<(), Error> {
    let mut status = node.state().await?.status;
    if status == Status::Paused && node.unpause().await.is_err() {
        // One that the engine has lost hold of goes on after another start only.
        node.kill().await?;
        status = Status::Exited;
    }
    if !matches!(status, Status::Running | Status::Paused) {
        node.start().await?;
        name_host(node, name).await?;
    }
    node.exec_checked(Exec::sh(GO_ON)).await?;
    node.heal_all().await?;
    images::give_back(node, None).await
}

/// Waits until no container of a trial runs on a host, and takes away what has ended. Answers
/// whether all went by itself; what did not is ended.
pub(super) async fn clear(node: &Node) -> Result<bool, Error> {
    let mut tries = PATIENCE;
    loop {
        let mut sandboxes = node.cri().pods().await?;
        sandboxes.retain(|sandbox| !is_of_the_system(&sandbox.pod.namespace));
        if sandboxes.is_empty() {
            return Ok(tries > 0);
        }
        let by_force = tries == 0;
        for sandbox in sandboxes.iter().filter(|sandbox| by_force || !sandbox.ready) {
            // The kubelet may do the same just now; whoever is right, it is gone the next time.
            let _ = node.cri().remove_pod(&sandbox.id, by_force).await;
        }
        if by_force {
            return Ok(false);
        }
        tries -= 1;
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
