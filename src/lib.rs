//! Shakedown: a chaos and conformance test harness for Kubernetes workload controllers.

pub mod history;
pub mod suite;
