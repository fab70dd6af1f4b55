//! The status of a pod as the kubelet reports it (v1.36, `generateAPIPodStatus`).

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map, object};

use super::condition;
use super::config::Bug;
use super::phase;
use super::unit::{Instance, Role, Unit};
use super::worker::{Stage, Worker};

/// The status that a pod's shown containers come to. Conditions hold only what the kubelet owns.
pub(super) fn generate(worker: &Worker, host_ip: &Text, bug: Option<Bug>, now: Millis) -> Tree {
    let had = &worker.pod["status"];
    let old = if worker.status.is_null() { had } else { &worker.status };
    let over = worker.stage == Stage::Terminated;
    let own = |condition: &&Tree| condition::OWNED.contains(&condition["type"].str());
    let conditions: Vec<Tree> = old["conditions"].items().iter().filter(own).cloned().collect();
    let start = Some(&had["startTime"]).filter(|time| !time.is_null());
    let start = start.or_else(|| old.get("startTime").filter(|time| !time.is_null()));
    let mut status = map! {
        "conditions" => conditions,
        "hostIP" => host_ip,
        "hostIPs" => list![map! { "ip" => host_ip }],
        "startTime" => start.cloned().unwrap_or_else(|| object::timestamp(now).into()),
        "qosClass" => qos_class(&worker.pod["spec"]),
    };
    if object::generation(&worker.pod) > 0 {
        status.set(&["observedGeneration"], object::generation(&worker.pod));
    }
    let of_host = worker.pod["spec"]["hostNetwork"].is_true().then_some(host_ip);
    if let Some(ip) = worker.last_ip.as_ref().or(of_host) {
        status.set(&["podIPs"], list![map! { "ip" => ip }]);
        status.set(&["podIP"], ip);
    }
    let come_to = phase::phase(worker, over);
    // A terminal phase is reported only when nothing can run any more.
    let ended = matches!(come_to, "Succeeded" | "Failed");
    let shown = match had["phase"].str() {
        // Nothing leads back from a terminal phase, whoever wrote it.
        phase @ ("Succeeded" | "Failed") => phase,
        phase @ ("Pending" | "Running") if ended && !over => phase,
        "" if ended && !over => "Pending",
        _ => come_to,
    };
    status.set(&["phase"], shown);
    if let (Some((reason, message)), true) = (&worker.rejected, over) {
        status.set(&["reason"], reason);
        status.set(&["message"], message);
        return status;
    }
    // That a pod failed because a container of it never ran is settled after its conditions.
    let never_ran = |unit: &Unit| unit.role == Role::App && unit.shown.current.is_none();
    let cut_short = over && worker.units.iter().any(never_ran);
    let told = if cut_short { "Pending" } else { come_to };
    condition::set_all(worker, &mut status, told, bug, now);
    for (field, init) in [("initContainerStatuses", true), ("containerStatuses", false)] {
        let units = worker.units.iter().enumerate();
        let units = units.filter(|(_, unit)| (unit.role != Role::App) == init);
        let statuses: Vec<Tree> =
            units.map(|(at, unit)| container(worker, at, unit, bug)).collect();
        if !statuses.is_empty() {
            status.set(&[field], statuses);
        }
    }
    status
}

fn container(worker: &Worker, at: usize, unit: &Unit, bug: Option<Bug>) -> Tree {
    let spec = worker.spec(at);
    let early = unit.replacing && bug == Some(Bug::ReportsNewImageEarly);
    let current = unit.shown.current.as_ref();
    let mut status = map! {
        "name" => &unit.name,
        "image" => current.map_or_else(|| spec["image"].text(), |one| one.image.clone()),
        "imageID" => current.map(|one| one.image_id.clone()).unwrap_or_default(),
        "restartCount" => current.map_or(0, |one| one.attempt),
        "ready" => condition::counts_ready(unit, bug),
        "started" => unit.is_started(),
        "lastState" => Tree::map(),
    };
    if early {
        status.set(&["image"], &spec["image"]);
        status.set(&["imageID"], format!("sha256:{:064x}", spec["image"].digest()));
    }
    if let Some(current) = current {
        status.set(&["containerID"], &current.id);
    }
    let over = worker.stage == Stage::Terminated;
    match (current, &unit.reason) {
        (Some(one), Some(reason)) if one.ended.is_some() && !over => {
            status.set(&["state"], waiting(reason));
            status.set(&["lastState"], terminated(one));
        }
        (Some(one), _) => {
            let running = map! { "running" => map! { "startedAt" => time(one.started_at) } };
            status.set(&["state"], if one.ended.is_some() { terminated(one) } else { running });
            let last = unit.shown.previous.as_ref().filter(|last| last.ended.is_some());
            if let Some(last) = last {
                status.set(&["lastState"], terminated(last));
            }
        }
        (None, _) if over => status.set(&["state"], never_ran()),
        (None, reason) => {
            let inits = worker.units.iter().any(|unit| unit.role != Role::App);
            let default = if inits { "PodInitializing" } else { "ContainerCreating" };
            let reason = reason.clone().unwrap_or((default.into(), Text::default()));
            status.set(&["state"], waiting(&reason));
        }
    }
    status
}

fn time(at: Millis) -> Text {
    object::timestamp(at)
}

fn waiting((reason, message): &(Text, Text)) -> Tree {
    let mut waiting = map! { "reason" => reason };
    if !message.is_empty() {
        waiting.set(&["message"], message);
    }
    map! { "waiting" => waiting }
}

fn terminated(one: &Instance) -> Tree {
    let (at, code, reason) = one.ended.clone().unwrap_or_default();
    map! { "terminated" => map! {
        "exitCode" => code, "reason" => reason, "containerID" => &one.id,
        "startedAt" => time(one.started_at), "finishedAt" => time(at),
    } }
}

/// What is said of a container that had not run when its pod ended.
fn never_ran() -> Tree {
    map! { "terminated" => map! {
        "exitCode" => 137, "reason" => "ContainerStatusUnknown",
        "message" => "The container could not be located when the pod was terminated",
    } }
}

/// `Guaranteed`, `Burstable` or `BestEffort`, by CPU and memory of all containers.
fn qos_class(spec: &Tree) -> &'static str {
    let lists = [&spec["initContainers"], &spec["containers"]];
    let containers: Vec<&Tree> = lists.into_iter().flat_map(Tree::items).collect();
    let set =
        |container: &Tree, field: &str, name: &str| !container["resources"][field][name].is_null();
    let names = ["cpu", "memory"];
    let guaranteed = |container: &&Tree| {
        names.iter().all(|name| {
            let (limits, requests) =
                (&container["resources"]["limits"], &container["resources"]["requests"]);
            !limits[*name].is_null()
                && (requests[*name].is_null() || requests[*name] == limits[*name])
        })
    };
    let any = |container: &&Tree| {
        let fields = ["requests", "limits"];
        fields.iter().any(|field| names.iter().any(|name| set(container, field, name)))
    };
    match (containers.iter().all(guaranteed), containers.iter().any(any)) {
        (true, true) => "Guaranteed",
        (_, true) => "Burstable",
        _ => "BestEffort",
    }
}
