//! What the workload controllers share: owning objects, waiting for one's own writes, and sending
//! many requests in an orderly way.

pub(super) mod batches;
pub(super) mod claim;
pub(super) mod expectations;
pub(super) mod own_writes;
pub(super) mod revision;
pub(super) mod status;
pub(super) mod template;
