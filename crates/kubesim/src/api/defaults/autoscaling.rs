//! Defaults of HorizontalPodAutoscalers (v1.36, `pkg/apis/autoscaling/v2/defaults.go`).

use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::default;

pub(super) fn fill(spec: &mut Tree) {
    default(spec, "minReplicas", 1);
    if spec["metrics"].items().is_empty() {
        let target = map! { "type" => "Utilization", "averageUtilization" => 80 };
        let resource = map! { "name" => "cpu", "target" => target };
        spec.set(&["metrics"], list![map! { "type" => "Resource", "resource" => resource }]);
    }
    if spec["behavior"].is_null() {
        return;
    }
    let policy =
        |kind: &str, value: i64| map! { "type" => kind, "value" => value, "periodSeconds" => 15 };
    let up = spec.at_mut(&["behavior", "scaleUp"]);
    default(up, "stabilizationWindowSeconds", 0);
    default(up, "selectPolicy", "Max");
    default(up, "policies", list![policy("Pods", 4), policy("Percent", 100)]);
    let down = spec.at_mut(&["behavior", "scaleDown"]);
    default(down, "selectPolicy", "Max");
    default(down, "policies", list![policy("Percent", 100)]);
}
