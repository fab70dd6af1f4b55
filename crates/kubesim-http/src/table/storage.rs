//! Volumes and their classes.

use kubesim_model::Millis;
use kubesim_model::tree::Tree;

use super::cells::{age, created, len, or};
use super::sheet::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "persistentvolumeclaims",
        "Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age|+VolumeMode",
        claim,
    ),
    (
        "persistentvolumes",
        "Capacity|Access Modes|Reclaim Policy|Status|Claim|StorageClass|VolumeAttributesClass|\
         Reason|Age|+VolumeMode",
        volume,
    ),
    (
        "storageclasses.storage.k8s.io",
        "Provisioner|ReclaimPolicy|VolumeBindingMode|AllowVolumeExpansion|Age",
        class,
    ),
    ("volumeattachments.storage.k8s.io", "Attacher|PV|Node|?Attached|Age", attachment),
    ("volumeattributesclasses.storage.k8s.io", "DriverName|Age", attributes),
    (
        "csidrivers.storage.k8s.io",
        "?AttachRequired|?PodInfoOnMount|?StorageCapacity|TokenRequests|?RequiresRepublish|Modes|\
         Age",
        driver,
    ),
    ("csinodes.storage.k8s.io", "#Drivers|Age", node),
    ("csistoragecapacities.storage.k8s.io", "@Created At", created),
];

/// How volumes may be used, in short.
fn modes(modes: &Tree) -> Tree {
    let known = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |name: &str| modes.items().iter().any(|mode| *mode == name);
    let short: Vec<&str> =
        known.iter().filter(|(name, _)| has(name)).map(|(_, short)| *short).collect();
    short.join(",").into()
}

fn phase(found: &Tree) -> Tree {
    match found["metadata"]["deletionTimestamp"].is_null() {
        true => found["status"]["phase"].text().into(),
        false => "Terminating".into(),
    }
}

fn claim(found: &Tree, now: Millis) -> Vec<Tree> {
    let (spec, status) = (&found["spec"], &found["status"]);
    let bound = !spec["volumeName"].str().is_empty();
    let (capacity, how) = match bound {
        true => (status["capacity"]["storage"].text().into(), modes(&status["accessModes"])),
        false => ("".into(), "".into()),
    };
    vec![
        phase(found),
        spec["volumeName"].text().into(),
        capacity,
        how,
        spec["storageClassName"].text().into(),
        or(&status["currentVolumeAttributesClassName"], "<unset>"),
        age(found, now),
        or(&spec["volumeMode"], "<unset>"),
    ]
}

fn volume(found: &Tree, now: Millis) -> Vec<Tree> {
    let spec = &found["spec"];
    let claim = &spec["claimRef"];
    let claim = match claim.is_null() {
        true => String::new(),
        false => format!("{}/{}", claim["namespace"].str(), claim["name"].str()),
    };
    vec![
        spec["capacity"]["storage"].text().into(),
        modes(&spec["accessModes"]),
        spec["persistentVolumeReclaimPolicy"].text().into(),
        phase(found),
        claim.into(),
        spec["storageClassName"].text().into(),
        or(&spec["volumeAttributesClassName"], "<unset>"),
        found["status"]["reason"].text().into(),
        age(found, now),
        or(&spec["volumeMode"], "<unset>"),
    ]
}

fn class(found: &Tree, now: Millis) -> Vec<Tree> {
    vec![
        found["provisioner"].text().into(),
        or(&found["reclaimPolicy"], "Delete"),
        or(&found["volumeBindingMode"], "Immediate"),
        found["allowVolumeExpansion"].is_true().to_string().into(),
        age(found, now),
    ]
}

fn attachment(found: &Tree, now: Millis) -> Vec<Tree> {
    let spec = &found["spec"];
    vec![
        spec["attacher"].text().into(),
        spec["source"]["persistentVolumeName"].text().into(),
        spec["nodeName"].text().into(),
        found["status"]["attached"].is_true().into(),
        age(found, now),
    ]
}

fn attributes(found: &Tree, now: Millis) -> Vec<Tree> {
    vec![found["driverName"].text().into(), age(found, now)]
}

fn driver(found: &Tree, now: Millis) -> Vec<Tree> {
    let spec = &found["spec"];
    let modes = spec["volumeLifecycleModes"].items().iter().map(Tree::str);
    let modes: Vec<&str> = modes.collect();
    let audiences = spec["tokenRequests"].items().iter().map(|one| one["audience"].str());
    let audiences: Vec<&str> = audiences.collect();
    let audiences = if audiences.is_empty() { "<unset>".to_owned() } else { audiences.join(",") };
    vec![
        (spec["attachRequired"].as_bool() != Some(false)).into(),
        spec["podInfoOnMount"].is_true().into(),
        spec["storageCapacity"].is_true().into(),
        audiences.into(),
        spec["requiresRepublish"].is_true().into(),
        if modes.is_empty() { "<none>".into() } else { modes.join(",").into() },
        age(found, now),
    ]
}

fn node(found: &Tree, now: Millis) -> Vec<Tree> {
    vec![len(&found["spec"]["drivers"]).into(), age(found, now)]
}
