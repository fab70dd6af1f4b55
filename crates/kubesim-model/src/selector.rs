//! Label selectors and node selectors in their structured form, as they stand in specs.
//!
//! The text form of lists and watches (`app=web,tier!=db`) is the API's business.

use crate::tree::Tree;

/// Whether a `LabelSelector` selects an object with these labels (apimachinery v0.36,
/// `LabelSelectorAsSelector`): an empty selector selects everything, an absent one nothing, and one
/// with an operator that does not exist nothing.
pub fn selects(selector: &Tree, labels: &Tree) -> bool {
    selector.as_map().is_some()
        && selector["matchLabels"].fields().all(|(key, value)| labels[key.as_str()] == *value)
        && selector["matchExpressions"].items().iter().all(|wanted| meets(wanted, labels))
}

/// Whether a `NodeSelector` selects a node (component-helpers v0.36, `nodeaffinity`): at least one
/// term must match, and a term without requirements matches nothing.
pub fn selects_node(selector: &Tree, node: &Tree) -> bool {
    let labels = &node["metadata"]["labels"];
    selector["nodeSelectorTerms"].items().iter().any(|term| {
        let expressions = term["matchExpressions"].items();
        let fields = term["matchFields"].items();
        !(expressions.is_empty() && fields.is_empty())
            && expressions.iter().all(|wanted| meets(wanted, labels))
            && fields.iter().all(|wanted| meets_field(wanted, node))
    })
}

/// Whether `spec.nodeSelector` and the required node affinity of a pod (or of a template) admit a
/// node. Preferred affinity is not looked at.
pub fn admits_node(pod_spec: &Tree, node: &Tree) -> bool {
    let labels = &node["metadata"]["labels"];
    let required = pod_spec.at(&[
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
    ]);
    pod_spec["nodeSelector"].fields().all(|(key, value)| labels[key.as_str()] == *value)
        && (required.is_null() || selects_node(required, node))
}

/// Whether one of the tolerations tolerates a taint (k8s.io/api v0.36, `ToleratesTaint`).
pub fn tolerates(tolerations: &Tree, taint: &Tree) -> bool {
    tolerations.items().iter().any(|toleration| {
        let (effect, key) = (toleration["effect"].str(), toleration["key"].str());
        if !effect.is_empty() && effect != taint["effect"].str() {
            return false;
        }
        match toleration["operator"].str() {
            "Exists" => key.is_empty() || key == taint["key"].str(),
            "" | "Equal" => {
                key == taint["key"].str() && toleration["value"].str() == taint["value"].str()
            }
            _ => false,
        }
    })
}

fn meets_field(wanted: &Tree, node: &Tree) -> bool {
    let name = &node["metadata"]["name"];
    wanted["key"] == "metadata.name" && meets_value(wanted, Some(name).filter(|n| !n.is_null()))
}

fn meets(wanted: &Tree, labels: &Tree) -> bool {
    meets_value(wanted, labels.get(wanted["key"].str()))
}

fn meets_value(wanted: &Tree, have: Option<&Tree>) -> bool {
    let listed = || have.is_some_and(|have| wanted["values"].items().contains(have));
    let compared = |holds: fn(&i64, &i64) -> bool| {
        let limit = wanted["values"][0].str().parse().ok();
        let have = have.and_then(|have| have.str().parse().ok());
        matches!((have, limit), (Some(have), Some(limit)) if holds(&have, &limit))
    };
    match wanted["operator"].str() {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => have.is_some(),
        "DoesNotExist" => have.is_none(),
        "Gt" => compared(i64::gt),
        "Lt" => compared(i64::lt),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, map};

    fn wanted(key: &str, operator: &str, values: Tree) -> Tree {
        map! { "key" => key, "operator" => operator, "values" => values }
    }

    #[test]
    fn an_empty_selector_selects_all_and_an_absent_one_nothing() {
        let labels = map! { "app" => "web" };
        assert!(selects(&map! {}, &labels));
        assert!(!selects(&Tree::Null, &labels));
    }

    #[test]
    fn labels_and_expressions_must_all_hold() {
        let labels = map! { "app" => "web", "tier" => "1" };
        let selector = |expression: Tree| {
            let same = map! { "app" => "web" };
            map! { "matchLabels" => same, "matchExpressions" => list![expression] }
        };
        assert!(selects(&selector(wanted("tier", "In", list!["1", "2"])), &labels));
        assert!(!selects(&selector(wanted("tier", "NotIn", list!["1"])), &labels));
        assert!(selects(&selector(wanted("zone", "NotIn", list!["a"])), &labels));
        assert!(selects(&selector(wanted("zone", "DoesNotExist", Tree::Null)), &labels));
        assert!(!selects(&selector(wanted("zone", "Exists", Tree::Null)), &labels));
        assert!(!selects(&selector(wanted("app", "Like", list!["web"])), &labels));
        assert!(!selects(&selector(wanted("app", "Exists", Tree::Null)), &map! {}));
    }

    #[test]
    fn a_node_is_selected_by_one_matching_term_of_labels_and_name() {
        let labels = map! { "cpus" => "8" };
        let node = map! { "metadata" => map! { "name" => "worker-1", "labels" => labels } };
        let by_name =
            map! { "matchFields" => list![wanted("metadata.name", "In", list!["worker-1"])] };
        let big = map! { "matchExpressions" => list![wanted("cpus", "Gt", list!["16"])] };
        let terms = |terms: Tree| map! { "nodeSelectorTerms" => terms };
        assert!(selects_node(&terms(list![big.clone(), by_name]), &node));
        assert!(!selects_node(&terms(list![big]), &node));
        assert!(!selects_node(&terms(list![map! {}]), &node));
    }

    #[test]
    fn a_toleration_without_key_tolerates_all_with_exists_only() {
        let taint = map! { "key" => "k", "value" => "v", "effect" => "NoExecute" };
        assert!(tolerates(&list![map! { "operator" => "Exists" }], &taint));
        assert!(tolerates(&list![map! { "key" => "k", "value" => "v" }], &taint));
        assert!(!tolerates(&list![map! { "key" => "k" }], &taint));
        let other = map! { "key" => "k", "operator" => "Exists", "effect" => "NoSchedule" };
        assert!(!tolerates(&list![other], &taint));
    }
}
