//! What is in a namespace, and emptying it.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::api::{Api, DeleteParams, ListParams};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::discovery::{Discovery, Scope, verbs};

/// How long what is deleted may take to go, and how often it is looked for.
const GONE_WITHIN: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_secs(1);

/// How many of those that stay are told.
const TOLD: usize = 5;

/// The objects in a namespace, as `deployments.apps/web`, but for Events.
pub(super) async fn names(
    client: &kube::Client,
    namespace: &str,
) -> Result<BTreeSet<String>, kube::Error> {
    let mut names = BTreeSet::new();
    for kind in kinds(client).await? {
        let objects = list(client, namespace, &kind).await?;
        names.extend(objects.iter().map(|object| name(&kind, object)));
    }
    Ok(names)
}

/// Deletes what is in a namespace but for what is to be kept, and waits until it is gone.
pub(super) async fn empty(
    client: &kube::Client,
    namespace: &str,
    keep: &BTreeSet<String>,
) -> Result<(), String> {
    let failed = |error: kube::Error| format!("`{namespace}` can't be emptied: {error}");
    let kinds = kinds(client).await.map_err(failed)?;
    let mut waited = Duration::ZERO;
    loop {
        let (mut left, mut trouble) = (Vec::new(), String::new());
        for kind in &kinds {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, kind);
            let objects = match list(client, namespace, kind).await {
                Ok(objects) => objects,
                // A type whose definition has gone meanwhile has no objects.
                Err(kube::Error::Api(status)) if status.code == 404 => continue,
                // What a server that is there refuses now it may do in a moment.
                Err(kube::Error::Api(status)) => {
                    left.push(kind.plural.clone());
                    trouble = format!(": {status}");
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            for object in objects {
                let name = name(kind, &object);
                if keep.contains(&name) {
                    continue;
                }
                left.push(name);
                if object.metadata.deletion_timestamp.is_none() {
                    let named = object.metadata.name.unwrap_or_default();
                    match api.delete(&named, &DeleteParams::background()).await {
                        Err(kube::Error::Api(status)) if status.code == 404 => {}
                        Err(kube::Error::Api(status)) => trouble = format!(": {status}"),
                        done => drop(done.map_err(failed)?),
                    }
                }
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        if waited >= GONE_WITHIN {
            left.truncate(TOLD);
            return Err(format!("in `{namespace}` there is still {}{trouble}", left.join(", ")));
        }
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
}

/// The kinds of objects in namespaces that can be deleted.
async fn kinds(client: &kube::Client) -> Result<Vec<ApiResource>, kube::Error> {
    let discovery = match Discovery::new(client.clone()).run_aggregated().await {
        Ok(discovery) => discovery,
        Err(_) => Discovery::new(client.clone()).run().await?,
    };
    let all = discovery.groups().flat_map(|group| group.recommended_resources());
    let can = [verbs::LIST, verbs::DELETE];
    let kinds = all.filter(|(kind, capabilities)| {
        capabilities.scope == Scope::Namespaced
            && kind.plural != "events"
            && can.iter().all(|verb| capabilities.supports_operation(verb))
    });
    Ok(kinds.map(|(kind, _)| kind).collect())
}

async fn list(
    client: &kube::Client,
    namespace: &str,
    kind: &ApiResource,
) -> Result<Vec<PartialObjectMeta<DynamicObject>>, kube::Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, kind);
    match api.list_metadata(&ListParams::default()).await {
        // A custom type may just go.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        listed => Ok(listed?.items),
    }
}

fn name(kind: &ApiResource, object: &PartialObjectMeta<DynamicObject>) -> String {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    match kind.group.as_str() {
        "" => format!("{}/{name}", kind.plural),
        group => format!("{}.{group}/{name}", kind.plural),
    }
}
