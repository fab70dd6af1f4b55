//! What a Deployment reports: counts, and how its rollout goes.
//!
//! Modelled on kube-controller-manager v1.36, `deployment/progress.go` and `sync.go`.

use kubesim_model::object::{self, condition};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map};

use super::limits::Limits;
use super::scaling::size;
use crate::controllers::owned::status::{count, counts};

const PROGRESSING: &str = "Progressing";
const NEW_AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
const RESUMED: &str = "DeploymentResumed";

/// The counts and the `Available` condition (`calculateStatus`); other conditions as they are.
pub(super) fn calculate(
    deployment: &Tree,
    sets: &[Tree],
    new: Option<&Tree>,
    limits: &Limits,
    now: Millis,
) -> Tree {
    let sum = |field| sets.iter().map(|set| count(set, field)).sum::<i64>();
    let available = sum("availableReplicas");
    let total: i64 = sets.iter().map(size).sum();
    let mut status = counts(&[
        ("observedGeneration", object::generation(deployment)),
        ("replicas", sum("replicas")),
        ("updatedReplicas", new.map_or(0, |new| count(new, "replicas"))),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (total - available).max(0)),
    ]);
    // Sets that nobody has looked at yet have none; of others it must be known.
    let terminating = |set: &Tree| {
        let unseen = count(set, "observedGeneration") == 0;
        set["status"]["terminatingReplicas"].as_i64().or(unseen.then_some(0))
    };
    if let Some(terminating) = sets.iter().map(terminating).sum::<Option<i64>>() {
        status.set(&["terminatingReplicas"], terminating);
    }
    for kept in ["collisionCount", "conditions"] {
        let value = &deployment["status"][kept];
        if !value.is_null() {
            status.set(&[kept], value);
        }
    }
    let new = if available >= limits.least() {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    note(&mut status, "Available", new, now);
    status
}

/// Adds to a calculated status how the rollout goes (`syncRolloutStatus`).
pub(super) fn note_progress(
    status: &mut Tree,
    deployment: &Tree,
    sets: &[Tree],
    new: Option<&Tree>,
    limits: &Limits,
    now: Millis,
) {
    let before = condition(deployment, PROGRESSING);
    let number = |field: &str| status[field].as_i64().unwrap_or(0);
    let was_complete = number("replicas") == number("updatedReplicas")
        && before.is_some_and(|before| before["reason"] == NEW_AVAILABLE);
    if deadline(deployment).is_none() {
        remove(status, PROGRESSING);
    } else if !was_complete {
        if is_complete(deployment, status, limits) {
            note(status, PROGRESSING, ("True", NEW_AVAILABLE, "The rollout is complete."), now);
        } else if has_progressed(deployment, status) {
            renew_progress(status, before, now);
        } else if timed_out(deployment, status, limits, now) {
            note(status, PROGRESSING, ("False", TIMED_OUT, "The rollout makes no progress."), now);
        }
    }
    let failures = |set: &Tree| condition(set, "ReplicaFailure").cloned();
    match new.and_then(failures).or_else(|| sets.iter().find_map(failures)) {
        Some(failure) => {
            let (value, reason) = (failure["status"].str(), failure["reason"].str());
            // It failed when the ReplicaSet says.
            let since = object::parse_time(failure["lastTransitionTime"].str()).unwrap_or(now);
            note(status, "ReplicaFailure", (value, reason, failure["message"].str()), since);
        }
        None => remove(status, "ReplicaFailure"),
    }
}

/// The status with the condition that creating the new ReplicaSet failed.
pub(super) fn with_failed_create(deployment: &Tree, message: &str, now: Millis) -> Tree {
    let mut status = deployment["status"].clone();
    note(&mut status, PROGRESSING, ("False", "ReplicaSetCreateError", message), now);
    status
}

/// The status with the condition that a rollout began with `reason`; `None` if there's no deadline
/// to watch over it.
pub(super) fn with_progress(deployment: &Tree, reason: &str, now: Millis) -> Option<Tree> {
    deadline(deployment)?;
    let mut status = deployment["status"].clone();
    note(&mut status, PROGRESSING, ("True", reason, "The new ReplicaSet is there."), now);
    Some(status)
}

/// Whether it was never noted how the rollout goes.
pub(super) fn has_no_progress_noted(deployment: &Tree) -> bool {
    condition(deployment, PROGRESSING).is_none()
}

/// The status that says that the Deployment was paused or resumed; `None` if it is already said.
pub(super) fn with_pause(deployment: &Tree, now: Millis) -> Option<Tree> {
    deadline(deployment)?;
    let reason = condition(deployment, PROGRESSING).map_or("", |known| known["reason"].str());
    let new = match (deployment["spec"]["paused"].is_true(), reason) {
        (_, TIMED_OUT) | (true, PAUSED) => return None,
        (true, _) => ("Unknown", PAUSED, "Deployment is paused"),
        (false, PAUSED) => ("Unknown", RESUMED, "Deployment is resumed"),
        (false, _) => return None,
    };
    let mut status = deployment["status"].clone();
    note(&mut status, PROGRESSING, new, now);
    Some(status)
}

/// Whether all wanted pods are of the new template and available, and nothing else runs.
pub(super) fn is_complete(deployment: &Tree, status: &Tree, limits: &Limits) -> bool {
    let number = |field: &str| status[field].as_i64().unwrap_or(0);
    ["updatedReplicas", "replicas", "availableReplicas"]
        .iter()
        .all(|field| number(field) == limits.replicas)
        && number("observedGeneration") >= object::generation(deployment)
}

/// How long until the deadline must be looked at, for a rollout that is under way.
pub(super) fn next_check(
    deployment: &Tree,
    status: &Tree,
    limits: &Limits,
    now: Millis,
) -> Option<Millis> {
    let known = condition(deployment, PROGRESSING)?;
    if is_complete(deployment, status, limits) || known["reason"] == TIMED_OUT {
        return None;
    }
    let until = object::parse_time(known["lastUpdateTime"].str())? + deadline(deployment)?;
    Some(until.saturating_sub(now) + 1_000)
}

fn has_progressed(deployment: &Tree, status: &Tree) -> bool {
    let old = |field: &str| count(deployment, field);
    let new = |field: &str| status[field].as_i64().unwrap_or(0);
    new("updatedReplicas") > old("updatedReplicas")
        || new("replicas") - new("updatedReplicas") < old("replicas") - old("updatedReplicas")
        || new("readyReplicas") > old("readyReplicas")
        || new("availableReplicas") > old("availableReplicas")
}

fn timed_out(deployment: &Tree, status: &Tree, limits: &Limits, now: Millis) -> bool {
    let known = status["conditions"].items().iter().find(|known| known["type"] == PROGRESSING);
    let Some(known) = known.filter(|_| !is_complete(deployment, status, limits)) else {
        return false;
    };
    match known["reason"].str() {
        NEW_AVAILABLE => false,
        TIMED_OUT => true,
        _ => object::parse_time(known["lastUpdateTime"].str())
            .zip(deadline(deployment))
            .is_some_and(|(since, deadline)| since + deadline < now),
    }
}

/// `spec.progressDeadlineSeconds` in milliseconds; `None` if there is none or it is the greatest
/// number, which stands for none.
fn deadline(deployment: &Tree) -> Option<Millis> {
    let seconds = deployment["spec"]["progressDeadlineSeconds"].as_i64()?;
    (0..i64::from(i32::MAX))
        .contains(&seconds)
        .then(|| Millis::try_from(seconds).ok())??
        .checked_mul(1000)
}

/// Sets a condition, unless its status and reason are already so (`SetDeploymentCondition`).
fn note(status: &mut Tree, kind: &str, (value, reason, message): (&str, &str, &str), now: Millis) {
    let known = status["conditions"].items().iter().find(|known| known["type"] == kind).cloned();
    let time = object::timestamp(now);
    let mut since = Tree::from(&time);
    if let Some(known) = known.filter(|known| known["status"] == value) {
        if known["reason"] == reason {
            return;
        }
        since = known["lastTransitionTime"].clone();
    }
    remove(status, kind);
    status.field_mut("conditions").items_mut().push(map! {
        "type" => kind, "status" => value, "reason" => reason, "message" => message,
        "lastUpdateTime" => time, "lastTransitionTime" => since,
    });
}

/// Notes progress anew: the time moves, the time of transition only if it was not progressing.
fn renew_progress(status: &mut Tree, before: Option<&Tree>, now: Millis) {
    let since = before.filter(|before| before["status"] == "True");
    let since = since.map(|before| before["lastTransitionTime"].clone());
    remove(status, PROGRESSING);
    note(status, PROGRESSING, ("True", "ReplicaSetUpdated", "The rollout is progressing."), now);
    let last = status.field_mut("conditions").items_mut().last_mut();
    if let (Some(noted), Some(since)) = (last, since) {
        noted.set(&["lastTransitionTime"], since);
    }
}

fn remove(status: &mut Tree, kind: &str) {
    if status["conditions"].items().iter().any(|known| known["type"] == kind) {
        status.field_mut("conditions").items_mut().retain(|known| known["type"] != kind);
    }
}
