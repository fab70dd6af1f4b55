//! The ticket workflow: a PaaS as companies ran before they moved to final states. It works as it
//! was meant to, and that is wrong: it must be caught.
//!
//! Its database is one ConfigMap for each application, with the label [`APPLICATION_LABEL`]:
//!
//! | key of `data` | written by | meaning |
//! |---|---|---|
//! | `replicas` | user | how many containers are wanted; a change opens a scale ticket |
//! | `image` | user | the image that is wanted; a change opens a release ticket |
//! | `template` | user, optional | the pod template as JSON text; by default one container `app` |
//! | `container` | user, optional | the container that `image` is for; by default the first |
//! | `row.NAME` | workflow | a container that is wanted: the pod `NAME`, and as value its image |
//! | `official-replicas` | workflow | what the last closed scale ticket was about |
//! | `official-image` | workflow | what the last closed release ticket was about |
//! | `ticket.scale`, `ticket.release` | workflow | an open ticket, as JSON text |
//!
//! So for an expression over the ConfigMap `object` and a pod `pod`: desired replicas are
//! `int(object.data.replicas)`; a pod is wanted if `('row.' + pod.metadata.name) in object.data`;
//! all match if there are as many wanted pods as replicas, each with the image `object.data.image`,
//! and no other pod has the label [`APPLICATION_LABEL`] with the application's name.
//!
//! **Workflow** ([`workflow`]). A scale-out ticket adds a row and creates a bare pod, waits until
//! it is ready, and goes on with the next. Pods have no owner, tolerate dead nodes for ever and
//! restart their containers always. A release ticket changes the pods that had rows when it opened,
//! a scale-in ticket stops and then deletes pods, one after another, each through the agent of the
//! pod's host. Every step has three tries of 60 s. After the third the workflow goes on: a stopped
//! container's row is dropped, a changed one's row keeps the old image. When the ticket closes
//! nobody looks again.
//!
//! **Agent** ([`agent`]). The workflow writes [`REQUEST_ANNOTATION`] on the pod; the agent on its
//! node acts on the host and writes the request's id into [`ACKNOWLEDGED_ANNOTATION`].
//!
//! What follows, and a harness must find: a host that is away during a release comes back with the
//! old image; one that is away during a scale-in comes back with a container that no row wants,
//! whose pod nobody deletes (a zombie); a scale-out beside a release creates pods with the image
//! that was official when its ticket opened, for the two take no lock.

mod agent;
mod pod;
mod table;
#[cfg(test)]
mod tests;
mod workflow;

pub use agent::agent;
pub use workflow::{BUGS, workflow};

/// The label of an application's ConfigMap (with any value), and of its pods (with its name).
pub const APPLICATION_LABEL: &str = "ticket.shakedown.dev/application";
/// The annotation by which the workflow asks the agent: `{"id", "op": "stop" | "change",
/// "container", "image"}`.
pub const REQUEST_ANNOTATION: &str = "ticket.shakedown.dev/request";
/// The annotation by which the agent says that it has done the request with this id.
pub const ACKNOWLEDGED_ANNOTATION: &str = "ticket.shakedown.dev/acknowledged";
