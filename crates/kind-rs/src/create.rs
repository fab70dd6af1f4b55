//! Creating a cluster, and understanding what kind reports meanwhile.

use std::time::Duration;

use camino::Utf8PathBuf;

use crate::cluster::Cluster;
use crate::config::ClusterConfig;
use crate::error::Error;
use crate::invocation::Stdin;
use crate::kind::Kind;

/// The name that kind gives a cluster without one.
const DEFAULT_NAME: &str = "kind";
/// The step whose failure kind does not count as one.
const WAITING: &str = "Waiting";

/// How a cluster is created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// The node image of all nodes that name none; kind's own default if there is none.
    pub image: Option<String>,
    /// How long to wait until the control plane is Ready; not at all if there is none.
    pub wait: Option<Duration>,
    /// Whether the nodes of a cluster that could not be created stay for a look at them.
    pub retain: bool,
    /// The kubeconfig file that gets a context for the cluster, and loses it when the cluster is
    /// deleted; `KUBECONFIG` or `~/.kube/config` if there is none.
    pub kubeconfig: Option<Utf8PathBuf>,
    /// How long all of it may take; [`Timeouts::create`](crate::Timeouts::create) plus the time to
    /// wait if there is none.
    pub timeout: Option<Duration>,
}

/// What kind reports while it creates a cluster. Steps come without their pictograms.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A step has begun, for instance `Preparing nodes`.
    Started(String),
    /// The step has succeeded.
    Succeeded(String),
    /// The step has failed.
    Failed(String),
    /// Any other line: warnings, errors, hints.
    Message(String),
}

impl Progress {
    /// Understands a line of kind; none if nothing is in it.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let line = without_colors(line);
        let line = line.trim();
        let step = |mark, after| {
            let title: &str = line.strip_prefix(mark)?.strip_suffix(after)?;
            let pictogram = |c: char| !c.is_ascii() || c.is_whitespace();
            Some(title.trim_matches(pictogram).to_owned()).filter(|title| !title.is_empty())
        };
        if let Some(title) = step('•', "...") {
            return Some(Self::Started(title));
        }
        if let Some(title) = step('✓', "") {
            return Some(Self::Succeeded(title));
        }
        if let Some(title) = step('✗', "") {
            return Some(Self::Failed(title));
        }
        let text = line.trim_start_matches('•').trim();
        (!text.is_empty()).then(|| Self::Message(text.to_owned()))
    }
}

/// The line without the escape sequences that color it on a terminal.
fn without_colors(line: &str) -> String {
    let mut pieces = line.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').map_or(piece, |(_, rest)| rest));
    }
    plain
}

pub(crate) async fn create(
    kind: &Kind,
    config: &ClusterConfig,
    options: CreateOptions,
    mut on_progress: Option<&mut (dyn FnMut(Progress) + Send)>,
) -> Result<Cluster, Error> {
    let name = config.name.as_deref().unwrap_or(DEFAULT_NAME);
    let cluster = kind.cluster(name)?.with_kubeconfig(options.kubeconfig.clone());
    let wait = options.wait.unwrap_or_default();
    let timeout = options.timeout.unwrap_or(kind.timeouts().create + wait);
    let mut invocation = kind.kind_invocation(arguments(name, &options), timeout);
    invocation.stdin = Stdin::Bytes(config.to_json().into_bytes());

    let mut ready = true;
    let mut on_line = |line: &str| {
        let Some(progress) = Progress::parse(line) else { return };
        if matches!(&progress, Progress::Failed(title) if title.starts_with(WAITING)) {
            ready = false;
        }
        if let Some(on_progress) = &mut on_progress {
            on_progress(progress);
        }
    };
    match kind.succeed(&invocation, Some(&mut on_line)).await {
        Ok(_) if ready => Ok(cluster),
        Ok(_) => Err(Error::NotReady { name: name.to_owned(), waited: wait }),
        Err(error) => Err(after_failure(&cluster, &options, error).await),
    }
}

fn arguments(name: &str, options: &CreateOptions) -> Vec<String> {
    let mut args =
        ["create", "cluster", "--config", "-", "--name", name].map(str::to_owned).to_vec();
    if let Some(image) = &options.image {
        args.extend(["--image".to_owned(), image.clone()]);
    }
    if let Some(wait) = options.wait {
        args.extend(["--wait".to_owned(), format!("{}ms", wait.as_millis())]);
    }
    if options.retain {
        args.push("--retain".to_owned());
    }
    if let Some(path) = &options.kubeconfig {
        args.extend(["--kubeconfig".to_owned(), path.to_string()]);
    }
    args
}

/// Says what a failure means, and does what kind could not do because it was killed.
async fn after_failure(cluster: &Cluster, options: &CreateOptions, error: Error) -> Error {
    if error.is_timeout() && !options.retain {
        // The engine may still finish a node that kind had asked for: delete twice.
        let _ = cluster.delete().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _ = cluster.delete().await;
    }
    let exists = |stderr: &str| stderr.contains("node(s) already exist for a cluster");
    match error.failure() {
        Some(failure) if exists(&failure.stderr) => {
            Error::ClusterExists { name: cluster.name().to_owned() }
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Vec<Progress> {
        text.lines().filter_map(Progress::parse).collect()
    }

    #[test]
    fn every_step_of_a_creation_begins_and_succeeds() {
        let all = parsed(include_str!("../tests/recorded/create.stderr"));
        let titles = |wanted: fn(&Progress) -> Option<&String>| -> Vec<String> {
            all.iter().filter_map(wanted).cloned().collect()
        };
        let started = titles(|progress| match progress {
            Progress::Started(title) => Some(title),
            _ => None,
        });
        let succeeded = titles(|progress| match progress {
            Progress::Succeeded(title) => Some(title),
            _ => None,
        });
        assert_eq!(started, succeeded);
        assert_eq!(started.len(), 8);
        assert_eq!(started[0], "Ensuring node image (shakedown/node:v1.36.3)");
        assert_eq!(started[1], "Preparing nodes");
        assert_eq!(started[7], "Waiting ≤ 1m0s for control-plane = Ready");
        assert!(all.contains(&Progress::Message("Ready after 1s 💚".to_owned())));
    }

    #[test]
    fn a_failed_step_and_the_error_after_it_are_seen() {
        let all = parsed(include_str!("../tests/recorded/create-no-image.stderr"));
        let title = "Ensuring node image (nope.invalid/x:1)";
        assert!(all.contains(&Progress::Failed(title.to_owned())));
        let error = |progress: &Progress| {
            matches!(progress, Progress::Message(text) if text.starts_with("ERROR: failed to pull"))
                || matches!(progress, Progress::Message(text) if text.contains("no such host"))
        };
        assert!(all.iter().any(error));
    }

    #[test]
    fn colors_and_spinners_do_no_harm() {
        let line = " \u{1b}[32m✓\u{1b}[0m Preparing nodes 📦 ";
        assert_eq!(Progress::parse(line), Some(Progress::Succeeded("Preparing nodes".to_owned())));
        assert_eq!(Progress::parse("  "), None);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in ".{0,64}", mark in "[•✓✗\u{1b} .m]{0,6}") {
            let _ = Progress::parse(&format!("{mark}{line}"));
            let _ = Progress::parse(&format!("{line}{mark}"));
        }
    }
}
