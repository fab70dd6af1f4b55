//! CloneSet: stateless pods that are updated in place where only images change.
//!
//! Modelled on OpenKruise v1.9, `pkg/controller/cloneset` and `pkg/util/inplaceupdate`; the ids in
//! the comments (`CS-8`, `IP-4`, …) number its promises as they are kept here:
//!
//! * partition CS-1..6, budgets CS-7..13, order CS-14 and CS-16, scale CS-17..24, revisions and
//!   status CS-32..34; in-place update IP-1..6, IP-8..10, IP-13, IP-14.
//! * Not supported, and refused with an Event: `volumeClaimTemplates`, `lifecycle`,
//!   `priorityStrategy`, `scatterStrategy`, `OnDelete`. Orphans are not adopted. Failed pods are
//!   replaced and left to the pod garbage collector, as a ReplicaSet leaves them.
//!
//! [`decide::decide`] is a pure function of a [`decide::View`]; [`actor()`] puts it into the frame
//! of a controller and adds what needs memory: expectations (what was written and not yet seen).

mod actor;
mod bug;
mod census;
mod crd;
pub mod decide;

mod inplace;
mod order;
mod pods;
mod portion;
mod revision;
mod scale;
mod spec;
mod status;
#[cfg(test)]
mod tests;
mod update;

pub use actor::{CloneSets, actor};
pub use bug::{BUGS, Bug};
pub use crd::crd;
pub use decide::{Action, Plan, View, decide};

/// The label of a pod that names its revision; the value is the ControllerRevision's name.
pub const REVISION_LABEL: &str = "controller-revision-hash";
/// The label that a pod shares with what belongs to it alone.
pub const INSTANCE_LABEL: &str = "apps.kruise.io/cloneset-instance-id";
/// The label by which a user asks for the deletion of one pod (CS-20).
pub const SPECIFIED_DELETE_LABEL: &str = "apps.kruise.io/specified-delete";
/// The annotation that records the last in-place update (IP-5).
pub const STATE_ANNOTATION: &str = "apps.kruise.io/inplace-update-state";
/// The annotation in which a change waits for the grace period to pass (IP-4).
pub const GRACE_ANNOTATION: &str = "apps.kruise.io/inplace-update-grace";
/// The condition and readiness gate that takes a pod out of service during an in-place update.
pub const IN_PLACE_READY: &str = "InPlaceUpdateReady";
