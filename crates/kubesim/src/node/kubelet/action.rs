//! What a pod needs next (v1.36, `computePodActions` of kuberuntime).

use super::config::Bug;
use super::unit::{Role, Unit};
use super::worker::Worker;

/// One thing to do for a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Make its sandbox.
    Sandbox,
    /// Start this container.
    Start(usize),
    /// Kill this container because its definition changed; it is started again.
    Replace(usize),
    /// Kill this container because a probe failed, with this grace in seconds if the probe has one.
    Restart(usize, Option<i64>),
}

/// The next thing to do, if anything can be done now.
pub(super) fn next(worker: &mut Worker, now: u64, bug: Option<Bug>) -> Option<Action> {
    if worker.ip.is_none() {
        return (worker.again_at <= now).then_some(Action::Sandbox);
    }
    for at in 0..worker.units.len() {
        let unit = &worker.units[at];
        let init_done = worker.initialized;
        match unit.role {
            Role::Init if init_done || has_succeeded(unit) => {}
            Role::Init => {
                let waits = unit.seen.running().is_some() || unit.tried;
                let failed = has_failed(unit) && worker.restart_policy() == "Never";
                return (!waits && !failed).then_some(Action::Start(at));
            }
            Role::Sidecar => {
                if let Some(action) = of_running(worker, at, bug) {
                    return Some(action);
                }
                if unit.seen.running().is_none() && !unit.tried {
                    return Some(Action::Start(at));
                }
                if !init_done && !unit.is_started() {
                    return None;
                }
            }
            Role::App => break,
        }
    }
    worker.initialized = true;
    let apps = (0..worker.units.len()).filter(|at| worker.units[*at].role == Role::App);
    let kill = apps.clone().find_map(|at| of_running(worker, at, bug));
    let start = || {
        let startable = |at: &usize| !worker.units[*at].tried && is_wanted(worker, *at);
        apps.clone().find(startable).map(Action::Start)
    };
    kill.or_else(start)
}

fn of_running(worker: &Worker, at: usize, bug: Option<Bug>) -> Option<Action> {
    let unit = &worker.units[at];
    let running = unit.seen.running()?;
    let bystander = bug == Some(Bug::RestartsBystanders) && unit.bystander;
    let again = bug == Some(Bug::ReplacesTwice) && is_first_of_its_image(unit);
    if running.image != worker.spec(at)["image"].str() || bystander || again {
        return Some(Action::Replace(at));
    }
    unit.unhealthy.map(|grace| Action::Restart(at, grace))
}

/// Whether the container ran another image before this life.
fn is_first_of_its_image(unit: &Unit) -> bool {
    let (now, before) = (&unit.seen.current, &unit.seen.previous);
    before.as_ref().zip(now.as_ref()).is_some_and(|(before, now)| before.image != now.image)
}

/// Whether a container that does not run is to be started.
fn is_wanted(worker: &Worker, at: usize) -> bool {
    let unit = &worker.units[at];
    if unit.seen.running().is_some() {
        return false;
    }
    match (unit.seen.exit_code(), worker.restart_policy()) {
        (None, _) => true,
        (Some(_), _) if unit.replacing => true,
        (Some(code), "OnFailure") => code != 0,
        (Some(_), policy) => policy != "Never",
    }
}

/// Whether an init container has done its work in this sandbox.
pub(super) fn has_succeeded(unit: &Unit) -> bool {
    !unit.rerun && unit.seen.exit_code() == Some(0)
}

fn has_failed(unit: &Unit) -> bool {
    !unit.rerun && unit.seen.exit_code().is_some_and(|code| code != 0)
}

/// Whether the pod has come to its end by itself: nothing of it runs or is to be started.
pub(super) fn is_finished(worker: &Worker) -> bool {
    let failed_init = worker.restart_policy() == "Never"
        && worker.units.iter().any(|unit| unit.role == Role::Init && has_failed(unit));
    let over = |at: usize| {
        let unit = &worker.units[at];
        unit.role != Role::App || (unit.seen.exit_code().is_some() && !is_wanted(worker, at))
    };
    let initialized = worker.initialized || worker.ip.is_none();
    failed_init && !worker.initialized
        || initialized && (0..worker.units.len()).all(over) && !worker.units.is_empty()
}
