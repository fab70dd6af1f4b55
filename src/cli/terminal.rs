//! Where the command line prints: results to standard output, all else to standard error. A reader
//! that went away is no error; a result that could not be printed is one.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::report::text::{BAD, BOLD, styled};
use crate::suite::render::{Colour, render};
use crate::suite::{Diagnostic, Severity};

/// Set when a result could not be printed.
static LOST: AtomicBool = AtomicBool::new(false);

/// The terminal, or whatever the streams lead to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal;

impl Terminal {
    /// A result.
    pub(super) fn print(self, text: &str) {
        let mut out = anstream::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(_) if LOST.swap(true, Ordering::Relaxed) => {}
            Err(error) => self.error(format!("the result can't be printed: {error}"), ""),
            Ok(()) => {}
        }
    }

    /// Whether a result could not be printed.
    pub(super) fn has_lost(self) -> bool {
        LOST.load(Ordering::Relaxed)
    }

    /// Something beside the result, in a line of its own.
    pub(super) fn note(self, text: &str) {
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    /// What went wrong, and what to do.
    pub(super) fn error(self, message: impl std::fmt::Display, help: &str) {
        let mut text = format!("{} {message}", styled(BAD, "error:"));
        if !help.is_empty() {
            text.push_str(&format!("\n{} {help}", styled(BOLD, " help:")));
        }
        self.note(&text);
    }

    /// What is wrong with files.
    pub(super) fn diagnostics(self, found: &[Diagnostic]) {
        let mut text = render(found, Colour::Ansi);
        let errors = found.iter().filter(|one| one.severity == Severity::Error).count();
        if errors > 1 {
            text.push_str(&format!("\n{} {errors} mistakes\n", styled(BAD, "error:")));
        }
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
    }
}
