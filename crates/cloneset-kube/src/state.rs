//! What the controller remembers between reconciles: its cache, its expectations, and which
//! CloneSets it has read from the API once.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::actor::WatchEvent;
use kubesim_model::cache::Cache;
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};
use reference::cloneset::{Plan, View, decide};
use reference::expectations::{Expectations, Missing};

/// What decisions are made from.
#[derive(Default)]
pub(crate) struct State {
    cache: Cache,
    expectations: Expectations,
    read: BTreeMap<ObjectKey, BTreeSet<Resource>>,
}

/// What to do for a CloneSet now.
pub(crate) enum Next {
    /// It is gone.
    Nothing,
    /// Ask the API for these first.
    Ask(Vec<Request>),
    /// Something that was written will be seen; look again after this time at the latest.
    Wait(Millis),
    /// Carry this plan out.
    Do(Plan),
}

/// How often it is looked whether all watches have listed.
const LISTING: Millis = 100;

/// What is watched.
fn watched() -> [Resource; 3] {
    [Resource::CLONE_SETS, Resource::PODS, Resource::CONTROLLER_REVISIONS]
}

impl State {
    /// Takes in what a watch delivered.
    pub(crate) fn take(&mut self, event: WatchEvent) {
        for change in self.cache.take(event) {
            self.expectations.changed(&change);
            if change.resource == Resource::CLONE_SETS
                && let (Some(old), None) = (&change.old, &change.new)
            {
                self.forget(&object::key(old));
            }
        }
    }

    /// What to do for a CloneSet; `entropy` names new pods.
    pub(crate) fn next(&mut self, key: &ObjectKey, now: Millis, entropy: u64) -> Next {
        let Some(set) = self.cache.get(&Resource::CLONE_SETS, key) else {
            self.forget(key);
            return Next::Nothing;
        };
        if !self.cache.has_listed(&watched()) {
            return Next::Wait(LISTING);
        }
        let unread = self.unread(key);
        if !unread.is_empty() {
            return Next::Ask(unread);
        }
        match self.expectations.missing(key, &self.cache, now) {
            Missing::Ask(questions) => return Next::Ask(questions),
            Missing::Wait(after) => return Next::Wait(after.max(1)),
            Missing::Nothing => {}
        }
        let uid = object::uid(set);
        Next::Do(decide(&View {
            set,
            pods: self.cache.controlled_by(&Resource::PODS, uid).collect(),
            revisions: self.cache.controlled_by(&Resource::CONTROLLER_REVISIONS, uid).collect(),
            now,
            entropy,
            bug: None,
            started: &BTreeSet::new(),
        }))
    }

    /// A new process knows nothing of the writes of the one before, and its first list may be older
    /// than they are: so the newest state is read once, and waited for.
    fn unread(&self, key: &ObjectKey) -> Vec<Request> {
        let read = self.read.get(key);
        let unread = |resource: &Resource| read.is_none_or(|read| !read.contains(resource));
        let ask = |resource: Resource| match resource == Resource::CLONE_SETS {
            true => Request::get(resource, key.clone()),
            false => Request::list(resource, key.namespace.clone()),
        };
        watched().into_iter().filter(unread).map(ask).collect()
    }

    /// Takes note of a write that is about to be sent.
    pub(crate) fn sent(&mut self, key: &ObjectKey, request: &Request, now: Millis) {
        self.expectations.sent(key, request, now);
    }

    /// Takes note of an answer.
    pub(crate) fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        now: Millis,
    ) {
        let read = self.read.get(key).is_some_and(|read| read.contains(&request.resource));
        if request.verb.is_write() || read {
            self.expectations.answered(key, request, answer, now);
        } else if let Ok(answer) = answer {
            self.expect_read(key, request, answer, now);
        }
    }

    fn expect_read(&mut self, key: &ObjectKey, request: &Request, answer: &Tree, now: Millis) {
        let resource = &request.resource;
        self.read.entry(key.clone()).or_default().insert(resource.clone());
        if request.verb == Verb::Get {
            let of = (resource.clone(), key.clone());
            let version = object::resource_version(answer);
            return self.expectations.expect_version(key, of, version, now);
        }
        let set = self.cache.get(&Resource::CLONE_SETS, key);
        let uid = set.map(|set| Text::new(object::uid(set))).unwrap_or_default();
        let own = |item: &&Tree| object::controller_uid(item) == uid;
        let mut there = BTreeSet::new();
        for item in answer["items"].items().iter().filter(own) {
            there.insert(object::uid(item));
            let of = (resource.clone(), object::key(item));
            self.expectations.expect_version(key, of, object::resource_version(item), now);
        }
        for known in self.cache.controlled_by(resource, &uid) {
            if !there.contains(object::uid(known)) {
                let of = (resource.clone(), object::key(known));
                self.expectations.expect_gone(key, of, Text::new(object::uid(known)), now);
            }
        }
    }

    fn forget(&mut self, key: &ObjectKey) {
        self.expectations.forget(key);
        self.read.remove(key);
    }
}
