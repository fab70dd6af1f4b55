//! One run of an external program, as data, and the seam through which all of them go.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use camino::Utf8PathBuf;

/// How many bytes of each output are kept unless an invocation says otherwise.
pub const DEFAULT_OUTPUT_LIMIT: usize = 16 * 1024 * 1024;

/// What a program reads on its standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stdin {
    /// Nothing: end of file at once.
    #[default]
    Empty,
    /// These bytes, then end of file.
    Bytes(Vec<u8>),
    /// The content of a file of this machine.
    File(Utf8PathBuf),
}

/// Where a program's standard output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stdout {
    /// Into [`Output::stdout`].
    #[default]
    Captured,
    /// Into a file of this machine, which is created or overwritten.
    File(Utf8PathBuf),
}

/// One run of an external program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The name of the program, looked up on `PATH`, or its path.
    pub program: String,
    /// Its arguments; no shell ever sees them.
    pub args: Vec<String>,
    /// Environment variables on top of those of this process.
    pub env: BTreeMap<String, String>,
    /// What it reads.
    pub stdin: Stdin,
    /// Where its results go.
    pub stdout: Stdout,
    /// How long it may take; it is killed afterwards.
    pub timeout: Duration,
    /// How many bytes of each output are kept; what comes after them is read and dropped.
    pub output_limit: usize,
}

impl Invocation {
    /// A run of `program` with `args` that may take as long as `timeout`.
    pub fn new<I>(program: impl Into<String>, args: I, timeout: Duration) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            stdin: Stdin::Empty,
            stdout: Stdout::Captured,
            timeout,
            output_limit: DEFAULT_OUTPUT_LIMIT,
        }
    }

    /// The command as one would type it into a shell, with quotes where a shell needs them.
    #[must_use]
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// How a program ended and what it wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote on standard output.
    pub stdout: Vec<u8>,
    /// What it wrote on standard error.
    pub stderr: Vec<u8>,
    /// Whether one of the outputs was longer than the limit and lost its end.
    pub truncated: bool,
}

impl Output {
    /// A run that succeeded and wrote `stdout`.
    pub fn success(stdout: impl Into<Vec<u8>>) -> Self {
        Self { code: Some(0), stdout: stdout.into(), ..Self::default() }
    }

    /// A run that ended with `code` and wrote `stderr`.
    pub fn failure(code: i32, stderr: impl Into<Vec<u8>>) -> Self {
        Self { code: Some(code), stderr: stderr.into(), ..Self::default() }
    }

    /// Whether it ended with exit code 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// Standard output as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// Why a program has no [`Output`].
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// There is no such program.
    NotFound,
    /// It could not be started, fed or read.
    Io(io::Error),
    /// It took longer than [`Invocation::timeout`] and was killed; what it wrote until then.
    TimedOut(Box<Output>),
}

/// What is told of each line that a program writes on standard error, while it runs.
pub type OnLine<'a> = &'a mut (dyn FnMut(&str) + Send);

/// A run that has not ended yet. Dropping it kills the program.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Output, RunError>> + Send + 'a>>;

/// Runs programs: for real ([`Processes`](crate::Processes)) or from recorded answers
/// ([`Recorded`](crate::Recorded)).
pub trait Runner: fmt::Debug + Send + Sync {
    /// Runs `invocation` to its end, and tells `on_line` of each line on standard error as it
    /// comes. An implementation keeps to the timeout and kills the program when it is dropped.
    fn run<'a>(&'a self, invocation: &'a Invocation, on_line: Option<OnLine<'a>>) -> Running<'a>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_quoted_where_a_shell_needs_it() {
        let args = ["exec", "n-1", "sh", "-c", "echo it's", ""];
        let line = Invocation::new("docker", args, Duration::ZERO).line();
        assert_eq!(line, r"docker exec n-1 sh -c 'echo it'\''s' ''");
    }
}
