//! The provider `local`: a real etcd, kube-apiserver, kube-controller-manager and kube-scheduler as
//! processes of this machine, on loopback, with the simulated nodes of kubesim over their API. What
//! they do is recorded from watches (what changed) and from the audit log (who did it).

mod api;
mod audit;
mod binaries;
mod certificates;
mod cluster;
mod guard;
mod plane;
mod process;
mod programs;
mod provider;
mod record;
mod staff;
mod watch;

pub use binaries::{Binaries, BinariesError};
pub use guard::become_guarded;
pub use provider::Local;
