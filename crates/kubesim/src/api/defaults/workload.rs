//! Defaults of Deployments, StatefulSets and DaemonSets (v1.36, `pkg/apis/apps/v1/defaults.go`).

use kubesim_model::map;
use kubesim_model::tree::Tree;

use super::default;

pub(super) fn fill_deployment(spec: &mut Tree) {
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    default(spec.field_mut("strategy"), "type", "RollingUpdate");
    if spec["strategy"]["type"] == "RollingUpdate" {
        let rolling = spec.at_mut(&["strategy", "rollingUpdate"]);
        default(rolling, "maxUnavailable", "25%");
        default(rolling, "maxSurge", "25%");
    }
}

pub(super) fn fill_stateful_set(spec: &mut Tree) {
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "podManagementPolicy", "OrderedReady");
    fill_claims(spec);
    let keep = map! { "whenDeleted" => "Retain", "whenScaled" => "Retain" };
    default(spec, "persistentVolumeClaimRetentionPolicy", keep);
    default(spec.field_mut("updateStrategy"), "type", "RollingUpdate");
    // The feature MaxUnavailableStatefulSet is off in v1.36, and what it would use is dropped.
    spec.remove(&["updateStrategy", "rollingUpdate", "maxUnavailable"]);
    if spec["updateStrategy"]["type"] == "RollingUpdate" {
        default(spec.at_mut(&["updateStrategy", "rollingUpdate"]), "partition", 0);
    }
}

/// The claims of a StatefulSet's template are objects of their own.
fn fill_claims(spec: &mut Tree) {
    super::pod::each(spec, "volumeClaimTemplates", |claim| {
        default(claim, "apiVersion", "v1");
        default(claim, "kind", "PersistentVolumeClaim");
        default(claim.field_mut("spec"), "volumeMode", "Filesystem");
        claim.set(&["status"], map! { "phase" => "Pending" });
    });
}

pub(super) fn fill_daemon_set(spec: &mut Tree) {
    default(spec, "revisionHistoryLimit", 10);
    default(spec.field_mut("updateStrategy"), "type", "RollingUpdate");
    if spec["updateStrategy"]["type"] == "RollingUpdate" {
        let rolling = spec.at_mut(&["updateStrategy", "rollingUpdate"]);
        default(rolling, "maxUnavailable", 1);
        default(rolling, "maxSurge", 0);
    }
}
