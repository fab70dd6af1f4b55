//! Objects that `kubectl kustomize` and `helm template` make of what lies in a folder.

use std::time::Duration;

use kubesim_model::tree::Tree;

use super::install::InstallError;
use crate::cluster::guarded;
use crate::cluster::process;
use crate::suite::Source;
use crate::suite::load::parse_manifests;
use crate::suite::ways::{Chart, Rendering};

/// How long a tool may take.
const WITHIN: Duration = Duration::from_secs(60);

/// The exit code of a program that is not there.
const NOT_FOUND: i32 = 127;

/// How much of what a tool says is told.
const TOLD: usize = 1_000;

/// The objects of `rendering`.
///
/// # Errors
/// The tool is missing or fails, or what it prints are no manifests.
pub(super) fn objects(rendering: &Rendering) -> Result<Vec<Tree>, InstallError> {
    let (program, arguments) = match rendering {
        Rendering::Kustomize(folder) => {
            ("kubectl", vec!["kustomize".to_owned(), folder.value.to_string()])
        }
        Rendering::Chart(chart) => ("helm", template(chart)),
    };
    let failed = |why: String| InstallError::Rendering { program, why };
    let mut command =
        guarded(std::path::Path::new(program)).map_err(|error| failed(error.to_string()))?;
    command.args(&arguments);
    let ended = process::run(&mut command, Vec::new(), WITHIN);
    let ended = ended.map_err(|error| failed(error.to_string()))?;
    if ended.status.code() == Some(NOT_FOUND) {
        return Err(failed("there is none on PATH".to_owned()));
    }
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        let said: String = said.trim().chars().take(TOLD).collect();
        return Err(failed(format!("{}: {said}", ended.status)));
    }
    let text = String::from_utf8(ended.stdout)
        .map_err(|_| failed("it printed no text in UTF-8".to_owned()))?;
    let source = Source::new(format!("<output of {program}>"), text);
    parse_manifests(&source).map_err(|found| {
        let found = found.iter().map(|found| format!("{}: {}", found.at, found.message));
        failed(found.collect::<Vec<_>>().join("; "))
    })
}

fn template(chart: &Chart) -> Vec<String> {
    let Chart { chart, values, release, namespace } = chart;
    let mut arguments = vec![
        "template".to_owned(),
        release.to_string(),
        // Without the dot a folder would be taken for a repository's chart.
        if chart.is_absolute() { chart.to_string() } else { format!("./{}", chart.value) },
        "--namespace".to_owned(),
        namespace.to_string(),
        "--include-crds".to_owned(),
    ];
    if let Some(values) = values {
        arguments.extend(["--values".to_owned(), values.to_string()]);
    }
    arguments
}
