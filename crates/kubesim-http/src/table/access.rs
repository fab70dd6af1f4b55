//! Who may do what.

use kubesim_model::Millis;
use kubesim_model::tree::Tree;

use super::cells::{age, aged, created};
use super::sheet::Row;

pub(super) const ROWS: &[Row] = &[
    ("serviceaccounts", "Age", aged),
    ("roles.rbac.authorization.k8s.io", "@Created At", created),
    ("clusterroles.rbac.authorization.k8s.io", "@Created At", created),
    ("rolebindings.rbac.authorization.k8s.io", BINDING, binding),
    ("clusterrolebindings.rbac.authorization.k8s.io", BINDING, binding),
];

const BINDING: &str = "Role|Age|+Users|+Groups|+ServiceAccounts";

fn binding(found: &Tree, now: Millis) -> Vec<Tree> {
    let role = &found["roleRef"];
    let named = |kind: &str| {
        let of = found["subjects"].items().iter().filter(|subject| subject["kind"] == kind);
        let names = of.map(|subject| match subject["namespace"].str() {
            "" => subject["name"].str().to_owned(),
            namespace => format!("{namespace}/{}", subject["name"].str()),
        });
        Tree::from(names.collect::<Vec<_>>().join(", "))
    };
    vec![
        format!("{}/{}", role["kind"].str(), role["name"].str()).into(),
        age(found, now),
        named("User"),
        named("Group"),
        named("ServiceAccount"),
    ]
}
