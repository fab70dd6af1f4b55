//! What a host answers: events for the actors on it, and host truth for the history.

use kubesim_model::Text;
use kubesim_model::host::{ContainerInfo, HostEvent};
use kubesim_model::resource::ObjectKey;

/// What happened on a host, as the history records it.
#[derive(Clone, Debug, PartialEq)]
pub enum HostFact {
    /// A container's process runs.
    ContainerStarted(ContainerInfo),
    /// A container's process serves: its probes succeed from now on, unless a rule says otherwise.
    ContainerReady(ContainerInfo),
    /// A container's process ended; `exited` says how.
    ContainerExited(ContainerInfo),
    /// A container's process hangs.
    ContainerStuck(ContainerInfo),
    /// A container's process that hung goes on.
    ContainerUnstuck(ContainerInfo),
    /// A pod's sandbox runs.
    SandboxStarted {
        /// The pod's uid.
        pod_uid: Text,
        /// The pod's namespace and name.
        pod: ObjectKey,
        /// Its address.
        ip: Text,
    },
    /// A pod's sandbox is gone.
    SandboxStopped {
        /// The pod's uid.
        pod_uid: Text,
        /// The pod's namespace and name.
        pod: ObjectKey,
        /// The address it had.
        ip: Text,
    },
    /// An image was pulled.
    ImagePulled {
        /// The reference.
        image: Text,
        /// Its digest.
        image_id: Text,
    },
    /// The machine lost its power.
    PoweredOff,
    /// The machine booted.
    PoweredOn,
}

/// What a host answers: events for the actors on it and facts for the history, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostOut {
    /// Events with the actor they are for; `None` is every actor on the node.
    pub events: Vec<(Option<u32>, HostEvent)>,
    /// Host truth.
    pub facts: Vec<HostFact>,
}

impl HostOut {
    pub(super) fn tell(&mut self, who: u32, event: HostEvent) {
        self.events.push((Some(who), event));
    }
}
