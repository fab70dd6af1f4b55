//! The marker: the ConfigMap by which the owner of a cluster says what in it may be broken.

use std::collections::BTreeMap;

use kubesim_model::Text;
use thiserror::Error;

/// Where it is.
pub(super) const NAMESPACE: &str = "kube-system";
pub(super) const NAME: &str = "shakedown";

/// Its fields.
const NAMESPACES: &str = "namespaces";
const NODES: &str = "nodes";

/// How it is made.
pub(super) const HELP: &str = "say what may be broken, for instance with\n      \
    kubectl create namespace shakedown\n      \
    kubectl --namespace kube-system create configmap shakedown \\\n        \
    --from-literal=namespaces=shakedown --from-literal=nodes=NODE,NODE\n    \
    what is in those namespaces is deleted after each trial";

/// What may be broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// The namespaces; that of trials first.
    pub(super) namespaces: Vec<Text>,
    /// The nodes.
    pub(super) nodes: Vec<Text>,
}

/// What is wrong with a marker.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum MarkerError {
    /// It does not name any.
    #[error("the ConfigMap `{NAMESPACE}/{NAME}` has no `{0}`")]
    Empty(&'static str),
    /// It names something else.
    #[error(
        "the ConfigMap `{NAMESPACE}/{NAME}` has a field `{0}`; it may have `namespaces` and `nodes`"
    )]
    Unknown(String),
    /// The cluster would not survive that.
    #[error(
        "the ConfigMap `{NAMESPACE}/{NAME}` marks the namespace `{0}`, which the cluster needs"
    )]
    Needed(Text),
    /// Trials call the first one so.
    #[error("the namespace `default` has to be the first that `{NAMESPACE}/{NAME}` marks")]
    DefaultNotFirst,
}

impl Marker {
    /// The marker with this data.
    pub(super) fn read(data: &BTreeMap<String, String>) -> Result<Marker, MarkerError> {
        if let Some(other) = data.keys().find(|key| ![NAMESPACES, NODES].contains(&key.as_str())) {
            return Err(MarkerError::Unknown(other.clone()));
        }
        let list = |field: &'static str| -> Vec<Text> {
            let text = data.get(field).map_or("", String::as_str);
            let words = text.split(|c: char| c.is_whitespace() || c == ',');
            words.filter(|word| !word.is_empty()).map(Text::new).collect()
        };
        let (namespaces, nodes) = (list(NAMESPACES), list(NODES));
        if namespaces.is_empty() {
            return Err(MarkerError::Empty(NAMESPACES));
        }
        if let Some(needed) = namespaces.iter().find(|name| name.starts_with("kube-")) {
            return Err(MarkerError::Needed(needed.clone()));
        }
        if namespaces[1..].iter().any(|name| name == "default") {
            return Err(MarkerError::DefaultNotFirst);
        }
        Ok(Marker { namespaces, nodes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[(&str, &str)]) -> Result<Marker, MarkerError> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Marker::read(&data.iter().map(pair).collect())
    }

    #[test]
    fn a_marker_names_namespaces_and_nodes() {
        let marker = read(&[("namespaces", "a"), ("nodes", "n1, n2\nn3")]).unwrap();
        assert_eq!(marker.namespaces, ["a"]);
        assert_eq!(marker.nodes, ["n1", "n2", "n3"]);
        assert_eq!(read(&[("namespaces", "default b")]).unwrap().nodes, [""; 0]);
    }

    #[test]
    fn what_a_cluster_needs_and_what_is_not_understood_is_refused() {
        let error = |data: &[(&str, &str)]| read(data).unwrap_err();
        assert_eq!(error(&[]), MarkerError::Empty("namespaces"));
        assert_eq!(error(&[("nodes", "a")]), MarkerError::Empty("namespaces"));
        let needed = MarkerError::Needed("kube-system".into());
        assert_eq!(error(&[("namespaces", "a kube-system")]), needed);
        let unknown = MarkerError::Unknown("namespace".to_owned());
        assert_eq!(error(&[("namespace", "a")]), unknown);
        assert_eq!(error(&[("namespaces", "a,default")]), MarkerError::DefaultNotFirst);
    }
}
