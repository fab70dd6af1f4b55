//! The folder of a run: `run.json`, `junit.xml`, and for each trial `history.jsonl`, `plan.json`,
//! `verdict.json` and what programs under test printed. Trials are written as they finish. What
//! can't be written is told once and loses nothing else.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;

use super::junit;
use super::model::RunReport;
use crate::check::Outcome;
use crate::history::History;
use crate::plan::StoredPlan;
use crate::run::{ProgramLog, TrialResult};

/// How many bytes of histories of trials that went as expected are kept; plans and verdicts are
/// kept of all, and a plan repeats its history.
pub const HISTORY_BYTES: u64 = 1 << 30;

/// Why something could not be written.
#[derive(Debug, Error)]
#[error("`{path}` can't be written: {source}")]
pub struct WriteError {
    /// What.
    pub path: Utf8PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// The folder of a run while it is being written.
#[derive(Debug)]
pub struct RunFolder {
    path: Utf8PathBuf,
    used: BTreeSet<String>,
    bytes: u64,
    left_out: usize,
}

impl RunFolder {
    /// Makes the folder `name` in `reports`.
    ///
    /// # Errors
    /// It can't be made, or is there already.
    pub fn create(reports: &Utf8Path, name: &str) -> Result<RunFolder, WriteError> {
        let path = reports.join(name);
        fs::create_dir_all(reports)
            .and_then(|()| fs::create_dir(&path))
            .map_err(|source| WriteError { path: path.clone(), source })?;
        Ok(RunFolder { path, used: BTreeSet::new(), bytes: 0, left_out: 0 })
    }

    /// Where it is.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Of how many trials the history was not kept, to stay within [`HISTORY_BYTES`].
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Makes the folder of a trial with its plan; answers its name.
    ///
    /// # Errors
    /// The disk's.
    pub fn plan(&mut self, plan: &StoredPlan) -> Result<String, WriteError> {
        let name = self.free_name(&plan.trial);
        let folder = self.path.join(&name);
        fs::create_dir(&folder).map_err(|source| WriteError { path: folder.clone(), source })?;
        self.write(&format!("{name}/plan.json"), &plan.to_json())?;
        Ok(name)
    }

    /// Writes what came of the trial in the folder `name`.
    ///
    /// # Errors
    /// The disk's.
    pub fn result(&mut self, name: &str, result: &TrialResult) -> Result<(), WriteError> {
        let TrialResult { history, judgement, logs } = result;
        self.write(&format!("{name}/verdict.json"), &json(judgement))?;
        for log in logs {
            let path = self.path.join(name).join(log_name(log));
            fs::write(&path, &log.text).map_err(|source| WriteError { path, source })?;
        }
        if judgement.outcome == Outcome::Met && self.bytes >= HISTORY_BYTES {
            self.left_out += 1;
            return Ok(());
        }
        let path = self.path.join(name).join("history.jsonl");
        self.bytes += write_history(&path, history)?;
        Ok(())
    }

    /// Writes the reports of the whole run.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(&self, report: &RunReport) -> Result<(), WriteError> {
        self.write("run.json", &json(report))?;
        self.write("junit.xml", &junit::render(report))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), WriteError> {
        let path = self.path.join(name);
        fs::write(&path, text).map_err(|source| WriteError { path, source })
    }

    /// A folder name of a trial: what shells and file systems take, and no two the same.
    fn free_name(&mut self, trial: &str) -> String {
        const LONGEST: usize = 150;
        let plain = |c: char| match c {
            '/' => '.',
            c if c.is_ascii_alphanumeric() || "-_=,.".contains(c) => c,
            _ => '-',
        };
        let mut name: String = trial.chars().map(plain).collect();
        if name.len() > LONGEST {
            // The end tells the seed.
            let end = name.split_off(name.len() - LONGEST / 3);
            name.truncate(LONGEST - LONGEST / 3 - 1);
            name = format!("{name}~{end}");
        }
        let mut free = name.clone();
        let mut number = 2;
        while !self.used.insert(free.to_lowercase()) {
            free = format!("{name}~{number}");
            number += 1;
        }
        free
    }
}

/// The name of the file in a trial's folder for what a program printed.
pub fn log_name(log: &ProgramLog) -> String {
    format!("{}.log", log.program.replace('/', "."))
}

/// Writes a history to a file; answers its size in bytes.
///
/// # Errors
/// The disk's.
pub fn write_history(path: &Utf8Path, history: &History) -> Result<u64, WriteError> {
    let failed = |source| WriteError { path: path.to_owned(), source };
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    history.write(&mut file).and_then(|()| file.flush()).map_err(failed)?;
    Ok(fs::metadata(path).map_or(0, |about| about.len()))
}

/// Points `latest` beside the run's folder at it.
///
/// # Errors
/// The disk's, or something else than a link stands there.
#[cfg(unix)]
pub fn point_at(reports: &Utf8Path, name: &str) -> Result<(), WriteError> {
    let path = reports.join("latest");
    let made = match fs::symlink_metadata(&path) {
        Ok(about) if !about.is_symlink() => Err(io::Error::other("it is there, and no link")),
        _ => {
            // Made aside and renamed, so that `latest` always is there.
            let aside = reports.join(format!(".latest-{name}"));
            std::os::unix::fs::symlink(name, &aside).and_then(|()| fs::rename(&aside, &path))
        }
    };
    made.map_err(|source| WriteError { path, source })
}

/// Links need rights that users of other systems don't have.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn point_at(_: &Utf8Path, _: &str) -> Result<(), WriteError> {
    Ok(())
}

/// As JSON text, ending in a newline.
pub fn json(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("reports have text keys only");
    text.push('\n');
    text
}
