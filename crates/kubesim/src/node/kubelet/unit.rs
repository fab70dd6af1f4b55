//! One container of a pod as the kubelet sees it.

use kubesim_model::host::{ContainerInfo, ProbeKind};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::back_off::BackOff;

/// What part a container plays in its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Runs to its end before the next begins.
    Init,
    /// A restartable init container: runs beside the others until they have ended.
    Sidecar,
    /// An app container.
    App,
}

/// One life of a container.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Instance {
    pub(super) id: Text,
    pub(super) image: Text,
    pub(super) image_id: Text,
    pub(super) attempt: u32,
    pub(super) started_at: Millis,
    pub(super) ended: Option<(Millis, i32, Text)>,
}

impl From<ContainerInfo> for Instance {
    fn from(info: ContainerInfo) -> Self {
        Instance {
            id: info.container_id,
            image: info.image,
            image_id: info.image_id,
            attempt: info.attempt,
            started_at: info.started_at,
            ended: info.exited,
        }
    }
}

/// The newest life of a container and the one before.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    pub(super) current: Option<Instance>,
    pub(super) previous: Option<Instance>,
}

impl View {
    pub(super) fn running(&self) -> Option<&Instance> {
        self.current.as_ref().filter(|instance| instance.ended.is_none())
    }

    /// The exit code, if its newest life is over.
    pub(super) fn exit_code(&self) -> Option<i32> {
        self.current.as_ref()?.ended.as_ref().map(|(_, code, _)| *code)
    }

    /// Takes a new life in.
    pub(super) fn began(&mut self, instance: Instance) {
        self.previous = self.current.replace(instance);
    }
}

/// A container of a pod.
#[derive(Clone)]
pub(super) struct Unit {
    pub(super) name: Text,
    pub(super) role: Role,
    /// What the runtime has, as events told.
    pub(super) now: View,
    /// What the kubelet noticed: with its own acts and at relists.
    pub(super) seen: View,
    /// What its last sync took as the state to report.
    pub(super) shown: View,
    /// Why it could not be started, when that was last tried.
    pub(super) reason: Option<(Text, Text)>,
    /// Whether this sync tried to start it, and failed.
    pub(super) tried: bool,
    /// Whether it is to be started again whatever the restart policy, for it was stopped for that.
    pub(super) replacing: bool,
    /// Whether a neighbour was replaced (which only a planted bug cares about).
    pub(super) bystander: bool,
    /// Whether its end was in an earlier sandbox, so that it runs once more (init containers).
    pub(super) rerun: bool,
    /// Whether it must be killed for a failed probe, and with which grace in seconds.
    pub(super) unhealthy: Option<Option<i64>>,
    /// Whether a stop was asked for as part of the pod's termination.
    pub(super) stopping: bool,
    pub(super) crashes: BackOff,
    pub(super) pulls: BackOff,
    /// The image that the back-offs are about.
    pub(super) back_off_image: Text,
    pub(super) probing: Probing,
}

/// The probes of one life of a container.
#[derive(Clone, Default)]
pub(super) struct Probing {
    /// Of which instance.
    pub(super) id: Text,
    /// Whether the startup probe succeeded, or there is none.
    pub(super) started: bool,
    pub(super) probes: Vec<Probe>,
}

/// One probe of one life of a container.
#[derive(Clone)]
pub(super) struct Probe {
    pub(super) kind: ProbeKind,
    pub(super) spec: Tree,
    /// When it was last due; the next is a period later.
    pub(super) tick: Millis,
    /// When it is to be asked next; timers for other moments are void.
    pub(super) due: Option<Millis>,
    /// The answer last given, and how many times in a row.
    pub(super) last: bool,
    pub(super) run: i64,
    /// What the answers come to, once a threshold was reached.
    pub(super) result: Option<bool>,
    /// Whether it waits until its answer may change.
    pub(super) parked: bool,
    /// Whether it is in use: after its first tick was set, and until a failure was acted on.
    pub(super) active: bool,
}

impl Unit {
    pub(super) fn new(name: Text, role: Role) -> Unit {
        Unit {
            name,
            role,
            now: View::default(),
            seen: View::default(),
            shown: View::default(),
            reason: None,
            tried: false,
            replacing: false,
            bystander: false,
            rerun: false,
            unhealthy: None,
            stopping: false,
            crashes: BackOff::default(),
            pulls: BackOff::default(),
            back_off_image: Text::default(),
            probing: Probing::default(),
        }
    }

    /// Whether the life that is shown runs and its startup probe succeeded.
    pub(super) fn is_started(&self) -> bool {
        let id = self.shown.running().map(|instance| &instance.id);
        id.is_some_and(|id| *id == self.probing.id) && self.probing.started
    }

    /// Whether it is ready: started, and its readiness probe (if there is one) succeeds.
    pub(super) fn is_ready(&self) -> bool {
        let mut probes = self.probing.probes.iter();
        let readiness = probes.find(|probe| probe.kind == ProbeKind::Readiness);
        self.is_started() && readiness.is_none_or(|probe| probe.result == Some(true))
    }

    /// Whether the life that is shown came to a good end, in whichever sandbox.
    pub(super) fn shows_success(&self) -> bool {
        self.shown.exit_code() == Some(0)
    }

    /// How many times it was started, as `attempt` of the next start.
    pub(super) fn next_attempt(&self, reported: i64) -> u32 {
        let lived = self.now.current.as_ref().map(|instance| instance.attempt + 1);
        lived.unwrap_or_else(|| u32::try_from(reported).unwrap_or(0))
    }
}
