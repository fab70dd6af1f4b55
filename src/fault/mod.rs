//! The faults: one per file, each a pure decision from what it is asked and what there is to the
//! levers that inject and heal it, and to the evidence that it bit. Pulling the levers, triggers
//! and time belong to `run`.

mod actor;
mod api_conflict;
mod api_error;
mod api_latency;
mod container;
mod container_kill;
mod container_oom;
mod container_stuck;
mod controller_crash;
mod controller_pause;
mod crash_loop;
mod definition;
mod evidence;
mod image;
mod image_missing;
mod image_slow;
mod kubelet_hang;
mod kubelet_stop;
mod never_ready;
mod node;
mod node_crash;
mod node_freeze;
mod node_partition;
mod node_reboot;
mod packet_loss;
mod registry;
mod response_lost;
mod runtime_stop;
mod slow_start;
mod target;
mod watch;
mod watch_delay;
mod watch_drop;

pub use definition::{End, Ends, Evidence, Fault, Injection, Missed, Moment, Scene};
pub use registry::{FAULTS, fault};
pub use target::{Field, PodTarget};
