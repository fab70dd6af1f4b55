//! The scopes of quotas: of which objects they count what they use.

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

/// Whether a quota is about such objects: one with scopes is about some pods, or some claims, only.
pub(crate) fn covers(quota: &Tree, resource: &Resource, object: &Tree) -> bool {
    let spec = &quota["spec"];
    let scopes = spec["scopes"].items().iter();
    let selected = spec["scopeSelector"]["matchExpressions"].items().iter();
    let has = |scope: &str, wanted: &Tree| {
        if *resource == Resource::PODS {
            pod_has(object, scope, wanted)
        } else if *resource == Resource::PERSISTENT_VOLUME_CLAIMS {
            scope == "VolumeAttributesClass" && meets(&attributes_classes(object), wanted)
        } else {
            false
        }
    };
    scopes.map(|scope| (scope.str(), &Tree::Null)).all(|(scope, wanted)| has(scope, wanted))
        && selected.map(|wanted| (wanted["scopeName"].str(), wanted)).all(|(s, w)| has(s, w))
}

fn pod_has(pod: &Tree, scope: &str, wanted: &Tree) -> bool {
    let ends = pod["spec"]["activeDeadlineSeconds"].as_i64().is_some_and(|seconds| seconds >= 0);
    let best_effort = pod["status"]["qosClass"] == "BestEffort";
    match scope {
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "BestEffort" => best_effort,
        "NotBestEffort" => !best_effort,
        "PriorityClass" => meets(&named(&pod["spec"]["priorityClassName"]), wanted),
        "CrossNamespacePodAffinity" => looks_elsewhere(&pod["spec"]["affinity"]),
        _ => false,
    }
}

/// Whether one of these names is what is wanted. A scope alone wants any.
fn meets(names: &[&str], wanted: &Tree) -> bool {
    let is_listed = |name: &&str| wanted["values"].items().iter().any(|value| value == name);
    match wanted["operator"].str() {
        "" | "Exists" => !names.is_empty(),
        "DoesNotExist" => names.is_empty(),
        "In" => names.iter().any(is_listed),
        "NotIn" => names.is_empty() || names.iter().any(|name| !is_listed(name)),
        _ => false,
    }
}

fn named(name: &Tree) -> Vec<&str> {
    name.as_str().filter(|name| !name.is_empty()).into_iter().collect()
}

/// The classes of attributes that a claim has, wants, or is being given.
fn attributes_classes(claim: &Tree) -> Vec<&str> {
    let status = &claim["status"];
    let names = [
        &claim["spec"]["volumeAttributesClassName"],
        &status["currentVolumeAttributesClassName"],
        &status["modifyVolumeStatus"]["targetVolumeAttributesClassName"],
    ];
    names.into_iter().flat_map(named).collect()
}

/// Whether an affinity to pods, or against them, names other namespaces.
fn looks_elsewhere(affinity: &Tree) -> bool {
    let elsewhere = |term: &Tree| {
        !term["namespaces"].items().is_empty() || !term["namespaceSelector"].is_null()
    };
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let required = &affinity[*kind]["requiredDuringSchedulingIgnoredDuringExecution"];
        let preferred = &affinity[*kind]["preferredDuringSchedulingIgnoredDuringExecution"];
        required.items().iter().any(elsewhere)
            || preferred.items().iter().any(|weighted| elsewhere(&weighted["podAffinityTerm"]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::{list, map};

    fn is_about(scope: &str, pod: &Tree) -> bool {
        covers(&map! { "spec" => map! { "scopes" => list![scope] } }, &Resource::PODS, pod)
    }

    #[test]
    fn scopes_tell_pods_apart() {
        let plain = map! { "spec" => map! {}, "status" => map! { "qosClass" => "Burstable" } };
        let mut ends = plain.clone();
        ends.set(&["spec", "activeDeadlineSeconds"], 5);
        assert!(is_about("Terminating", &ends) && !is_about("Terminating", &plain));
        assert!(is_about("NotTerminating", &plain) && !is_about("NotTerminating", &ends));
        assert!(is_about("NotBestEffort", &plain) && !is_about("BestEffort", &plain));
        let term = map! { "namespaces" => list!["other"] };
        let weighted = list![map! { "podAffinityTerm" => term }];
        let preferred = map! { "preferredDuringSchedulingIgnoredDuringExecution" => weighted };
        let mut far = plain.clone();
        far.set(&["spec", "affinity", "podAntiAffinity"], preferred);
        assert!(is_about("CrossNamespacePodAffinity", &far));
        assert!(!is_about("CrossNamespacePodAffinity", &plain));
    }

    #[test]
    fn classes_of_priority_are_selected_by_operator() {
        let quota = |operator: &str| {
            let wanted = map! {
                "scopeName" => "PriorityClass", "operator" => operator, "values" => list!["high"],
            };
            map! { "spec" => map! { "scopeSelector" => map! { "matchExpressions" => list![wanted] } } }
        };
        let pod = |class: &str| map! { "spec" => map! { "priorityClassName" => class } };
        for (operator, high, low, none) in [
            ("In", true, false, false),
            ("NotIn", false, true, true),
            ("Exists", true, true, false),
            ("DoesNotExist", false, false, true),
        ] {
            let of = |class: &str| covers(&quota(operator), &Resource::PODS, &pod(class));
            assert_eq!((of("high"), of("low"), of("")), (high, low, none), "{operator}");
        }
        assert!(!covers(&quota("NotIn"), &Resource::SERVICES, &map! {}), "services have no scope");
    }
}
