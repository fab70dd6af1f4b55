//! What can go wrong, with what is needed to understand it: the command, its end and its outputs.

use std::fmt;
use std::io;
use std::time::Duration;

use semver::Version;

use crate::engine::Engine;
use crate::invocation::{Invocation, Output, RunError};

/// How many bytes of an output an error carries: its end, where programs say what went wrong.
const CARRIED: usize = 4 * 1024;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is not installed.
    #[error("`{program}` is not installed or not on PATH")]
    Missing {
        /// The program that was looked for.
        program: String,
    },
    /// A program is older than what this crate was made for.
    #[error("{program} {found} is too old: {needed} or later is needed")]
    TooOld {
        /// The program.
        program: String,
        /// Its version.
        found: Version,
        /// The oldest version that will do.
        needed: Version,
    },
    /// None of the container engines that kind can use is installed.
    #[error("no container engine: install Docker, Podman or nerdctl")]
    NoEngine,
    /// A container engine is installed, but its daemon does not run or may not be used.
    #[error("{engine} is installed but does not answer: {failure}")]
    EngineDown {
        /// The engine.
        engine: Engine,
        /// How it answered instead.
        failure: Box<Failure>,
    },
    /// A program ended with an error.
    #[error("{0}")]
    Failed(Box<Failure>),
    /// A program took too long and was killed.
    #[error("`{}` did not end within {} s{}", .0.command, .0.limit.as_secs_f64(), .0.last_words())]
    TimedOut(Box<Timeout>),
    /// A program could not be started, fed or read, or a file of this machine could not be used.
    #[error("can't run `{command}`: {source}")]
    Io {
        /// The command line.
        command: String,
        /// Why not.
        source: io::Error,
    },
    /// A program succeeded, but what it wrote could not be understood.
    #[error("can't understand what `{command}` answered: {why}")]
    Unreadable {
        /// The command line.
        command: String,
        /// What is wrong with it.
        why: String,
        /// The end of what it wrote.
        output: String,
    },
    /// There is no such cluster, node or container.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// `cluster`, `node` or `container`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A cluster of this name exists already.
    #[error("a cluster `{name}` exists already: delete it or take another name")]
    ClusterExists {
        /// The name.
        name: String,
    },
    /// The cluster was created and is still there, but its control plane was not Ready in time.
    #[error("the control plane of cluster `{name}` was not Ready within {} s", .waited.as_secs_f64())]
    NotReady {
        /// The name of the cluster.
        name: String,
        /// How long kind waited.
        waited: Duration,
    },
    /// No command can be run in a node now: its container is paused, stopped or gone.
    #[error("no command can be run in node `{node}`: {failure}")]
    Unreachable {
        /// The name of the node.
        node: String,
        /// How the container engine put it.
        failure: Box<Failure>,
    },
    /// A value that can't be passed on.
    #[error("`{value}` can't be a {what}: {why}")]
    Invalid {
        /// What it was given for.
        what: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Error {
    /// Whether a program took too long.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut(_))
    }

    /// The end of the program that failed, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::EngineDown { failure, .. }
            | Self::Failed(failure)
            | Self::Unreachable { failure, .. } => Some(failure),
            _ => None,
        }
    }

    pub(crate) fn failed(invocation: &Invocation, output: &Output) -> Self {
        Self::Failed(Box::new(Failure::new(invocation, output)))
    }

    pub(crate) fn of_run(invocation: &Invocation, error: RunError) -> Self {
        match error {
            RunError::NotFound => Self::Missing { program: invocation.program.clone() },
            RunError::Io(source) => Self::Io { command: invocation.line(), source },
            RunError::TimedOut(output) => Self::TimedOut(Box::new(Timeout {
                command: invocation.line(),
                limit: invocation.timeout,
                stdout: carried(&output.stdout),
                stderr: carried(&output.stderr),
            })),
        }
    }

    pub(crate) fn unreadable(command: String, why: impl fmt::Display, output: &[u8]) -> Self {
        Self::Unreadable { command, why: why.to_string(), output: carried(output) }
    }
}

/// How a program failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The command line, quoted for a shell.
    pub command: String,
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
    /// The last 4 KiB of its standard output.
    pub stdout: String,
    /// The last 4 KiB of its standard error.
    pub stderr: String,
}

impl Failure {
    pub(crate) fn new(invocation: &Invocation, output: &Output) -> Self {
        Self {
            command: invocation.line(),
            code: output.code,
            signal: output.signal,
            stdout: carried(&output.stdout),
            stderr: carried(&output.stderr),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.command)?;
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "ended with exit code {code}")?,
            (None, Some(signal)) => write!(f, "was ended by signal {signal}")?,
            (None, None) => write!(f, "failed")?,
        }
        f.write_str(&last_words(&self.stdout, &self.stderr))
    }
}

/// What a program had written when its time was over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeout {
    /// The command line, quoted for a shell.
    pub command: String,
    /// How long it was allowed to take.
    pub limit: Duration,
    /// The last 4 KiB of its standard output.
    pub stdout: String,
    /// The last 4 KiB of its standard error.
    pub stderr: String,
}

impl Timeout {
    fn last_words(&self) -> String {
        last_words(&self.stdout, &self.stderr)
    }
}

/// The trimmed text of what matters for a reader: errors, or results if there are no errors.
fn last_words(stdout: &str, stderr: &str) -> String {
    let text = if stderr.trim().is_empty() { stdout.trim() } else { stderr.trim() };
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// The end of an output as text.
fn carried(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(CARRIED);
    let text = String::from_utf8_lossy(&bytes[start..]).into_owned();
    if start > 0 { format!("…{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation() -> Invocation {
        Invocation::new("docker", ["pause", "n"], Duration::from_millis(1500))
    }

    #[test]
    fn a_failure_shows_command_code_and_errors() {
        let error = Error::failed(&invocation(), &Output::failure(1, "No such container: n\n"));
        assert_eq!(
            error.to_string(),
            "`docker pause n` ended with exit code 1: No such container: n"
        );
    }

    #[test]
    fn a_timeout_is_told_from_a_failure() {
        let written = Box::new(Output { stdout: b"half".to_vec(), ..Output::default() });
        let error = Error::of_run(&invocation(), RunError::TimedOut(written));
        assert!(error.is_timeout());
        assert_eq!(error.to_string(), "`docker pause n` did not end within 1.5 s: half");
    }

    #[test]
    fn only_the_end_of_a_long_output_is_carried() {
        let text = carried(&[b"x".repeat(10_000), b"end".to_vec()].concat());
        assert!(text.len() < CARRIED + 8);
        assert!(text.starts_with('…') && text.ends_with("end"));
    }
}
