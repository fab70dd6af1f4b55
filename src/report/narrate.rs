//! The story of a trial.

use crate::history::History;
use crate::suite::Subject;

/// The story.
pub fn render(_: &History, _: &Subject, _: bool) -> String {
    String::new()
}
