//! Defaults of pods and pod templates (v1.36, `pkg/apis/core/v1/defaults.go`).

use kubesim_model::map;
use kubesim_model::tree::Tree;

use super::default;

/// What pods have and templates don't, and then what both have.
pub(super) fn fill_pod(spec: &mut Tree) {
    default(spec, "enableServiceLinks", true);
    for list in ["containers", "initContainers"] {
        each(spec, list, |container| {
            let limits = container["resources"]["limits"].clone();
            for (resource, limit) in limits.fields() {
                if container["resources"]["requests"][resource.as_str()].is_null() {
                    container.set(&["resources", "requests", resource], limit);
                }
            }
        });
    }
    fill_spec(spec);
}

/// The defaults of a pod's spec.
pub(super) fn fill_spec(spec: &mut Tree) {
    default(spec, "restartPolicy", "Always");
    default(spec, "terminationGracePeriodSeconds", 30);
    if spec["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds < 0) {
        spec.set(&["terminationGracePeriodSeconds"], 1);
    }
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "schedulerName", "default-scheduler");
    default(spec, "securityContext", map! {});
    if spec["hostNetwork"].is_true() {
        each(spec, "containers", |container| {
            each(container, "ports", |port| {
                let same = port["containerPort"].clone();
                default(port, "hostPort", same);
            });
        });
    }
    each(spec, "containers", fill_container);
    each(spec, "initContainers", fill_container);
    each(spec, "ephemeralContainers", fill_container);
    each(spec, "volumes", fill_volume);
}

/// Does something to each object of a list, if there are any.
pub(super) fn each(tree: &mut Tree, field: &str, change: impl Fn(&mut Tree)) {
    if !tree[field].items().is_empty() {
        tree.field_mut(field)
            .items_mut()
            .iter_mut()
            .filter(|item| item.as_map().is_some())
            .for_each(change);
    }
}

fn fill_container(container: &mut Tree) {
    let policy = pull_policy(container["image"].str());
    default(container, "imagePullPolicy", policy);
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    default(container, "resources", map! {});
    each(container, "ports", |port| default(port, "protocol", "TCP"));
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container[probe].as_map().is_some() {
            fill_probe(container.field_mut(probe));
        }
    }
    for hook in ["postStart", "preStop"] {
        if container["lifecycle"][hook].as_map().is_some() {
            fill_handler(container.at_mut(&["lifecycle", hook]));
        }
    }
    each(container, "env", |env| {
        if env["valueFrom"]["fieldRef"].as_map().is_some() {
            default(env.at_mut(&["valueFrom", "fieldRef"]), "apiVersion", "v1");
        }
    });
}

fn fill_probe(probe: &mut Tree) {
    default(probe, "timeoutSeconds", 1);
    default(probe, "periodSeconds", 10);
    default(probe, "successThreshold", 1);
    default(probe, "failureThreshold", 3);
    fill_handler(probe);
}

fn fill_handler(handler: &mut Tree) {
    if handler["httpGet"].as_map().is_some() {
        let get = handler.field_mut("httpGet");
        default(get, "path", "/");
        default(get, "scheme", "HTTP");
    }
    if handler["grpc"].as_map().is_some() {
        default(handler.field_mut("grpc"), "service", "");
    }
}

fn fill_volume(volume: &mut Tree) {
    if volume.fields().all(|(key, _)| key == "name") {
        volume.set(&["emptyDir"], map! {});
    }
    for source in ["configMap", "secret", "projected", "downwardAPI"] {
        if volume[source].as_map().is_some() {
            default(volume.field_mut(source), "defaultMode", 420);
        }
    }
    if volume["hostPath"].as_map().is_some() {
        default(volume.field_mut("hostPath"), "type", "");
    }
}

/// `Always` for the tag `latest`, said or meant; else `IfNotPresent`.
fn pull_policy(image: &str) -> &'static str {
    let last = image.rsplit('/').next().unwrap_or(image);
    let latest = match last.split_once('@') {
        Some((name, _)) => name.ends_with(":latest"),
        None => !last.contains(':') || last.ends_with(":latest"),
    };
    if latest { "Always" } else { "IfNotPresent" }
}
