//! Reaching the cluster of a kubeconfig, and what is said when it can't be reached.

use std::error::Error;

use camino::{Utf8Path, Utf8PathBuf};
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{Api, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kubesim_model::tree::Tree;
use thiserror::Error;

use super::marker::{HELP, Marker, MarkerError, NAME, NAMESPACE};

/// Why a cluster can't be used.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum KubeconfigError {
    /// The user has not said that it is theirs.
    #[error("trials break what the cluster marks for it and delete what is in marked namespaces")]
    NotOwned,
    /// An argument makes no sense.
    #[error("{0}")]
    Argument(String),
    /// There is no such file, or it leads nowhere.
    #[error("the kubeconfig `{0}` can't be used: {1}")]
    File(Utf8PathBuf, String),
    /// The server does not answer.
    #[error("the API server {0} does not answer: {1}")]
    Unreachable(String, String),
    /// The server does not know the user, or no longer.
    #[error("the API server {0} does not accept the credentials of the kubeconfig: {1}")]
    Unauthorized(String, String),
    /// The user may not do what is needed.
    #[error("the API server refuses: {0}")]
    Refused(String),
    /// Its owner has not said what may be broken.
    #[error("the cluster is not marked: there is no ConfigMap `{NAMESPACE}/{NAME}`")]
    NotMarked,
    /// Another harness runs trials in it.
    #[error("the cluster is in use by {0}")]
    InUse(String),
    /// The marker can't be used.
    #[error("{0}")]
    Marker(String),
}

impl KubeconfigError {
    /// Whether the command line says too little, or nonsense.
    pub fn is_of_the_user(&self) -> bool {
        matches!(self, KubeconfigError::NotOwned | KubeconfigError::Argument(_))
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            KubeconfigError::NotOwned => "if it is yours to break, say --i-own-this-cluster",
            KubeconfigError::NotMarked | KubeconfigError::Marker(_) => HELP,
            KubeconfigError::Unauthorized(..) => "they may have expired: get new ones",
            KubeconfigError::InUse(_) => "one harness at a time: wait until the other has ended",
            KubeconfigError::Argument(_) => "see `shakedown run --help`",
            _ => "`kubectl --kubeconfig FILE get nodes` should work",
        }
    }
}

/// A cluster that answers.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) config: kube::Config,
    client: kube::Client,
    server: String,
}

impl Connection {
    /// By a context of a kubeconfig; the current one if none is named.
    pub(super) async fn new(
        file: &Utf8Path,
        context: Option<&str>,
    ) -> Result<Connection, KubeconfigError> {
        let failed = |error: &dyn Error| KubeconfigError::File(file.to_owned(), told(error));
        let kubeconfig = Kubeconfig::read_from(file).map_err(|error| failed(&error))?;
        let options =
            KubeConfigOptions { context: context.map(str::to_owned), ..Default::default() };
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let mut config = config.map_err(|error| failed(&error))?;
        config.default_retry = false;
        let server = config.cluster_url.to_string();
        let client = kube::Client::try_from(config.clone()).map_err(|error| failed(&error))?;
        Ok(Connection { config, client, server })
    }

    pub(super) fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// What may be broken.
    pub(super) async fn marker(&self) -> Result<Marker, KubeconfigError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client(), NAMESPACE);
        let map = api.get_opt(NAME).await.map_err(|error| self.failed(&error))?;
        let map = map.ok_or(KubeconfigError::NotMarked)?;
        let invalid = |error: MarkerError| KubeconfigError::Marker(error.to_string());
        Marker::read(&map.data.unwrap_or_default()).map_err(invalid)
    }

    /// The nodes that the marker names. Each has to be there.
    pub(super) async fn nodes(&self, marker: &Marker) -> Result<Vec<Tree>, KubeconfigError> {
        let api: Api<Node> = Api::all(self.client());
        let nodes = api.list(&ListParams::default()).await.map_err(|error| self.failed(&error))?;
        let tree = |node: &Node| Tree::from(serde_json::to_value(node).unwrap_or_default());
        let mut marked = Vec::new();
        for name in &marker.nodes {
            let mut named =
                nodes.items.iter().filter(|node| node.metadata.name.as_deref() == Some(name));
            let node = named.next().map(tree).ok_or_else(|| {
                let text = format!(
                    "the ConfigMap `{NAMESPACE}/{NAME}` marks the node `{name}`, which is not there"
                );
                KubeconfigError::Marker(text)
            })?;
            marked.push(node);
        }
        Ok(marked)
    }

    /// As in `1.36`.
    pub(super) async fn minor(&self) -> Result<String, KubeconfigError> {
        let version = self.client.apiserver_version().await;
        let version = version.map_err(|error| self.failed(&error))?;
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        Ok(format!("{}.{}", digits(&version.major), digits(&version.minor)))
    }

    /// What a failed request says of the cluster.
    pub(super) fn failed(&self, error: &kube::Error) -> KubeconfigError {
        match error {
            kube::Error::Api(status) if status.code == 401 => {
                KubeconfigError::Unauthorized(self.server.clone(), status.message.clone())
            }
            kube::Error::Api(status) => {
                KubeconfigError::Refused(format!("{} ({})", status.message, status.code))
            }
            error => KubeconfigError::Unreachable(self.server.clone(), told(error)),
        }
    }
}

/// An error with what led to it.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some errors repeat what led to them.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
