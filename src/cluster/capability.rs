//! What a provider can do and what it records. Scenarios, faults and invariants name what they
//! need; who lacks it is skipped with the reason.

use std::collections::BTreeSet;
use std::fmt;

macro_rules! capabilities {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal),* $(,)?) => {
        /// One thing that a provider can do or records.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Capability {
            $($(#[doc = $doc])* $name),*
        }

        impl Capability {
            /// Every capability, in the order of their declaration.
            pub const ALL: &'static [Capability] = &[$(Capability::$name),*];

            /// The name, as scenarios and histories write it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Capability::$name => $text),*
                }
            }

            /// What it means, in one sentence.
            pub fn doc(self) -> &'static str {
                match self {
                    $(Capability::$name => concat!($($doc),*).trim_ascii()),*
                }
            }
        }
    };
}

capabilities! {
    /// Each request is recorded with the actor that sent it.
    Actors = "actors",
    /// What really runs on the hosts is recorded, whatever the API believes.
    Host = "host",
    /// What each actor was told, and when, is recorded.
    Deliveries = "deliveries",
    /// Accepted and refused evictions are recorded with the budget that decided them.
    Evictions = "evictions",
    /// Machines can be powered off and frozen.
    PowerFaults = "power-faults",
    /// Machines can be cut off, and their kubelets stopped.
    HostFaults = "host-faults",
    /// The container runtime of a machine can be ended and started.
    RuntimeFaults = "runtime-faults",
    /// Packets between a machine and the API server can be lost by chance.
    PacketLoss = "packet-loss",
    /// Container processes can be killed and stopped.
    ContainerFaults = "container-faults",
    /// Containers can be made to run out of memory.
    OomKills = "oom-kills",
    /// Containers can be made to behave: to fail their probes, to start slowly, to crash again.
    ContainerBehaviour = "container-behaviour",
    /// Images can be made to miss.
    ImageFaults = "image-faults",
    /// Images can be made to come slowly.
    SlowImages = "slow-images",
    /// Processes of controllers can be ended, stopped and started.
    ActorFaults = "actor-faults",
    /// Requests and watches of single actors can be disturbed.
    ApiFaults = "api-faults",
    /// Programs can be run beside the cluster.
    Scripts = "script",
    /// Controllers can run as processes beside the cluster, with a kubeconfig.
    Commands = "commands",
    /// Images are what really runs in containers, so that controllers can run in the cluster.
    Images = "images",
    /// Time is virtual: hours cost nothing.
    VirtualTime = "virtual-time",
    /// The same seed gives the same history.
    Repeatable = "repeatable",
    /// A cluster can be copied with all that runs in it.
    Forkable = "forkable",
}

impl fmt::Display for Capability {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.as_str())
    }
}

/// What a provider can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// Everything there is but `lacking`.
    pub fn all_but(lacking: &[Capability]) -> Self {
        let all = Capability::ALL.iter().copied();
        all.filter(|capability| !lacking.contains(capability)).collect()
    }

    /// Whether `capability` is among them.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// The names, as histories write them.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|capability| capability.as_str().to_owned()).collect()
    }

    /// Those of `needs` that are not among them.
    pub fn lacks(&self, needs: &[Capability]) -> Vec<Capability> {
        needs.iter().copied().filter(|need| !self.has(*need)).collect()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Capabilities(capabilities.into_iter().collect())
    }
}
