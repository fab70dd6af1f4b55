//! A typed, async driver of [kind], Kubernetes in Docker, and of the node containers it makes.
//!
//! It creates clusters, finds their nodes, and does to a node what happens to real ones: power
//! failures, freezes, cut networks, a kubelet that hangs, a container that stands still. What a
//! node's container runtime says about its containers comes as types, so a test can hold it
//! against what the API server believes.
//!
//! Everything is done with the `kind` command and that of the container engine, so both have to be
//! installed; [`Kind::detect`] says which versions they have. Docker is what it is tested with;
//! Podman and nerdctl take the same commands.
//!
//! # A cluster
//!
//! ```no_run
//! use std::time::Duration;
//! use kind_rs::{Access, ClusterConfig, CreateOptions, Kind};
//!
//! # async fn example() -> Result<(), kind_rs::Error> {
//! let kind = Kind::detect().await?;
//! let config = ClusterConfig::with_nodes(1, 2).named("demo");
//! let options = CreateOptions { wait: Some(Duration::from_secs(60)), ..Default::default() };
//! let cluster = kind.create(&config, options).await?;
//! cluster.load_image_archive("images.tar".into()).await?;
//! let kubeconfig = cluster.kubeconfig(Access::External).await?;
//! for node in cluster.nodes().await? {
//!     let addresses: Vec<_> = node.addresses().iter().collect();
//!     assert!(!addresses.is_empty());
//! }
//! cluster.delete().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Trouble
//!
//! ```no_run
//! use std::time::Duration;
//! use kind_rs::{Cluster, Node, Partition, Signal, Status};
//!
//! # async fn example(cluster: Cluster) -> Result<(), kind_rs::Error> {
//! let node = cluster.node("demo-worker").await?;
//!
//! node.pause().await?;
//! assert_eq!(node.state().await?.status, Status::Paused);
//! node.unpause().await?;
//!
//! node.kill().await?;
//! assert_eq!(node.state().await?.exit_code, Some(137));
//! node.start().await?;
//!
//! node.unit("kubelet").kill(Signal::Stop).await?;
//! node.unit("kubelet").kill(Signal::Cont).await?;
//!
//! let control_plane = cluster.node("demo-control-plane").await?;
//! node.partition(&Partition::new("from-api", control_plane.addresses().iter())?).await?;
//! tokio::time::sleep(Duration::from_secs(10)).await;
//! let dropped: u64 = node.heal("from-api").await?.iter().map(|rule| rule.packets).sum();
//! assert!(dropped > 0);
//! # Ok(())
//! # }
//! ```
//!
//! # What really runs
//!
//! ```no_run
//! use kind_rs::{ContainerState, Exec, Node, ProcessState, Signal};
//!
//! # async fn example(node: Node) -> Result<(), kind_rs::Error> {
//! for container in node.cri().containers().await? {
//!     if container.pod.namespace == "default" && container.state == ContainerState::Running {
//!         node.cri().signal(&container.id, Signal::Stop).await?;
//!         assert_eq!(node.cri().process_state(&container.id).await?, ProcessState::Stopped);
//!     }
//! }
//! let output = node.exec(Exec::sh("uptime; exit 3")).await?;
//! assert_eq!(output.code, Some(3));
//! # Ok(())
//! # }
//! ```
//!
//! # What always holds
//!
//! * Every command has a timeout, see [`Timeouts`]. A command that takes too long is killed, and so
//!   is one whose future is dropped; a program in a node ends at most a second later than its time.
//! * An [`Error`] carries the command line, its exit code and both outputs.
//! * Nothing is undone by itself. A cluster stays until [`Cluster::delete`], a partition until
//!   [`Node::heal`] or until its node is started again.
//! * All commands go through one [`Runner`], so code that uses this crate can be tested without any
//!   tool: see [`Recorded`].
//! * A Tokio runtime with I/O and time enabled is needed.
//!
//! [kind]: https://kind.sigs.k8s.io

mod cluster;
mod config;
mod create;
mod cri;
mod engine;
mod error;
mod exec;
mod inspect;
mod invocation;
mod kind;
mod node;
mod partition;
mod pods;
mod processes;
mod recorded;
mod timeouts;
mod unit;
mod version;

pub use camino;
pub use jiff;
pub use semver;

pub use cluster::{Access, Cluster};
pub use config::{
    ApiVersion, ClusterConfig, ConfigKind, IpFamily, JsonPatch, KubeProxyMode, Mount,
    MountPropagation, Networking, NodeConfig, NodeRole, PortMapping, Protocol,
};
pub use create::{CreateOptions, Progress};
pub use cri::Cri;
pub use engine::Engine;
pub use error::{Error, Failure, Timeout};
pub use exec::Exec;
pub use inspect::{Addresses, NodeState, Role, Status};
pub use invocation::{
    DEFAULT_OUTPUT_LIMIT, Invocation, OnLine, Output, RunError, Runner, Running, Stdin, Stdout,
};
pub use kind::{Builder, Kind};
pub use node::Node;
pub use partition::{Chain, Direction, DropRule, Partition, Peer};
pub use pods::{
    Container, ContainerState, ContainerStatus, Image, PodRef, PodSandbox, ProcessState,
};
pub use processes::Processes;
pub use recorded::Recorded;
pub use timeouts::Timeouts;
pub use unit::{Active, Signal, Unit, UnitState};

/// The examples of the README are compiled, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
