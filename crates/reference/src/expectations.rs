//! Remembers what was written and not yet seen, so that nothing is decided from a cache that lags
//! behind one's own writes.
//!
//! Kubernetes' controllers count creations and deletions and give up after five minutes. Here each
//! write is remembered by its object: until the cache shows the resourceVersion that the API
//! answered. What became of a write whose answer was lost, or that isn't seen for long, is asked of
//! the API.

use std::collections::BTreeMap;

use kubesim_model::cache::{Cache, Change};
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::{Millis, Text, object};

/// After so long without seeing a write the API is asked.
const PATIENCE: Millis = 30_000;

/// The open expectations of a controller, by the object whose reconcile wrote.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    owners: BTreeMap<ObjectKey, BTreeMap<(Resource, ObjectKey), Expected>>,
    newest_seen: BTreeMap<Resource, u64>,
}

#[derive(Clone, Debug)]
struct Expected {
    since: Millis,
    state: State,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// No answer yet.
    Sent,
    /// The answer was lost: carried out or not.
    Unknown,
    /// Must be seen at this version or a later one.
    Version(u64),
    /// The object with this uid (any with the empty one) must be seen terminating, or not at all.
    Gone(Text),
}

/// Whether an owner may decide.
#[derive(Clone, Debug, PartialEq)]
pub enum Missing {
    /// Everything was seen.
    Nothing,
    /// Something will be seen; look again after this time at the latest.
    Wait(Millis),
    /// Ask the API for these first.
    Ask(Vec<Request>),
}

impl Expectations {
    /// Takes note of a change of the cache.
    pub fn changed(&mut self, change: &Change) {
        let version =
            change.new.as_ref().or(change.old.as_ref()).map_or(0, object::resource_version);
        let newest = self.newest_seen.entry(change.resource.clone()).or_default();
        *newest = version.max(*newest);
    }

    /// Takes note of a write that `owner` sent.
    pub fn sent(&mut self, owner: &ObjectKey, request: &Request, now: Millis) {
        if request.verb.is_write() {
            self.expect(owner, (request.resource.clone(), request.key.clone()), State::Sent, now);
        }
    }

    /// Takes note of the answer of a write, or of a question of [`Missing::Ask`].
    pub fn answered(&mut self, owner: &ObjectKey, request: &Request, answer: &Answer, now: Millis) {
        let of = (request.resource.clone(), request.key.clone());
        let uid = request.body["preconditions"]["uid"].text();
        let state = match answer {
            Ok(_) if request.verb == Verb::Delete => State::Gone(uid),
            Ok(object) => State::Version(object::resource_version(object)),
            Err(status) if status.code == 0 || status.code >= 500 => State::Unknown,
            Err(status) if status.is_already_exists() => State::Unknown,
            Err(status) if status.is_not_found() || request.verb == Verb::Delete => {
                State::Gone(uid)
            }
            Err(_) => {
                if let Some(open) = self.owners.get_mut(owner) {
                    open.remove(&of);
                }
                return;
            }
        };
        self.expect(owner, of, state, now);
    }

    /// Expects to see the object as the API has it now; for what a new incarnation can't remember.
    pub fn expect_version(
        &mut self,
        owner: &ObjectKey,
        of: (Resource, ObjectKey),
        version: u64,
        now: Millis,
    ) {
        self.expect(owner, of, State::Version(version), now);
    }

    /// Expects to see no object with this uid any more.
    pub fn expect_gone(
        &mut self,
        owner: &ObjectKey,
        of: (Resource, ObjectKey),
        uid: Text,
        now: Millis,
    ) {
        self.expect(owner, of, State::Gone(uid), now);
    }

    /// What `owner` has not seen yet.
    pub fn missing(&mut self, owner: &ObjectKey, cache: &Cache, now: Millis) -> Missing {
        let Some(open) = self.owners.get_mut(owner) else { return Missing::Nothing };
        let newest = &self.newest_seen;
        open.retain(|of, expected| !is_seen(of, &expected.state, cache, newest));
        if open.is_empty() {
            self.owners.remove(owner);
            return Missing::Nothing;
        }
        let due = |expected: &Expected| {
            expected.state == State::Unknown || expected.since + PATIENCE <= now
        };
        let asked: Vec<Request> = open
            .iter()
            .filter(|(_, expected)| due(expected))
            .map(|((resource, key), _)| Request::get(resource.clone(), key.clone()))
            .collect();
        if !asked.is_empty() {
            return Missing::Ask(asked);
        }
        let first = open.values().map(|expected| expected.since + PATIENCE).min().unwrap_or(now);
        Missing::Wait(first.saturating_sub(now))
    }

    /// Forgets what `owner` expected: it is gone.
    pub fn forget(&mut self, owner: &ObjectKey) {
        self.owners.remove(owner);
    }

    fn expect(&mut self, owner: &ObjectKey, of: (Resource, ObjectKey), state: State, now: Millis) {
        let open = self.owners.entry(owner.clone()).or_default();
        open.insert(of, Expected { since: now, state });
    }
}

fn is_seen(
    (resource, key): &(Resource, ObjectKey),
    state: &State,
    cache: &Cache,
    newest: &BTreeMap<Resource, u64>,
) -> bool {
    let known = cache.get(resource, key);
    match state {
        State::Sent | State::Unknown => false,
        // A watch delivers in order: whoever saw a later version saw this one, even if it is gone.
        State::Version(version) => {
            newest.get(resource).is_some_and(|newest| newest >= version)
                || known.is_some_and(|object| object::resource_version(object) >= *version)
        }
        State::Gone(uid) => known.is_none_or(|object| {
            object::is_terminating(object) || (!uid.is_empty() && object::uid(object) != uid)
        }),
    }
}
