//! A controller of caches: a `Cache` becomes so many pods of an image. A new image is put into the
//! pods in place, one pod at a time, and only while all others are ready.
//!
//! An ordinary kube-rs controller; nothing in it knows that it is tested.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::watcher;
use kube::{Api, Client, CustomResource, Resource as _, ResourceExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What is wanted.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "example.com", version = "v1", kind = "Cache", namespaced)]
#[kube(status = "CacheStatus")]
#[serde(rename_all = "camelCase")]
pub struct CacheSpec {
    /// How many pods.
    pub replicas: usize,
    /// The image that they run.
    pub image: String,
}

/// What is there.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CacheStatus {
    /// How many pods are ready.
    pub ready: usize,
    /// The generation of the spec that this is about.
    pub observed_generation: i64,
}

/// Runs the controller for as long as the future is polled.
pub async fn run(client: Client) {
    let (caches, pods) = (Api::<Cache>::all(client.clone()), Api::<Pod>::all(client.clone()));
    Controller::new(caches, watcher::Config::default())
        .owns(pods, watcher::Config::default())
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_secs(1)), Arc::new(client))
        .for_each(|_| std::future::ready(()))
        .await;
}

async fn reconcile(cache: Arc<Cache>, client: Arc<Client>) -> Result<Action, kube::Error> {
    let (name, namespace) = (cache.name_any(), cache.namespace().unwrap_or_default());
    let client = Client::clone(&client);
    let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    // The newest state, from the API: what this controller's watches know may be older than what
    // it did a moment ago.
    let selector = ListParams::default().labels(&format!("cache={name}"));
    let pods = api.list(&selector).await?.items;
    let pods: Vec<&Pod> = pods.iter().filter(|pod| is_wanted(pod)).collect();
    for _ in pods.len()..cache.spec.replicas {
        api.create(&PostParams::default(), &pod_of(&cache)).await?;
    }
    let mut surplus = pods.clone();
    surplus.sort_by_key(|pod| is_settled(pod));
    for pod in surplus.iter().take(pods.len().saturating_sub(cache.spec.replicas)) {
        api.delete(&pod.name_any(), &DeleteParams::default()).await?;
    }
    if pods.len() == cache.spec.replicas {
        update(&cache, &pods, &api).await?;
    }
    report(&cache, &pods, Api::namespaced(client, &namespace)).await?;
    Ok(Action::requeue(Duration::from_secs(30)))
}

/// Puts the wanted image into the next pod.
async fn update(cache: &Cache, pods: &[&Pod], api: &Api<Pod>) -> Result<(), kube::Error> {
    let mut old = pods.iter().filter(|pod| image(pod) != Some(cache.spec.image.as_str()));
    let next = match pods.iter().all(|pod| is_settled(pod)) {
        true => old.next(),
        // A pod that serves nobody can be changed at any time.
        false => old.find(|pod| !is_settled(pod)),
    };
    let Some(pod) = next else { return Ok(()) };
    let containers = json!([{ "name": "cache", "image": cache.spec.image }]);
    // With the version that was read: if the pod has changed since, this is decided again.
    let version = pod.resource_version();
    let patch = json!({
        "metadata": { "resourceVersion": version }, "spec": { "containers": containers },
    });
    api.patch(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(patch)).await?;
    Ok(())
}

async fn report(cache: &Cache, pods: &[&Pod], api: Api<Cache>) -> Result<(), kube::Error> {
    let ready = pods.iter().filter(|pod| is_settled(pod)).count();
    let observed_generation = cache.metadata.generation.unwrap_or_default();
    let status = CacheStatus { ready, observed_generation };
    if cache.status.as_ref() != Some(&status) {
        let patch = Patch::Merge(json!({ "status": status }));
        api.patch_status(&cache.name_any(), &PatchParams::default(), &patch).await?;
    }
    Ok(())
}

fn pod_of(cache: &Cache) -> Pod {
    let container = json!({ "name": "cache", "image": cache.spec.image, "args": ["pause"] });
    let mut pod = Pod::default();
    pod.metadata.generate_name = Some(format!("{}-", cache.name_any()));
    pod.metadata.labels = Some([("cache".to_owned(), cache.name_any())].into());
    pod.metadata.owner_references = cache.controller_owner_ref(&()).map(|owner| vec![owner]);
    pod.spec = serde_json::from_value(json!({ "containers": [container] })).ok();
    pod
}

/// Whether a pod counts: it has not ended and nobody has asked for its end.
fn is_wanted(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.meta().deletion_timestamp.is_none() && !matches!(phase, Some("Failed" | "Succeeded"))
}

/// Whether a pod serves with the image that it is to have: it may still serve with the old one.
fn is_settled(pod: &Pod) -> bool {
    let Some(PodStatus { conditions, container_statuses, .. }) = &pod.status else { return false };
    let ready = |name: &str| {
        conditions.iter().flatten().any(|have| have.type_ == name && have.status == "True")
    };
    let running = container_statuses.iter().flatten().map(|status| status.image.as_str()).next();
    ready("Ready") && running == image(pod)
}

fn image(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.containers.first()?.image.as_deref()
}
