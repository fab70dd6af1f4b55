//! The CronJob controller: Jobs made by the clock.
//!
//! Modelled on kube-controller-manager v1.36, `pkg/controller/cronjob`. [`schedule`] reads the
//! schedule, [`missed`] says which of its times are due, [`control`] orders a sync.

mod control;
mod missed;
mod schedule;
mod sync;
#[cfg(test)]
mod tests;

pub use control::actor;
