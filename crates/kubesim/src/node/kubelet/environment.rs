//! The environment of containers: what variables say of their pod (v1.36, `makeEnvironment`).

use kubesim_model::Text;
use kubesim_model::tree::Tree;

/// The spec of a container with the values of the variables that are fields of its pod. Variables
/// from elsewhere stay as they are.
pub(super) fn resolved(pod: &Tree, mut spec: Tree) -> Tree {
    let is_field = |variable: &Tree| !variable["valueFrom"]["fieldRef"].is_null();
    if !spec["env"].items().iter().any(is_field) {
        return spec;
    }
    for variable in spec.field_mut("env").items_mut().iter_mut().filter(|it| is_field(it)) {
        if let Some(value) = field(pod, variable["valueFrom"]["fieldRef"]["fieldPath"].str()) {
            variable.set(&["value"], value);
            variable.remove(&["valueFrom"]);
        }
    }
    spec
}

/// A field of a pod as a text; a label or annotation that is not there is empty.
fn field(pod: &Tree, path: &str) -> Option<Text> {
    let metadata = &pod["metadata"];
    if let Some((map, key)) = path.split_once("['") {
        let key = key.strip_suffix("']")?;
        return match map {
            "metadata.labels" => Some(metadata["labels"][key].text()),
            "metadata.annotations" => Some(metadata["annotations"][key].text()),
            _ => None,
        };
    }
    match path {
        "metadata.name" => Some(metadata["name"].text()),
        "metadata.namespace" => Some(metadata["namespace"].text()),
        "metadata.uid" => Some(metadata["uid"].text()),
        "spec.nodeName" => Some(pod["spec"]["nodeName"].text()),
        "spec.serviceAccountName" => Some(pod["spec"]["serviceAccountName"].text()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::{list, map};

    #[test]
    fn variables_get_the_fields_of_their_pod() {
        let from = |path: &str| {
            map! { "name" => "A", "valueFrom" => map! { "fieldRef" => map! { "fieldPath" => path } } }
        };
        let pod = map! { "metadata" => map! { "name" => "p", "labels" => map! { "a/b" => "7" } } };
        let env =
            list![from("metadata.labels['a/b']"), from("metadata.name"), from("status.podIP")];
        let env = resolved(&pod, map! { "env" => env })["env"].clone();
        assert_eq!((env[0]["value"].str(), env[1]["value"].str()), ("7", "p"));
        assert!(env[2]["value"].is_null() && !env[2]["valueFrom"].is_null());
    }
}
