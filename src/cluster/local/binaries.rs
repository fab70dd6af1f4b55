//! Finding the programs of a control plane.

use std::path::{Path, PathBuf};
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;

/// Names the folder of the programs, in the environment.
const VARIABLE: &str = "SHAKEDOWN_K8S_BIN";

/// The programs of a control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    pub(super) etcd: PathBuf,
    pub(super) api_server: PathBuf,
    pub(super) controller_manager: PathBuf,
    pub(super) scheduler: PathBuf,
    /// The version of the API server, as in `v1.36.3`.
    pub version: String,
}

/// Why there is no control plane to start.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BinariesError {
    /// A program is nowhere.
    #[error("there is no `{program}` in {place}")]
    Missing {
        /// Which.
        program: &'static str,
        /// Where it was looked for.
        place: String,
    },
    /// A program does not tell its version.
    #[error("`{program} --version` failed: {why}")]
    Silent {
        /// Which.
        program: String,
        /// What it did instead.
        why: String,
    },
}

impl Binaries {
    /// The programs in `folder`; without one in the folder that `SHAKEDOWN_K8S_BIN` names, or else
    /// on `PATH`.
    ///
    /// # Errors
    /// A program is missing, or can't be run.
    pub fn find(folder: Option<&Utf8Path>) -> Result<Binaries, BinariesError> {
        let named = std::env::var(VARIABLE).ok().map(Utf8PathBuf::from);
        let folder = folder.map(Utf8Path::to_owned).or(named);
        let find = |program: &'static str| match &folder {
            Some(folder) => {
                let path = folder.join(program);
                let place = format!("`{folder}`");
                found(path.as_std_path()).ok_or(BinariesError::Missing { program, place })
            }
            None => {
                on_path(program).ok_or(BinariesError::Missing { program, place: "PATH".to_owned() })
            }
        };
        let api_server = find("kube-apiserver")?;
        Ok(Binaries {
            etcd: find("etcd")?,
            controller_manager: find("kube-controller-manager")?,
            scheduler: find("kube-scheduler")?,
            version: version(&api_server)?,
            api_server,
        })
    }
}

fn found(path: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(path).ok()?;
    whole.is_file().then_some(whole)
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .find_map(|folder| found(&folder.join(program)))
}

/// What `kube-apiserver --version` says: `Kubernetes v1.36.3`.
fn version(program: &Path) -> Result<String, BinariesError> {
    let silent =
        |why: String| BinariesError::Silent { program: program.display().to_string(), why };
    let output = Command::new(program)
        .arg("--version")
        .output()
        .map_err(|error| silent(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().strip_prefix("Kubernetes ").map(str::to_owned);
    version.ok_or_else(|| silent(format!("it printed `{}`", text.trim())))
}
