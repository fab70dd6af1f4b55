//! The simulated Deployment controller against kube-controller-manager: put before the same states,
//! it must write the same, in the same order.
//!
//! The states, and what the real controller wrote, stand in `fixtures/deployment/decisions.txt`.
//! Nothing else runs there, so that a state stays as it was put but for what the controller does:
//! sizes of ReplicaSets, what is noted on them, and the status of the Deployment. This test records
//! it anew when `SHAKEDOWN_REAL_API` and `SHAKEDOWN_REAL_TOKEN` name an API server on loopback with
//! an empty store, `SHAKEDOWN_REAL_CONTROLLER` is the command that runs the controller, and
//! `BLESS=1` is set; without it the test shows what the controller writes otherwise than recorded.

#[path = "recorded/case.rs"]
mod case;
#[path = "recorded/compare.rs"]
mod compare;
#[path = "deployment/facts.rs"]
mod facts;
#[path = "deployment/objects.rs"]
mod objects;
#[path = "deployment/prepare.rs"]
mod prepare;
#[path = "recorded/real.rs"]
mod real;
#[path = "recorded/simulated.rs"]
mod simulated;
#[path = "recorded/theme.rs"]
mod theme;
#[path = "recorded/writes.rs"]
mod writes;

use serde_json::Value;

use case::Case;
use theme::{Facts, Kind, Server, Theme};

const FILE: &str = "deployment/decisions.txt";

struct Deployments;

impl Theme for Deployments {
    fn controller(&self) -> &'static str {
        "deployment-controller"
    }

    fn kinds(&self) -> Vec<Kind> {
        vec![prepare::DEPLOYMENT, prepare::REPLICA_SET]
    }

    fn prepare(&self, server: &mut dyn Server, case: &Case) {
        prepare::prepare(server, case);
    }

    fn shown(&self, object: &Value) -> String {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if name.starts_with("web-") { "new".to_owned() } else { name.to_owned() }
    }

    fn facts(&self, object: &Value) -> Facts {
        facts::of(object)
    }
}

#[test]
fn the_simulated_controller_writes_what_the_real_one_wrote() {
    compare::with_simulated(&Deployments, FILE);
}

#[test]
fn the_real_controller_writes_what_was_recorded() {
    compare::with_real(&Deployments, FILE);
}
