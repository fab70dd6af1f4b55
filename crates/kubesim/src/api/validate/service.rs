//! Services (v1.36, `pkg/apis/core/validation`).

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;

use super::container::{check_target, is_port};
use super::metadata::check_labels;
use super::pod::one_of;
use crate::api::errors::Cause;

pub(super) fn check(spec: &Tree, causes: &mut Vec<Cause>) {
    let named = spec["type"] == "ExternalName";
    let headless = spec["clusterIP"] == "None" || named;
    if spec["ports"].items().is_empty() && !headless {
        causes.push(Cause::required("spec.ports", ""));
    }
    let (mut names, mut pairs) = (BTreeSet::new(), BTreeSet::new());
    for (at, port) in spec["ports"].items().iter().enumerate() {
        let field = format!("spec.ports[{at}]");
        if spec["ports"].items().len() > 1 && port["name"].str().is_empty() {
            causes.push(Cause::required(format!("{field}.name"), ""));
        } else if !port["name"].str().is_empty() && !names.insert(port["name"].str()) {
            causes.push(Cause::duplicate(format!("{field}.name"), &port["name"]));
        }
        if !is_port(&port["port"]) {
            let detail = "must be between 1 and 65535, inclusive";
            causes.push(Cause::invalid(format!("{field}.port"), &port["port"], detail));
        }
        one_of(port, &field, "protocol", &["SCTP", "TCP", "UDP"], causes);
        check_target(&port["targetPort"], &format!("{field}.targetPort"), causes);
        if !pairs.insert((port["protocol"].str(), port["port"].as_i64())) {
            causes.push(Cause::duplicate(field.clone(), port));
        }
        let outside = &port["nodePort"];
        if outside.as_i64().is_some_and(|port| port != 0 && !(30_000..=32_767).contains(&port)) {
            let detail = "provided port is not in the valid range. The range of valid ports is \
                          30000-32767";
            causes.push(Cause::invalid(format!("{field}.nodePort"), outside, detail));
        }
    }
    let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    one_of(spec, "spec", "type", &kinds, causes);
    one_of(spec, "spec", "sessionAffinity", &["ClientIP", "None"], causes);
    check_labels(&spec["selector"], "spec.selector", causes);
    if named && spec["externalName"].str().is_empty() {
        causes.push(Cause::required("spec.externalName", ""));
    }
    let address = &spec["clusterIP"];
    let text = address.str();
    if !text.is_empty() && text != "None" && text.parse::<std::net::IpAddr>().is_err() {
        let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        causes.push(Cause::invalid("spec.clusterIPs[0]", address, detail));
    }
}

pub(super) fn check_update(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let both = old["type"] != "ExternalName" && new["type"] != "ExternalName";
    if both && old["clusterIP"] != new["clusterIP"] {
        let detail = "may not change once set";
        causes.push(Cause::invalid("spec.clusterIPs[0]", &new["clusterIP"], detail));
    }
}
