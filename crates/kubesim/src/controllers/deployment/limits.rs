//! How far a rollout may go beyond and below the desired number of pods.
//!
//! Modelled on kube-controller-manager v1.36, `deployment/util` (`ResolveFenceposts`, `MaxSurge`,
//! `MaxUnavailable`).

use kubesim_model::share::{Rounding, share};
use kubesim_model::tree::Tree;

use super::control::Bug;
use crate::controllers::owned::status::replicas;

/// The bounds of a Deployment, in pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// How many pods are wanted.
    pub replicas: i64,
    /// How many more there may be.
    pub surge: i64,
    /// How many of the wanted ones may be missing.
    pub unavailable: i64,
}

impl Limits {
    /// The bounds of a Deployment; with `Recreate` there is no surge and nothing may be missing.
    pub(super) fn of(deployment: &Tree, bug: Option<Bug>) -> Self {
        let replicas = replicas(deployment);
        if is_recreate(deployment) {
            return Limits { replicas, surge: 0, unavailable: 0 };
        }
        let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
        let (surge, unavailable) =
            fenceposts(&rolling["maxSurge"], &rolling["maxUnavailable"], replicas);
        let surge = surge + i64::from(bug == Some(Bug::ExceedsSurge));
        let unavailable = match bug {
            Some(Bug::OffByOneUnavailable) => unavailable + 1,
            Some(Bug::RoundsUnavailableUp) => {
                share(&rolling["maxUnavailable"], replicas, Rounding::Up).unwrap_or(unavailable)
            }
            _ => unavailable,
        };
        Limits { replicas, surge, unavailable: unavailable.min(replicas) }
    }

    /// The most pods that there may be.
    pub(super) fn most(&self) -> i64 {
        self.replicas.saturating_add(self.surge)
    }

    /// The fewest available pods that there may be.
    pub(super) fn least(&self) -> i64 {
        self.replicas - self.unavailable
    }
}

/// Surge is rounded up, unavailability down; if both come out as 0, one may be unavailable, for
/// else nothing could ever move. What is missing is 25 %.
pub(super) fn fenceposts(max_surge: &Tree, max_unavailable: &Tree, replicas: i64) -> (i64, i64) {
    let quarter = Tree::from("25%");
    let of = |value: &Tree, rounding| {
        let value = if value.is_null() { &quarter } else { value };
        share(value, replicas, rounding).unwrap_or(0).max(0)
    };
    match (of(max_surge, Rounding::Up), of(max_unavailable, Rounding::Down)) {
        (0, 0) => (0, 1),
        found => found,
    }
}

/// Whether the old pods must be gone before new ones come.
pub(super) fn is_recreate(deployment: &Tree) -> bool {
    deployment["spec"]["strategy"]["type"] == "Recreate"
}
