//! The conditions of a pod that the kubelet owns (v1.36, `pkg/kubelet/status/generate.go`).

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map, object};

use super::config::Bug;
use super::unit::{Role, Unit};
use super::worker::{Stage, Worker};

/// Types of conditions that the kubelet writes; all others are left to their owners.
pub(super) const OWNED: [&str; 5] =
    ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

struct Verdict {
    status: bool,
    reason: &'static str,
    message: String,
}

const TRUE: Verdict = Verdict { status: true, reason: "", message: String::new() };

fn no(reason: &'static str, message: String) -> Verdict {
    Verdict { status: false, reason, message }
}

/// Sets the owned conditions in `status`, for the phase that the containers come to.
pub(super) fn set_all(
    worker: &Worker,
    status: &mut Tree,
    phase: &str,
    bug: Option<Bug>,
    now: Millis,
) {
    let sandbox = worker.ip.is_some() && worker.stage != Stage::Terminated;
    let sandbox = if sandbox { TRUE } else { no("", String::new()) };
    let containers = containers_ready(worker, phase, bug);
    let ready = if containers.status { gates(worker) } else { copy(&containers) };
    let verdicts = [sandbox, initialized(worker, phase), ready, containers, TRUE];
    for (kind, verdict) in OWNED.into_iter().zip(verdicts) {
        let mut condition = map! {
            "type" => kind,
            "status" => if verdict.status { "True" } else { "False" },
        };
        let generation = object::generation(&worker.pod);
        if generation > 0 {
            condition.set(&["observedGeneration"], generation);
        }
        if !verdict.reason.is_empty() {
            condition.set(&["reason"], verdict.reason);
        }
        if !verdict.message.is_empty() {
            condition.set(&["message"], verdict.message);
        }
        object::set_condition(status, condition, now);
    }
}

/// Notes in the status to be known that the sandbox is ready, and nothing else yet (v1.36,
/// `OnPodSandboxReady`).
pub(super) fn set_sandbox_ready(worker: &mut Worker, now: Millis) {
    let mut condition = map! { "type" => "PodReadyToStartContainers", "status" => "True" };
    let generation = object::generation(&worker.pod);
    if generation > 0 {
        condition.set(&["observedGeneration"], generation);
    }
    object::set_condition(&mut worker.status, condition, now);
}

fn copy(verdict: &Verdict) -> Verdict {
    Verdict { status: verdict.status, reason: verdict.reason, message: verdict.message.clone() }
}

fn initialized(worker: &Worker, phase: &str) -> Verdict {
    if phase == "Succeeded" {
        return Verdict { reason: "PodCompleted", ..TRUE };
    }
    // Once an app container was started it stays so, also while a boot makes the rest run again.
    if worker.initialized || worker.has_begun() {
        return TRUE;
    }
    let names = names(worker, |unit| match unit.role {
        Role::Init => !unit.shows_success(),
        Role::Sidecar => !unit.is_started(),
        Role::App => false,
    });
    match names.is_empty() {
        true => TRUE,
        false => {
            no("ContainersNotInitialized", format!("containers with incomplete status: [{names}]"))
        }
    }
}

fn containers_ready(worker: &Worker, phase: &str, bug: Option<Bug>) -> Verdict {
    match phase {
        "Succeeded" => return no("PodCompleted", String::new()),
        "Failed" => return no("PodFailed", String::new()),
        _ => {}
    }
    let unready = names(worker, |unit| unit.role != Role::Init && !counts_ready(unit, bug));
    match unready.is_empty() {
        true => TRUE,
        false => no("ContainersNotReady", format!("containers with unready status: [{unready}]")),
    }
}

/// Whether a container counts as ready.
pub(super) fn counts_ready(unit: &Unit, bug: Option<Bug>) -> bool {
    match unit.role {
        Role::Init => unit.shows_success(),
        _ => {
            let lived = unit.shown.current.is_some();
            unit.is_ready() || (bug == Some(Bug::ReadyWhileTerminated) && lived)
        }
    }
}

fn gates(worker: &Worker) -> Verdict {
    let mut messages = Vec::new();
    for gate in worker.pod["spec"]["readinessGates"].items() {
        let kind = gate["conditionType"].str();
        match object::condition(&worker.pod, kind) {
            None => messages.push(format!(
                "corresponding condition of pod readiness gate \"{kind}\" does not exist."
            )),
            Some(condition) if condition["status"] != "True" => messages.push(format!(
                "the status of pod readiness gate \"{kind}\" is not \"True\", but {}",
                condition["status"].str()
            )),
            Some(_) => {}
        }
    }
    match messages.is_empty() {
        true => TRUE,
        false => no("ReadinessGatesNotReady", messages.join(", ")),
    }
}

fn names(worker: &Worker, which: impl Fn(&Unit) -> bool) -> String {
    let units = worker.units.iter().filter(|unit| which(unit));
    units.map(|unit| unit.name.as_str()).collect::<Vec<_>>().join(" ")
}
