//! The objects of a cluster, of whatever kind: which there are, and taking some away.

use futures::stream::{self, StreamExt as _};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::discovery::{ApiResource, Discovery, verbs};
use kube::{Client, ResourceExt as _};
use serde_json::json;

use crate::cluster::real::is_of_the_system;

/// What comes and goes by itself; and nodes, of which more is asked than whether they are there.
const FLEETING: [&str; 4] = ["events", "leases", "certificatesigningrequests", "nodes"];

/// How many lists are asked for at once.
const LISTS: usize = 8;

/// An object.
#[derive(Clone, Debug)]
pub(super) struct Found {
    kind: ApiResource,
    namespace: Option<String>,
    name: String,
    /// Counts the changes of its spec, where its kind counts them.
    pub(super) generation: i64,
    is_going: bool,
    is_held: bool,
}

impl Found {
    fn new(kind: &ApiResource, object: &PartialObjectMeta<DynamicObject>) -> Found {
        let counts = kind.plural != "endpointslices";
        Found {
            kind: kind.clone(),
            namespace: object.namespace(),
            name: object.name_any(),
            generation: object.metadata.generation.filter(|_| counts).unwrap_or(0),
            is_going: object.metadata.deletion_timestamp.is_some(),
            is_held: !object.finalizers().is_empty(),
        }
    }

    /// Kind, namespace and name, which no other object has.
    pub(super) fn id(&self) -> String {
        let ApiResource { plural, group, .. } = &self.kind;
        let dot = if group.is_empty() { "" } else { "." };
        let namespace = self.namespace.as_ref().map_or(String::new(), |name| format!("{name}/"));
        format!("{plural}{dot}{group} {namespace}{}", self.name)
    }

    /// Whether it is in a namespace of the cluster's own parts.
    pub(super) fn is_of_the_system(&self) -> bool {
        self.namespace.as_deref().is_some_and(is_of_the_system)
            || (self.kind.plural == "namespaces" && is_of_the_system(&self.name))
    }

    /// What has to go before what: webhooks can refuse any deletion, controllers make their pods
    /// anew, and types and namespaces take all with them that is left.
    fn rank(&self) -> u8 {
        match (self.kind.group.as_str(), self.kind.plural.as_str()) {
            ("admissionregistration.k8s.io", _) => 0,
            (_, "pods") => 2,
            (_, "customresourcedefinitions" | "namespaces") => 3,
            _ => 1,
        }
    }

    fn api(&self, client: &Client) -> Api<DynamicObject> {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &self.kind),
            None => Api::all_with(client.clone(), &self.kind),
        }
    }
}

/// All objects that somebody made.
pub(super) async fn all(client: &Client) -> Result<Vec<Found>, kube::Error> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await?;
    let kinds = discovery.groups().flat_map(|group| group.recommended_resources());
    let kinds = kinds.filter(|(kind, able)| {
        able.supports_operation(verbs::LIST)
            && able.supports_operation(verbs::DELETE)
            && !FLEETING.contains(&kind.plural.as_str())
    });
    let lists = kinds.map(|(kind, _)| async move {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
        match api.list_metadata(&ListParams::default()).await {
            Ok(list) => Ok(list.items.iter().map(|object| Found::new(&kind, object)).collect()),
            // A type may be gone again.
            Err(error) if is_gone(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    });
    let lists: Vec<Result<Vec<Found>, kube::Error>> =
        stream::iter(lists).buffer_unordered(LISTS).collect().await;
    let mut found = Vec::new();
    for list in lists {
        found.extend(list?);
    }
    Ok(found)
}

/// Asks for objects to be taken away, pods without grace. With `by_force` nothing holds back those
/// that are on their way.
pub(super) async fn remove(client: &Client, mut objects: Vec<Found>, by_force: bool) {
    objects.sort_by_key(Found::rank);
    for object in objects {
        let api = object.api(client);
        // Whoever asks looks again whether they are gone.
        if !object.is_going {
            let at_once = DeleteParams::background().grace_period(0);
            let _ = api.delete(&object.name, &at_once).await;
        } else if by_force && object.is_held {
            let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
            let _ = api.patch(&object.name, &PatchParams::default(), &free).await;
        }
    }
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 405))
}
