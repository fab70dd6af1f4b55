//! What others are configured with.

use kubesim_model::Millis;
use kubesim_model::tree::Tree;

use super::cells::{age, len};
use super::sheet::Row;

pub(super) const ROWS: &[Row] = &[
    ("configmaps", "Data|Age", config_map),
    ("secrets", "Type|Data|Age", secret),
    ("mutatingwebhookconfigurations.admissionregistration.k8s.io", "#Webhooks|Age", webhooks),
    ("validatingwebhookconfigurations.admissionregistration.k8s.io", "#Webhooks|Age", webhooks),
    (
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "#Validations|ParamKind|Age",
        policy,
    ),
    ("mutatingadmissionpolicies.admissionregistration.k8s.io", "#Mutations|ParamKind|Age", policy),
    ("validatingadmissionpolicybindings.admissionregistration.k8s.io", BINDING, binding),
    ("mutatingadmissionpolicybindings.admissionregistration.k8s.io", BINDING, binding),
];

const BINDING: &str = "PolicyName|ParamRef|Age";

fn config_map(found: &Tree, now: Millis) -> Vec<Tree> {
    vec![(len(&found["data"]) + len(&found["binaryData"])).into(), age(found, now)]
}

fn secret(found: &Tree, now: Millis) -> Vec<Tree> {
    vec![found["type"].text().into(), len(&found["data"]).into(), age(found, now)]
}

fn webhooks(found: &Tree, now: Millis) -> Vec<Tree> {
    vec![len(&found["webhooks"]).into(), age(found, now)]
}

fn policy(found: &Tree, now: Millis) -> Vec<Tree> {
    let spec = &found["spec"];
    let kind = &spec["paramKind"];
    let kind = match kind.is_null() {
        true => "<unset>".to_owned(),
        false => format!("{}/{}", kind["apiVersion"].str(), kind["kind"].str()),
    };
    let rules = len(&spec["validations"]) + len(&spec["mutations"]);
    vec![rules.into(), kind.into(), age(found, now)]
}

fn binding(found: &Tree, now: Millis) -> Vec<Tree> {
    let spec = &found["spec"];
    let parameters = &spec["paramRef"];
    let shown = match (parameters.is_null(), parameters["namespace"].str()) {
        (true, _) => "<unset>".to_owned(),
        (false, _) if parameters["name"].is_null() => "<unset>".to_owned(),
        (false, "") => parameters["name"].str().to_owned(),
        (false, namespace) => format!("{namespace}/{}", parameters["name"].str()),
    };
    vec![spec["policyName"].text().into(), shown.into(), age(found, now)]
}
