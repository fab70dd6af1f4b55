//! The subjects and requirements that the program carries with it, so that it can be used outside
//! of its repository. They are the repository's own files.

use std::sync::Arc;

use crate::suite::Source;

/// The files in `fixtures/subjects`: path and text.
const SUBJECTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/subjects.rs"));

/// The catalogue of requirements.
const REQUIREMENTS: (&str, &str) =
    ("suites/requirements.yaml", include_str!("../../suites/requirements.yaml"));

/// The subject files.
pub(super) fn subjects() -> impl Iterator<Item = Arc<Source>> {
    SUBJECTS.iter().map(|(path, text)| Source::new(*path, *text))
}

/// The catalogue of requirements.
pub(super) fn requirements() -> Arc<Source> {
    Source::new(REQUIREMENTS.0, REQUIREMENTS.1)
}
