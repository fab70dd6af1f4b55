//! The progress of a run: one line on standard error, if that is a terminal. The one file that
//! touches indicatif.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::check::Outcome;

/// A line that says how far a run is.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    unexpected: usize,
    unknown: usize,
}

impl Progress {
    /// Nothing is done yet of `trials`; nothing is shown where nobody looks.
    pub(super) fn new(trials: usize, wanted: bool) -> Progress {
        let shown = wanted && std::io::stderr().is_terminal();
        let bar = shown.then(|| {
            let bar = ProgressBar::new(trials as u64);
            let style = ProgressStyle::with_template("{bar:28} {pos}/{len} trials{msg}  {elapsed}");
            if let Ok(style) = style {
                bar.set_style(style.progress_chars("━╸ "));
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Progress { bar, unexpected: 0, unknown: 0 }
    }

    /// A trial is over.
    pub(super) fn finished(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Unexpected => self.unexpected += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::Met | Outcome::Skipped => {}
        }
        let Some(bar) = &self.bar else { return };
        let mut message = String::new();
        for (number, what) in [(self.unexpected, "unexpected"), (self.unknown, "unknown")] {
            if number > 0 {
                message.push_str(&format!(", {number} {what}"));
            }
        }
        bar.set_message(message);
        bar.inc(1);
    }

    /// The run is over; the line goes away.
    pub(super) fn done(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
