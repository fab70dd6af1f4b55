//! The subject of a trial: installing it, and translating what scenarios say of workloads into the
//! fields of its kind. What its file says is read by `suite`.

mod account;
mod install;
mod kinds;
mod operate;
mod rendering;
mod workload;

pub use install::{InstallError, Installation, Programs, installation, programs};
pub use kinds::{Kinds, UnknownKind};
pub use operate::{OperateError, convert, operation, patch_verb};
pub use workload::{pods_of, resource_of, workload, workload_resource};
