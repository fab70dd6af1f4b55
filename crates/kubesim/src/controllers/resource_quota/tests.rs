//! Facts about the ResourceQuota controller.

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::actor;
use crate::testbed::{Testbed, pod};

const QUOTAS: Resource = Resource::RESOURCE_QUOTAS;

fn quota(bed: &mut Testbed, hard: Tree, scopes: Tree) {
    bed.put(
        &QUOTAS,
        map! {
            "metadata" => map! { "name" => "q", "namespace" => "n" },
            "spec" => map! { "hard" => hard, "scopes" => scopes },
        },
    );
}

fn used(bed: &Testbed) -> Tree {
    bed.get(QUOTAS, "n", "q")["status"]["used"].clone()
}

#[test]
fn what_is_there_is_counted_and_what_goes_is_given_back() {
    let mut bed = Testbed::new(actor(None));
    for name in ["a", "b"] {
        bed.put(&Resource::PODS, pod(name, "worker-1", "250m"));
    }
    bed.put(&Resource::SECRETS, map! { "metadata" => map! { "name" => "s", "namespace" => "n" } });
    let hard = map! { "pods" => "5", "requests.cpu" => "2", "secrets" => "1", "count/pods" => "9" };
    quota(&mut bed, hard.clone(), Tree::Null);
    bed.run(1_000);
    let all =
        map! { "pods" => "2", "requests.cpu" => "500m", "secrets" => "1", "count/pods" => "2" };
    assert_eq!(used(&bed), all);
    assert_eq!(bed.get(QUOTAS, "n", "q")["status"]["hard"], hard);
    bed.remove(Resource::SECRETS, "n", "s");
    bed.edit(Resource::PODS, "n", "a", |pod| pod.set(&["status", "phase"], "Succeeded"));
    bed.run(1_000);
    let left =
        map! { "pods" => "1", "requests.cpu" => "250m", "secrets" => "0", "count/pods" => "2" };
    assert_eq!(used(&bed), left);
}

#[test]
fn what_comes_is_left_to_admission_until_the_next_count() {
    let mut bed = Testbed::new(actor(None));
    quota(&mut bed, map! { "pods" => "5" }, Tree::Null);
    bed.run(1_000);
    bed.put(&Resource::PODS, pod("a", "worker-1", "1"));
    bed.run(200_000);
    assert_eq!(used(&bed), map! { "pods" => "0" });
    bed.run(200_000);
    assert_eq!(used(&bed), map! { "pods" => "1" });
}

#[test]
fn a_quota_with_a_scope_counts_such_pods_and_nothing_else() {
    let mut bed = Testbed::new(actor(None));
    let mut ends = pod("a", "worker-1", "1");
    ends.set(&["spec", "activeDeadlineSeconds"], 60);
    bed.put(&Resource::PODS, ends);
    bed.put(&Resource::PODS, pod("b", "worker-1", "2"));
    let hard = map! { "pods" => "5", "cpu" => "5", "configmaps" => "1" };
    bed.put(
        &Resource::CONFIG_MAPS,
        map! { "metadata" => map! { "name" => "c", "namespace" => "n" } },
    );
    quota(&mut bed, hard, list!["Terminating"]);
    bed.run(1_000);
    assert_eq!(used(&bed), map! { "pods" => "1", "cpu" => "1", "configmaps" => "0" });
}

#[test]
fn what_nobody_can_count_is_not_in_use_until_its_type_is_defined() {
    let mut bed = Testbed::new(actor(None));
    quota(&mut bed, map! { "count/gadgets.example.com" => "1", "pods" => "1" }, Tree::Null);
    bed.run(1_000);
    assert_eq!(used(&bed), map! { "pods" => "0" });
    let names = map! { "plural" => "gadgets" };
    bed.put(
        &Resource::new("gadgets.example.com"),
        map! {
            "metadata" => map! { "name" => "g", "namespace" => "n" },
        },
    );
    bed.put(
        &Resource::CUSTOM_RESOURCE_DEFINITIONS,
        map! {
            "metadata" => map! { "name" => "gadgets.example.com" },
            "spec" => map! { "group" => "example.com", "names" => names },
        },
    );
    bed.run(400_000);
    assert_eq!(used(&bed), map! { "pods" => "0", "count/gadgets.example.com" => "1" });
}

#[test]
fn an_unchanged_count_is_not_written() {
    let mut bed = Testbed::new(actor(None));
    quota(&mut bed, map! { "pods" => "1", "limits.memory" => "1Gi" }, Tree::Null);
    bed.run(1_000_000);
    assert_eq!(bed.log.len(), 1);
}
