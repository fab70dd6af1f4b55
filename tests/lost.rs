//! What a trial stands on is taken away from under it: it stays undecided, is told why, and leaves
//! nothing behind. It is never a failure of the controller.
//!
//! On a control plane where `SHAKEDOWN_K8S_BIN` names its programs, on a kind cluster where
//! `SHAKEDOWN_NODE_IMAGE` names a node image.

#![expect(clippy::print_stderr, reason = "the one way to say that nothing was run")]
#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(200);
/// How long a trial gets to be in the middle of it.
const BEGINS: Duration = Duration::from_secs(8);
/// How long a cluster may take to be there.
const THERE: u32 = 3_000;
/// "Something could not be decided because the environment failed."
const ENVIRONMENT: Option<i32> = Some(5);

/// A run in a folder of its own.
struct Trial {
    place: PathBuf,
    harness: Child,
}

impl Trial {
    fn start(name: &str, provider: &[&str]) -> Trial {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lost-{name}"));
        let _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir_all(place.join("tmp")).unwrap();
        let mut run = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        run.args(["run", "suites/smoke/release-beside-a-frozen-host.yaml"]);
        run.args(["--subject", "deployment"]).args(provider);
        run.arg("--reports").arg(place.join("reports")).env("TMPDIR", place.join("tmp"));
        let harness = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Trial { place, harness }
    }

    /// Waits until something is there, and the trial is in the middle of it.
    fn wait_for<T>(&mut self, what: &str, there: impl Fn(&Trial) -> Option<T>) -> T {
        for _ in 0..THERE {
            if let Some(found) = there(self) {
                std::thread::sleep(BEGINS);
                return found;
            }
            assert!(self.harness.try_wait().unwrap().is_none(), "it ended without {what}");
            std::thread::sleep(LOOK);
        }
        panic!("there is no {what}");
    }

    /// The process of this name that works in the trial's folder.
    fn process(&self, name: &str) -> Option<String> {
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut pids = all.filter_map(|entry| entry.file_name().into_string().ok());
        pids.find(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            let program = line.split('\0').next().unwrap_or_default();
            program.ends_with(name) && line.contains(self.place.to_str().unwrap())
        })
    }

    /// The run ends by itself, undecided for these words, and nothing of it stays.
    fn ends_undecided(self, words: &str) {
        let Output { status, stdout, stderr } = self.harness.wait_with_output().unwrap();
        let said =
            [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert_eq!(status.code(), ENVIRONMENT, "{said}");
        assert!(said.contains("unknown") && said.contains(words), "{said}");
        let left: Vec<_> = std::fs::read_dir(self.place.join("tmp")).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?} stayed");
    }
}

fn is_there(variable: &str) -> bool {
    let there = std::env::var_os(variable).is_some();
    if !there {
        eprintln!("not run: {variable} is not set");
    }
    there
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn a_control_plane_that_ends_half_way_decides_nothing() {
    if !is_there("SHAKEDOWN_K8S_BIN") {
        return;
    }
    for name in ["etcd", "kube-apiserver"] {
        let mut trial = Trial::start(name, &["--provider", "local"]);
        trial.wait_for("scheduler", |trial| trial.process("kube-scheduler"));
        let pid = trial.process(name).unwrap();
        assert!(succeeds("kill", &["-KILL", &pid]));
        trial.ends_undecided(&format!("`{name}` has ended"));
    }
}

#[test]
fn a_node_that_somebody_else_stops_decides_nothing() {
    if !is_there("SHAKEDOWN_NODE_IMAGE") {
        return;
    }
    let mut trial = Trial::start("node", &["--provider", "kind"]);
    let own = format!("-{}-", trial.harness.id());
    let worker = trial.wait_for("journal of a cluster", |trial| {
        let folders = std::fs::read_dir(trial.place.join("tmp")).ok()?.flatten();
        let folder = folders.map(|entry| entry.path()).find(|path| {
            path.to_string_lossy().contains(&own) && path.join("undo.jsonl").exists()
        })?;
        Some(format!("{}-worker2", folder.file_name()?.to_str()?))
    });
    assert!(succeeds("docker", &["kill", &worker]));
    trial.ends_undecided("nobody of this trial did that");
}
