//! Objects that a subject brings along: created, waited for until what they run is ready, and taken
//! away when they are not needed any more.

use std::time::Duration;

use kube::api::{Api as Objects, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::discovery::{Scope, pinned_kind};
use kubesim_model::object;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map};

use super::api::Api;
use crate::cluster::ClusterError;
use crate::cluster::sim::{OPERATOR_AGENT, OPERATOR_USER};
use crate::suite::ways::NAMESPACE;

/// How long an object may be refused because what it needs is still being made, or what was there
/// before is still going.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// How long what runs may take until it is ready: an image may have to be pulled first.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// How long asking to delete everything may take.
const GONE_WITHIN: Duration = Duration::from_secs(20);
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Objects that were created; they are deleted when this is dropped.
pub(super) struct Applied {
    api: Api,
    client: kube::Client,
    made: Vec<Made>,
}

/// An object that was created.
struct Made {
    kind: ApiResource,
    namespace: Option<String>,
    name: String,
}

impl Made {
    fn objects(&self, client: &kube::Client) -> Objects<DynamicObject> {
        match &self.namespace {
            Some(namespace) => Objects::namespaced_with(client.clone(), namespace, &self.kind),
            None => Objects::all_with(client.clone(), &self.kind),
        }
    }

    fn words(&self) -> String {
        let namespace = self.namespace.iter().map(|namespace| format!("{namespace}/"));
        format!("{} {}{}", self.kind.kind, namespace.collect::<String>(), self.name)
    }
}

impl Applied {
    /// Creates `objects` as the operator, and waits until what they run is ready.
    ///
    /// # Errors
    /// One is refused, or does not get ready.
    pub(super) fn new(api: &Api, objects: &[Tree]) -> Result<Applied, ClusterError> {
        let client = api.client_of(None, OPERATOR_USER, OPERATOR_AGENT)?;
        let mut applied = Applied { api: api.clone(), client, made: Vec::new() };
        let done = api.runtime.block_on(async {
            applied.create(objects).await?;
            applied.wait().await
        });
        done.map_err(ClusterError::Environment)?;
        Ok(applied)
    }

    async fn create(&mut self, objects: &[Tree]) -> Result<(), String> {
        let mut ordered: Vec<&Tree> = objects.iter().collect();
        ordered.sort_by_key(|object| rank(object["kind"].str()));
        for object in ordered {
            let (kind, scope) = self.kind(object).await?;
            let namespace = match (scope, object::namespace(object)) {
                (Scope::Cluster, _) => None,
                (Scope::Namespaced, "") => Some(NAMESPACE.to_owned()),
                (Scope::Namespaced, namespace) => Some(namespace.to_owned()),
            };
            if let Some(namespace) = &namespace {
                self.need(namespace).await?;
            }
            let name = object::name(object).to_owned();
            self.take(object, Made { kind, namespace, name }).await?;
        }
        Ok(())
    }

    /// The type of an object, once it is served.
    async fn kind(&self, object: &Tree) -> Result<(ApiResource, Scope), String> {
        let (version, kind) = (object["apiVersion"].str(), object["kind"].str());
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let wanted = GroupVersionKind::gvk(group, version, kind);
        let mut waited = Duration::ZERO;
        loop {
            match pinned_kind(&self.client, &wanted).await {
                Ok((kind, about)) => return Ok((kind, about.scope)),
                Err(_) if waited < TAKEN_WITHIN && group.contains('.') => pause(&mut waited).await,
                Err(error) => return Err(format!("there is no kind `{kind}`: {error}")),
            }
        }
    }

    /// Creates a namespace unless it is there.
    async fn need(&mut self, name: &str) -> Result<(), String> {
        let is_namespace = |made: &Made| made.kind.kind == "Namespace" && made.name == name;
        if name == "default" || self.made.iter().any(is_namespace) {
            return Ok(());
        }
        let object = map! {
            "apiVersion" => "v1", "kind" => "Namespace", "metadata" => map! { "name" => name },
        };
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace"));
        self.take(&object, Made { kind, namespace: None, name: name.to_owned() }).await
    }

    /// Creates an object, or makes one that is there what it is to be.
    async fn take(&mut self, object: &Tree, made: Made) -> Result<(), String> {
        let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", made.words());
        let mut whole: DynamicObject = serde_json::from_value(serde_json::Value::from(object))
            .map_err(|error| failed(&error))?;
        whole.metadata.namespace.clone_from(&made.namespace);
        let objects = made.objects(&self.client);
        let mut waited = Duration::ZERO;
        loop {
            let mut answer = objects.create(&Default::default(), &whole).await;
            if matches!(&answer, Err(kube::Error::Api(why)) if why.reason == "AlreadyExists") {
                let patch = Patch::Merge(&whole);
                answer = objects.patch(&made.name, &PatchParams::default(), &patch).await;
            }
            match answer {
                Ok(now) if now.metadata.deletion_timestamp.is_none() => break,
                Ok(_) if waited < TAKEN_WITHIN => pause(&mut waited).await,
                Ok(_) => return Err(failed(&"one of before is still being deleted")),
                Err(error) if is_early(&error) && waited < TAKEN_WITHIN => {
                    pause(&mut waited).await;
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        self.made.push(made);
        Ok(())
    }

    async fn wait(&self) -> Result<(), String> {
        let mut waited = Duration::ZERO;
        for made in self.made.iter().filter(|made| gets_ready(&made.kind.kind)) {
            let objects = made.objects(&self.client);
            loop {
                let now = objects.get(&made.name).await.map_err(|error| error.to_string());
                let now = now.map(|now| Tree::from(serde_json::to_value(now).unwrap_or_default()));
                match now {
                    Ok(now) if is_ready(&made.kind.kind, &now) => break,
                    _ if waited < READY_WITHIN => pause(&mut waited).await,
                    Ok(_) => {
                        let why = self.why_not(made).await;
                        let what = made.words();
                        return Err(format!("the {what} does not get ready{why}"));
                    }
                    Err(error) => return Err(format!("{}: {error}", made.words())),
                }
            }
        }
        Ok(())
    }

    /// What keeps the pods of a workload from being ready.
    async fn why_not(&self, made: &Made) -> String {
        let namespace = made.namespace.as_deref().unwrap_or("default");
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
        let pods: Objects<DynamicObject> =
            Objects::namespaced_with(self.client.clone(), namespace, &kind);
        let pods = pods.list(&ListParams::default()).await.map(|list| list.items);
        let pods = pods.unwrap_or_default().into_iter();
        let pods = pods.filter_map(|pod| Some(Tree::from(serde_json::to_value(pod).ok()?)));
        let own = pods.filter(|pod| object::name(pod).starts_with(&made.name));
        own.flat_map(|pod| waiting(&pod)).next().map_or_else(String::new, |why| format!(": {why}"))
    }
}

/// The containers of a pod that wait, and why.
fn waiting(pod: &Tree) -> Vec<String> {
    let statuses = pod["status"]["containerStatuses"].items().iter();
    let of_containers = statuses.filter_map(|status| {
        let waiting = &status["state"]["waiting"];
        let (reason, message) = (waiting["reason"].str(), waiting["message"].str());
        let container = status["name"].str();
        (!reason.is_empty()).then(|| format!("its container {container}: {reason} {message}"))
    });
    let scheduled = object::condition(pod, "PodScheduled");
    let unbound = scheduled.filter(|condition| condition["status"] == "False");
    let unbound = unbound.map(|condition| condition["message"].str().to_owned());
    of_containers.chain(unbound).collect()
}

/// What others need comes first, and what may refuse others last.
fn rank(kind: &str) -> u8 {
    match kind {
        "Namespace" => 0,
        "CustomResourceDefinition" => 1,
        "Deployment" | "StatefulSet" | "DaemonSet" | "Pod" => 3,
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => 4,
        _ => 2,
    }
}

/// Whether a refusal is for want of what is still being made, or still being deleted.
fn is_early(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let words = ["being terminated", "being deleted", "service account"];
    let is_said = words.iter().any(|words| status.message.contains(words));
    is_said || status.code == 404 || status.code >= 500
}

fn gets_ready(kind: &str) -> bool {
    matches!(kind, "CustomResourceDefinition") || rank(kind) == 3
}

fn is_ready(kind: &str, object: &Tree) -> bool {
    let status = &object["status"];
    let number = |field: &str| status[field].as_i64().unwrap_or(0);
    let is_seen = number("observedGeneration") >= object::generation(object);
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let holds = |name: &str| {
        object::condition(object, name).is_some_and(|condition| condition["status"] == "True")
    };
    match kind {
        "Deployment" => is_seen && number("availableReplicas") >= wanted,
        "StatefulSet" => is_seen && number("readyReplicas") >= wanted,
        "DaemonSet" => {
            let wanted = number("desiredNumberScheduled");
            is_seen && wanted > 0 && number("numberReady") >= wanted
        }
        "CustomResourceDefinition" => holds("Established"),
        _ => holds("Ready"),
    }
}

async fn pause(waited: &mut Duration) {
    tokio::time::sleep(ASK_AGAIN).await;
    *waited += ASK_AGAIN;
}

impl Drop for Applied {
    fn drop(&mut self) {
        let background = DeleteParams::background();
        let all = async {
            for made in self.made.iter().rev() {
                // What is gone already needs no deletion.
                let _ = made.objects(&self.client).delete(&made.name, &background).await;
            }
        };
        // A cluster that does not answer any more is not waited for.
        let within = async { tokio::time::timeout(GONE_WITHIN, all).await };
        let _ = self.api.runtime.block_on(within);
    }
}

/// Objects of which the workloads reach the API at `address`, a host and a port, if there is one:
/// that is what clients in a cluster go by (client-go and kube-rs alike).
pub(super) fn led_through(address: Option<&(Text, u16)>, mut objects: Vec<Tree>) -> Vec<Tree> {
    let Some((host, port)) = address else { return objects };
    let wanted = [("KUBERNETES_SERVICE_HOST", host.to_string()), (PORT, port.to_string())];
    for object in objects.iter_mut() {
        let pods = match object["kind"].str() {
            "Pod" => vec!["spec"],
            "Deployment" | "StatefulSet" | "DaemonSet" => vec!["spec", "template", "spec"],
            _ => continue,
        };
        for kind in ["containers", "initContainers"] {
            let place = [&pods[..], &[kind]].concat();
            let mut containers = object.at(&place).items().to_vec();
            for container in &mut containers {
                let mut env = container["env"].items().to_vec();
                env.retain(|one| wanted.iter().all(|(name, _)| one["name"] != *name));
                let own = wanted.iter();
                env.extend(own.map(|(name, value)| {
                    map! { "name" => *name, "value" => value.as_str() }
                }));
                container.set(&["env"], env);
            }
            if !containers.is_empty() {
                object.set(&place, containers);
            }
        }
    }
    objects
}

/// Where a client in a cluster finds the port of the API.
const PORT: &str = "KUBERNETES_SERVICE_PORT";

/// The name of the service account that a workload's pods run as, and their first container.
pub(super) fn runs_as(workload: &Tree) -> (Text, Text) {
    let spec = match workload["kind"].str() {
        "Pod" => &workload["spec"],
        _ => workload.at(&["spec", "template", "spec"]),
    };
    let account = match spec["serviceAccountName"].text() {
        empty if empty.is_empty() => Text::new_static("default"),
        account => account,
    };
    let first = spec["containers"].items().first();
    (account, first.map(|container| container["name"].text()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::list;

    #[test]
    fn who_runs_in_the_cluster_is_led_another_way() {
        let own = list![map! { "name" => "A", "value" => "b" }];
        let containers = list![map! { "name" => "c", "env" => own }];
        let template = map! { "spec" => map! { "containers" => containers } };
        let object = map! { "kind" => "Deployment", "spec" => map! { "template" => template } };
        assert_eq!(led_through(None, vec![object.clone()])[0], object);
        let led = led_through(Some(&("10.0.0.2".into(), 6444)), vec![object, map! {}]);
        let env = led[0].at(&["spec", "template", "spec", "containers"]).items()[0]["env"].items();
        let told: Vec<_> = env.iter().map(|one| (one["name"].str(), one["value"].str())).collect();
        let host = ("KUBERNETES_SERVICE_HOST", "10.0.0.2");
        assert_eq!(told, [("A", "b"), host, ("KUBERNETES_SERVICE_PORT", "6444")]);
        assert_eq!(led[1], map! {});
    }

    #[test]
    fn a_deployment_is_ready_when_its_controller_has_seen_it_and_all_its_pods_are() {
        let deployment = |seen: i64, available: i64| {
            map! {
                "kind" => "Deployment", "metadata" => map! { "generation" => 2 },
                "spec" => map! { "replicas" => 3 },
                "status" => map! { "observedGeneration" => seen, "availableReplicas" => available },
            }
        };
        assert!(is_ready("Deployment", &deployment(2, 3)));
        assert!(!is_ready("Deployment", &deployment(1, 3)));
        assert!(!is_ready("Deployment", &deployment(2, 2)));
    }

    #[test]
    fn a_pod_tells_what_it_waits_for() {
        let state = map! { "waiting" => map! { "reason" => "ErrImagePull", "message" => "no" } };
        let pod = map! {
            "status" => map! {
                "containerStatuses" => list![map! { "name" => "app", "state" => state }],
            },
        };
        assert_eq!(waiting(&pod), ["its container app: ErrImagePull no"]);
    }
}
