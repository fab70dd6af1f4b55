//! The list of all built-in controllers.

use kubesim_model::actor::Actor;

use super::{deployment, replicaset};

/// Makes a controller, with a bug of its `BUGS` planted.
pub type MakeActor = fn(Option<&str>) -> Box<dyn Actor>;

/// The built-in controllers: actor name and how to make one.
pub fn all() -> Vec<(&'static str, MakeActor)> {
    vec![
        ("deployment-controller", deployment::actor as MakeActor),
        ("replicaset-controller", replicaset::actor),
    ]
}
