//! One process of a control plane: started with its output in a file, stopped with the plane.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};

use super::guard::guarded;
use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, Signal, kill_process};

/// How many lines of a process's output are told when it ended unasked, and how long each.
const TOLD: usize = 5;
const LINE: usize = 300;

/// A process, and how it is started.
pub(super) struct Process {
    program: std::path::PathBuf,
    arguments: Vec<String>,
    log: Utf8PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Starts `program`; what it prints goes to `NAME.log` in `folder`.
    pub(super) fn start(
        program: &Path,
        arguments: Vec<String>,
        folder: &Utf8Path,
    ) -> std::io::Result<Process> {
        let name = program.file_name().map(|name| name.to_string_lossy().into_owned());
        let log = folder.join(format!("{}.log", name.unwrap_or_default()));
        let program = program.to_owned();
        let mut process = Process { program, arguments, log, child: None };
        process.start_again()?;
        Ok(process)
    }

    /// Starts it anew. Answers whether it did not run.
    pub(super) fn start_again(&mut self) -> std::io::Result<bool> {
        if self.is_running() {
            return Ok(false);
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        let child = guarded(&self.program)?
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for the harness, which ends its trials in order.
            .process_group(0)
            .spawn()?;
        self.child = Some(child);
        Ok(true)
    }

    /// The last words of a process that ended by itself.
    pub(super) fn broken(&mut self) -> Option<String> {
        (self.child.is_some() && !self.is_running()).then(|| self.last_words())
    }

    fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Ends it at once. Answers whether it ran.
    pub(super) fn kill(&mut self) -> bool {
        let was_running = self.is_running();
        if let Some(mut child) = self.child.take() {
            // One that has ended needs nothing more.
            let _ = child.kill();
            let _ = child.wait();
        }
        was_running
    }

    /// Lets it stand still. Answers whether it runs.
    pub(super) fn pause(&mut self) -> bool {
        self.signal(Signal::STOP)
    }

    /// Lets it go on. Answers whether it runs.
    pub(super) fn resume(&mut self) -> bool {
        self.signal(Signal::CONT)
    }

    fn signal(&mut self, signal: Signal) -> bool {
        let id = self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok());
        let pid = id.and_then(Pid::from_raw);
        self.is_running() && pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// What it printed last.
    pub(super) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        last_words(&String::from_utf8_lossy(&text))
    }
}

/// The last lines of a log that tell of trouble; if there are none, the last ones. Of a panic the
/// message is told, not where it came from.
fn last_words(log: &str) -> String {
    let told = log.lines().take_while(|line| !line.starts_with("goroutine "));
    let told: Vec<&str> = told.filter(|line| !line.is_empty()).collect();
    let trouble: Vec<&str> = told.iter().copied().filter(|line| !is_calm(line)).collect();
    let lines = if trouble.is_empty() { told } else { trouble };
    let lines = lines[lines.len().saturating_sub(TOLD)..].iter();
    let lines = lines.map(|line| line.chars().take(LINE).collect::<String>());
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a line of etcd or of a Kubernetes component (klog) only says what goes on.
fn is_calm(line: &str) -> bool {
    let klog =
        line.strip_prefix('I').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    klog || line.contains(r#""level":"info""#)
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::last_words;

    #[test]
    fn the_last_words_tell_of_trouble_and_not_of_what_went_well() {
        let log = "{\"level\":\"info\",\"msg\":\"a\"}\n\
                   {\"level\":\"panic\",\"error\":\"no space left on device\"}\n\
                   panic: failed to create WAL\n\ngoroutine 1 [running]:\nmain.main()\n";
        let words = "{\"level\":\"panic\",\"error\":\"no space left on device\"}\n\
                     panic: failed to create WAL";
        assert_eq!(last_words(log), words);
        assert_eq!(last_words("I1126 a\nE1126 b\nI1126 c"), "E1126 b");
        assert_eq!(last_words("I1126 a\nI1126 b"), "I1126 a\nI1126 b");
    }
}
