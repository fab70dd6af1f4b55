//! The harness is killed at random moments of a scenario, and nothing stays broken or left over.
//!
//! On a control plane where `SHAKEDOWN_K8S_BIN` names its programs, on kind clusters where
//! `SHAKEDOWN_NODE_IMAGE` names a node image. `SHAKEDOWN_KILLS=N` and `SHAKEDOWN_KILLS_KIND=N` say
//! how often, `SHAKEDOWN_SEED=N` draws other moments, `SHAKEDOWN_BIN` names another build of the
//! command.

#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use kubesim_model::stream::Stream;

/// How long after the harness what it has started may take to end.
const ENDS: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(50);

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A folder for all that one harness writes.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("killed-{name}"));
        let _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir_all(place.join("tmp")).unwrap();
        Place(place)
    }

    fn shakedown(&self, arguments: &[&str]) -> Command {
        let built = env!("CARGO_BIN_EXE_shakedown");
        let named = std::env::var("SHAKEDOWN_BIN").unwrap_or_else(|_| built.to_owned());
        let mut command = Command::new(named);
        command.args(arguments).env("TMPDIR", self.0.join("tmp"));
        command.env("XDG_STATE_HOME", self.0.join("state")).stdout(Stdio::null());
        command
    }

    /// Starts a run, and kills it after `wait`.
    fn kill_after(&self, arguments: &[&str], wait: Duration) -> u32 {
        let reports = self.0.join("reports");
        let arguments = [arguments, &["--reports", reports.to_str().unwrap()]].concat();
        let mut harness = self.shakedown(&arguments).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(wait);
        harness.kill().unwrap();
        harness.wait().unwrap();
        harness.id()
    }

    /// What `shakedown cleanup` leaves in the folders that it is about.
    fn cleaned(&self, path: Option<&OsStr>) -> Vec<String> {
        let mut command = self.shakedown(&["cleanup"]);
        path.map(|path| command.env("PATH", path));
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let all = ["tmp", "state/shakedown"].map(|folder| self.0.join(folder));
        let entries = all.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
        entries.flatten().map(|entry| entry.path().display().to_string()).collect()
    }

    /// The processes that work in its folders.
    fn processes(&self) -> Vec<String> {
        let place = self.0.to_str().unwrap();
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(place)).collect()
    }

    /// The same, once they have had the time to end.
    fn survivors(&self) -> Vec<String> {
        let mut waited = Duration::ZERO;
        while waited < ENDS && !self.processes().is_empty() {
            std::thread::sleep(LOOK);
            waited += LOOK;
        }
        self.processes()
    }
}

#[test]
fn a_control_plane_ends_with_its_harness_whenever_that_is_killed() {
    if std::env::var_os("SHAKEDOWN_K8S_BIN").is_none() {
        eprintln!("not run: SHAKEDOWN_K8S_BIN is not set");
        return;
    }
    let mut draws = Stream::new(number("SHAKEDOWN_SEED", 1), "kills");
    let place = Place::new("local");
    let run = ["run", "suites/smoke", "--provider", "local", "--subject", "deployment"];
    let (kills, mut with_processes) = (number("SHAKEDOWN_KILLS", 5), 0);
    for kill in 1..=kills {
        let wait = draws.between(0, 24_000);
        let begun = std::thread::scope(|scope| {
            let killed = scope.spawn(|| place.kill_after(&run, Duration::from_millis(wait)));
            std::thread::sleep(Duration::from_millis(wait.saturating_sub(100)));
            let processes = place.processes().len();
            killed.join().unwrap();
            processes
        });
        with_processes += usize::from(begun > 1);
        let left = place.survivors();
        assert!(left.is_empty(), "killed after {wait} ms, it left {left:?}");
        // Nothing of this is about kind, which takes its time.
        let left = place.cleaned(Some(OsStr::new("")));
        assert!(left.is_empty(), "killed after {wait} ms, {left:?} stayed");
        eprintln!("kill {kill} after {wait} ms: {begun} processes had begun, nothing is left");
    }
    eprintln!("{kills} kills, {with_processes} of them with a control plane at work");
}

#[test]
fn a_kind_cluster_is_taken_away_whenever_its_harness_is_killed() {
    let kills = number("SHAKEDOWN_KILLS_KIND", 0);
    if kills == 0 || std::env::var_os("SHAKEDOWN_NODE_IMAGE").is_none() {
        eprintln!("not run: SHAKEDOWN_NODE_IMAGE or SHAKEDOWN_KILLS_KIND is not set");
        return;
    }
    let mut draws = Stream::new(number("SHAKEDOWN_SEED", 1), "kills of kind");
    let place = Place::new("kind");
    let run = ["run", "suites/smoke", "--provider", "kind", "--subject", "deployment"];
    for kill in 1..=kills {
        let wait = draws.between(0, 120_000);
        let pid = place.kill_after(&run, Duration::from_millis(wait));
        let begun = nodes_of(pid).len();
        let left = place.cleaned(None);
        assert!(left.is_empty(), "killed after {wait} ms, {left:?} stayed");
        // What the container engine was doing is done by now.
        std::thread::sleep(ENDS);
        let left = nodes_of(pid);
        assert!(left.is_empty(), "killed after {wait} ms, the nodes {left:?} stayed");
        eprintln!("kill {kill} after {wait} ms: {begun} nodes were there, nothing is left");
    }
}

/// The containers of the clusters that a harness has made.
fn nodes_of(pid: u32) -> Vec<String> {
    let format = ["ps", "--all", "--format", "{{.Names}}"];
    let output = Command::new("docker").args(format).output().unwrap();
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let own = format!("-{pid}-");
    names.lines().filter(|name| name.contains(&own)).map(str::to_owned).collect()
}
