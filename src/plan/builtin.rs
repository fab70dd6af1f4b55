//! The subjects, the requirements and the benchmark that the program carries with it, so that it
//! can be used outside of its repository. They are the repository's own files.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;

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

/// The benchmark's scenario, and the files that it applies.
pub(super) fn benchmark() -> (Arc<Source>, BTreeMap<Utf8PathBuf, Arc<Source>>) {
    let scenario = include_str!("../../benches/release-with-node-loss.yaml");
    let (path, workload) =
        ("fixtures/workloads/web.yaml", include_str!("../../fixtures/workloads/web.yaml"));
    (
        Source::new("benches/release-with-node-loss.yaml", scenario),
        BTreeMap::from([(path.into(), Source::new(path, workload))]),
    )
}
