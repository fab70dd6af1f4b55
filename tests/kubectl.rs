//! kubectl against `shakedown serve`: the commands of `fixtures/kubectl` must print what they print
//! on a real control plane with the same simulated nodes.
//!
//! What was printed there stands in `recorded.yaml` and `recorded-roles.yaml`; this test writes them
//! anew where `SHAKEDOWN_K8S_BIN` names etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl,
//! and `BLESS=1` is set. Without a kubectl of that version, there or on PATH, it is said that nothing
//! was run: others have other words.

#![expect(clippy::print_stderr, reason = "the one way to say that nothing was run")]
#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

#[path = "kubectl/normal.rs"]
mod normal;
#[expect(dead_code, unreachable_pub, reason = "the module is shared between tests")]
mod served;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use served::{Served, on_a_control_plane, programs, programs_called, scratch};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    files: BTreeMap<String, String>,
    commands: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    run: String,
    #[serde(default)]
    settle: u64,
    #[serde(default)]
    sorted: bool,
    /// Why serve answers otherwise.
    differs: Option<String>,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct Did {
    run: String,
    code: i32,
    printed: String,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kubectl")
}

/// Commands, what they printed on a real control plane, and how serve is started for them.
struct Scene {
    commands: &'static str,
    recorded: &'static str,
    serve: &'static [&'static str],
}

const ANYTHING: Scene =
    Scene { commands: "commands.yaml", recorded: "recorded.yaml", serve: &["--nodes", "2"] };
const ROLES: Scene = Scene {
    commands: "roles.yaml",
    recorded: "recorded-roles.yaml",
    serve: &["--nodes", "2", "--authorization", "rbac"],
};

impl Scene {
    fn script(&self) -> Script {
        let text = std::fs::read_to_string(fixtures().join(self.commands)).unwrap();
        serde_saphyr::from_str(&text).unwrap()
    }
}

/// The version whose words are recorded.
const VERSION: &str = "v1.36.";

/// kubectl, if it is there in this version.
fn kubectl() -> Option<PathBuf> {
    let found = programs_called("kubectl").into_iter().find(|path| {
        let asked = Command::new(path).args(["version", "--client"]).output();
        asked.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(VERSION))
    });
    if found.is_none() {
        eprintln!("not run: there is no kubectl {VERSION}x");
    }
    found
}

/// Runs all commands in a cluster.
fn conduct(script: &Script, kubectl: &Path, kubeconfig: &Path) -> Vec<Did> {
    let folder = scratch("files");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in &script.files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let run = |step: &Step| {
        std::thread::sleep(Duration::from_secs(step.settle));
        let mut command = Command::new(kubectl);
        command.args(step.run.split_whitespace()).current_dir(&folder).stdin(Stdio::null());
        command
            .env("KUBECONFIG", kubeconfig)
            .env("HOME", &folder)
            .env("KUBECTL_EXTERNAL_DIFF", "diff -u");
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let printed = normal::normal(&String::from_utf8_lossy(&text), step.sorted);
        Did { run: step.run.clone(), code: output.status.code().unwrap_or(-1), printed }
    };
    script.commands.iter().map(run).collect()
}

#[test]
fn kubectl_prints_what_it_prints_on_a_real_cluster() {
    prints_as_recorded(&ANYTHING);
}

#[test]
fn kubectl_prints_of_roles_what_it_prints_on_a_real_cluster() {
    prints_as_recorded(&ROLES);
}

fn prints_as_recorded(scene: &Scene) {
    let Some(kubectl) = kubectl() else { return };
    let text = std::fs::read_to_string(fixtures().join(scene.recorded)).unwrap();
    let recorded: Vec<Did> = serde_saphyr::from_str(&text).unwrap();
    let (served, script) = (Served::start(scene.serve), scene.script());
    let ours = conduct(&script, &kubectl, &served.kubeconfig);
    let differs: Vec<bool> = script.commands.iter().map(|one| one.differs.is_some()).collect();
    let runs = |all: &[Did]| all.iter().map(|one| one.run.clone()).collect::<Vec<_>>();
    assert_eq!(runs(&recorded), runs(&ours), "recorded are other commands; BLESS=1 records them");
    let mut complaints = Vec::new();
    for ((real, ours), differs) in recorded.iter().zip(&ours).zip(differs) {
        match (real == ours, differs) {
            (true, true) => complaints.push(format!("$ kubectl {}\nno more differs", ours.run)),
            (false, false) => complaints.push(format!(
                "$ kubectl {}\n--- real, exit code {}\n{}\n--- ours, exit code {}\n{}",
                ours.run, real.code, real.printed, ours.code, ours.printed
            )),
            _ => {}
        }
    }
    let count = complaints.len();
    assert!(complaints.is_empty(), "\n{}\n{count} of {}\n", complaints.join("\n"), ours.len());
}

#[test]
fn what_is_recorded_is_what_kubectl_prints() {
    if std::env::var_os("BLESS").is_none() || programs().is_none() {
        return;
    }
    let Some(kubectl) = kubectl() else { return };
    for scene in [ANYTHING, ROLES] {
        let script = scene.script();
        let act = |kubeconfig: &Path| conduct(&script, &kubectl, kubeconfig);
        let did = on_a_control_plane(act).unwrap();
        let text = serde_saphyr::to_string(&did).unwrap();
        std::fs::write(fixtures().join(scene.recorded), text).unwrap();
    }
}
