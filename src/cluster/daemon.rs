//! A process that goes on until it is ended: started with its output in a file, in a process group
//! of its own, to which all that is done to it is done. It ends with the harness.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, Signal, kill_process_group};

use super::local::guarded;

/// How many lines of a process's output are told when it ended unasked, and how long each.
const TOLD: usize = 5;
const LINE: usize = 300;

/// How a process is started.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct Launch {
    pub(in crate::cluster) program: PathBuf,
    pub(in crate::cluster) arguments: Vec<String>,
    /// What is set in its environment.
    pub(in crate::cluster) env: Vec<(String, String)>,
    /// What is taken out of its environment.
    pub(in crate::cluster) without: Vec<&'static str>,
    /// Where it runs; here without.
    pub(in crate::cluster) folder: Option<Utf8PathBuf>,
    /// The file for what it prints.
    pub(in crate::cluster) log: Utf8PathBuf,
}

/// A process, and how it is started.
pub(in crate::cluster) struct Process {
    launch: Launch,
    child: Option<Child>,
    has_ended: bool,
}

impl Process {
    /// Starts `program`; what it prints goes to `NAME.log` in `folder`.
    pub(in crate::cluster) fn start(
        program: &Path,
        arguments: Vec<String>,
        folder: &Utf8Path,
    ) -> std::io::Result<Process> {
        let name = program.file_name().map(|name| name.to_string_lossy().into_owned());
        let log = folder.join(format!("{}.log", name.unwrap_or_default()));
        let program = program.to_owned();
        Process::launch(Launch { program, arguments, log, ..Launch::default() })
    }

    /// Starts a process.
    pub(in crate::cluster) fn launch(launch: Launch) -> std::io::Result<Process> {
        let mut process = Process { launch, child: None, has_ended: false };
        process.start_again()?;
        Ok(process)
    }

    /// Starts it anew. Answers whether it did not run.
    pub(in crate::cluster) fn start_again(&mut self) -> std::io::Result<bool> {
        if self.is_running() {
            return Ok(false);
        }
        let launch = &self.launch;
        let log = File::options().create(true).append(true).open(&launch.log)?;
        let mut command = guarded(&launch.program)?;
        for variable in &launch.without {
            command.env_remove(variable);
        }
        if let Some(folder) = &launch.folder {
            command.current_dir(folder);
        }
        let child = command
            .args(&launch.arguments)
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for the harness, which ends its trials in order.
            .process_group(0)
            .spawn()?;
        self.child = Some(child);
        self.has_ended = false;
        Ok(true)
    }

    /// The last words of a process that ended by itself.
    pub(in crate::cluster) fn broken(&mut self) -> Option<String> {
        (self.child.is_some() && !self.is_running()).then(|| self.last_words())
    }

    pub(in crate::cluster) fn is_running(&mut self) -> bool {
        let Some(child) = self.child.as_mut().filter(|_| !self.has_ended) else { return false };
        self.has_ended = !matches!(child.try_wait(), Ok(None));
        if self.has_ended {
            // What it left behind in its group ends with it.
            self.to_group(Signal::KILL);
        }
        !self.has_ended
    }

    /// Ends it at once. Answers whether it ran.
    pub(in crate::cluster) fn kill(&mut self) -> bool {
        let was_running = self.is_running();
        if was_running {
            self.to_group(Signal::KILL);
        }
        if let Some(mut child) = self.child.take() {
            // One that has ended needs nothing more.
            let _ = child.wait();
        }
        was_running
    }

    /// Lets it stand still. Answers whether it runs.
    pub(in crate::cluster) fn pause(&mut self) -> bool {
        self.is_running() && self.to_group(Signal::STOP)
    }

    /// Lets it go on. Answers whether it runs.
    pub(in crate::cluster) fn resume(&mut self) -> bool {
        self.is_running() && self.to_group(Signal::CONT)
    }

    fn to_group(&self, signal: Signal) -> bool {
        let id = self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok());
        let group = id.and_then(Pid::from_raw);
        group.is_some_and(|group| kill_process_group(group, signal).is_ok())
    }

    /// Everything that it printed.
    pub(in crate::cluster) fn log(&self) -> &Utf8Path {
        &self.launch.log
    }

    /// What it printed last.
    pub(in crate::cluster) fn last_words(&self) -> String {
        let text = std::fs::read(&self.launch.log).unwrap_or_default();
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
