//! Trials with kube-rs programs: each in a process of its own, since some libraries count per
//! process (`futures::select!`), so that a history is the same bytes whatever ran before.
//!
//! The process is the same executable again, told by an environment variable to run one plan: it
//! reads the plan from its standard input and writes the history to the file that it is told.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use camino::Utf8PathBuf;

use super::trial::{TrialError, record_history};
use crate::cluster::process::ends_within;
use crate::cluster::{ClusterError, Program, Provider, Sim, this_executable};
use crate::history::{Clock, History, Limits};
use crate::plan::{StoredPlan, Trial};
use crate::subject::Programs;
use crate::suite::ways::Run;

/// Names the file for the history, in the environment of a process that runs one trial.
pub(super) const VARIABLE: &str = "SHAKEDOWN_TRIAL";

/// How long a trial may take.
const LONGEST: Duration = Duration::from_secs(600);

/// Whether this executable can be started again to run one trial.
static SERVES: AtomicBool = AtomicBool::new(false);

/// Runs one trial and ends the process, if it was started for that; else returns, and trials with
/// kube-rs programs get a process each from now on. To be called first in `main`, with the same
/// programs in every process (those that the library brings are known anyway): without it such
/// trials run in this process, and are repeated exactly only if the programs keep nothing per
/// process.
pub fn serve_trial(programs: &Programs) {
    let Some(file) = std::env::var_os(VARIABLE) else {
        SERVES.store(true, Ordering::SeqCst);
        return;
    };
    let code = match serve(programs, &PathBuf::from(&file)) {
        Ok(()) => 0,
        Err(text) => {
            // The parent shows it; if it can't be written there is nobody left to tell.
            let _ = std::fs::write(&file, text);
            1
        }
    };
    std::process::exit(code);
}

fn serve(programs: &Programs, file: &PathBuf) -> Result<(), String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    let plan = StoredPlan::parse(&text).map_err(|error| error.to_string())?;
    let mut trial = plan.trial().map_err(|wrong| format!("the plan's files: {wrong:?}"))?;
    trial.programs.extend(programs.clone());
    let history = here(&trial, plan.baseline).map_err(|error| error.to_string())?;
    let written = File::create(file).and_then(|file| {
        let mut to = BufWriter::new(file);
        history.write(&mut to)?;
        to.flush()
    });
    written.map_err(|error| error.to_string())
}

/// Whether a trial runs kube-rs programs in virtual time.
pub(super) fn is_needed(trial: &Trial, provider: &dyn Provider) -> bool {
    let named = match &trial.subject.run {
        Run::InProcess(name) => trial.programs.get(&name.value),
        _ => None,
    };
    provider.clock() == Clock::Virtual && matches!(named, Some(Program::Client { .. }))
}

/// The history of such a trial.
pub(super) fn record(
    trial: &Trial,
    baseline: bool,
    provider: &dyn Provider,
) -> Result<History, TrialError> {
    if !SERVES.load(Ordering::SeqCst) {
        return here(trial, baseline);
    }
    let plan = StoredPlan::of(trial, baseline, provider);
    elsewhere(&plan).map_err(|text| ClusterError::Environment(text).into())
}

fn here(trial: &Trial, baseline: bool) -> Result<History, TrialError> {
    let (seed, trial) = (trial.seed, trial.clone());
    kubesim_client::exactly(seed, move || {
        record_history(&trial, baseline, &Sim).map(|(history, _)| history)
    })
}

fn elsewhere(plan: &StoredPlan) -> Result<History, String> {
    let file = Temporary::new();
    let failed = |what: &str, error: std::io::Error| format!("{what}: {error}");
    let executable =
        this_executable().map_err(|error| failed("this executable is not found", error))?;
    let mut child = Command::new(executable)
        .env(VARIABLE, file.0.as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| failed("the process of a trial does not start", error))?;
    if let Some(mut to) = child.stdin.take() {
        // A child that ends before it has read everything says why in its file.
        let _ = to.write_all(plan.to_json().as_bytes());
    }
    if !ends(&mut child).map_err(|error| failed("the process of a trial is lost", error))? {
        let said = std::fs::read_to_string(&file.0).unwrap_or_default();
        let said = if said.is_empty() { "it crashed".to_owned() } else { said };
        return Err(format!("the process of the trial failed: {said}"));
    }
    let file = File::open(&file.0).map_err(|error| failed("no history of the trial", error))?;
    History::read(BufReader::new(file), &Limits::default()).map_err(|error| error.to_string())
}

/// Waits for the end of a process. Answers whether it ended well.
fn ends(child: &mut Child) -> std::io::Result<bool> {
    if let Some(status) = ends_within(child, LONGEST)? {
        return Ok(status.success());
    }
    child.kill()?;
    child.wait()?;
    let text = format!("it took more than {} s: does a program block?", LONGEST.as_secs());
    Err(std::io::Error::other(text))
}

/// A file for one history, gone when it is dropped.
struct Temporary(Utf8PathBuf);

impl Temporary {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("shakedown-{}-{number}.jsonl", std::process::id());
        let folder = Utf8PathBuf::from_path_buf(std::env::temp_dir());
        Temporary(folder.unwrap_or_else(|_| Utf8PathBuf::from(".")).join(name))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_file(&self.0);
    }
}
