//! The timeline of a trial.

use crate::history::History;

/// The timeline.
pub fn render(_: &History) -> String {
    String::new()
}
