//! Nodes, namespaces, and what happens in a cluster.

use kubesim_model::Millis;
use kubesim_model::tree::Tree;

use super::cells::{age, aged, count, created, joined, or, or_none, since, span};
use super::sheet::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "nodes",
        "Status|Roles|Age|Version|+Internal-IP|+External-IP|+OS-Image|+Kernel-Version|\
         +Container-Runtime",
        node,
    ),
    ("namespaces", "Status|Age", namespace),
    ("events", EVENT, event),
    ("events.events.k8s.io", EVENT, event),
    ("leases.coordination.k8s.io", "Holder|Age", lease),
    (
        "priorityclasses.scheduling.k8s.io",
        "#Value|?Global-Default|Age|PreemptionPolicy",
        priority_class,
    ),
    ("runtimeclasses.node.k8s.io", "Handler|Age", runtime_class),
    ("resourcequotas", "Request|Limit|Age", quota),
    ("limitranges", "@Created At", created),
    ("customresourcedefinitions.apiextensions.k8s.io", "@Created At", created),
    (
        "certificatesigningrequests.certificates.k8s.io",
        "Age|SignerName|Requestor|RequestedDuration|Condition",
        signing_request,
    ),
    ("apiservices.apiregistration.k8s.io", "Service|Available|Age", api_service),
    ("deviceclasses.resource.k8s.io", "Age", aged),
    ("resourceclaimtemplates.resource.k8s.io", "Age", aged),
];

const EVENT: &str =
    "Last Seen|Type|Reason|Object|+Subobject|+Source|Message|+First Seen|+Count|+Name";

fn node(found: &Tree, now: Millis) -> Vec<Tree> {
    let (status, info) = (&found["status"], &found["status"]["nodeInfo"]);
    let ready = status["conditions"].items().iter().find(|one| one["type"] == "Ready");
    let mut state = match ready.map(|one| one["status"].str()) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if found["spec"]["unschedulable"].is_true() {
        state += ",SchedulingDisabled";
    }
    let roles = found["metadata"]["labels"].fields().filter_map(|(key, value)| {
        match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) if !role.is_empty() => Some(role.to_owned()),
            _ if key == "kubernetes.io/role" && !value.str().is_empty() => {
                Some(value.str().to_owned())
            }
            _ => None,
        }
    });
    let address = |kind: &str| {
        let all = status["addresses"].items();
        let found = all.iter().find(|one| one["type"] == kind);
        or_none(found.map_or(&Tree::Null, |one| &one["address"]))
    };
    vec![
        state.into(),
        joined(roles, ","),
        age(found, now),
        info["kubeletVersion"].clone(),
        address("InternalIP"),
        address("ExternalIP"),
        or(&info["osImage"], "<unknown>"),
        kernel(info),
        or(&info["containerRuntimeVersion"], "<unknown>"),
    ]
}

/// The kernel, and what it is made for.
fn kernel(info: &Tree) -> Tree {
    match (info["kernelVersion"].str(), info["architecture"].str()) {
        ("", _) => "<unknown>".into(),
        (version, "") => version.into(),
        (version, machine) => format!("{version} ({machine})").into(),
    }
}

fn namespace(found: &Tree, now: Millis) -> Vec<Tree> {
    vec![found["status"]["phase"].text().into(), age(found, now)]
}

fn event(found: &Tree, now: Millis) -> Vec<Tree> {
    let first_of = |fields: &[&Tree]| {
        let found = fields.iter().find(|time| !time.str().is_empty());
        since(found.copied().unwrap_or(&Tree::Null), now)
    };
    let either = |old: &str, new: &str| {
        let old = &found[old];
        if old.is_null() { found[new].clone() } else { old.clone() }
    };
    let about = either("involvedObject", "regarding");
    let source = either("source", "deprecatedSource");
    let component = match source["component"].str() {
        "" => found["reportingComponent"].str().to_owned() + found["reportingController"].str(),
        component => component.to_owned(),
    };
    let host = match source["host"].str() {
        "" => found["reportingInstance"].str(),
        host => host,
    };
    let source = if host.is_empty() { component } else { format!("{component}, {host}") };
    let series = &found["series"];
    let times = [
        &series["lastObservedTime"],
        &either("lastTimestamp", "deprecatedLastTimestamp"),
        &either("firstTimestamp", "deprecatedFirstTimestamp"),
        &found["eventTime"],
    ];
    let times_seen = match series["count"].as_i64() {
        Some(seen) => seen,
        None => either("count", "deprecatedCount").as_i64().unwrap_or(1).max(1),
    };
    let message = either("message", "note");
    vec![
        first_of(&times),
        found["type"].text().into(),
        found["reason"].text().into(),
        format!("{}/{}", about["kind"].str().to_lowercase(), about["name"].str()).into(),
        about["fieldPath"].text().into(),
        source.into(),
        message.str().trim().into(),
        first_of(&[times[2], times[3]]),
        times_seen.into(),
        found["metadata"]["name"].clone(),
    ]
}

fn lease(found: &Tree, now: Millis) -> Vec<Tree> {
    vec![found["spec"]["holderIdentity"].text().into(), age(found, now)]
}

fn priority_class(found: &Tree, now: Millis) -> Vec<Tree> {
    vec![
        count(&found["value"]),
        found["globalDefault"].is_true().into(),
        age(found, now),
        found["preemptionPolicy"].text().into(),
    ]
}

fn runtime_class(found: &Tree, now: Millis) -> Vec<Tree> {
    vec![found["handler"].text().into(), age(found, now)]
}

fn quota(found: &Tree, now: Millis) -> Vec<Tree> {
    let (hard, used) = (&found["status"]["hard"], &found["status"]["used"]);
    let list = |limits: bool| {
        let of = hard.fields().filter(|(name, _)| name.starts_with("limits.") == limits);
        let texts = of.map(|(name, value)| {
            let used = used[name.as_str()].str();
            format!("{name}: {}/{}", if used.is_empty() { "0" } else { used }, value.str())
        });
        Tree::from(texts.collect::<Vec<_>>().join(", "))
    };
    vec![list(false), list(true), age(found, now)]
}

fn signing_request(found: &Tree, now: Millis) -> Vec<Tree> {
    let spec = &found["spec"];
    let has = |kind: &str| {
        found["status"]["conditions"].items().iter().any(|condition| condition["type"] == kind)
    };
    let mut state = match (has("Approved"), has("Denied")) {
        (_, true) => "Denied".to_owned(),
        (true, false) => "Approved".to_owned(),
        (false, false) => "Pending".to_owned(),
    };
    if has("Failed") {
        state += ",Failed";
    }
    if !found["status"]["certificate"].str().is_empty() {
        state += ",Issued";
    }
    let lasts = spec["expirationSeconds"].as_i64().map(|seconds| span(seconds * 1_000));
    vec![
        age(found, now),
        or_none(&spec["signerName"]),
        spec["username"].text().into(),
        lasts.map_or_else(|| "<none>".into(), Tree::from),
        state.into(),
    ]
}

fn api_service(found: &Tree, now: Millis) -> Vec<Tree> {
    let service = &found["spec"]["service"];
    let place = match service.is_null() {
        true => "Local".to_owned(),
        false => format!("{}/{}", service["namespace"].str(), service["name"].str()),
    };
    let all = found["status"]["conditions"].items();
    let available = all.iter().find(|condition| condition["type"] == "Available");
    let state = match available {
        Some(one) if one["status"] == "True" => "True".to_owned(),
        Some(one) => format!("{} ({})", one["status"].str(), one["reason"].str()),
        None => "Unknown".to_owned(),
    };
    vec![place.into(), state.into(), age(found, now)]
}
