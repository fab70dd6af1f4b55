//! The provider `kubeconfig`: a cluster that was there before and will be there afterwards. It is
//! touched only if its owner has marked it, and no further than the marker says.

mod access;
mod connection;
mod contents;
mod ground;
mod healer;
mod hold;
mod hosts;
mod marker;
mod nodes;
mod provider;

pub use connection::KubeconfigError;
pub(super) use healer::KubeconfigReach;
pub use provider::{Kubeconfig, KubeconfigOptions};
