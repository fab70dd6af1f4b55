//! Keeping the status of each quota true.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Work};
use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map, object};

use super::super::kinds;
use crate::api::stores_in_namespaces;
use crate::quota::{Amount, Amounts, add, counted_by, covers, usage, uses_compute};

const QUOTAS: Resource = Resource::RESOURCE_QUOTAS;
/// How often every quota is counted anew, whatever happened (`ResourceQuotaSyncPeriod`).
const RESYNC: Millis = 300_000;

/// The ResourceQuota controller of v1.36.
pub fn actor(_: Option<&str>) -> Box<dyn Actor> {
    Box::new(Controller::new(Quotas::default()))
}

#[derive(Clone, Default)]
struct Quotas {
    /// What quotas count, as far as it is watched.
    watched: BTreeSet<Resource>,
    /// What quotas count and no built-in type is: a type that may be defined later.
    undefined: BTreeSet<Resource>,
    /// When each quota is counted anew at the latest.
    resyncs: BTreeMap<ObjectKey, Millis>,
}

impl Reconcile for Quotas {
    fn watches(&self) -> Vec<WatchSpec> {
        vec![WatchSpec::all(QUOTAS)]
    }

    fn also_watches(&mut self, change: &Change) -> Vec<WatchSpec> {
        let Some(object) = &change.new else { return Vec::new() };
        let mut wanted = BTreeSet::new();
        if change.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            wanted.extend(Some(kinds::defined(object)).filter(|it| self.undefined.contains(it)));
        } else if change.resource == QUOTAS {
            for resource in object["spec"]["hard"].fields().filter_map(|(name, _)| counted_by(name))
            {
                if resource == QUOTAS || stores_in_namespaces(&resource) {
                    wanted.insert(resource);
                } else if self.undefined.insert(resource) {
                    wanted.insert(Resource::CUSTOM_RESOURCE_DEFINITIONS);
                }
            }
        }
        wanted.remove(&QUOTAS);
        let new = wanted.into_iter().filter(|resource| self.watched.insert(resource.clone()));
        new.map(WatchSpec::all).collect()
    }

    fn waits_for_further_watches(&self) -> bool {
        true
    }

    fn changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        if change.resource == QUOTAS {
            let hard = |quota: &Option<Tree>| quota.as_ref().map(|it| it["spec"]["hard"].clone());
            if let Some(quota) = &change.new
                && hard(&change.old) != hard(&change.new)
            {
                enqueue(object::key(quota));
            }
        }
        let Some(old) = change.old.as_ref().filter(|old| gives_back(change, old)) else { return };
        for quota in cache.in_namespace(&QUOTAS, object::namespace(old)) {
            let mut hard = quota["status"]["hard"].fields();
            if hard.any(|(name, _)| counted_by(name).as_ref() == Some(&change.resource)) {
                enqueue(object::key(quota));
            }
        }
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(quota) = work.cache.get(&QUOTAS, key) else {
            self.resyncs.remove(key);
            return;
        };
        let now = work.now();
        let (hard, status) = (&quota["spec"]["hard"], &quota["status"]);
        let used = self.used(quota, work.cache, now);
        let is_same = same_amounts(hard, &status["hard"]) && same_amounts(&used, &status["used"]);
        if !is_same || status["hard"].is_null() || status["used"].is_null() {
            let mut quota = quota.clone();
            quota.set(&["status"], map! { "hard" => hard, "used" => used });
            work.request(Request::update(QUOTAS, quota).with_subresource("status"));
        }
        if self.resyncs.get(key).is_none_or(|due| *due <= now) {
            self.resyncs.insert(key.clone(), now + RESYNC);
            work.again_after(RESYNC);
        }
    }
}

impl Quotas {
    /// What is used of what the quota limits. What nobody can count stays as it was said to be.
    fn used(&self, quota: &Tree, cache: &Cache, now: Millis) -> Tree {
        let mut used = map! {};
        let mut counted: BTreeMap<Resource, Amounts> = BTreeMap::new();
        for (name, _) in quota["spec"]["hard"].fields() {
            let resource = counted_by(name);
            let Some(resource) = resource.filter(|it| *it == QUOTAS || self.watched.contains(it))
            else {
                let before = &quota["status"]["used"][name.as_str()];
                if !before.is_null() {
                    used.set(&[name], before);
                }
                continue;
            };
            let amounts = counted.entry(resource).or_insert_with_key(|resource| {
                let objects = cache.in_namespace(resource, object::namespace(quota));
                let mut all = Amounts::new();
                for object in objects.filter(|object| covers(quota, resource, object)) {
                    add(&mut all, &usage(resource, object, now));
                }
                all
            });
            used.set(&[name], amounts.get(name).copied().unwrap_or_default().text());
        }
        used
    }
}

/// Whether less may be used after a change (`DefaultUpdateFilter`): something went, a pod ended or
/// came under another scope, a service or a claim became another one.
fn gives_back(change: &Change, old: &Tree) -> bool {
    let Some(new) = &change.new else { return true };
    let differs = |path: &[&str]| old.at(path) != new.at(path);
    match change.resource.as_str() {
        "pods" => {
            // Neither state is asked for its end, which comes without a change.
            let counts = |pod: &Tree| uses_compute(pod, 0);
            counts(old) && !counts(new) || differs(&["spec", "activeDeadlineSeconds"])
        }
        "services" => {
            let outer = |it: &Tree| {
                let kind = it["spec"]["type"].str();
                if ["NodePort", "LoadBalancer"].contains(&kind) {
                    kind.to_owned()
                } else {
                    String::new()
                }
            };
            outer(old) != outer(new)
        }
        "persistentvolumeclaims" => {
            differs(&["status", "allocatedResources"])
                || differs(&["spec", "volumeAttributesClassName"])
                || differs(&["status", "currentVolumeAttributesClassName"])
                || differs(&["status", "modifyVolumeStatus"])
        }
        _ => false,
    }
}

/// Whether two lists of resources name the same with the same amounts.
fn same_amounts(a: &Tree, b: &Tree) -> bool {
    let read = |list: &Tree| -> Vec<_> {
        list.fields().map(|(name, value)| (name.clone(), Amount::read(value))).collect()
    };
    read(a) == read(b)
}
