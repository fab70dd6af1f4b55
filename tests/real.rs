//! The same scenarios on real clusters: `suites/smoke` with what the simulation says beside it.
//!
//! The provider `local` is tried where the environment variable `SHAKEDOWN_K8S_BIN` names a folder
//! with etcd, kube-apiserver, kube-controller-manager and kube-scheduler, the provider `kind` where
//! `SHAKEDOWN_NODE_IMAGE` names a node image. Elsewhere it is said that they are not.

#![expect(clippy::print_stderr, reason = "the one way to say that nothing was run")]
#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const SUITE: &str = "suites/smoke";

/// Whether the environment has what a provider needs.
fn is_there(variable: &str) -> bool {
    let there = std::env::var_os(variable).is_some();
    if !there {
        eprintln!("not run: {variable} is not set");
    }
    there
}

fn shakedown(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    let reports = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real");
    command.args(arguments).arg("--reports").arg(reports).output().unwrap()
}

/// The verdicts of all trials, and what was said of them.
fn verdicts(arguments: &[&str]) -> (BTreeMap<String, String>, String) {
    let output = shakedown(&[&["run", SUITE, "--format", "json"], arguments].concat());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).expect(&errors);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let trials = report["trials"].as_array().expect("a run has trials");
    let verdicts =
        trials.iter().map(|trial| (text(&trial["name"]), text(&trial["verdict"]))).collect();
    (verdicts, report.to_string())
}

/// What is decided on a real cluster is decided as in the simulation. A trial may stay undecided: a
/// machine may be too busy, and trouble of the environment is never a failure.
fn is_said_alike(arguments: &[&str], real: &[&str]) {
    let (simulated, _) = verdicts(arguments);
    let (mut verdicts, report) = verdicts(&[arguments, real].concat());
    verdicts.retain(|_, verdict| verdict != "unknown");
    if verdicts.is_empty() {
        eprintln!("nothing was decided: {report}");
    }
    for (trial, verdict) in verdicts {
        assert_eq!(verdict, simulated[&trial], "{trial}: {report}");
    }
}

#[test]
fn a_real_control_plane_says_what_the_simulation_says() {
    if is_there("SHAKEDOWN_K8S_BIN") {
        is_said_alike(&[], &["--provider", "local", "--jobs", "2"]);
    }
}

#[test]
fn a_kind_cluster_says_what_the_simulation_says() {
    if is_there("SHAKEDOWN_NODE_IMAGE") {
        is_said_alike(&["--subject", "deployment"], &["--provider", "kind"]);
    }
}

#[test]
fn what_is_missing_is_named() {
    let empty = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-programs");
    std::fs::create_dir_all(&empty).unwrap();
    let folder = empty.to_str().unwrap();
    let output = shakedown(&["run", SUITE, "--provider", "local", "--k8s-bin", folder]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{errors}");
    assert!(errors.contains("there is no `kube-apiserver` in"), "{errors}");
    assert!(errors.contains("--k8s-bin"), "{errors}");
}
