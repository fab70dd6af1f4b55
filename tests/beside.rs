//! Controllers of any language beside a simulated cluster: the provider `served`, with nothing but
//! this program. The controller that is tried is in Python; where there is none, that is said.

#![expect(clippy::print_stderr, reason = "the one way to say that nothing was run")]
#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use shakedown::check::Outcome;
use shakedown::cluster::{Served, Sim};
use shakedown::history::Body;
use shakedown::plan::{Selection, Trial, Workspace};
use shakedown::run::record_trial;
use shakedown::suite::Subject;
use shakedown::suite::ways::Run;

const EXAMPLE: &str = "examples/any-language";

/// How long a process may take to come or to end, and how often it is looked for.
const COMES: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// A folder for all that one harness reads and writes.
struct Place(PathBuf);

/// What came of a run.
struct Ran {
    code: Option<i32>,
    report: Value,
    said: String,
}

impl Place {
    /// A folder with the scenario of the example, and this subject instead of its own.
    fn new(name: &str) -> Place {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("beside-{name}"));
        let _ = std::fs::remove_dir_all(&place);
        for folder in ["tmp", "suite"] {
            std::fs::create_dir_all(place.join(folder)).unwrap();
        }
        for file in std::fs::read_dir(EXAMPLE).unwrap().flatten() {
            if file.path().is_file() {
                std::fs::copy(file.path(), place.join("suite").join(file.file_name())).unwrap();
            }
        }
        Place(place)
    }

    /// Puts `new` for `old` in a file of the suite.
    fn put(&self, file: &str, old: &str, new: &str) {
        let path = self.0.join("suite").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{file} has no {old}");
        std::fs::write(path, text.replace(old, new)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        command.arg("run").arg(self.0.join("suite")).args(arguments);
        command.arg("--reports").arg(self.0.join("reports"));
        command.env("TMPDIR", self.0.join("tmp")).env("XDG_STATE_HOME", self.0.join("state"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).args(["--format", "json"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_slice(&output.stdout).expect(&said);
        let left: Vec<_> = std::fs::read_dir(self.0.join("tmp")).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?} stayed");
        Ran { code: output.status.code(), report, said }
    }

    /// The processes that have a word of this place in their environment or on their command line.
    fn processes(&self) -> Vec<String> {
        let place = self.0.to_str().unwrap();
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let texts = all.filter_map(|entry| {
            let read = |file| std::fs::read(entry.path().join(file)).unwrap_or_default();
            let text = [read("cmdline"), read("environ")].concat();
            Some(String::from_utf8_lossy(&text).replace('\0', " "))
                .filter(|text| text.contains(place))
        });
        texts.collect()
    }

    /// Waits until `enough` says so of the processes of this place.
    fn wait_for(&self, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut waited = Duration::ZERO;
        while waited < COMES && !enough(&self.processes()) {
            std::thread::sleep(LOOK);
            waited += LOOK;
        }
        self.processes()
    }
}

impl Ran {
    fn trial(&self) -> &Value {
        &self.report["trials"][0]
    }

    /// Everything that was said, for when it is not as it should be.
    fn told(&self) -> String {
        format!("{:?} {}\n{:#}", self.code, self.said, self.report)
    }
}

fn has_python() -> bool {
    let asked = Command::new("python3").arg("--version").output();
    let there = asked.is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("not run: there is no python3 on PATH");
    }
    there
}

#[test]
fn a_controller_in_python_is_judged_without_anything_but_this_program() {
    if !has_python() {
        return;
    }
    let place = Place::new("python");
    let ran = place.run(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.told());
    let trial = ran.trial();
    assert_eq!(trial["verdict"], "pass", "{}", ran.told());
    assert_eq!(trial["provider"], "served", "{}", ran.told());
    let folder = place.0.join("reports/latest").join(trial["folder"].as_str().unwrap());
    let log = std::fs::read_to_string(folder.join("fleet.log")).unwrap();
    assert!(log.contains("create a pod") && log.contains("delete web-"), "{log}");
    // It was killed, and started again; it was refused, and an answer was lost.
    let history = std::fs::read_to_string(folder.join("history.jsonl")).unwrap();
    assert!(history.contains(r#""clock":"wall""#), "{}", history.lines().next().unwrap());
    for word in [r#""phase":"crashed""#, r#""incarnation":2"#, r#""injected":true"#] {
        assert!(history.contains(word), "no {word}");
    }
    // What was recorded is judged alike, and without running anything.
    let mut check = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    let checked = check.arg("check").arg(folder.join("history.jsonl")).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}

#[test]
fn a_bug_of_a_controller_in_python_is_caught() {
    if !has_python() {
        return;
    }
    let place = Place::new("bug");
    place.put("fleet.py", "MAX_UNAVAILABLE = 1", "MAX_UNAVAILABLE = 9");
    let ran = place.run(&[]);
    assert_eq!(ran.code, Some(1), "{}", ran.told());
    assert_eq!(ran.trial()["verdict"], "fail", "{}", ran.told());
    // So that the command which repeats it allows them.
    assert_eq!(ran.trial()["runs_commands"], true, "{}", ran.told());
    let failed = ran.trial()["judgement"]["requirements"].as_array().unwrap().iter();
    let failed: Vec<&Value> = failed.filter(|one| one["verdict"] == "fail").collect();
    assert!(failed.len() == 1 && failed[0]["id"] == "BUDGET-3", "{}", ran.told());
}

/// The trial of the scenario in `fixtures/served` with this subject.
fn trial(subject: &str) -> Trial {
    let workspace = Workspace::open(&["fixtures/served".into()], None).unwrap();
    let subjects = vec![subject.to_owned()];
    let selection = Selection { subjects, ..Selection::default() };
    let mut trial = workspace.trials(&selection).unwrap().remove(0);
    let mut subject = Subject::clone(&trial.subject);
    if let Run::Command(run) = &mut subject.run {
        // It stands beside the harness, which is not this process.
        run.command[0] = program().to_str().unwrap().into();
    }
    trial.subject = Arc::new(subject);
    trial
}

/// The reference controller as a program, which is there where the whole workspace is built.
fn program() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_shakedown")).with_file_name("cloneset-kube")
}

#[test]
fn a_served_cluster_says_what_the_simulation_says() {
    let mut pairs = vec![("deployment", "deployment"), ("cloneset", "cloneset")];
    match program().is_file() {
        true => pairs.push(("cloneset-kube", "cloneset-command")),
        false => eprintln!("not run: {} is not built", program().display()),
    }
    std::thread::scope(|scope| {
        for (simulated, served) in pairs {
            let trials = (trial(simulated), trial(served));
            scope.spawn(move || {
                let wanted = record_trial(&trials.0, false, &Sim).unwrap().judgement;
                let judged = record_trial(&trials.1, false, &Served).unwrap();
                let said = &judged.judgement;
                assert_eq!(said.verdict, wanted.verdict, "{served}: {said:#?}");
                assert_eq!(said.outcome, Outcome::Met, "{served}: {said:#?}");
                // Who made each change is known, and who was told of it.
                let mut events = judged.history.events.iter();
                assert!(!events.any(|event| matches!(event.body, Body::Gap(_))), "{served}");
            });
        }
    });
}

#[test]
fn a_program_that_does_not_work_decides_nothing_and_is_quoted() {
    let garbled = "[sh, -c, \"echo '{'; echo no such flag >&2; exit 2\"]";
    for (name, command, words) in [
        ("missing", "[no-such-controller]", "there is no `no-such-controller` on PATH"),
        ("elsewhere", "[./nowhere]", "there is no `./nowhere` in"),
        ("garbled", garbled, "without asking the API for anything: no such flag"),
    ] {
        let place = Place::new(name);
        place.put("subject.yaml", "[python3, fleet.py]", command);
        let ran = place.run(&[]);
        assert_eq!(ran.code, Some(5), "{}", ran.told());
        assert_eq!(ran.trial()["verdict"], "unknown", "{}", ran.told());
        assert!(ran.told().contains(words), "{}", ran.told());
    }
}

#[test]
fn a_program_without_an_address_for_it_is_skipped_and_the_way_is_named() {
    let place = Place::new("sim");
    let ran = place.run(&["--provider", "sim"]);
    assert_eq!(ran.trial()["verdict"], "skipped", "{}", ran.told());
    assert!(ran.told().contains("`--provider served` has it"), "{}", ran.told());
}

#[test]
fn a_program_ends_with_its_harness_when_that_is_killed() {
    let place = Place::new("killed");
    place.put("subject.yaml", "[python3, fleet.py]", "[sleep, \"1000\"]");
    let mut command = place.command(&[]);
    let mut harness = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = place.wait_for(|all| all.iter().any(|one| one.contains("sleep 1000")));
    assert!(begun.iter().any(|one| one.contains("sleep 1000")), "{begun:?}");
    harness.kill().unwrap();
    harness.wait().unwrap();
    let left = place.wait_for(<[String]>::is_empty);
    assert!(left.is_empty(), "{left:?} went on");
    // Its folder goes with the next run.
    let mut cleanup = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    cleanup.arg("cleanup").env("TMPDIR", place.0.join("tmp")).env("PATH", "");
    assert!(cleanup.env("XDG_STATE_HOME", place.0.join("state")).status().unwrap().success());
    let left: Vec<_> = std::fs::read_dir(place.0.join("tmp")).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?} stayed");
}
