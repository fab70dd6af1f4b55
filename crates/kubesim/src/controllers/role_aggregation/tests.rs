//! Facts about roles that gather the rules of others.

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::actor;
use crate::testbed::Testbed;

const ROLES: Resource = Resource::CLUSTER_ROLES;

fn role(name: &str, part: &str, verb: &str) -> Tree {
    let rule =
        map! { "apiGroups" => list![""], "resources" => list!["pods"], "verbs" => list![verb] };
    map! {
        "metadata" => map! { "name" => name, "labels" => map! { "part" => part } },
        "rules" => list![rule],
    }
}

fn verbs(bed: &Testbed) -> Vec<String> {
    let whole = bed.get(ROLES, "", "whole");
    let rules = whole["rules"].items().iter();
    rules.map(|rule| rule["verbs"][0].str().to_owned()).collect()
}

#[test]
fn a_role_has_the_rules_of_those_that_it_selects_each_once_and_no_others() {
    let mut bed = Testbed::new(actor());
    bed.put(&ROLES, role("b", "yes", "get"));
    bed.put(&ROLES, role("a", "yes", "list"));
    bed.put(&ROLES, role("c", "yes", "get"));
    bed.put(&ROLES, role("d", "no", "delete"));
    let selector = map! { "matchLabels" => map! { "part" => "yes" } };
    bed.put(
        &ROLES,
        map! {
            "metadata" => map! { "name" => "whole" },
            "aggregationRule" => map! { "clusterRoleSelectors" => list![selector] },
        },
    );
    bed.run(1_000);
    assert_eq!(verbs(&bed), ["list", "get"]);
    bed.edit(ROLES, "", "d", |role| role.set(&["metadata", "labels", "part"], "yes"));
    bed.remove(ROLES, "", "a");
    bed.run(1_000);
    assert_eq!(verbs(&bed), ["get", "delete"]);
}
