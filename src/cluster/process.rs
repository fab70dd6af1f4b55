//! Programs beside a trial: what they are given, how long they may take and how much they may
//! print. They get a process group of their own, and all of it ends with them.

use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;

/// How much a program may print to each of its two outputs.
const PRINTED: u64 = 16 << 20;

/// How long the outputs of a program may stay open when it has ended.
const CLOSES: Duration = Duration::from_secs(2);

/// How often a process is looked at.
const GLANCE: Duration = Duration::from_millis(2);

/// What a program printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Why a program did not come to its end.
#[derive(Debug, Error)]
pub(crate) enum ProcessError {
    #[error("it does not start: {0}")]
    NotStarted(std::io::Error),
    #[error("it took longer than {} ms and was ended", .0.as_millis())]
    TooLong(Duration),
    #[error("it printed more than {PRINTED} bytes")]
    TooMuch,
    #[error("it left a process behind that keeps its output open")]
    Open,
    #[error("it is lost: {0}")]
    Lost(#[from] std::io::Error),
}

/// Runs a program to its end with `input` as its standard input.
pub(crate) fn run(
    command: &mut Command,
    input: Vec<u8>,
    within: Duration,
) -> Result<Ended, ProcessError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(ProcessError::NotStarted)?;
    if let Some(mut to) = child.stdin.take() {
        // A program that does not read all of it has what it needs.
        std::thread::spawn(move || drop(to.write_all(&input)));
    }
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let status = ends_within(&mut child, within);
    // What it left behind would keep its outputs open.
    end_group(&child);
    if !matches!(status, Ok(Some(_))) {
        child.wait()?;
    }
    let status = status?.ok_or(ProcessError::TooLong(within))?;
    let told = |from: Receiver<Vec<u8>>| from.recv_timeout(CLOSES).map_err(|_| ProcessError::Open);
    let (stdout, stderr) = (told(stdout)?, told(stderr)?);
    if stdout.len().max(stderr.len()) as u64 > PRINTED {
        return Err(ProcessError::TooMuch);
    }
    Ok(Ended { status, stdout, stderr })
}

/// Reads to the end, or to one byte more than is allowed: whoever writes more finds it closed.
fn reader(from: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is all that there is.
        let _ = from.map(|from| from.take(PRINTED + 1).read_to_end(&mut bytes));
        let _ = tell.send(bytes);
    });
    told
}

/// Waits for the end of a process; `None` if it goes on for longer.
pub(crate) fn ends_within(
    child: &mut Child,
    within: Duration,
) -> std::io::Result<Option<ExitStatus>> {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if waited >= within {
            return Ok(None);
        }
        std::thread::sleep(GLANCE);
        waited += GLANCE;
    }
}

fn end_group(child: &Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // There may be nobody left in it.
    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
}
