//! Pods: how they are, in a word.

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map, object};

use super::cells::{age, containers, labels, or_none, span};
use super::sheet::Row;

pub(super) const ROWS: &[Row] = &[
    ("pods", "Ready|Status|Restarts|Age|+IP|+Node|+Nominated Node|+Readiness Gates", pod),
    ("podtemplates", "Containers|Images|Pod Labels", template),
];

fn pod(pod: &Tree, now: Millis) -> Vec<Tree> {
    let seen = Seen::of(pod);
    let restarts = match seen.last_restart {
        Some(last) if seen.restarts > 0 => {
            format!("{} ({} ago)", seen.restarts, span(now as i64 - last as i64))
        }
        _ => seen.restarts.to_string(),
    };
    let status = &pod["status"];
    vec![
        format!("{}/{}", seen.ready, seen.total).into(),
        seen.reason.into(),
        restarts.into(),
        age(pod, now),
        or_none(&status["podIP"]),
        or_none(&pod["spec"]["nodeName"]),
        or_none(&status["nominatedNodeName"]),
        gates(pod),
    ]
}

/// What the row of a pod that has ended says of it.
pub(super) fn completed(pod: &Tree) -> Option<Tree> {
    let phase = pod["status"]["phase"].str();
    let message = match phase {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return None,
    };
    Some(map! {
        "type" => "Completed", "status" => "True", "reason" => phase, "message" => message,
    })
}

fn gates(pod: &Tree) -> Tree {
    let gates = pod["spec"]["readinessGates"].items();
    let holds = |gate: &&Tree| object::has_condition(pod, gate["conditionType"].str());
    match gates.len() {
        0 => "<none>".into(),
        all => format!("{}/{all}", gates.iter().filter(holds).count()).into(),
    }
}

fn template(template: &Tree, _: Millis) -> Vec<Tree> {
    let [names, images] = containers(&template["template"]["spec"]);
    vec![names, images, labels(&template["template"]["metadata"]["labels"])]
}

/// What is told of a pod.
struct Seen {
    reason: String,
    ready: usize,
    total: usize,
    restarts: i64,
    last_restart: Option<Millis>,
    /// Restarts of sidecars alone.
    sidecar_restarts: i64,
    last_sidecar_restart: Option<Millis>,
}

impl Seen {
    fn of(pod: &Tree) -> Seen {
        let (spec, status) = (&pod["spec"], &pod["status"]);
        let sidecars = spec["initContainers"].items().iter().filter(|one| is_sidecar(one)).count();
        let gated = object::condition(pod, "PodScheduled")
            .is_some_and(|condition| condition["reason"] == "SchedulingGated");
        let own = status["reason"].str();
        let reason = match (gated, own) {
            (true, _) => "SchedulingGated",
            (false, "") => status["phase"].str(),
            (false, own) => own,
        };
        let mut seen = Seen {
            reason: reason.to_owned(),
            ready: 0,
            total: spec["containers"].items().len() + sidecars,
            restarts: 0,
            last_restart: None,
            sidecar_restarts: 0,
            last_sidecar_restart: None,
        };
        let initializing = seen.look_at_init_containers(pod);
        if !initializing || object::has_condition(pod, "Initialized") {
            seen.look_at_containers(pod);
        }
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            if own == "NodeLost" {
                "Unknown".clone_into(&mut seen.reason);
            } else if !object::is_terminal(pod) {
                "Terminating".clone_into(&mut seen.reason);
            }
        }
        seen
    }

    /// Looks at the init containers up to the first that is not done; answers whether there is one.
    fn look_at_init_containers(&mut self, pod: &Tree) -> bool {
        let all = pod["spec"]["initContainers"].items();
        for (at, status) in pod["status"]["initContainerStatuses"].items().iter().enumerate() {
            let restarts = status["restartCount"].as_i64().unwrap_or(0);
            self.restarts += restarts;
            self.last_restart = self.last_restart.max(ended_last(status));
            let sidecar = all.iter().any(|one| one["name"] == status["name"] && is_sidecar(one));
            if sidecar {
                self.sidecar_restarts += restarts;
                self.last_sidecar_restart = self.last_sidecar_restart.max(ended_last(status));
            }
            let (ended, waits) = (&status["state"]["terminated"], &status["state"]["waiting"]);
            if !ended.is_null() && ended["exitCode"].as_i64().unwrap_or(0) == 0 {
                continue;
            }
            if sidecar && status["started"].is_true() {
                self.ready += usize::from(status["ready"].is_true());
                continue;
            }
            self.reason = match (ended.is_null(), waits["reason"].str()) {
                (false, _) => format!("Init:{}", how_it_ended(ended)),
                (true, "" | "PodInitializing") => format!("Init:{at}/{}", all.len()),
                (true, reason) => format!("Init:{reason}"),
            };
            return true;
        }
        false
    }

    fn look_at_containers(&mut self, pod: &Tree) {
        self.restarts = self.sidecar_restarts;
        self.last_restart = self.last_sidecar_restart;
        let mut runs = false;
        for status in pod["status"]["containerStatuses"].items().iter().rev() {
            self.restarts += status["restartCount"].as_i64().unwrap_or(0);
            self.last_restart = self.last_restart.max(ended_last(status));
            let state = &status["state"];
            let (ended, waits) = (&state["terminated"], &state["waiting"]);
            if !waits["reason"].str().is_empty() {
                waits["reason"].str().clone_into(&mut self.reason);
            } else if !ended.is_null() {
                self.reason = how_it_ended(ended);
            } else if status["ready"].is_true() && !state["running"].is_null() {
                runs = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && runs {
            let word = if object::is_ready(pod) { "Running" } else { "NotReady" };
            word.clone_into(&mut self.reason);
        }
    }
}

fn is_sidecar(container: &Tree) -> bool {
    container["restartPolicy"] == "Always"
}

fn ended_last(status: &Tree) -> Option<Millis> {
    object::parse_time(status["lastState"]["terminated"]["finishedAt"].str())
}

fn how_it_ended(ended: &Tree) -> String {
    match (ended["reason"].str(), ended["signal"].as_i64().unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", ended["exitCode"].as_i64().unwrap_or(0)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}
