//! The owners of a `Scale`, which are those of its object's replicas (apimachinery v0.36,
//! `util/managedfields/scalehandler.go`).

use kubesim_model::Text;

use super::owners::{Operation, Owned, Owners};
use super::set::Set;
use super::step::Step;

/// The version of `Scale`.
pub(super) const VERSION: &str = "autoscaling/v1";

fn replicas_of_scale() -> Set {
    Set::of_fields(&["spec.replicas"])
}

/// The owners of the replicas at `path` as owners of a `Scale`, of which everybody uses its own
/// version.
pub(super) fn to_scale(owners: &Owners, path: &[Step]) -> Owners {
    let owners = owners.0.iter().filter(|(_, owned)| owned.fields.has_path(path));
    let owners = owners.map(|(owner, owned)| {
        let version = Text::new_static(VERSION);
        let mut owner = owner.clone();
        if owner.operation == Operation::Update {
            owner.version = version.clone();
        }
        (owner, Owned { version, fields: replicas_of_scale(), time: owned.time.clone() })
    });
    Owners(owners.collect())
}

/// The owners of the object after those of its `Scale` became `scaled`: who owned the replicas and
/// does not any more gives them up, and who came owns them, in `version`. The real server keeps no
/// time for those that came.
pub(super) fn to_parent(owners: Owners, scaled: Owners, path: &[Step], version: &str) -> Owners {
    let mut replicas = Set::default();
    replicas.insert(path);
    let mut owners = owners;
    let mut scaled = scaled;
    for (owner, owned) in &mut owners.0 {
        if owned.fields.has_path(path) && scaled.0.remove(owner).is_none() {
            owned.fields = owned.fields.difference(&replicas);
        }
    }
    owners.0.retain(|_, owned| !owned.fields.is_empty());
    for (owner, owned) in scaled.0 {
        if owned.fields.has_path(&[Step::field("spec"), Step::field("replicas")]) {
            let (version, fields) = (Text::new(version), replicas.clone());
            let time = owners.0.get(&owner).and_then(|have| have.time.clone());
            owners.0.insert(owner, Owned { version, fields, time });
        }
    }
    owners
}
