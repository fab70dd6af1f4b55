//! What a real cluster stands on: the processes of its control plane and its hosts, as far as they
//! are not simulated.

use camino::Utf8Path;
use kubesim_model::{Millis, Text};
use serde::{Deserialize, Serialize};

use crate::cluster::{Lever, LeverError, Touched};
use crate::history::{ActorPhase, HostEvent};

/// A program of the control plane that contains actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cluster) enum Component {
    /// All built-in controllers.
    ControllerManager,
    /// The scheduler.
    Scheduler,
}

impl Component {
    /// As it calls itself in its user agent.
    pub(in crate::cluster) fn as_str(self) -> &'static str {
        match self {
            Component::ControllerManager => "kube-controller-manager",
            Component::Scheduler => "kube-scheduler",
        }
    }

    /// Its user (kubeadm v1.36).
    pub(in crate::cluster) fn user(self) -> Text {
        Text::from(format!("system:{}", self.as_str()))
    }
}

/// The actor whose process a lever acts on, and what becomes of it; `None` for other levers.
pub(super) fn turn_of(lever: &Lever) -> Option<(&Text, ActorPhase)> {
    Some(match lever {
        Lever::CrashActor { actor } => (actor, ActorPhase::Crashed),
        Lever::StartActor { actor } => (actor, ActorPhase::Started),
        Lever::PauseActor { actor } => (actor, ActorPhase::Paused),
        Lever::ResumeActor { actor } => (actor, ActorPhase::Resumed),
        _ => return None,
    })
}

/// Processes and hosts of one real cluster.
pub(in crate::cluster) trait Ground: Send {
    /// Says so if what the cluster needs has failed.
    fn is_broken(&mut self) -> Option<String>;

    /// Ends a component (`Crashed`), starts it, stops it (`Paused`) or lets it go on. Answers
    /// whether that changed anything.
    fn act(&mut self, component: Component, phase: ActorPhase) -> bool;

    /// Moves a lever that acts on a host; `None` if the hosts are simulated.
    fn pull(&mut self, lever: &Lever) -> Option<Result<Touched, LeverError>>;

    /// What was seen on the hosts since the last call, with the time since the epoch of virtual
    /// time and by how much earlier it may have been.
    fn facts(&mut self) -> Vec<(Millis, Millis, HostEvent)>;

    /// What the controllers said last, for when they do not work.
    fn last_words(&self) -> String;

    /// How programs reach the API.
    fn kubeconfig(&self) -> &Utf8Path;
}
