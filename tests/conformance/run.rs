//! Specs in processes of `e2e.test`: a few in each, for it takes long to start, and several processes
//! side by side.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use crate::list::Spec;
use crate::served::scratch;

/// How long a process may take besides its specs, how long each of those, and how long it is waited
/// for after that.
const START: u64 = 60;
const SECONDS: u64 = 60;
const GRACE: u64 = 60;
const LOOK: Duration = Duration::from_millis(50);

/// How many processes run side by side, and how many specs each has at most. They wait most of the
/// time.
const SIDE_BY_SIDE: usize = 4;
const IN_ONE: usize = 12;

/// How much of a failure's text is kept.
const KEPT: usize = 300;

/// The programs that run specs.
pub struct Programs {
    pub specs: PathBuf,
    pub kubectl: PathBuf,
}

/// What came of a spec: nothing, or why it failed.
pub type Outcome = Result<(), String>;

/// Runs specs, each with the name of its group, and answers what came of each by its full name.
pub fn all(
    programs: &Programs,
    kubeconfig: &Path,
    specs: &[(String, Spec)],
) -> BTreeMap<String, Outcome> {
    let outcomes = Mutex::new(BTreeMap::new());
    let (serial, others): (Vec<_>, Vec<_>) = specs.iter().partition(|(_, spec)| spec.is_serial());
    let spread = others.len().div_ceil(SIDE_BY_SIDE).clamp(1, IN_ONE);
    for (specs, in_one, workers) in [(others, spread, SIDE_BY_SIDE), (serial, IN_ONE, 1)] {
        let batches: VecDeque<&[&(String, Spec)]> = specs.chunks(in_one).collect();
        let queue = Mutex::new(batches);
        let next = || queue.lock().unwrap().pop_front();
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(batch) = next() {
                        let came = run(programs, kubeconfig, batch);
                        outcomes.lock().unwrap().extend(came);
                    }
                });
            }
        });
    }
    outcomes.into_inner().unwrap()
}

fn run(
    programs: &Programs,
    kubeconfig: &Path,
    batch: &[&(String, Spec)],
) -> BTreeMap<String, Outcome> {
    let folder = scratch("specs");
    std::fs::create_dir_all(&folder).unwrap();
    let report = folder.join("report.json");
    let log = File::create(folder.join("log")).unwrap();
    let names: Vec<String> = batch.iter().map(|(group, spec)| spec.full_name(group)).collect();
    let seconds = batch.iter().map(|(_, spec)| spec.seconds.unwrap_or(SECONDS)).sum::<u64>();
    let flag = |name: &str, value: &Path| format!("--{name}={}", value.display());
    let mut command = Command::new(&programs.specs);
    command
        .args([flag("kubeconfig", kubeconfig), flag("kubectl-path", &programs.kubectl)])
        .args(names.iter().map(|name| format!("--ginkgo.focus={}", escaped(name))))
        .arg(format!("--ginkgo.timeout={}s", START + seconds))
        .arg(flag("ginkgo.json-report", &report))
        .args(["--provider=skeleton", "--ginkgo.no-color", "--ginkgo.grace-period=15s"])
        .args(["--allowed-not-ready-nodes=0", "--minStartupPods=0", "--dump-logs-on-failure=false"])
        .args(["--system-daemonsets-startup-timeout=0", "--disable-log-dump"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let mut child = command.spawn().unwrap();
    let mut left = Duration::from_secs(START + seconds + GRACE);
    while child.try_wait().unwrap().is_none() {
        if left.is_zero() {
            let _ = child.kill();
            let _ = child.wait();
            break;
        }
        std::thread::sleep(LOOK);
        left = left.saturating_sub(LOOK);
    }
    let told = told(&std::fs::read_to_string(&report).unwrap_or_default());
    let missing = || Err("it did not run".to_owned());
    let outcomes = names.into_iter().map(|name| {
        let outcome = told.get(&name).cloned().unwrap_or_else(missing);
        (name, outcome)
    });
    let outcomes: BTreeMap<String, Outcome> = outcomes.collect();
    if outcomes.values().all(Result::is_ok) {
        let _ = std::fs::remove_dir_all(&folder);
    } else {
        eprintln!("see {}", folder.display());
    }
    outcomes
}

/// What a report says of each spec that ran.
fn told(report: &str) -> BTreeMap<String, Outcome> {
    let suites: Value = serde_json::from_str(report).unwrap_or_default();
    let specs = suites[0]["SpecReports"].as_array().cloned().unwrap_or_default();
    let ran = specs.iter().filter(|spec| {
        let is_spec = spec["LeafNodeType"] == "It";
        is_spec && spec["State"] != "skipped" && spec["State"] != ""
    });
    ran.map(|spec| {
        let outer = spec["ContainerHierarchyTexts"].as_array().cloned().unwrap_or_default();
        let words = outer.iter().chain([&spec["LeafNodeText"]]).filter_map(Value::as_str);
        let name = words.collect::<Vec<_>>().join(" ");
        let state = spec["State"].as_str().unwrap_or_default();
        let outcome = match state {
            "passed" => Ok(()),
            state => {
                let text = spec["Failure"]["Message"].as_str().unwrap_or_default();
                let words: Vec<&str> = text.split_whitespace().collect();
                let text: String = words.join(" ").chars().take(KEPT).collect();
                Err(format!("{state}: {text}"))
            }
        };
        let seconds = spec["RunTime"].as_u64().unwrap_or_default() / 1_000_000_000;
        eprintln!("{state} {seconds:4} s  {name}");
        (name, outcome)
    })
    .collect()
}

/// A text as a regular expression of Go that means it.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let special = r"\.+*?()|[]{}^$".contains(c);
            special.then_some('\\').into_iter().chain([c])
        })
        .collect()
}
