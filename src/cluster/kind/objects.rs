//! The objects of a cluster, of whatever kind: which there are, and taking some away.

use futures::stream::{self, StreamExt as _};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::discovery::{ApiResource, Discovery, verbs};
use kube::{Client, ResourceExt as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::cluster::real::is_of_the_system;

/// What comes and goes by itself; and nodes, of which more is asked.
const FLEETING: [&str; 3] = ["events", "certificatesigningrequests", "nodes"];

/// What comes and goes by itself in the namespaces of the cluster's own parts.
const FLEETING_THERE: [&str; 3] = ["pods", "leases", "secrets"];

/// What follows what other objects do: it says nothing of its own.
const FOLLOWING: [&str; 4] = ["endpoints", "endpointslices", "leases", "csinodes"];

/// How many lists are asked for at once.
const LISTS: usize = 8;

/// An object.
#[derive(Clone, Debug)]
pub(super) struct Found {
    kind: ApiResource,
    namespace: Option<String>,
    name: String,
    /// What it says, shortened: two that say the same have the same one.
    pub(super) digest: String,
    is_going: bool,
    is_held: bool,
}

impl Found {
    fn new(kind: &ApiResource, object: &DynamicObject) -> Found {
        let follows = FOLLOWING.contains(&kind.plural.as_str());
        // It holds a signature for each bootstrap token, of which none lives longer than a day.
        let says = !follows && object.namespace().as_deref() != Some("kube-public");
        Found {
            kind: kind.clone(),
            namespace: object.namespace(),
            name: object.name_any(),
            digest: if says { digest(object) } else { String::new() },
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

    /// Whether it comes and goes as the cluster's own parts see fit.
    pub(super) fn is_fleeting(&self) -> bool {
        self.is_of_the_system() && FLEETING_THERE.contains(&self.kind.plural.as_str())
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
        match api.list(&ListParams::default()).await {
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

/// What an object says, but for what the API server notes of it and how it is just now.
fn digest(object: &DynamicObject) -> String {
    let mut says = object.data.clone();
    if let Some(fields) = says.as_object_mut() {
        fields.remove("status");
    }
    let metadata = json!([object.labels(), object.annotations(), object.finalizers()]);
    let digest = Sha256::digest(format!("{metadata}{says}"));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 405))
}
