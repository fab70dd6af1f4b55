//! Events (v1.36, `pkg/apis/core/validation/events.go`): loosely as they always were, and strictly
//! for who speaks `events.k8s.io/v1`.

use kubesim_model::tree::Tree;

use super::names::is_qualified_name;
use crate::api::errors::Cause;

/// What no event may be.
pub(super) fn check(event: &Tree, causes: &mut Vec<Cause>) {
    let (about, own) =
        (&event["involvedObject"]["namespace"], event["metadata"]["namespace"].str());
    let elsewhere = "does not match event.namespace";
    if event["eventTime"].is_null() {
        let wanted = if about.str().is_empty() { "default" } else { about.str() };
        if own != wanted {
            causes.push(Cause::invalid("involvedObject.namespace", about, elsewhere));
        }
        return;
    }
    if about.str().is_empty() && !["default", "kube-system"].contains(&own) {
        causes.push(Cause::invalid("involvedObject.namespace", about, elsewhere));
    }
    let by = &event["reportingComponent"];
    if by.str().is_empty() {
        causes.push(Cause::required("reportingComponent", ""));
    }
    if !is_qualified_name(by.str()) {
        causes.push(Cause::invalid("reportingComponent", by, "name part must be a qualified name"));
    }
    for (field, most) in [("reportingInstance", 128), ("action", 128), ("reason", 128)] {
        if event[field].str().is_empty() {
            causes.push(Cause::required(field, ""));
        }
        check_length(event, field, most, causes);
    }
    check_length(event, "message", 1024, causes);
}

fn check_length(event: &Tree, field: &str, most: usize, causes: &mut Vec<Cause>) {
    if event[field].str().len() > most {
        let detail = format!("can have at most {most} characters");
        causes.push(Cause::invalid(field, &Tree::from(""), &detail));
    }
}

/// What is wrong besides, in the eyes of `events.k8s.io/v1`; `old` is what was before a change.
pub(in crate::api) fn check_strictly(old: &Tree, event: &Tree, causes: &mut Vec<Cause>) {
    for cause in causes.iter_mut().filter(|cause| cause.field == "reportingComponent") {
        "reportingController".clone_into(&mut cause.field);
    }
    let (series, nothing) = (&event["series"], Tree::from(""));
    if !series.is_null() && *series != old["series"] {
        if series["count"].as_i64().unwrap_or(0) < 2 {
            causes.push(Cause::invalid("series.count", &nothing, "should be at least 2"));
        }
        if series["lastObservedTime"].str().is_empty() {
            causes.push(Cause::required("series.lastObservedTime", ""));
        }
    }
    if !old.is_null() {
        return check_kept(old, event, causes);
    }
    if event["eventTime"].is_null() {
        causes.push(Cause::required("eventTime", ""));
    }
    if !["Normal", "Warning"].contains(&event["type"].str()) {
        causes.push(Cause::invalid("type", &nothing, "has invalid value"));
    }
    for field in ["firstTimestamp", "lastTimestamp", "count", "source"] {
        if !event[field].is_null() && event[field] != Tree::map() {
            causes.push(Cause::invalid(field, &nothing, "needs to be unset"));
        }
    }
}

/// Of an event that is there, only the series goes on.
fn check_kept(old: &Tree, event: &Tree, causes: &mut Vec<Cause>) {
    let fixed = [
        "involvedObject",
        "reason",
        "message",
        "source",
        "firstTimestamp",
        "lastTimestamp",
        "count",
        "type",
        "eventTime",
        "action",
        "related",
        "reportingComponent",
        "reportingInstance",
    ];
    for field in fixed {
        if old[field] != event[field] {
            let name = if field == "reportingComponent" { "reportingController" } else { field };
            causes.push(Cause::invalid(name, &event[field], "field is immutable"));
        }
    }
}
