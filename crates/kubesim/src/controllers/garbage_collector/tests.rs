//! Facts about the garbage collector controller.

use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map, object};

use super::actor;
use crate::testbed::{Testbed, pod};

fn owned_by(mut object: Tree, owners: &[(&str, &str, &str)]) -> Tree {
    let reference = |(api, kind, name): &(&str, &str, &str)| {
        map! {
            "apiVersion" => *api, "kind" => *kind, "name" => *name,
            "uid" => format!("uid-{name}"), "controller" => true, "blockOwnerDeletion" => true,
        }
    };
    let owners: Vec<Tree> = owners.iter().map(reference).collect();
    object.set(&["metadata", "ownerReferences"], owners);
    object
}

fn named(name: &str) -> Tree {
    map! { "metadata" => map! { "name" => name, "namespace" => "n" } }
}

/// A Deployment with a ReplicaSet with two pods that are not bound, so that they end at once.
fn cluster(bug: Option<&str>) -> Testbed {
    let mut bed = Testbed::new(actor(bug));
    bed.put(&Resource::DEPLOYMENTS, named("d"));
    bed.put(&Resource::REPLICA_SETS, owned_by(named("rs"), &[("apps/v1", "Deployment", "d")]));
    for name in ["p", "q"] {
        let pod = owned_by(pod(name, "", "1"), &[("apps/v1", "ReplicaSet", "rs")]);
        bed.put(&Resource::PODS, pod);
    }
    bed.run(1_000);
    bed
}

fn delete(bed: &mut Testbed, policy: &str) {
    let mut request = Request::delete(Resource::DEPLOYMENTS, ObjectKey::new("n", "d"));
    request.body.set(&["propagationPolicy"], policy);
    bed.request(&request).expect("deleted");
}

fn left(bed: &Testbed) -> [usize; 3] {
    [Resource::DEPLOYMENTS, Resource::REPLICA_SETS, Resource::PODS].map(|r| bed.all(&r).len())
}

#[test]
fn what_has_its_owners_is_left_alone_without_a_request() {
    let mut bed = cluster(None);
    bed.run(600_000);
    assert_eq!(left(&bed), [1, 1, 2]);
    assert_eq!(bed.requests, 0);
}

#[test]
fn a_background_deletion_goes_down_the_graph() {
    let mut bed = cluster(None);
    delete(&mut bed, "Background");
    assert_eq!(left(&bed), [0, 1, 2]);
    bed.run(1_000);
    assert_eq!(left(&bed), [0, 0, 0]);
}

#[test]
fn a_foreground_deletion_ends_with_the_owner() {
    let mut bed = cluster(None);
    bed.edit(Resource::PODS, "n", "p", |pod| pod.set(&["spec", "nodeName"], "w1"));
    bed.run(100);
    delete(&mut bed, "Foreground");
    bed.run(10_000);
    assert_eq!(left(&bed), [1, 1, 1], "a bound pod terminates, and its owners wait");
    assert!(object::is_terminating(&bed.pod("p")));
    bed.remove(Resource::PODS, "n", "p");
    bed.run(1_000);
    assert_eq!(left(&bed), [0, 0, 0]);
}

#[test]
fn those_that_own_each_other_in_a_circle_all_go() {
    let mut bed = Testbed::new(actor(None));
    for (name, owner) in [("x", "z"), ("y", "x"), ("z", "y")] {
        let owner = ("apps/v1", "ReplicaSet", owner);
        bed.put(&Resource::REPLICA_SETS, owned_by(named(name), &[owner]));
    }
    bed.run(1_000);
    assert_eq!(left(&bed), [0, 3, 0]);
    let mut request = Request::delete(Resource::REPLICA_SETS, ObjectKey::new("n", "x"));
    request.body.set(&["propagationPolicy"], "Foreground");
    bed.request(&request).expect("deleted");
    bed.run(10_000);
    assert_eq!(left(&bed), [0, 0, 0]);
}

#[test]
fn an_orphaning_deletion_leaves_the_dependents_without_reference() {
    let mut bed = cluster(None);
    delete(&mut bed, "Orphan");
    bed.run(1_000);
    assert_eq!(left(&bed), [0, 1, 2]);
    let set = bed.get(Resource::REPLICA_SETS, "n", "rs");
    assert!(set["metadata"]["ownerReferences"].items().is_empty());
    assert_eq!(object::controller_uid(&bed.pod("p")), "uid-rs");
}

#[test]
fn an_owner_of_the_same_name_with_another_uid_is_absent() {
    let mut bed = cluster(None);
    let mut other = named("other");
    other.set(&["metadata", "uid"], "another");
    bed.put(&Resource::REPLICA_SETS, other);
    let pod = owned_by(pod("stray", "", "1"), &[("apps/v1", "ReplicaSet", "other")]);
    bed.put(&Resource::PODS, pod);
    bed.run(1_000);
    assert!(bed.pod("stray").is_null());
    assert_eq!(left(&bed), [1, 2, 2]);
}

#[test]
fn an_owner_in_another_namespace_is_absent() {
    let mut bed = cluster(None);
    let mut stray = owned_by(pod("stray", "", "1"), &[("apps/v1", "ReplicaSet", "rs")]);
    stray.set(&["metadata", "namespace"], "m");
    bed.put(&Resource::PODS, stray);
    bed.run(1_000);
    assert!(bed.get(Resource::PODS, "m", "stray").is_null());
    assert_eq!(left(&bed), [1, 1, 2]);
}

#[test]
fn one_living_owner_is_enough_and_the_dead_reference_goes() {
    let mut bed = cluster(None);
    let owners = [("apps/v1", "ReplicaSet", "rs"), ("v1", "ConfigMap", "gone")];
    bed.put(&Resource::PODS, owned_by(pod("shared", "", "1"), &owners));
    bed.run(1_000);
    let pod = bed.pod("shared");
    assert_eq!(pod["metadata"]["ownerReferences"].items().len(), 1);
    assert_eq!(object::controller_uid(&pod), "uid-rs");
}

#[test]
fn the_planted_bugs_keep_orphans_or_delete_under_a_living_owner() {
    let mut bed = cluster(Some("leaves-orphans"));
    delete(&mut bed, "Background");
    bed.run(10_000);
    assert_eq!(left(&bed), [0, 1, 2]);
    for (bug, pods) in [(None, 2), (Some("deletes-live-dependents"), 0)] {
        let mut bed = cluster(bug);
        bed.edit(Resource::REPLICA_SETS, "n", "rs", |set| {
            set.set(&["metadata", "finalizers"], list!["example.com/mine"]);
            set.set(&["metadata", "deletionTimestamp"], object::timestamp(0));
        });
        bed.run(1_000);
        assert_eq!(left(&bed), [1, 1, pods]);
    }
}
