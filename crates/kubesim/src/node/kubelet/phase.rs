//! The phase of a pod (v1.36, `getPhase` in `kubelet_pods.go`).

use super::unit::{Role, Unit};
use super::worker::Worker;

/// The phase that the shown containers come to; `over` when nothing of the pod runs any more.
pub(super) fn phase(worker: &Worker, over: bool) -> &'static str {
    if worker.rejected.is_some() {
        return "Failed";
    }
    let policy = worker.restart_policy();
    let of_role = |role: Role| worker.units.iter().filter(move |unit| unit.role == role);
    let failed = |unit: &Unit| !unit.rerun && unit.shown.exit_code().is_some_and(|code| code != 0);
    if policy == "Never" && !worker.initialized && of_role(Role::Init).any(failed) {
        return "Failed";
    }
    let codes: Vec<Option<i32>> = of_role(Role::App).map(|unit| unit.shown.exit_code()).collect();
    if over {
        let succeeded = codes.iter().all(|code| *code == Some(0));
        return if succeeded { "Succeeded" } else { "Failed" };
    }
    if initializing(worker) || of_role(Role::App).any(|unit| unit.shown.current.is_none()) {
        return "Pending";
    }
    if codes.iter().any(Option::is_none) {
        return "Running";
    }
    match policy {
        "Always" => "Running",
        _ if codes.iter().all(|code| *code == Some(0)) => "Succeeded",
        "Never" => "Failed",
        _ => "Running",
    }
}

/// Whether init containers hold the app containers back. After a boot those that had succeeded
/// still count until they run again, and sidecars no longer do.
fn initializing(worker: &Worker) -> bool {
    !worker.initialized
        && worker.units.iter().any(|unit| match unit.role {
            Role::Init => !unit.shows_success(),
            Role::Sidecar => !unit.is_started() && !worker.has_begun(),
            Role::App => false,
        })
}
