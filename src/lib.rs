//! Shakedown: a chaos and conformance test harness for Kubernetes workload controllers.

pub mod check;
pub mod cli;
pub mod cluster;
pub mod explore;
pub mod fault;
pub mod harness;
pub mod history;
pub mod image;
pub mod plan;
pub mod report;
pub mod run;
pub mod subject;
pub mod suite;
