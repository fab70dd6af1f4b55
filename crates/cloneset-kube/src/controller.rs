//! The controller: kube-rs's watches feed the state, and each reconcile carries out what the state
//! says is next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use kube::{Api, Client, ResourceExt as _};
use kubesim_model::actor::WatchEvent;
use kubesim_model::request::{Request, Status};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map, object};
use reference::cloneset::{self, Plan};

use crate::send::{send, version};
use crate::state::{Next, State};

/// How long a failed reconcile waits, and how often one is made at the least.
const RETRY: Duration = Duration::from_secs(1);
const RESYNC: Duration = Duration::from_secs(30);
/// How often a reconcile asks before it leaves the rest to the next one.
const ROUNDS: usize = 3;

/// Runs the controller for as long as the future is polled.
pub async fn run(client: Client) {
    let shared = Arc::new(Shared { client, state: Mutex::default() });
    let sets = api_resource(&Resource::CLONE_SETS, "CloneSet");
    let writer = reflector::store::Writer::new(sets.clone());
    let store = writer.as_reader();
    let own = reflector(writer, watch(&shared, &Resource::CLONE_SETS, sets.clone()));
    let pods = api_resource(&Resource::PODS, "Pod");
    let revisions = api_resource(&Resource::CONTROLLER_REVISIONS, "ControllerRevision");
    let watch_pods = watch(&shared, &Resource::PODS, pods.clone());
    let watch_revisions = watch(&shared, &Resource::CONTROLLER_REVISIONS, revisions.clone());
    Controller::for_stream_with(own.applied_objects(), store, sets)
        .owns_stream_with(watch_pods.touched_objects(), pods)
        .owns_stream_with(watch_revisions.touched_objects(), revisions)
        .run(reconcile, |_, _, _| Action::requeue(RETRY), shared)
        .for_each(|_| std::future::ready(()))
        .await;
}

fn api_resource(resource: &Resource, kind: &str) -> ApiResource {
    let kind = GroupVersionKind::gvk(resource.group(), version(resource), kind);
    ApiResource::from_gvk_with_plural(&kind, resource.plural())
}

/// What the controller's parts share.
struct Shared {
    client: Client,
    state: Mutex<State>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A watch whose events the state takes in before they trigger anything.
fn watch(
    shared: &Arc<Shared>,
    resource: &Resource,
    kind: ApiResource,
) -> impl futures::Stream<Item = watcher::Result<watcher::Event<DynamicObject>>> + Send + 'static {
    let api: Api<DynamicObject> = Api::all_with(shared.client.clone(), &kind);
    let (shared, resource) = (shared.clone(), resource.clone());
    let mut listing: BTreeMap<ObjectKey, Tree> = BTreeMap::new();
    watcher(api, watcher::Config::default()).default_backoff().inspect_ok(move |event| {
        let resource = resource.clone();
        let event = match event {
            watcher::Event::Init => return listing.clear(),
            watcher::Event::InitApply(item) => {
                let item = tree(item, &kind);
                return drop(listing.insert(object::key(&item), item));
            }
            watcher::Event::InitDone => {
                let items = std::mem::take(&mut listing).into_values().collect();
                WatchEvent::Listed { resource, items }
            }
            watcher::Event::Apply(item) => {
                WatchEvent::Applied { resource, object: tree(item, &kind) }
            }
            watcher::Event::Delete(item) => {
                WatchEvent::Deleted { resource, object: tree(item, &kind) }
            }
        };
        shared.state().take(event);
    })
}

/// The object as a tree. The items of a list don't say what they are, so it is said here.
fn tree(item: &DynamicObject, kind: &ApiResource) -> Tree {
    let mut tree = serde_json::to_value(item).map(Tree::from).unwrap_or_default();
    tree.set(&["apiVersion"], kind.api_version.as_str());
    tree.set(&["kind"], kind.kind.as_str());
    tree
}

async fn reconcile(set: Arc<DynamicObject>, shared: Arc<Shared>) -> Result<Action, Status> {
    let key = ObjectKey::new(set.namespace().unwrap_or_default(), set.name_any());
    for _ in 0..ROUNDS {
        let next = shared.state().next(&key, now(), fastrand::u64(..));
        match next {
            Next::Nothing => return Ok(Action::await_change()),
            Next::Wait(after) => return Ok(requeue(Some(after))),
            Next::Ask(questions) => send_all(&shared, &key, questions).await.or_else(gone)?,
            Next::Do(plan) => return carry_out(&shared, &key, plan).await,
        }
    }
    Ok(Action::requeue(Duration::from_millis(1)))
}

/// A question may be about what is gone: then the answer is just that.
fn gone(status: Status) -> Result<(), Status> {
    if status.is_not_found() { Ok(()) } else { Err(status) }
}

async fn carry_out(shared: &Shared, key: &ObjectKey, plan: Plan) -> Result<Action, Status> {
    let again = plan.again;
    let mut requests = Vec::new();
    for action in plan.actions {
        match &action {
            cloneset::Action::Report { reason, message } => {
                let event = event(key, reason, message);
                // An Event that is lost is no reason to do anything again.
                drop(send(&shared.client, &event).await);
            }
            _ => requests.extend(action.request()),
        }
    }
    send_all(shared, key, requests).await?;
    Ok(requeue(again))
}

fn requeue(after: Option<Millis>) -> Action {
    Action::requeue(after.map_or(RESYNC, Duration::from_millis).min(RESYNC))
}

/// Sends requests side by side; the first failure, once all are answered.
async fn send_all(shared: &Shared, key: &ObjectKey, requests: Vec<Request>) -> Result<(), Status> {
    requests.iter().for_each(|request| shared.state().sent(key, request, now()));
    let answers = requests.iter().map(|request| async move {
        let answer = send(&shared.client, request).await;
        shared.state().answered(key, request, &answer, now());
        answer.map(drop)
    });
    join_all(answers).await.into_iter().collect()
}

/// An Event about a CloneSet, for people.
fn event(set: &ObjectKey, reason: &str, message: &str) -> Request {
    Request::create(
        Resource::EVENTS,
        map! {
            "metadata" => map! {
                "generateName" => format!("{}.", set.name), "namespace" => &set.namespace,
            },
            "involvedObject" => map! {
                "apiVersion" => "apps.kruise.io/v1beta1", "kind" => "CloneSet",
                "namespace" => &set.namespace, "name" => &set.name,
            },
            "type" => "Warning", "reason" => reason, "message" => message,
        },
    )
}

/// The time as the decisions count it: from the model's epoch.
fn now() -> Millis {
    u64::try_from(Timestamp::now().as_millisecond() - object::EPOCH).unwrap_or(0)
}
