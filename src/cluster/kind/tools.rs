//! The kind CLI and the container engine, run so that they end with the harness: a `kind create`
//! that outlived it would make a cluster that nobody takes away.

use std::path::Path;
use std::sync::Arc;

use kind_rs::{Error, Invocation, Kind, OnLine, Processes, RunError, Runner, Running};

use crate::cluster::local::guard;

const KIND: &str = "kind";

/// Finds them.
pub(super) async fn detect() -> Result<Kind, Error> {
    Kind::builder().runner(Arc::new(Guarded)).detect().await
}

#[derive(Debug)]
struct Guarded;

impl Runner for Guarded {
    fn run<'a>(&'a self, invocation: &'a Invocation, on_line: Option<OnLine<'a>>) -> Running<'a> {
        // All that a container engine is told to do is done in no time, or written down.
        if invocation.program != KIND {
            return Processes.run(invocation, on_line);
        }
        let mut on_line = on_line;
        Box::pin(async move {
            // What is not there is told by whoever looks for it, not by the guard.
            if !is_there(KIND) {
                return Err(RunError::NotFound);
            }
            let guard = guard(Path::new(KIND)).map_err(RunError::Io)?;
            let Some((program, environment)) = guard else {
                return Processes.run(invocation, on_line).await;
            };
            let mut tell = |line: &str| {
                if let Some(on_line) = &mut on_line {
                    on_line(line);
                }
            };
            let mut guarded = invocation.clone();
            guarded.program = program.to_string_lossy().into_owned();
            let text = |(name, value): (&str, std::ffi::OsString)| {
                (name.to_owned(), value.to_string_lossy().into_owned())
            };
            guarded.env.extend(environment.map(text));
            Processes.run(&guarded, Some(&mut tell)).await
        })
    }
}

/// Whether a program is on `PATH`.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
