//! The Job controller: pods that run to their end, so many times.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/job`. [`control`] orders a sync:
//! [`count`] says how the pods stand, [`end`] whether that is the end of the Job, [`plan`] which
//! pods are made or deleted otherwise, [`track`] what of it is written and which pods are let go.
//! What a sync counts is first written to the status, as uids; only then are the pods' finalizers
//! taken, and only then do the uids become numbers, so that no pod is counted twice or lost.

mod back_off;
mod control;
mod count;
mod end;
mod indexes;
mod orphans;
mod plan;
mod pods;
mod policy;
mod spec;
mod sync;
mod template;
mod track;

pub use control::actor;
