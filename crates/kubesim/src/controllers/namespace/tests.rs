//! Facts about the namespace controller.

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use super::actor;
use crate::testbed::{Testbed, pod};

fn cluster(bug: Option<&str>) -> Testbed {
    let mut bed = Testbed::new(actor(bug));
    bed.put(
        &Resource::NAMESPACES,
        map! {
            "metadata" => map! { "name" => "n" },
            "spec" => map! { "finalizers" => list!["kubernetes"] },
        },
    );
    bed.put(&Resource::PODS, pod("p", "w1", "1"));
    let config = map! { "metadata" => map! { "name" => "c", "namespace" => "n" } };
    bed.put(&Resource::CONFIG_MAPS, config);
    bed.run(1_000);
    bed
}

fn terminate(bed: &mut Testbed) {
    bed.edit(Resource::NAMESPACES, "", "n", |namespace| {
        namespace.set(&["metadata", "deletionTimestamp"], object::timestamp(0));
    });
    bed.run(1_000);
}

#[test]
fn a_namespace_loses_its_pods_first_then_the_rest_then_itself() {
    let mut bed = cluster(None);
    assert_eq!(bed.requests, 0);
    let grace = |pod: &mut Tree| pod.set(&["spec", "terminationGracePeriodSeconds"], 30);
    bed.edit(Resource::PODS, "n", "p", grace);
    terminate(&mut bed);
    assert!(object::is_terminating(&bed.pod("p")));
    let told = |bed: &Testbed| {
        let namespace = bed.get(Resource::NAMESPACES, "", "n");
        let conditions = namespace["status"]["conditions"].items().iter();
        conditions.map(|one| one["status"].text()).collect::<Vec<_>>()
    };
    assert_eq!(told(&bed), ["False"; 5]);
    // Longer than its grace.
    bed.run(60_000);
    assert!(!bed.get(Resource::CONFIG_MAPS, "n", "c").is_null());
    assert_eq!(told(&bed), ["False", "False", "True", "False", "False"]);
    bed.remove(Resource::PODS, "n", "p");
    bed.run(20_000);
    assert!(bed.get(Resource::CONFIG_MAPS, "n", "c").is_null());
    assert!(bed.get(Resource::NAMESPACES, "", "n").is_null());
}

#[test]
fn what_is_kept_in_a_namespace_is_told() {
    let mut bed = cluster(None);
    bed.remove(Resource::PODS, "n", "p");
    bed.edit(Resource::CONFIG_MAPS, "n", "c", |config| {
        config.set(&["metadata", "finalizers"], list!["a.b/c"]);
    });
    terminate(&mut bed);
    bed.run(1_000);
    let said = |bed: &Testbed, kind: &str| {
        let namespace = bed.get(Resource::NAMESPACES, "", "n");
        object::condition(&namespace, kind).map(|one| one["message"].str().to_owned())
    };
    let content = said(&bed, "NamespaceContentRemaining");
    let told = "Some resources are remaining: configmaps. has 1 resource instances";
    assert_eq!(content.as_deref(), Some(told));
    let kept = said(&bed, "NamespaceFinalizersRemaining").unwrap();
    assert!(kept.ends_with("a.b/c in 1 resource instances"), "{kept}");
    let failed = said(&bed, "NamespaceDeletionContentFailure").unwrap();
    assert!(failed.starts_with("All content successfully deleted"), "{failed}");
}

#[test]
fn the_planted_bug_leaves_the_content_behind() {
    let mut bed = cluster(Some("forgets-content"));
    terminate(&mut bed);
    assert!(bed.get(Resource::NAMESPACES, "", "n").is_null());
    assert!(!bed.pod("p").is_null());
}
