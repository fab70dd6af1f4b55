//! HorizontalPodAutoscalers: `autoscaling/v1` knows the share of processors alone; all else stands
//! in annotations there.

use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::moved;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

/// Two paths for the same value: in `autoscaling/v1`, and in the stored form.
type Pairs = &'static [(&'static [&'static str], &'static [&'static str])];

const SAME: Pairs = &[
    (&["spec", "scaleTargetRef"], &["spec", "scaleTargetRef"]),
    (&["spec", "minReplicas"], &["spec", "minReplicas"]),
    (&["spec", "maxReplicas"], &["spec", "maxReplicas"]),
    (&["status", "observedGeneration"], &["status", "observedGeneration"]),
    (&["status", "lastScaleTime"], &["status", "lastScaleTime"]),
    (&["status", "currentReplicas"], &["status", "currentReplicas"]),
    (&["status", "desiredReplicas"], &["status", "desiredReplicas"]),
];

/// The metrics of a spec: field, and what stands where.
const WANTED: [(&str, Pairs); 5] = [
    (
        "object",
        &[
            (&["target"], &["describedObject"]),
            (&["metricName"], &["metric", "name"]),
            (&["selector"], &["metric", "selector"]),
            (&["targetValue"], &["target", "value"]),
            (&["averageValue"], &["target", "averageValue"]),
        ],
    ),
    (
        "pods",
        &[
            (&["metricName"], &["metric", "name"]),
            (&["selector"], &["metric", "selector"]),
            (&["targetAverageValue"], &["target", "averageValue"]),
        ],
    ),
    (
        "resource",
        &[
            (&["name"], &["name"]),
            (&["targetAverageUtilization"], &["target", "averageUtilization"]),
            (&["targetAverageValue"], &["target", "averageValue"]),
        ],
    ),
    (
        "containerResource",
        &[
            (&["name"], &["name"]),
            (&["container"], &["container"]),
            (&["targetAverageUtilization"], &["target", "averageUtilization"]),
            (&["targetAverageValue"], &["target", "averageValue"]),
        ],
    ),
    (
        "external",
        &[
            (&["metricName"], &["metric", "name"]),
            (&["metricSelector"], &["metric", "selector"]),
            (&["targetValue"], &["target", "value"]),
            (&["targetAverageValue"], &["target", "averageValue"]),
        ],
    ),
];

/// The metrics of a status.
const SEEN: [(&str, Pairs); 5] = [
    (
        "object",
        &[
            (&["target"], &["describedObject"]),
            (&["metricName"], &["metric", "name"]),
            (&["selector"], &["metric", "selector"]),
            (&["currentValue"], &["current", "value"]),
            (&["averageValue"], &["current", "averageValue"]),
        ],
    ),
    (
        "pods",
        &[
            (&["metricName"], &["metric", "name"]),
            (&["selector"], &["metric", "selector"]),
            (&["currentAverageValue"], &["current", "averageValue"]),
        ],
    ),
    (
        "resource",
        &[
            (&["name"], &["name"]),
            (&["currentAverageUtilization"], &["current", "averageUtilization"]),
            (&["currentAverageValue"], &["current", "averageValue"]),
        ],
    ),
    (
        "containerResource",
        &[
            (&["name"], &["name"]),
            (&["container"], &["container"]),
            (&["currentAverageUtilization"], &["current", "averageUtilization"]),
            (&["currentAverageValue"], &["current", "averageValue"]),
        ],
    ),
    (
        "external",
        &[
            (&["metricName"], &["metric", "name"]),
            (&["metricSelector"], &["metric", "selector"]),
            (&["currentValue"], &["current", "value"]),
            (&["currentAverageValue"], &["current", "averageValue"]),
        ],
    ),
];

/// Whether a metric is the share of processors, which both forms can say.
fn is_share(metric: &Tree) -> bool {
    metric["type"] == "Resource"
        && metric["resource"]["name"] == "cpu"
        && !metric["resource"]["target"]["averageUtilization"].is_null()
}

fn metrics(metrics: &Tree, rows: &[(&str, Pairs)], back: bool) -> Vec<Tree> {
    let one = |metric: &Tree| {
        let mut other = map! { "type" => &metric["type"] };
        for (name, pairs) in rows {
            if !metric[*name].is_null() {
                other.set(&[name], moved(&metric[*name], pairs, back));
            }
        }
        other
    };
    metrics.items().iter().map(one).collect()
}

/// The form of `autoscaling/v1`.
pub(super) fn shown(stored: &Tree) -> Tree {
    let mut old = map! {
        "apiVersion" => &stored["apiVersion"], "kind" => &stored["kind"],
        "metadata" => &stored["metadata"],
    };
    for (key, value) in moved(stored, SAME, true).fields() {
        old.set(&[key], value);
    }
    let (spec, status) = (&stored["spec"], &stored["status"]);
    if let Some(share) = spec["metrics"].items().iter().find(|metric| is_share(metric)) {
        let share = &share["resource"]["target"]["averageUtilization"];
        old.set(&["spec", "targetCPUUtilizationPercentage"], share);
    }
    let seen = status["currentMetrics"]
        .items()
        .iter()
        .find(|metric| metric["type"] == "Resource" && metric["resource"]["name"] == "cpu");
    if let Some(seen) = seen.map(|seen| &seen["resource"]["current"]["averageUtilization"])
        && !seen.is_null()
    {
        old.set(&["status", "currentCPUUtilizationPercentage"], seen);
    }
    for count in ["currentReplicas", "desiredReplicas"] {
        if old["status"][count].is_null() && !stored["status"].is_null() {
            old.set(&["status", count], 0);
        }
    }
    forget(&mut old);
    let others: Vec<Tree> =
        spec["metrics"].items().iter().filter(|metric| !is_share(metric)).cloned().collect();
    let texts = [
        (METRICS, metrics(&Tree::from(others), &WANTED, true).into()),
        (CURRENT, metrics(&status["currentMetrics"], &SEEN, true).into()),
        (BEHAVIOR, capitals(&spec["behavior"], char::to_ascii_uppercase)),
        (CONDITIONS, status["conditions"].clone()),
    ];
    for (key, value) in texts {
        if !value.is_null() && value != list![] {
            old.set(&["metadata", "annotations", key], value.to_string());
        }
    }
    old
}

/// The stored form.
pub(super) fn stored(old: &Tree) -> Tree {
    let mut new = map! {
        "apiVersion" => &old["apiVersion"], "kind" => &old["kind"],
        "metadata" => &old["metadata"],
    };
    for (key, value) in moved(old, SAME, false).fields() {
        new.set(&[key], value);
    }
    let said = |key: &str| -> Tree {
        let text = old["metadata"]["annotations"][key].str();
        serde_json::from_str(text).unwrap_or_default()
    };
    let mut wanted = metrics(&said(METRICS), &WANTED, false);
    wanted.iter_mut().for_each(name_target);
    let share = &old["spec"]["targetCPUUtilizationPercentage"];
    if !share.is_null() {
        let target = map! { "type" => "Utilization", "averageUtilization" => share };
        let resource = map! { "name" => "cpu", "target" => target };
        wanted.push(map! { "type" => "Resource", "resource" => resource });
    }
    if !wanted.is_empty() {
        new.set(&["spec", "metrics"], wanted);
    }
    let behavior = capitals(&said(BEHAVIOR), char::to_ascii_lowercase);
    if !behavior.is_null() {
        new.set(&["spec", "behavior"], behavior);
    }
    let seen = metrics(&said(CURRENT), &SEEN, false);
    if !seen.is_empty() {
        new.set(&["status", "currentMetrics"], seen);
    }
    let conditions = said(CONDITIONS);
    if !conditions.is_null() {
        new.set(&["status", "conditions"], conditions);
    }
    forget(&mut new);
    new
}

/// Which kind of target follows from which of them is said.
fn name_target(metric: &mut Tree) {
    for name in ["object", "pods", "resource", "containerResource", "external"] {
        if metric[name].is_null() {
            continue;
        }
        let target = &metric[name]["target"];
        let kind = if !target["averageUtilization"].is_null() {
            "Utilization"
        } else if !target["averageValue"].is_null() || target["value"].is_null() {
            "AverageValue"
        } else {
            "Value"
        };
        metric.set(&[name, "target", "type"], kind);
    }
}

/// Takes the annotations away that stand for fields.
fn forget(object: &mut Tree) {
    for key in [METRICS, CURRENT, BEHAVIOR, CONDITIONS] {
        object.remove(&["metadata", "annotations", key]);
    }
}

/// A behavior with the first letters of its fields changed: its annotation has the names of Go's
/// fields.
fn capitals(tree: &Tree, change: fn(&char) -> char) -> Tree {
    match tree {
        Tree::Map(fields) => {
            let field = |(key, value): (&kubesim_model::Text, &Tree)| {
                let mut letters = key.chars();
                let first: String = letters.next().iter().map(change).collect();
                let name = kubesim_model::Text::from(format!("{first}{}", letters.as_str()));
                (name, capitals(value, change))
            };
            Tree::Map(fields.iter().map(field).filter(|(_, value)| !value.is_null()).collect())
        }
        Tree::List(items) => {
            items.iter().map(|item| capitals(item, change)).collect::<Vec<Tree>>().into()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_old_form_cannot_say_goes_round_in_annotations() {
        let metric = map! {
            "type" => "Pods",
            "pods" => map! {
                "metric" => map! { "name" => "hits" },
                "target" => map! { "type" => "AverageValue", "averageValue" => "5" },
            },
        };
        let new = map! {
            "metadata" => map! { "name" => "a", "annotations" => map! { "own" => "1" } },
            "spec" => map! {
                "maxReplicas" => 3, "metrics" => list![metric],
                "behavior" => map! { "scaleDown" => map! { "selectPolicy" => "Min" } },
            },
            "status" => map! {
                "currentReplicas" => 0, "desiredReplicas" => 1,
                "conditions" => list![map! { "type" => "A" }],
            },
        };
        let old = shown(&new);
        assert!(old["metadata"]["annotations"][BEHAVIOR].str().contains("\"ScaleDown\""));
        assert_eq!(stored(&old).at(&["spec"]), &new["spec"]);
        assert_eq!(stored(&old).at(&["status"]), &new["status"]);
        assert_eq!(stored(&old)["metadata"]["annotations"], map! { "own" => "1" });
    }
}
