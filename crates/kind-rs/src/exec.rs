//! Running programs in a node, and moving files in and out of it.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::Utf8Path;

use crate::error::{Error, Failure};
use crate::invocation::{DEFAULT_OUTPUT_LIMIT, Invocation, OnLine, Output, Stdin, Stdout};
use crate::node::Node;

/// The program in the node is ended this much later than its client, so that it is always the
/// client whose end tells of a timeout.
const GUARD: Duration = Duration::from_secs(1);

/// A program to run in a node, as root.
///
/// ```
/// use std::time::Duration;
/// use kind_rs::Exec;
///
/// let plain = Exec::from(["ls", "/etc"]);
/// let more = Exec::new("cat").arg("-n").stdin("text").timeout(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    program: String,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    stdin: Stdin,
    stdout: Stdout,
    timeout: Option<Duration>,
    output_limit: usize,
}

impl Exec {
    /// A program without arguments.
    #[must_use]
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            stdin: Stdin::Empty,
            stdout: Stdout::Captured,
            timeout: None,
            output_limit: DEFAULT_OUTPUT_LIMIT,
        }
    }

    /// A script for the node's `sh`.
    #[must_use]
    pub fn sh(script: impl Into<String>) -> Self {
        Self::new("sh").arg("-c").arg(script)
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// What the program reads.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Stdin::Bytes(bytes.into());
        self
    }

    /// How long it may take, instead of [`Timeouts::exec`](crate::Timeouts::exec).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many bytes of each output are kept, instead of 16 MiB.
    #[must_use]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    fn invocation(self, node: &Node) -> Invocation {
        let timeout = self.timeout.unwrap_or(node.kind().timeouts().exec);
        let mut args = vec!["exec".to_owned()];
        if self.stdin != Stdin::Empty {
            args.push("--interactive".to_owned());
        }
        for (name, value) in &self.env {
            args.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        args.push(node.name().to_owned());
        // Killing the client leaves the program in the node running, so that has a guard there.
        let limit = timeout.saturating_add(GUARD).as_secs_f64();
        let guard = ["timeout", "-s", "KILL", &format!("{limit:.3}")].map(str::to_owned);
        args.extend(guard);
        args.push(self.program);
        args.extend(self.args);
        let mut invocation = node.kind().engine_invocation(args, timeout);
        (invocation.stdin, invocation.stdout) = (self.stdin, self.stdout);
        invocation.output_limit = self.output_limit;
        invocation
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for Exec {
    /// A program and its arguments. Without a program, `true` is run.
    fn from(words: [S; N]) -> Self {
        let mut words = words.into_iter();
        let program = words.next().map_or_else(|| "true".to_owned(), Into::into);
        Self::new(program).args(words)
    }
}

impl Node {
    /// Runs a program in the node to its end, whatever its exit code is. As in a shell, 127 is a
    /// program that is not there, and 128 plus a number the end by that signal.
    ///
    /// When it takes too long, or this future is dropped, the client is killed at once, and the
    /// program in the node with all its process group at most a second after its time is over.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if the node is paused or does not run; [`Error::TimedOut`].
    pub async fn exec(&self, exec: impl Into<Exec>) -> Result<Output, Error> {
        let invocation = exec.into().invocation(self);
        self.run_exec(&invocation, None).await
    }

    /// Runs a program that has to succeed, and tells each line that it writes as an error when it
    /// comes.
    pub(crate) async fn exec_lines(&self, exec: Exec, tell: OnLine<'_>) -> Result<(), Error> {
        let invocation = exec.invocation(self);
        let output = self.run_exec(&invocation, Some(tell)).await?;
        if output.is_success() { Ok(()) } else { Err(Error::failed(&invocation, &output)) }
    }

    /// Runs a program in the node that has to succeed.
    ///
    /// # Errors
    /// Those of [`exec`](Self::exec); [`Error::Failed`] if the exit code is not 0.
    pub async fn exec_checked(&self, exec: impl Into<Exec>) -> Result<Output, Error> {
        let invocation = exec.into().invocation(self);
        let output = self.run_exec(&invocation, None).await?;
        if output.is_success() { Ok(output) } else { Err(Error::failed(&invocation, &output)) }
    }

    /// Runs a program that has to succeed, and understands all that it wrote.
    pub(crate) async fn exec_parsed<T>(
        &self,
        exec: Exec,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, Error> {
        let invocation = exec.invocation(self);
        let output = self.run_exec(&invocation, None).await?;
        if !output.is_success() {
            return Err(Error::failed(&invocation, &output));
        }
        let unreadable = |why: String| Error::unreadable(invocation.line(), why, &output.stdout);
        if output.truncated {
            return Err(unreadable(format!("more than {} bytes", invocation.output_limit)));
        }
        parse(&output.stdout).map_err(unreadable)
    }

    async fn run_exec<'a>(
        &'a self,
        invocation: &'a Invocation,
        on_line: Option<OnLine<'a>>,
    ) -> Result<Output, Error> {
        let output = self.kind().run(invocation, on_line).await?;
        if self.kind().engine().refused_exec(&output) {
            let failure = Box::new(Failure::new(invocation, &output));
            return Err(Error::Unreachable { node: self.name().to_owned(), failure });
        }
        Ok(output)
    }

    /// Writes a file in the node, or overwrites it. Its folder has to be there.
    ///
    /// # Errors
    /// Those of [`exec_checked`](Self::exec_checked).
    pub async fn write_file(
        &self,
        path: &Utf8Path,
        content: impl Into<Vec<u8>>,
    ) -> Result<(), Error> {
        let exec = Exec::sh(r#"cat > "$0""#).arg(path.as_str()).stdin(content);
        self.exec_checked(exec).await.map(drop)
    }

    /// The content of a file of the node, of at most 16 MiB.
    ///
    /// # Errors
    /// Those of [`exec_checked`](Self::exec_checked); [`Error::Unreadable`] if it is longer.
    pub async fn read_file(&self, path: &Utf8Path) -> Result<Vec<u8>, Error> {
        self.exec_parsed(cat(path), |bytes| Ok(bytes.to_vec())).await
    }

    /// Copies a file of this machine into the node, with its permissions. Unlike the container
    /// engine's own copying it needs a running node, and it also works in `/tmp` and `/run`, which
    /// are file systems of their own in a node.
    ///
    /// # Errors
    /// Those of [`exec_checked`](Self::exec_checked); [`Error::Io`] if `from` can't be read.
    pub async fn copy_in(&self, from: &Utf8Path, to: &Utf8Path) -> Result<(), Error> {
        let mode = permissions(from)
            .map_err(|source| Error::Io { command: format!("stat {from}"), source })?;
        let mut exec = Exec::sh(r#"cat > "$0" && chmod "$1" "$0""#)
            .args([to.as_str(), &mode])
            .timeout(self.kind().timeouts().load);
        exec.stdin = Stdin::File(from.to_owned());
        self.exec_checked(exec).await.map(drop)
    }

    /// Copies a file of the node to this machine. What is there is overwritten, also if the copy
    /// fails half-way.
    ///
    /// # Errors
    /// Those of [`exec_checked`](Self::exec_checked); [`Error::Io`] if `to` can't be written.
    pub async fn copy_out(&self, from: &Utf8Path, to: &Utf8Path) -> Result<(), Error> {
        let mut exec = cat(from).timeout(self.kind().timeouts().load);
        exec.stdout = Stdout::File(to.to_owned());
        self.exec_checked(exec).await.map(drop)
    }
}

fn cat(path: &Utf8Path) -> Exec {
    Exec::from(["cat", "--", path.as_str()])
}

/// The permissions of a file as `chmod` takes them.
fn permissions(path: &Utf8Path) -> std::io::Result<String> {
    let metadata = std::fs::metadata(path)?;
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
    #[cfg(not(unix))]
    let mode = if metadata.permissions().readonly() { 0o444 } else { 0o644 };
    Ok(format!("{mode:o}"))
}
