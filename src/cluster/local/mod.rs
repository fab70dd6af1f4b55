//! The provider `local`: a real etcd, kube-apiserver, kube-controller-manager and kube-scheduler as
//! processes of this machine, on loopback, with the simulated nodes of kubesim over their API.

mod binaries;
mod files;
mod guard;
mod plane;
mod provider;

pub use binaries::{Binaries, BinariesError};
pub use guard::become_guarded;
pub(super) use guard::guard;
pub(crate) use guard::{guarded, this_executable};
pub use provider::Local;
