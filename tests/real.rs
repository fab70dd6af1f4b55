//! The same scenarios on real clusters: `suites/smoke` with what the simulation says beside it.
//!
//! The provider `local` is tried where the environment variable `SHAKEDOWN_K8S_BIN` names a folder
//! with etcd, kube-apiserver, kube-controller-manager and kube-scheduler, the provider `kind` where
//! `SHAKEDOWN_NODE_IMAGE` names a node image. Elsewhere it is said that they are not.

#![expect(clippy::print_stderr, reason = "the one way to say that nothing was run")]
#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// One test at a time has the machine: clusters side by side are slow, and then undecided.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shakedown(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    command.args(arguments).arg("--reports").arg(reports()).output().unwrap()
}

fn reports() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("real")
}

/// The verdicts of all trials, by all of their names but the seed, and what was said of them.
fn verdicts(arguments: &[&str]) -> (BTreeMap<String, String>, String) {
    let output = shakedown(&[&["run", SUITE, "--format", "json"], arguments].concat());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).expect(&errors);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let trials = report["trials"].as_array().expect("a run has trials");
    let case = |trial: &Value| {
        let name = text(&trial["name"]);
        name.rsplit_once("/seed-").map_or(name.clone(), |(case, _)| case.to_owned())
    };
    let verdicts = trials.iter().map(|trial| (case(trial), text(&trial["verdict"]))).collect();
    (verdicts, report.to_string() + &errors)
}

/// What is decided on a real cluster is decided as in the simulation, and something is; there it is
/// the subject `simulated`, on the real cluster `real`. A single trial may stay undecided, for trouble
/// of the environment is never a failure, or be skipped. Answers what was said.
fn is_said_alike(simulated: &str, real: &str, arguments: &[&str]) -> String {
    let (wanted, _) = verdicts(&["--subject", simulated]);
    let (mut verdicts, report) = verdicts(&[&["--subject", real], arguments].concat());
    verdicts.retain(|_, verdict| !["unknown", "skipped"].contains(&verdict.as_str()));
    assert!(!verdicts.is_empty(), "nothing was decided: {report}");
    for (trial, verdict) in verdicts {
        let (scenario, rest) = trial.split_once('/').unwrap();
        let same = format!("{scenario}/{}", rest.replacen(real, simulated, 1));
        assert_eq!(verdict, wanted[&same], "{trial}: {report}");
    }
    report
}

#[test]
fn a_real_control_plane_says_what_the_simulation_says() {
    let _alone = alone();
    if is_there("SHAKEDOWN_K8S_BIN") {
        for subject in ["deployment", "cloneset", "statefulset"] {
            is_said_alike(subject, subject, &["--provider", "local", "--jobs", "2"]);
        }
    }
}

#[test]
fn a_controller_beside_a_real_control_plane_is_judged_as_one_in_the_simulation() {
    let _alone = alone();
    if is_there("SHAKEDOWN_K8S_BIN") && is_built() {
        let local = ["--provider", "local", "--jobs", "2"];
        let report = is_said_alike("cloneset-kube", "cloneset-command", &local);
        assert!(report.contains("cloneset-command.log"), "{report}");
    }
}

/// Whether the reference controller is there as a program of its own, beside the harness: subjects
/// that are commands are looked for there. Tests of the whole workspace build it.
fn is_built() -> bool {
    let program = Path::new(env!("CARGO_BIN_EXE_shakedown")).with_file_name("cloneset-kube");
    let there = program.is_file();
    if !there {
        eprintln!("not run: {} is not built", program.display());
    }
    there
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
    let _alone = alone();
    if !is_there("SHAKEDOWN_NODE_IMAGE") {
        return;
    }
    let mut kept: Option<Kept> = None;
    for seed in ["1", "2"] {
        // A fault of a node, and then faults of the API: two trials a run.
        let real = ["--seed", seed, "--provider", "kind", "--keep", "--timings", "short"];
        let real = [&real[..], &["--jobs", "1"]].concat();
        let report = is_said_alike("deployment", "deployment", &real);
        assert!(!report.contains("given up") && !report.contains("anew"), "{report}");
        let name = report.split_whitespace().find(|word| word.starts_with("shakedown-kept-"));
        let name = name.unwrap_or_else(|| panic!("no cluster is kept: {report}"));
        match &kept {
            None => kept = Some(Kept(name.to_owned())),
            Some(kept) => assert_eq!(kept.0, name),
        }
        let mut check = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        let checked = check.arg("check").arg(reports().join("latest")).output().unwrap();
        assert!(checked.status.code() != Some(1), "{report}\n{checked:?}");
    }
}

#[test]
fn a_controller_in_a_kind_cluster_is_judged_as_one_in_the_simulation() {
    let _alone = alone();
    if !is_there("SHAKEDOWN_NODE_IMAGE") || !is_built() {
        return;
    }
    let archive = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cloneset-kube.tar");
    let mut image = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    assert!(image.args(["image", "--output"]).arg(&archive).status().unwrap().success());
    let others = std::env::var("SHAKEDOWN_WORKLOAD_IMAGES").unwrap_or_default();
    let archives = [&*others, archive.to_str().unwrap()];
    let archives = archives.iter().filter(|path| !path.is_empty()).copied();
    let archives = archives.collect::<Vec<_>>().join(":");
    is_said_alike(
        "cloneset-kube",
        "cloneset-image",
        &["--provider", "kind", "--images", &archives],
    );
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
