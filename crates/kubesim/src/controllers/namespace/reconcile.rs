//! One resource after the other is deleted and listed; what is left is waited for.

use std::collections::BTreeMap;

use super::super::kinds;
use super::conditions::Remains;
use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

/// Planted bugs: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] =
    &[("forgets-content", "the finalizer goes without a look at what the namespace holds")];

const NAMESPACES: Resource = Resource::NAMESPACES;
/// What the controller puts on every namespace and takes off an empty one.
const FINALIZER: &str = "kubernetes";
/// What is left is expected to need this long without a grace period of its own.
const ESTIMATE: Millis = 15_000;
/// In the order of deletion.
const BUILT_IN: [Resource; 17] = [
    Resource::PODS,
    Resource::CONFIG_MAPS,
    Resource::CONTROLLER_REVISIONS,
    Resource::CRON_JOBS,
    Resource::DAEMON_SETS,
    Resource::DEPLOYMENTS,
    Resource::ENDPOINT_SLICES,
    Resource::JOBS,
    Resource::PERSISTENT_VOLUME_CLAIMS,
    Resource::POD_DISRUPTION_BUDGETS,
    Resource::REPLICA_SETS,
    Resource::REPLICATION_CONTROLLERS,
    Resource::RESOURCE_QUOTAS,
    Resource::SECRETS,
    Resource::SERVICE_ACCOUNTS,
    Resource::SERVICES,
    Resource::STATEFUL_SETS,
];

/// The namespace controller over the built-in resources of workloads, and all that are defined
/// later.
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    over(BUILT_IN.to_vec(), bug)
}

/// The namespace controller over all resources.
pub fn of_everything(bug: Option<&str>) -> Box<dyn Actor> {
    let others = kinds::OTHERS.into_iter().chain(["events"]).map(Resource::new);
    over(BUILT_IN.into_iter().chain(others).collect(), bug)
}

fn over(resources: Vec<Resource>, bug: Option<&str>) -> Box<dyn Actor> {
    Box::new(Controller::new(Namespaces {
        forgets_content: bug == Some("forgets-content"),
        resources,
        sweeps: BTreeMap::new(),
    }))
}

#[derive(Clone)]
struct Namespaces {
    forgets_content: bool,
    resources: Vec<Resource>,
    /// Which resource is being emptied, and what is left of the others.
    sweeps: BTreeMap<ObjectKey, Sweep>,
}

#[derive(Clone, Default)]
struct Sweep {
    at: usize,
    remains: Remains,
    /// How long what is left may take.
    patience: Millis,
}

impl Reconcile for Namespaces {
    fn watches(&self) -> Vec<WatchSpec> {
        vec![WatchSpec::all(NAMESPACES), WatchSpec::all(Resource::CUSTOM_RESOURCE_DEFINITIONS)]
    }

    fn changed(&mut self, change: &Change, _: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        if change.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            let defined = change.new.as_ref().map(kinds::defined);
            self.resources.extend(defined.filter(|defined| !self.resources.contains(defined)));
            return;
        }
        if let Some(namespace) = change.new.as_ref().filter(|n| object::is_terminating(n)) {
            enqueue(object::key(namespace));
        }
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(namespace) = work.cache.get(&NAMESPACES, key).cloned() else { return };
        let finalizers = namespace["spec"]["finalizers"].items();
        if !object::is_terminating(&namespace) || !finalizers.iter().any(|f| f == FINALIZER) {
            return;
        }
        if self.forgets_content {
            return finalize(&namespace, work);
        }
        self.sweeps.insert(key.clone(), Sweep::default());
        self.empty(key, 0, work);
    }

    fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        match (request.verb, answer) {
            (Verb::DeleteCollection, Ok(_)) => {
                work.request(Request::list(request.resource.clone(), key.name.clone()));
                Verdict::Fine
            }
            (Verb::List, Ok(list)) => {
                self.count(key, list["items"].items(), work);
                Verdict::Fine
            }
            // A resource that the API does not have holds nothing.
            (Verb::DeleteCollection | Verb::List, Err(status)) if status.is_not_found() => {
                self.count(key, &[], work);
                Verdict::Fine
            }
            // All is told, and nothing is left.
            (Verb::Update, Ok(told)) if request.subresource == "status" => {
                if self.sweeps.remove(key).is_some() {
                    finalize(told, work);
                }
                Verdict::Fine
            }
            (_, Ok(_)) => Verdict::Fine,
            (Verb::Update, Err(status)) if status.is_not_found() => Verdict::Fine,
            (_, Err(_)) => Verdict::Retry,
        }
    }
}

impl Namespaces {
    fn empty(&self, key: &ObjectKey, at: usize, work: &mut Work<'_, '_>) {
        let content = ObjectKey::new(key.name.clone(), "");
        work.request(Request::new(Verb::DeleteCollection, self.resources[at].clone(), content));
    }

    /// Books what is left of a resource and goes on to the next: all pods must be gone first.
    fn count(&mut self, key: &ObjectKey, items: &[Tree], work: &mut Work<'_, '_>) {
        let Some(sweep) = self.sweeps.get_mut(key) else { return };
        let patience = |item: &Tree| {
            let grace = item["metadata"]["deletionGracePeriodSeconds"].as_i64();
            grace.map_or(ESTIMATE, |s| Millis::try_from(s).unwrap_or(0).saturating_mul(1_000))
        };
        let resource = &self.resources[sweep.at];
        let namespace = work.cache.get(&NAMESPACES, key);
        let ends = |pod: &Tree| {
            let since = namespace
                .and_then(|it| object::parse_time(it["metadata"]["deletionTimestamp"].str()));
            let grace = pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(0);
            let grace = Millis::try_from(grace).unwrap_or(0).saturating_mul(1_000);
            !object::is_terminal(pod) && since.is_some_and(|since| since + grace > work.now())
        };
        let take_time = *resource == Resource::PODS && items.iter().any(ends);
        sweep.remains.note(resource, items, take_time);
        sweep.patience = items.iter().map(patience).fold(sweep.patience, Millis::max);
        sweep.at += 1;
        let at = sweep.at;
        let pods_are_left = at == 1 && !sweep.remains.is_empty();
        if at < self.resources.len() && !pods_are_left {
            return self.empty(key, at, work);
        }
        self.conclude(key, pods_are_left, work);
    }

    /// Tells what is left; the finalizer goes when nothing is.
    fn conclude(&mut self, key: &ObjectKey, pods_are_left: bool, work: &mut Work<'_, '_>) {
        let Some(sweep) = self.sweeps.remove(key) else { return };
        let Some(mut namespace) = work.cache.get(&NAMESPACES, key).cloned() else { return };
        let is_news = sweep.remains.tell(&mut namespace, pods_are_left, work.now());
        let is_done = sweep.remains.is_empty();
        if !is_done {
            work.again_after(sweep.patience.min(3_600_000) / 2 + 1_000);
        }
        if is_news {
            if is_done {
                self.sweeps.insert(key.clone(), sweep);
            }
            work.request(Request::update(NAMESPACES, namespace).with_subresource("status"));
        } else if is_done {
            finalize(&namespace, work);
        }
    }
}

/// Takes the finalizer off; the API then removes the namespace.
fn finalize(namespace: &Tree, work: &mut Work<'_, '_>) {
    let mut new = namespace.clone();
    let finalizers = namespace["spec"]["finalizers"].items().iter();
    let kept: Vec<Tree> = finalizers.filter(|have| *have != FINALIZER).cloned().collect();
    new.set(&["spec", "finalizers"], kept);
    work.request(Request::update(NAMESPACES, new).with_subresource("finalize"));
}
