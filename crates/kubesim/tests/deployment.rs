//! The simulated Deployment controller against kube-controller-manager: put before the same states,
//! it must write the same, in the same order.
//!
//! The states, and what the real controller wrote, stand in `fixtures/deployment/decisions.txt`.
//! Nothing else runs there, so that a state stays as it was put but for what the controller does:
//! sizes of ReplicaSets, what is noted on them, and the status of the Deployment. This test records
//! it anew when `SHAKEDOWN_REAL_API` and `SHAKEDOWN_REAL_TOKEN` name an API server on loopback with
//! an empty store, `SHAKEDOWN_REAL_CONTROLLER` is the command that runs the controller, and
//! `BLESS=1` is set; without it the test shows what the controller writes otherwise than recorded.

#[path = "deployment/case.rs"]
mod case;
#[path = "deployment/objects.rs"]
mod objects;
#[path = "deployment/prepare.rs"]
mod prepare;
#[path = "deployment/real.rs"]
mod real;
#[path = "deployment/simulated.rs"]
mod simulated;
#[path = "deployment/writes.rs"]
mod writes;

use std::fs;
use std::path::{Path, PathBuf};

use case::{Case, Corpus};
use real::Real;

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
        let now = simulated::writes(case);
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
    let Some(mut real) = Real::of_environment() else { return };
    let mut corpus = corpus();
    let mut written = real.writes(&corpus.cases);
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
