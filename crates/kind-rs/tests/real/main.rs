//! Everything against the real kind and its container engine, on a cluster of two nodes.
//!
//! Runs if `SHAKEDOWN_NODE_IMAGE` names a node image that the container engine has.
#![cfg(unix)]

mod cluster;
mod containers;
mod lifecycle;
mod network;
mod programs;

use std::io::Write as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use kind_rs::{Cluster, Error, Exec, Kind, Node};
use tokio::time::Instant;

/// What every step works on.
struct Stage {
    kind: Kind,
    cluster: Cluster,
    control_plane: Node,
    worker: Node,
    folder: Utf8PathBuf,
    begin: Instant,
}

/// Deletes the clusters and our files, also when a step panics: then nothing can be awaited.
struct Guard {
    name: String,
    folder: Utf8PathBuf,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let kubeconfig = self.folder.join("kubeconfig");
        for name in [&self.name, &self.second()] {
            let args = ["delete", "cluster", "--quiet", "--name", name, "--kubeconfig"];
            let _ = std::process::Command::new("kind").args(args).arg(&kubeconfig).status();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Guard {
    /// The name of a second cluster.
    fn second(&self) -> String {
        format!("{}-b", self.name)
    }
}

/// Writes past the test harness, which shows nothing of tests that pass.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl Stage {
    fn done(&self, what: &str) {
        say(&format!("{:6.1} s {what}", self.begin.elapsed().as_secs_f64()));
    }
}

/// Asks until the answer is yes, for at most so many seconds.
async fn until(seconds: u64, what: &str, mut ask: impl AsyncFnMut() -> Result<bool, Error>) {
    let begin = Instant::now();
    loop {
        let answer = ask().await;
        match answer {
            Ok(true) => return,
            _ if begin.elapsed() < Duration::from_secs(seconds) => {}
            Ok(false) => panic!("not within {seconds} s: {what}"),
            Err(error) => panic!("not within {seconds} s: {what}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Runs `kubectl` in a control plane node.
async fn kubectl(node: &Node, args: &[&str]) -> Result<String, Error> {
    let kubectl = Exec::from(["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"]);
    Ok(node.exec_checked(kubectl.args(args.iter().copied())).await?.stdout_text())
}

fn scratch_folder(name: &str) -> Utf8PathBuf {
    let folder = Utf8PathBuf::try_from(std::env::temp_dir()).expect("its path is UTF-8");
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).expect("files can be made there");
    folder
}

fn write(path: &Utf8Path, text: &str) {
    std::fs::write(path, text).expect("the folder is ours");
}

#[tokio::test]
async fn the_real_kind_does_all_that_it_is_asked_for() {
    let Ok(image) = std::env::var("SHAKEDOWN_NODE_IMAGE") else {
        return say("not run: SHAKEDOWN_NODE_IMAGE names no node image");
    };
    let kind = match Kind::detect().await {
        Ok(kind) => kind,
        Err(error) => return say(&format!("not run: {error}")),
    };
    let name = format!("kind-rs-{}", std::process::id());
    let guard = Guard { name: name.clone(), folder: scratch_folder(&name) };
    let begin = Instant::now();
    let result = async {
        let stage = cluster::create(&kind, &guard, &image, begin).await?;
        stage.done("the cluster is there");
        cluster::is_as_configured(&stage).await?;
        stage.done("it is as configured");
        programs::run_in_nodes(&stage).await?;
        programs::end_with_their_time(&stage).await?;
        programs::are_units(&stage).await?;
        stage.done("programs, files and units");
        containers::are_known(&stage).await?;
        containers::take_signals(&stage).await?;
        stage.done("containers");
        cluster::images_are_loaded(&stage).await?;
        stage.done("images are loaded");
        network::is_partitioned(&stage).await?;
        network::is_disconnected(&stage).await?;
        stage.done("partitions");
        lifecycle::pause(&stage).await?;
        lifecycle::kill_and_start(&stage).await?;
        lifecycle::stop_and_restart(&stage).await?;
        stage.done("the life of a node");
        cluster::is_deleted(&stage).await?;
        stage.done("the cluster is gone");
        cluster::are_late(&stage, &guard, &image).await?;
        stage.done("clusters that took too long");
        Ok::<(), Error>(())
    };
    if let Err(error) = result.await {
        panic!("{error}");
    }
}
