//! The simulated Deployment controller against kube-controller-manager: put before the same states,
//! it must write the same, in the same order.
//!
//! The states, and what the real controller wrote, stand in `fixtures/deployment/decisions.txt`.
//! Nothing else runs there, so that a state stays as it was put but for what the controller does:
//! sizes of ReplicaSets, what is noted on them, and the status of the Deployment. This test records
//! it anew when `SHAKEDOWN_REAL_API` and `SHAKEDOWN_REAL_TOKEN` name an API server on loopback with
//! an empty store, `SHAKEDOWN_REAL_CONTROLLER` is the command that runs the controller, and
//! `BLESS=1` is set; without it the test shows what the controller writes otherwise than recorded.

#[path = "api/arms.rs"]
#[allow(dead_code, reason = "the answers' headers are looked at elsewhere")]
mod arms;
#[path = "deployment/case.rs"]
mod case;
#[path = "deployment/objects.rs"]
mod objects;
#[path = "deployment/run.rs"]
mod run;
#[path = "deployment/writes.rs"]
mod writes;

use std::fs;
use std::path::{Path, PathBuf};

use arms::Real;
use case::{Case, Corpus};

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/deployment/decisions.txt")
}

fn corpus() -> Corpus {
    Corpus::read(&fs::read_to_string(path()).expect("the decisions are there"))
}

/// What a case has recorded and now has otherwise, for people.
fn difference(case: &Case, now: &[String]) -> String {
    let (recorded, now) = (case.writes.join("\n  - "), now.join("\n  + "));
    format!("{}:\n  - {recorded}\n  + {now}", case.name)
}

#[test]
fn the_simulated_controller_writes_what_the_real_one_wrote() {
    let only = std::env::var("SHAKEDOWN_CASE").unwrap_or_default();
    let mut complaints = Vec::new();
    for case in corpus().cases.iter().filter(|case| case.name.contains(&only)) {
        let now = run::simulated(case);
        match (&case.accepted, now == case.writes) {
            (None, false) => complaints.push(difference(case, &now)),
            (Some(_), true) => complaints.push(format!("{}: differs no more", case.name)),
            _ => {}
        }
    }
    assert!(complaints.is_empty(), "{}:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn the_real_controller_writes_what_was_recorded() {
    let Some(real) = Real::of_environment() else { return };
    let command = std::env::var("SHAKEDOWN_REAL_CONTROLLER").expect("a controller is to be run");
    let mut corpus = corpus();
    let mut written = run::real(&real, &command, &corpus.cases);
    let mut complaints = Vec::new();
    for case in &mut corpus.cases {
        let now = written.remove(&case.name).unwrap_or_default();
        if now != case.writes {
            complaints.push(difference(case, &now));
        }
        case.writes = now;
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(path(), corpus.text()).expect("recordings are writable");
    } else {
        assert!(complaints.is_empty(), "{}:\n{}", complaints.len(), complaints.join("\n"));
    }
}
