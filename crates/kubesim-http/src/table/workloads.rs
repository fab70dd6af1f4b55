//! Controllers of pods.

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

use super::cells::{age, containers, count, labels, len, or, or_none, selector, since, span};
use super::sheet::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "deployments.apps",
        "Ready|Up-to-date|Available|Age|+Containers|+Images|+Selector",
        deployment,
    ),
    ("replicasets.apps", "#Desired|#Current|#Ready|Age|+Containers|+Images|+Selector", replicas),
    (
        "replicationcontrollers",
        "#Desired|#Current|#Ready|Age|+Containers|+Images|+Selector",
        replicas,
    ),
    ("statefulsets.apps", "Ready|Age|+Containers|+Images", stateful_set),
    (
        "daemonsets.apps",
        "#Desired|#Current|#Ready|#Up-to-date|#Available|Node Selector|Age|+Containers|+Images|\
         +Selector",
        daemon_set,
    ),
    ("controllerrevisions.apps", "Controller|Revision|Age", revision),
    ("jobs.batch", "Status|Completions|Duration|Age|+Containers|+Images|+Selector", job),
    (
        "cronjobs.batch",
        "Schedule|Timezone|?Suspend|#Active|Last Schedule|Age|+Containers|+Images|+Selector",
        cron_job,
    ),
    (
        "horizontalpodautoscalers.autoscaling",
        "Reference|Targets|MinPods|MaxPods|Replicas|Age",
        autoscaler,
    ),
    (
        "poddisruptionbudgets.policy",
        "Min Available|Max Unavailable|#Allowed Disruptions|Age",
        budget,
    ),
];

fn deployment(found: &Tree, now: Millis) -> Vec<Tree> {
    let (spec, status) = (&found["spec"], &found["status"]);
    let [names, images] = containers(&spec["template"]["spec"]);
    vec![
        ready_of(found),
        count(&status["updatedReplicas"]),
        count(&status["availableReplicas"]),
        age(found, now),
        names,
        images,
        selector(&spec["selector"]),
    ]
}

fn ready_of(found: &Tree) -> Tree {
    let number = |value: &Tree| value.as_i64().unwrap_or(0);
    let (ready, wanted) = (&found["status"]["readyReplicas"], &found["spec"]["replicas"]);
    format!("{}/{}", number(ready), number(wanted)).into()
}

fn replicas(found: &Tree, now: Millis) -> Vec<Tree> {
    let (spec, status) = (&found["spec"], &found["status"]);
    let [names, images] = containers(&spec["template"]["spec"]);
    let selects = match spec["selector"]["matchLabels"].is_null()
        && spec["selector"]["matchExpressions"].is_null()
    {
        // Those of ReplicationControllers are plain labels.
        true => labels(&spec["selector"]),
        false => selector(&spec["selector"]),
    };
    vec![
        count(&spec["replicas"]),
        count(&status["replicas"]),
        count(&status["readyReplicas"]),
        age(found, now),
        names,
        images,
        selects,
    ]
}

fn stateful_set(found: &Tree, now: Millis) -> Vec<Tree> {
    let [names, images] = containers(&found["spec"]["template"]["spec"]);
    vec![ready_of(found), age(found, now), names, images]
}

fn daemon_set(found: &Tree, now: Millis) -> Vec<Tree> {
    let (spec, status) = (&found["spec"], &found["status"]);
    let [names, images] = containers(&spec["template"]["spec"]);
    vec![
        count(&status["desiredNumberScheduled"]),
        count(&status["currentNumberScheduled"]),
        count(&status["numberReady"]),
        count(&status["updatedNumberScheduled"]),
        count(&status["numberAvailable"]),
        labels(&spec["template"]["spec"]["nodeSelector"]),
        age(found, now),
        names,
        images,
        selector(&spec["selector"]),
    ]
}

fn revision(found: &Tree, now: Millis) -> Vec<Tree> {
    let owner = object::controller(found).map(|owner| {
        let version = owner["apiVersion"].str();
        let kind = owner["kind"].str().to_lowercase();
        let group = version.split_once('/').map_or(String::new(), |(group, _)| format!(".{group}"));
        Tree::from(format!("{kind}{group}/{}", owner["name"].str()))
    });
    vec![owner.unwrap_or_else(|| "<none>".into()), count(&found["revision"]), age(found, now)]
}

fn job(found: &Tree, now: Millis) -> Vec<Tree> {
    let (spec, status) = (&found["spec"], &found["status"]);
    let done = status["succeeded"].as_i64().unwrap_or(0);
    let completions = match (spec["completions"].as_i64(), spec["parallelism"].as_i64()) {
        (Some(all), _) => format!("{done}/{all}"),
        (None, Some(many)) if many > 1 => format!("{done}/1 of {many}"),
        _ => format!("{done}/1"),
    };
    let time = |value: &Tree| object::parse_time(value.str());
    let took = match (time(&status["startTime"]), time(&status["completionTime"])) {
        (None, _) => String::new(),
        (Some(from), Some(to)) => span(to as i64 - from as i64),
        (Some(from), None) => span(now as i64 - from as i64),
    };
    let words = [
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ];
    let state = words.iter().find(|(condition, _)| object::has_condition(found, condition));
    let state = match state {
        Some((_, word)) => *word,
        None if object::is_terminating(found) => "Terminating",
        None => "Running",
    };
    let [names, images] = containers(&spec["template"]["spec"]);
    vec![
        state.into(),
        completions.into(),
        took.into(),
        age(found, now),
        names,
        images,
        selector(&spec["selector"]),
    ]
}

fn cron_job(found: &Tree, now: Millis) -> Vec<Tree> {
    let (spec, status) = (&found["spec"], &found["status"]);
    let last = &status["lastScheduleTime"];
    let last = if last.is_null() { "<none>".into() } else { since(last, now) };
    let [names, images] = containers(&spec["jobTemplate"]["spec"]["template"]["spec"]);
    let suspended = if spec["suspend"].is_true() { "True" } else { "False" };
    vec![
        or_none(&spec["schedule"]),
        or_none(&spec["timeZone"]),
        suspended.into(),
        len(&status["active"]).into(),
        last,
        age(found, now),
        names,
        images,
        selector(&spec["jobTemplate"]["spec"]["selector"]),
    ]
}

fn autoscaler(found: &Tree, now: Millis) -> Vec<Tree> {
    let (spec, status) = (&found["spec"], &found["status"]);
    let target = &spec["scaleTargetRef"];
    let metrics = spec["metrics"].items().iter().map(|metric| {
        let resource = &metric["resource"];
        match resource["target"]["averageUtilization"].as_i64() {
            Some(wanted) => format!("{}: <unknown>/{wanted}%", resource["name"].str()),
            None => "<unknown>".to_owned(),
        }
    });
    let metrics: Vec<String> = metrics.collect();
    let targets = if metrics.is_empty() { "<none>".to_owned() } else { metrics.join(", ") };
    vec![
        format!("{}/{}", target["kind"].str(), target["name"].str()).into(),
        targets.into(),
        or(&spec["minReplicas"], "<unset>"),
        count(&spec["maxReplicas"]),
        count(&status["currentReplicas"]),
        age(found, now),
    ]
}

fn budget(found: &Tree, now: Millis) -> Vec<Tree> {
    let spec = &found["spec"];
    vec![
        or(&spec["minAvailable"], "N/A"),
        or(&spec["maxUnavailable"], "N/A"),
        count(&found["status"]["disruptionsAllowed"]),
        age(found, now),
    ]
}
