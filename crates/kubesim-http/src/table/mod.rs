//! Objects as the rows of a table, as `kubectl get` asks for them: the columns and cells of every
//! built-in type (kube-apiserver v1.36, `pkg/printers`), and of custom types those that their
//! definitions name.

mod access;
mod cells;
mod cluster;
mod configuration;
mod custom;
mod network;
mod pods;
mod sheet;
mod storage;
mod workloads;

pub use sheet::Include;
pub(crate) use sheet::Sheet;
