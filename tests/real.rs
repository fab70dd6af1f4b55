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
    verdicts_of(SUITE, arguments)
}

fn verdicts_of(suite: &str, arguments: &[&str]) -> (BTreeMap<String, String>, String) {
    let output = shakedown(&[&["run", suite, "--format", "json"], arguments].concat());
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

/// Makes the reference controller as a program of its own, beside the harness, where subjects that
/// are commands are looked for.
fn build_the_controller() {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "cloneset-kube"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success());
}

#[test]
fn a_controller_beside_a_real_control_plane_is_judged_as_one_in_the_simulation() {
    if !is_there("SHAKEDOWN_K8S_BIN") {
        return;
    }
    build_the_controller();
    let inside = |suite| verdicts_of(suite, &["--subject", "cloneset-kube"]);
    let beside = ["--subject", "cloneset-command", "--provider", "local", "--jobs", "2"];
    for suite in ["suites/smoke", "suites/in-place/controller-crashes-in-place.yaml"] {
        let (simulated, _) = inside(suite);
        let (real, report) = verdicts_of(suite, &beside);
        for (trial, verdict) in real {
            let same = &simulated[&trial.replace("cloneset-command", "cloneset-kube")];
            assert!(verdict == *same || verdict == "unknown", "{trial}: {report}");
        }
        assert!(report.contains("cloneset-command.log"), "{report}");
    }
}

/// A cluster that is deleted in the end.
struct Kept(String);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = Command::new("kind").args(["delete", "cluster", "--name", &self.0]).output();
        let _ = std::fs::remove_dir_all(std::env::temp_dir().join(&self.0));
    }
}

#[test]
fn one_kind_cluster_serves_trial_after_trial_and_run_after_run() {
    if !is_there("SHAKEDOWN_NODE_IMAGE") {
        return;
    }
    let mut kept: Option<Kept> = None;
    for seed in ["1", "2"] {
        // Without faults first, and then with one: two trials a run.
        let arguments = ["run", SUITE, "--subject", "deployment", "--seed", seed];
        let output = shakedown(&[&arguments[..], &["--provider", "kind", "--keep"]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("given up") && !errors.contains("anew"), "{errors}");
        let name = errors.split_whitespace().find(|word| word.starts_with("shakedown-kept-"));
        let name = name.unwrap_or_else(|| panic!("no cluster is kept: {errors}"));
        match &kept {
            None => kept = Some(Kept(name.to_owned())),
            Some(kept) => assert_eq!(kept.0, name),
        }
        let histories = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real/latest");
        let check =
            Command::new(env!("CARGO_BIN_EXE_shakedown")).arg("check").arg(histories).output();
        // What is undecided for want of a history can't be judged again.
        if output.status.success() {
            assert!(check.unwrap().status.success(), "{errors}");
        }
    }
}

#[test]
fn a_controller_in_a_kind_cluster_is_judged_as_one_in_the_simulation() {
    if !is_there("SHAKEDOWN_NODE_IMAGE") {
        return;
    }
    build_the_controller();
    let archive = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cloneset-kube.tar");
    let mut image = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    assert!(image.args(["image", "--output"]).arg(&archive).status().unwrap().success());
    let others = std::env::var("SHAKEDOWN_WORKLOAD_IMAGES").unwrap_or_default();
    let archives = [&*others, archive.to_str().unwrap()];
    let archives = archives.iter().filter(|path| !path.is_empty()).copied();
    let archives = archives.collect::<Vec<_>>().join(":");
    let (simulated, _) = verdicts(&["--subject", "cloneset-kube"]);
    let kind = ["--subject", "cloneset-image", "--provider", "kind", "--images", &archives];
    let (real, report) = verdicts(&kind);
    for (trial, verdict) in real {
        let same = &simulated[&trial.replace("cloneset-image", "cloneset-kube")];
        assert!(verdict == *same || verdict == "unknown", "{trial}: {report}");
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
