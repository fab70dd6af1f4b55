//! Containers: image, ports, environment, resources, mounts, probes and hooks (v1.36,
//! `pkg/apis/core/validation`).

use std::collections::BTreeSet;

use kubesim_model::quantity;
use kubesim_model::tree::Tree;

use super::names::is_qualified_name;
use super::not_negative;
use super::pod::one_of;
use crate::api::errors::Cause;

/// What is wrong with a container at `field` of a pod's spec with these volumes.
pub(super) fn check_container(
    container: &Tree,
    spec: &Tree,
    field: &str,
    volumes: &BTreeSet<&str>,
    causes: &mut Vec<Cause>,
) {
    let image = &container["image"];
    if image.str().is_empty() {
        causes.push(Cause::required(format!("{field}.image"), ""));
    } else if image.str().trim() != image.str() {
        let detail = "must not have leading or trailing whitespace";
        causes.push(Cause::invalid(format!("{field}.image"), image, detail));
    }
    one_of(container, field, "imagePullPolicy", &["Always", "IfNotPresent", "Never"], causes);
    one_of(container, field, "restartPolicy", &["Always", "OnFailure", "Never"], causes);
    check_mounts(container, field, volumes, causes);
    check_ports(container, field, causes);
    check_environment(container, field, causes);
    check_resources(&container["resources"], field, causes);
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if !container[probe].is_null() {
            check_probe(&container[probe], probe, &format!("{field}.{probe}"), causes);
        }
    }
    let grace = spec["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    for hook in ["postStart", "preStop"] {
        let handler = &container["lifecycle"][hook];
        if handler.is_null() {
            continue;
        }
        let field = format!("{field}.lifecycle.{hook}");
        check_handler(handler, &field, &["exec", "httpGet", "tcpSocket", "sleep"], causes);
        let seconds = &handler["sleep"]["seconds"];
        if seconds.as_i64().is_some_and(|seconds| seconds < 0 || seconds > grace) {
            let detail = format!(
                "must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            );
            causes.push(Cause::invalid(format!("{field}.sleep"), seconds, &detail));
        }
    }
}

/// Two containers of a pod can't have the same port of the host.
pub(super) fn check_host_ports(spec: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let mut taken = BTreeSet::new();
    for (at, container) in spec["containers"].items().iter().enumerate() {
        for (index, port) in container["ports"].items().iter().enumerate() {
            let Some(number) = port["hostPort"].as_i64() else { continue };
            let field = format!("{field}.containers[{at}].ports[{index}].hostPort");
            if spec["hostNetwork"].is_true() && port["containerPort"].as_i64() != Some(number) {
                let detail = "must match `containerPort` when `hostNetwork` is true";
                causes.push(Cause::invalid(field.clone(), &port["hostPort"], detail));
            }
            let text = format!("{}/{}/{number}", port["protocol"].str(), port["hostIP"].str());
            if !taken.insert(text.clone()) {
                causes.push(Cause::duplicate(field, &Tree::from(text)));
            }
        }
    }
}

fn check_mounts(container: &Tree, field: &str, volumes: &BTreeSet<&str>, causes: &mut Vec<Cause>) {
    let mut paths = BTreeSet::new();
    for (at, mount) in container["volumeMounts"].items().iter().enumerate() {
        let field = format!("{field}.volumeMounts[{at}]");
        let path = &mount["mountPath"];
        if !volumes.contains(mount["name"].str()) {
            causes.push(Cause::not_found(format!("{field}.name"), &mount["name"]));
        }
        if path.str().is_empty() {
            causes.push(Cause::required(format!("{field}.mountPath"), ""));
        } else if !paths.insert(path.str()) {
            causes.push(Cause::invalid(format!("{field}.mountPath"), path, "must be unique"));
        }
    }
}

fn check_ports(container: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let mut names = BTreeSet::new();
    for (at, port) in container["ports"].items().iter().enumerate() {
        let field = format!("{field}.ports[{at}]");
        let (name, number) = (&port["name"], &port["containerPort"]);
        if !name.str().is_empty() {
            check_port_name(name, &format!("{field}.name"), causes);
            if !names.insert(name.str()) {
                causes.push(Cause::duplicate(format!("{field}.name"), name));
            }
        }
        if number.as_i64().unwrap_or(0) == 0 {
            causes.push(Cause::required(format!("{field}.containerPort"), ""));
        } else if !is_port(number) {
            let field = format!("{field}.containerPort");
            causes.push(Cause::invalid(field, number, "must be between 1 and 65535, inclusive"));
        }
        one_of(port, &field, "protocol", &["SCTP", "TCP", "UDP"], causes);
    }
}

/// Whether this is the number of a port.
pub(super) fn is_port(number: &Tree) -> bool {
    number.as_i64().is_some_and(|port| (1..=65_535).contains(&port))
}

/// A name of a port: 15 lower-case letters, digits and single inner hyphens, one letter at least.
pub(super) fn check_port_name(name: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let text = name.str();
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.len() > 15 {
        causes.push(Cause::invalid(field, name, "must be no more than 15 characters"));
    } else if !text.bytes().all(inner)
        || !text.bytes().any(|byte| byte.is_ascii_lowercase())
        || text.contains("--")
        || text.starts_with('-')
        || text.ends_with('-')
    {
        let detail = "must be lower-case letters, digits and single hyphens between them";
        causes.push(Cause::invalid(field, name, detail));
    }
}

/// A port by number or by name.
pub(super) fn check_target(port: &Tree, field: &str, causes: &mut Vec<Cause>) {
    if port.as_str().is_some() {
        check_port_name(port, field, causes);
    } else if !is_port(port) {
        let value = if port.is_null() { &Tree::Int(0) } else { port };
        causes.push(Cause::invalid(field, value, "must be between 1 and 65535, inclusive"));
    }
}

fn check_environment(container: &Tree, field: &str, causes: &mut Vec<Cause>) {
    for (at, variable) in container["env"].items().iter().enumerate() {
        let field = format!("{field}.env[{at}]");
        let (name, from) = (&variable["name"], &variable["valueFrom"]);
        let printable = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
        if name.str().is_empty() {
            causes.push(Cause::required(format!("{field}.name"), ""));
        } else if !name.str().bytes().all(printable) {
            let detail = "a valid environment variable name must consist only of printable ASCII \
                          characters other than '='";
            causes.push(Cause::invalid(format!("{field}.name"), name, detail));
        }
        if from.is_null() {
            continue;
        }
        let field = format!("{field}.valueFrom");
        let nothing = Tree::from("");
        let path = from["fieldRef"]["fieldPath"].str();
        if from.fields().next().is_none() {
            causes.push(Cause::invalid(field, &nothing, "must specify one of its sources"));
        } else if !variable["value"].str().is_empty() {
            let detail = "may not be specified when `value` is not empty";
            causes.push(Cause::invalid(field, &nothing, detail));
        } else if from["fieldRef"].as_map().is_some() && !is_field_of_pods(path) {
            let field = format!("{field}.fieldRef.fieldPath");
            let detail = "field label not supported";
            causes.push(Cause::invalid(field, &from["fieldRef"]["fieldPath"], detail));
        }
    }
}

/// The fields of pods that a variable can have.
fn is_field_of_pods(path: &str) -> bool {
    const FIELDS: [&str; 10] = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
        "status.phase",
    ];
    FIELDS.contains(&path)
        || path.starts_with("metadata.labels['")
        || path.starts_with("metadata.annotations['")
}

fn check_resources(resources: &Tree, field: &str, causes: &mut Vec<Cause>) {
    for list in ["limits", "requests"] {
        for (name, amount) in resources[list].fields() {
            let field = format!("{field}.resources.{list}[{name}]");
            let (name, standard) = (Tree::from(name), is_standard_resource(name));
            if !is_qualified_name(name.str()) || (!standard && !name.str().contains('/')) {
                let detail = "must be a standard resource type or fully qualified";
                causes.push(Cause::invalid(field.clone(), &name, detail));
                let detail = "must be a standard resource for containers";
                causes.push(Cause::invalid(field.clone(), &name, detail));
            }
            if quantity::milli(amount).is_some_and(|amount| amount < 0) {
                let detail = "must be greater than or equal to 0";
                causes.push(Cause::invalid(field, amount, detail));
            }
        }
    }
    for (name, request) in resources["requests"].fields() {
        let limit = &resources["limits"][name.as_str()];
        if let (Some(wanted), Some(most)) = (quantity::milli(request), quantity::milli(limit))
            && !limit.is_null()
            && wanted > most
        {
            let field = format!("{field}.resources.requests");
            let detail = format!("must be less than or equal to {name} limit of {}", limit.str());
            causes.push(Cause::invalid(field, request, &detail));
        }
    }
}

fn is_standard_resource(name: &str) -> bool {
    ["cpu", "memory", "ephemeral-storage"].contains(&name) || name.starts_with("hugepages-")
}

fn check_handler(handler: &Tree, field: &str, kinds: &[&str], causes: &mut Vec<Cause>) {
    let mut given = kinds.iter().filter(|kind| !handler[**kind].is_null());
    match (given.next(), given.next()) {
        (None, _) => causes.push(Cause::required(field, "must specify a handler type")),
        (Some(_), None) => {}
        (Some(_), Some(second)) => {
            let detail = "may not specify more than 1 handler type";
            causes.push(Cause::forbidden(format!("{field}.{second}"), detail));
        }
    }
    if !handler["exec"].is_null() && handler["exec"]["command"].items().is_empty() {
        causes.push(Cause::required(format!("{field}.exec.command"), ""));
    }
    for kind in ["httpGet", "tcpSocket"] {
        if !handler[kind].is_null() {
            check_target(&handler[kind]["port"], &format!("{field}.{kind}.port"), causes);
        }
    }
}

fn check_probe(probe: &Tree, name: &str, field: &str, causes: &mut Vec<Cause>) {
    check_handler(probe, field, &["exec", "httpGet", "tcpSocket", "grpc"], causes);
    let numbers = [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ];
    for number in numbers {
        not_negative(&probe[number], &format!("{field}.{number}"), causes);
    }
    let grace = &probe["terminationGracePeriodSeconds"];
    if name == "readinessProbe" && !grace.is_null() {
        let field = format!("{field}.terminationGracePeriodSeconds");
        causes.push(Cause::invalid(field, grace, "must not be set for readinessProbes"));
    }
    let wanted = &probe["successThreshold"];
    if name != "readinessProbe" && wanted.as_i64().is_some_and(|wanted| wanted > 1) {
        causes.push(Cause::invalid(format!("{field}.successThreshold"), wanted, "must be 1"));
    }
}
