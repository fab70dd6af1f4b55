//! A container on the host: its process, and what has been asked of it.

use kubesim_model::Millis;
use kubesim_model::host::{ContainerInfo, OpId};
use kubesim_model::tree::Tree;

use super::program::Program;

/// A container with its process.
#[derive(Clone)]
pub(super) struct Container {
    pub(super) info: ContainerInfo,
    pub(super) spec: Tree,
    pub(super) program: Program,
    /// Who started it, with which command.
    pub(super) starter: (u32, OpId),
    pub(super) stage: Stage,
    /// From when on its probes succeed.
    pub(super) ready_at: Millis,
    /// Whether the process hangs.
    pub(super) stuck: bool,
    /// The exit that waits until the process goes on.
    pub(super) held_exit: Option<i32>,
    /// When SIGKILL comes, if a stop was asked for.
    pub(super) kill_at: Option<Millis>,
    /// Whether SIGTERM was sent.
    pub(super) termed: bool,
    /// Whether somebody relies on a probe's last answer.
    pub(super) asked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Being created; nobody knows its id.
    Creating,
    /// Its process runs, its postStart hook too.
    Starting,
    /// It runs.
    Running,
    /// It ended.
    Ended,
}

impl Container {
    /// Whether its process runs.
    pub(super) fn lives(&self) -> bool {
        matches!(self.stage, Stage::Starting | Stage::Running)
    }
}
