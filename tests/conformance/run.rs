//! One spec in a process of its own: however it ends, the others go on.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::list::Spec;
use crate::served::scratch;

/// How long a spec may take, and how long it is waited for after that.
const SECONDS: u64 = 150;
const GRACE: u64 = 60;

/// How many specs run side by side. They wait most of the time.
const SIDE_BY_SIDE: usize = 4;

/// How much of a failure's text is kept.
const KEPT: usize = 300;

/// The programs that run specs.
pub struct Programs {
    pub specs: PathBuf,
    pub kubectl: PathBuf,
}

/// What came of a spec: nothing, or why it failed.
pub type Outcome = Result<(), String>;

/// Runs specs, each with the name of its group, and answers what came of each in their order.
pub fn all(programs: &Programs, kubeconfig: &Path, specs: &[(String, Spec)]) -> Vec<Outcome> {
    let outcomes = Mutex::new(vec![Err("it did not run".to_owned()); specs.len()]);
    let numbered = specs.iter().enumerate();
    let (serial, others): (Vec<_>, Vec<_>) = numbered.partition(|(_, (_, spec))| spec.is_serial());
    for (queue, workers) in [(others, SIDE_BY_SIDE), (serial, 1)] {
        let queue = Mutex::new(VecDeque::from(queue));
        let next = || queue.lock().unwrap().pop_front();
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some((at, (group, spec))) = next() {
                        let began = Instant::now();
                        let outcome = run(programs, kubeconfig, group, spec);
                        let said = if outcome.is_ok() { "passes" } else { "fails" };
                        eprintln!("{said} {:4} s  {}", began.elapsed().as_secs(), spec.name);
                        outcomes.lock().unwrap()[at] = outcome;
                    }
                });
            }
        });
    }
    outcomes.into_inner().unwrap()
}

fn run(programs: &Programs, kubeconfig: &Path, group: &str, spec: &Spec) -> Outcome {
    let (folder, seconds) = (scratch("spec"), spec.seconds.unwrap_or(SECONDS));
    std::fs::create_dir_all(&folder).unwrap();
    let report = folder.join("report.json");
    let log = File::create(folder.join("log")).unwrap();
    let flag = |name: &str, value: &Path| format!("--{name}={}", value.display());
    let mut command = Command::new(&programs.specs);
    command
        .args([flag("kubeconfig", kubeconfig), flag("kubectl-path", &programs.kubectl)])
        .arg(format!("--ginkgo.focus=^{}$", escaped(&spec.full_name(group))))
        .arg(format!("--ginkgo.timeout={seconds}s"))
        .arg(flag("ginkgo.json-report", &report))
        .args(["--provider=skeleton", "--ginkgo.no-color", "--ginkgo.grace-period=15s"])
        .args(["--allowed-not-ready-nodes=0", "--minStartupPods=0", "--dump-logs-on-failure=false"])
        .args(["--system-daemonsets-startup-timeout=0", "--disable-log-dump"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let mut child = command.spawn().unwrap();
    let ends = Instant::now() + Duration::from_secs(seconds + GRACE);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > ends {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("it did not end; see {}", folder.display()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let outcome = told(&std::fs::read_to_string(&report).unwrap_or_default());
    match &outcome {
        Ok(()) => drop(std::fs::remove_dir_all(&folder)),
        Err(_) => eprintln!("see {}", folder.display()),
    }
    outcome
}

/// What a report says of the one spec that ran.
fn told(report: &str) -> Outcome {
    let suites: Value = serde_json::from_str(report).map_err(|_| "there is no report".to_owned())?;
    let specs = suites[0]["SpecReports"].as_array().cloned().unwrap_or_default();
    let ran = |spec: &&Value| spec["State"] != "skipped" && !spec["State"].is_null();
    let failed = specs.iter().filter(ran).find(|spec| spec["State"] != "passed");
    if let Some(failed) = failed {
        let text = failed["Failure"]["Message"].as_str().unwrap_or_default();
        let text: Vec<&str> = text.split_whitespace().collect();
        let text: String = text.join(" ").chars().take(KEPT).collect();
        return Err(format!("{}: {text}", failed["State"].as_str().unwrap_or_default()));
    }
    match specs.iter().filter(ran).any(|spec| spec["LeafNodeType"] == "It") {
        true => Ok(()),
        false => Err("there is no such spec".to_owned()),
    }
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
