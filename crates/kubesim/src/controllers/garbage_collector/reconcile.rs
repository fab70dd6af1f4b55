//! What becomes of an object whose owners changed: read it and its owners from the API, then
//! delete it, drop references, or let it be.
//!
//! Objects are known by uid: the key of an object in work is its uid.

use std::collections::BTreeMap;

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, Request, Status};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map, object};

use super::super::kinds;
use super::graph::{FOREGROUND, Graph, Item, ORPHAN, has_finalizer};

/// Planted bugs: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] = &[
    ("deletes-live-dependents", "an owner that terminates in the background counts as gone"),
    ("leaves-orphans", "objects whose owners are gone are kept"),
];

/// The built-in resources that own or are owned.
const BUILT_IN: [Resource; 14] = [
    Resource::CUSTOM_RESOURCE_DEFINITIONS,
    Resource::PODS,
    Resource::REPLICA_SETS,
    Resource::DEPLOYMENTS,
    Resource::STATEFUL_SETS,
    Resource::DAEMON_SETS,
    Resource::REPLICATION_CONTROLLERS,
    Resource::JOBS,
    Resource::CRON_JOBS,
    Resource::CONTROLLER_REVISIONS,
    Resource::ENDPOINT_SLICES,
    Resource::PERSISTENT_VOLUME_CLAIMS,
    Resource::SERVICES,
    Resource::CONFIG_MAPS,
];

/// The garbage collector over the built-in resources of workloads, and all that are defined later.
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    over(BUILT_IN.to_vec(), bug)
}

/// The garbage collector over all resources but Events and what belongs to the cluster's operator.
pub fn of_everything(bug: Option<&str>) -> Box<dyn Actor> {
    let others = [
        "secrets",
        "serviceaccounts",
        "poddisruptionbudgets.policy",
        "persistentvolumes",
        "resourcequotas",
    ];
    let others = kinds::OTHERS.into_iter().chain(others).map(Resource::new);
    over(BUILT_IN.into_iter().chain(others).collect(), bug)
}

fn over(resources: Vec<Resource>, bug: Option<&str>) -> Box<dyn Actor> {
    Box::new(Controller::new(GarbageCollector {
        hasty: bug == Some("deletes-live-dependents"),
        leaves_orphans: bug == Some("leaves-orphans"),
        resources,
        graph: Graph::default(),
        attempts: BTreeMap::new(),
    }))
}

#[derive(Clone)]
struct GarbageCollector {
    hasty: bool,
    leaves_orphans: bool,
    resources: Vec<Resource>,
    graph: Graph,
    attempts: BTreeMap<Text, Attempt>,
}

/// How far the work on an object is.
#[derive(Clone)]
enum Attempt {
    ReadItem,
    ReadOwners {
        item: Tree,
        unread: usize,
        owners: Owners,
    },
    Orphan {
        item: Tree,
        unanswered: usize,
        failed: bool,
    },
    /// Its owners are not to wait for it; then it is deleted.
    Unblock {
        delete: Box<Request>,
    },
    Write,
}

/// The uids of owners by what the API said of them.
#[derive(Clone, Default)]
struct Owners {
    solid: Vec<Text>,
    gone: Vec<Text>,
    waiting: Vec<Text>,
}

impl Reconcile for GarbageCollector {
    fn watches(&self) -> Vec<WatchSpec> {
        self.resources.iter().cloned().map(WatchSpec::all).collect()
    }

    fn also_watches(&mut self, change: &Change) -> Vec<WatchSpec> {
        let definition = change.new.as_ref();
        let is_definition = change.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS;
        let Some(defined) = definition.filter(|_| is_definition).map(kinds::defined) else {
            return Vec::new();
        };
        if self.resources.contains(&defined) {
            return Vec::new();
        }
        self.resources.push(defined.clone());
        vec![WatchSpec::all(defined)]
    }

    fn changed(&mut self, change: &Change, _: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        let uid = |object: &Option<Tree>| object.as_ref().map(|o| Text::new(object::uid(o)));
        let (old, new) = (uid(&change.old), uid(&change.new));
        if let Some(old) = old.filter(|old| new.as_ref() != Some(old)) {
            self.removed(&old, enqueue);
        }
        if let Some(object) = &change.new {
            self.put(&change.resource, object, enqueue);
        }
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        let Some(item) = self.graph.get(&key.name) else { return };
        if item.is_deleting && !item.waits_for_dependents && !item.orphans_dependents {
            return;
        }
        // Owners that came after it, as with the first lists, need no look.
        if !item.is_deleting && !self.is_dubious(item) {
            return;
        }
        work.request(Request::get(item.resource.clone(), item.key.clone()));
        self.attempts.insert(key.name.clone(), Attempt::ReadItem);
    }

    fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        let uid = &key.name;
        match self.attempts.remove(uid) {
            Some(Attempt::ReadItem) => match answer {
                Ok(item) if object::uid(item) == uid.as_str() => {
                    self.look(uid, item, work);
                    Verdict::Fine
                }
                Err(status) if !status.is_not_found() => Verdict::Retry,
                _ => Verdict::Fine,
            },
            Some(Attempt::ReadOwners { item, unread, mut owners }) => {
                if !self.sort_owner(&item, request, answer, &mut owners) {
                    return Verdict::Retry;
                }
                if unread > 1 {
                    let attempt = Attempt::ReadOwners { item, unread: unread - 1, owners };
                    self.attempts.insert(uid.clone(), attempt);
                } else {
                    self.decide(uid, &item, &owners, work);
                }
                Verdict::Fine
            }
            Some(Attempt::Orphan { item, unanswered, failed }) => {
                let lost = |s: &Status| !s.is_not_found();
                let failed = failed || answer.as_ref().is_err_and(lost);
                if unanswered > 1 {
                    let attempt = Attempt::Orphan { item, unanswered: unanswered - 1, failed };
                    self.attempts.insert(uid.clone(), attempt);
                    return Verdict::Fine;
                }
                if failed {
                    return Verdict::Retry;
                }
                self.drop_finalizer(uid, &item, ORPHAN, work);
                Verdict::Fine
            }
            Some(Attempt::Unblock { delete }) => {
                if answer.as_ref().is_err_and(|status| !status.is_not_found()) {
                    return Verdict::Retry;
                }
                self.write(uid, *delete, work);
                Verdict::Fine
            }
            Some(Attempt::Write) => match answer {
                // A changed uid is another object; it comes by itself.
                Err(status) if !status.is_not_found() => Verdict::Retry,
                _ => Verdict::Fine,
            },
            None => Verdict::Fine,
        }
    }

    fn workers(&self) -> usize {
        20
    }
}

impl GarbageCollector {
    fn removed(&mut self, uid: &Text, enqueue: &mut dyn FnMut(ObjectKey)) {
        let item = self.graph.remove(uid);
        self.graph.dependents(uid).for_each(|dependent| enqueue(by_uid(dependent)));
        for owner in item.iter().flat_map(|item| item.owners.items()) {
            self.wake_if_waiting(owner["uid"].str(), enqueue);
        }
    }

    fn put(&mut self, resource: &Resource, object: &Tree, enqueue: &mut dyn FnMut(ObjectKey)) {
        let uid = Text::new(object::uid(object));
        let old = self.graph.put(resource.clone(), object);
        let Some(item) = self.graph.get(&uid) else { return };
        let same_owners = old.as_ref().is_some_and(|old| old.owners == item.owners);
        if !same_owners {
            if self.is_dubious(item) {
                enqueue(by_uid(&uid));
            }
            let former = old.iter().flat_map(|old| old.owners.items());
            former.for_each(|owner| self.wake_if_waiting(owner["uid"].str(), enqueue));
        }
        let began = |was: fn(&Item) -> bool| was(item) && !old.as_ref().is_some_and(was);
        if began(|item| item.waits_for_dependents) {
            enqueue(by_uid(&uid));
            self.graph.dependents(&uid).for_each(|dependent| enqueue(by_uid(dependent)));
        }
        if began(|item| item.orphans_dependents) {
            enqueue(by_uid(&uid));
        }
        if self.hasty && began(|item| item.is_deleting) {
            self.graph.dependents(&uid).for_each(|dependent| enqueue(by_uid(dependent)));
        }
    }

    /// Whether an owner is unknown, in another namespace, or waits for its dependents.
    fn is_dubious(&self, item: &Item) -> bool {
        item.owners.items().iter().any(|owner| match self.graph.get(owner["uid"].str()) {
            None => true,
            Some(owner) => {
                let elsewhere = owner.key.namespace != item.key.namespace;
                owner.waits_for_dependents
                    || (elsewhere && !owner.key.namespace.is_empty())
                    || (self.hasty && owner.is_deleting)
            }
        })
    }

    fn wake_if_waiting(&self, owner: &str, enqueue: &mut dyn FnMut(ObjectKey)) {
        if self.graph.get(owner).is_some_and(|owner| owner.waits_for_dependents) {
            enqueue(by_uid(owner));
        }
    }

    /// Decides by the live object, as far as it can alone; else reads its owners.
    fn look(&mut self, uid: &Text, item: &Tree, work: &mut Work<'_, '_>) {
        if object::is_terminating(item) {
            if has_finalizer(item, FOREGROUND) {
                let blocks = |uid_of: &Text| {
                    self.graph.get(uid_of).is_some_and(|dependent| dependent.blocks(uid))
                };
                if !self.graph.dependents(uid).any(blocks) {
                    self.drop_finalizer(uid, item, FOREGROUND, work);
                }
            } else if has_finalizer(item, ORPHAN) {
                self.orphan(uid, item, work);
            }
            return;
        }
        let owners = item["metadata"]["ownerReferences"].items();
        for reference in owners {
            let (resource, key) = kinds::owner(reference, object::namespace(item));
            work.request(Request::get(resource, key));
        }
        if !owners.is_empty() {
            let (item, unread) = (item.clone(), owners.len());
            let attempt = Attempt::ReadOwners { item, unread, owners: Owners::default() };
            self.attempts.insert(uid.clone(), attempt);
        }
    }

    /// Books what the API said of one owner; `false` if it could not say.
    fn sort_owner(
        &self,
        item: &Tree,
        request: &Request,
        answer: &Answer,
        owners: &mut Owners,
    ) -> bool {
        let references = item["metadata"]["ownerReferences"].items().iter();
        let asked = references.filter(|reference| {
            let asked = kinds::owner(reference, object::namespace(item));
            asked == (request.resource.clone(), request.key.clone())
        });
        for reference in asked {
            let uid = reference["uid"].text();
            if [&owners.solid, &owners.gone, &owners.waiting].iter().any(|l| l.contains(&uid)) {
                continue;
            }
            let list = match answer {
                Ok(owner) if object::uid(owner) != uid => &mut owners.gone,
                Ok(owner) if object::is_terminating(owner) => {
                    if has_finalizer(owner, FOREGROUND) {
                        &mut owners.waiting
                    } else if self.hasty {
                        &mut owners.gone
                    } else {
                        &mut owners.solid
                    }
                }
                Ok(_) => &mut owners.solid,
                Err(status) if status.is_not_found() => &mut owners.gone,
                Err(_) => return false,
            };
            list.push(uid);
        }
        true
    }

    fn decide(&mut self, uid: &Text, item: &Tree, owners: &Owners, work: &mut Work<'_, '_>) {
        let Some(resource) = self.graph.get(uid).map(|item| item.resource.clone()) else { return };
        if !owners.solid.is_empty() {
            let unneeded: Vec<&Text> = owners.gone.iter().chain(&owners.waiting).collect();
            if !unneeded.is_empty() {
                let owners = item["metadata"]["ownerReferences"].items().iter();
                let needed =
                    owners.filter(|owner| unneeded.iter().all(|uid| owner["uid"] != uid.as_str()));
                let patch = metadata_patch(item, "ownerReferences", needed.cloned().collect());
                self.write(uid, Request::merge_patch(resource, object::key(item), patch), work);
            }
            return;
        }
        if self.leaves_orphans {
            return;
        }
        let has_dependents = self.graph.dependents(uid).next().is_some();
        let policy = if !owners.waiting.is_empty() && has_dependents {
            "Foreground"
        } else if has_finalizer(item, ORPHAN) {
            "Orphan"
        } else if has_finalizer(item, FOREGROUND) {
            "Foreground"
        } else {
            "Background"
        };
        let mut request = Request::delete(resource, object::key(item)).with_uid(object::uid(item));
        request.body.set(&["propagationPolicy"], policy);
        if !owners.waiting.is_empty() && self.may_close_a_circle(uid) {
            // It would wait for one that waits for it.
            let owners = item["metadata"]["ownerReferences"].items().iter().cloned();
            let free = owners.map(|mut owner| {
                owner.set(&["blockOwnerDeletion"], false);
                owner
            });
            let patch = metadata_patch(item, "ownerReferences", free.collect());
            let resource = request.resource.clone();
            work.request(Request::merge_patch(resource, object::key(item), patch));
            let delete = Box::new(request);
            self.attempts.insert(uid.clone(), Attempt::Unblock { delete });
            return;
        }
        self.write(uid, request, work);
    }

    /// Whether a dependent of an item waits for dependents of its own.
    fn may_close_a_circle(&self, uid: &Text) -> bool {
        let mut dependents = self.graph.dependents(uid).filter_map(|uid| self.graph.get(uid));
        dependents.any(|dependent| dependent.waits_for_dependents)
    }

    fn write(&mut self, uid: &Text, request: Request, work: &mut Work<'_, '_>) {
        work.request(request);
        self.attempts.insert(uid.clone(), Attempt::Write);
    }

    fn orphan(&mut self, uid: &Text, item: &Tree, work: &mut Work<'_, '_>) {
        let dependents = self.graph.dependents(uid).filter_map(|uid| self.graph.get(uid));
        let mut unanswered = 0;
        for dependent in dependents {
            let kept = dependent.owners.items().iter().filter(|o| o["uid"] != uid.as_str());
            let kept: Vec<Tree> = kept.cloned().collect();
            let (resource, key) = (dependent.resource.clone(), dependent.key.clone());
            let known = work.cache.get(&resource, &key);
            let patch = metadata_patch(known.unwrap_or(&Tree::Null), "ownerReferences", kept);
            work.request(Request::merge_patch(resource, key, patch));
            unanswered += 1;
        }
        if unanswered == 0 {
            return self.drop_finalizer(uid, item, ORPHAN, work);
        }
        let attempt = Attempt::Orphan { item: item.clone(), unanswered, failed: false };
        self.attempts.insert(uid.clone(), attempt);
    }

    fn drop_finalizer(
        &mut self,
        uid: &Text,
        item: &Tree,
        finalizer: &str,
        work: &mut Work<'_, '_>,
    ) {
        let Some(resource) = self.graph.get(uid).map(|item| item.resource.clone()) else { return };
        let have = item["metadata"]["finalizers"].items().iter();
        let kept: Vec<Tree> = have.filter(|have| *have != finalizer).cloned().collect();
        let patch = metadata_patch(item, "finalizers", kept);
        self.write(uid, Request::merge_patch(resource, object::key(item), patch), work);
    }
}

fn by_uid(uid: &str) -> ObjectKey {
    ObjectKey::new("", uid)
}

/// Sets a list of the metadata, if the object is still as it was read.
fn metadata_patch(read: &Tree, list: &str, items: Vec<Tree>) -> Tree {
    let metadata = &read["metadata"];
    let (uid, version) = (&metadata["uid"], &metadata["resourceVersion"]);
    let items = if items.is_empty() { Tree::Null } else { items.into() };
    map! { "metadata" => map! { "uid" => uid, "resourceVersion" => version, list => items } }
}
