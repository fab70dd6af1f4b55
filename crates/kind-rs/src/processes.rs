//! Running programs for real: bounded outputs, a timeout, and no process that outlives its future.

use std::fs::File;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

use crate::invocation::{Invocation, OnLine, Output, RunError, Runner, Running, Stdin, Stdout};

/// A program may leave children that hold its pipes open; that long is waited for their end.
const PIPES_AFTER_EXIT: Duration = Duration::from_secs(2);
/// How long a killed program may take to be gone before it is left to the runtime to reap.
const REAPING: Duration = Duration::from_secs(2);
/// A line that is longer than this is passed on in pieces.
const LONGEST_LINE: usize = 64 * 1024;

/// Runs programs of this machine. Needs a Tokio runtime with I/O and time enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Processes;

impl Runner for Processes {
    fn run<'a>(&'a self, invocation: &'a Invocation, on_line: Option<OnLine<'a>>) -> Running<'a> {
        Box::pin(run(invocation, on_line))
    }
}

async fn run(invocation: &Invocation, mut on_line: Option<OnLine<'_>>) -> Result<Output, RunError> {
    let mut child = spawn(invocation)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut out = Kept::new(invocation.output_limit);
    let mut err = Kept::new(invocation.output_limit);
    let work = async {
        let mut lines = Lines::default();
        let reading = async {
            let reading_out = read(stdout, &mut out, |_| {});
            let reading_err = read(stderr, &mut err, |bytes| {
                if let Some(on_line) = &mut on_line {
                    lines.take(bytes, *on_line);
                }
            });
            let ((), (), ()) =
                tokio::join!(feed(stdin, &invocation.stdin), reading_out, reading_err);
        };
        let status = wait_for_both(&mut child, reading).await;
        if let Some(on_line) = &mut on_line {
            lines.finish(*on_line);
        }
        status
    };
    let ended = tokio::time::timeout(invocation.timeout, work).await;
    let mut output = Output { truncated: out.truncated || err.truncated, ..Output::default() };
    (output.stdout, output.stderr) = (out.bytes, err.bytes);
    match ended {
        Ok(status) => {
            let status = status.map_err(RunError::Io)?;
            (output.code, output.signal) = (status.code(), signal(status));
            Ok(output)
        }
        Err(_) => {
            // Failing to kill means that it ended just now; either way it is over.
            let _ = tokio::time::timeout(REAPING, child.kill()).await;
            Err(RunError::TimedOut(Box::new(output)))
        }
    }
}

fn spawn(invocation: &Invocation) -> Result<Child, RunError> {
    let mut command = Command::new(&invocation.program);
    command.args(&invocation.args).envs(&invocation.env);
    command.kill_on_drop(true).stderr(Stdio::piped());
    match &invocation.stdin {
        Stdin::Empty => command.stdin(Stdio::null()),
        Stdin::Bytes(_) => command.stdin(Stdio::piped()),
        Stdin::File(path) => command.stdin(opened(File::open(path), path.as_str())?),
    };
    match &invocation.stdout {
        Stdout::Captured => command.stdout(Stdio::piped()),
        Stdout::File(path) => command.stdout(opened(File::create(path), path.as_str())?),
    };
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => RunError::NotFound,
        _ => RunError::Io(error),
    })
}

fn opened(file: io::Result<File>, path: &str) -> Result<Stdio, RunError> {
    match file {
        Ok(file) => Ok(Stdio::from(file)),
        Err(error) => Err(RunError::Io(io::Error::new(error.kind(), format!("{path}: {error}")))),
    }
}

/// Waits for the end of the program and of its outputs.
async fn wait_for_both(
    child: &mut Child,
    reading: impl Future<Output = ()>,
) -> io::Result<ExitStatus> {
    tokio::pin!(reading);
    tokio::select! {
        () = &mut reading => child.wait().await,
        status = child.wait() => {
            let _ = tokio::time::timeout(PIPES_AFTER_EXIT, reading).await;
            status
        }
    }
}

async fn feed(pipe: Option<ChildStdin>, stdin: &Stdin) {
    if let (Some(mut pipe), Stdin::Bytes(bytes)) = (pipe, stdin) {
        // A program may end or close its input before it has read all: its exit code tells more.
        let _ = pipe.write_all(bytes).await;
        let _ = pipe.shutdown().await;
    }
}

async fn read<R: AsyncRead + Unpin>(pipe: Option<R>, kept: &mut Kept, mut tell: impl FnMut(&[u8])) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        kept.take(&buffer[..length]);
        tell(&buffer[..length]);
    }
}

/// The beginning of an output.
struct Kept {
    bytes: Vec<u8>,
    limit: usize,
    truncated: bool,
}

impl Kept {
    fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, truncated: false }
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = self.limit - self.bytes.len();
        self.truncated |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// Cuts a stream of bytes into lines. A carriage return ends a line too: spinners use it.
#[derive(Default)]
pub(crate) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    pub(crate) fn take(&mut self, bytes: &[u8], tell: &mut dyn FnMut(&str)) {
        for byte in bytes {
            if matches!(byte, b'\n' | b'\r') || self.rest.len() >= LONGEST_LINE {
                self.finish(tell);
            }
            if !matches!(byte, b'\n' | b'\r') {
                self.rest.push(*byte);
            }
        }
    }

    pub(crate) fn finish(&mut self, tell: &mut dyn FnMut(&str)) {
        if !self.rest.is_empty() {
            tell(&String::from_utf8_lossy(&self.rest));
            self.rest.clear();
        }
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}
