//! One line of a stored history: an event whose changes are written against the last known state of
//! each object.
//!
//! A stored change has `rv`, `resource`, `namespace`, `name` and one of
//!
//! * `patch`: a JSON merge patch of the object's last state in this history;
//! * `object`: the whole new state (a creation, or what no merge patch can express);
//! * `removed: true`: the write removed the object.
//!
//! The state before is the object's last state, so it is not written; `before` stands only where
//! that would be wrong: for objects older than the history, and `null` where there was none.

use std::collections::BTreeMap;

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use serde::{Deserialize, Deserializer, Serialize};

use super::diff::{diff, identical, merge};
use super::event::{Body, Change, Event};

/// The last state of every object that a history told of.
#[derive(Clone, Debug, Default)]
pub(super) struct LastStates(BTreeMap<(Resource, ObjectKey), Tree>);

#[derive(Serialize, Deserialize)]
pub(super) struct StoredEvent {
    #[serde(flatten)]
    event: Event,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<StoredChange>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredChange {
    rv: u64,
    resource: Resource,
    namespace: kubesim_model::Text,
    name: kubesim_model::Text,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    before: Option<Tree>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patch: Option<Tree>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    object: Option<Tree>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
}

/// Reads a field that is there, also as `null`.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Tree>, D::Error> {
    Tree::deserialize(from).map(Some)
}

impl StoredEvent {
    /// The stored form of an event that follows these states; they take its changes in.
    pub(super) fn pack(event: &Event, states: &mut LastStates) -> StoredEvent {
        let Body::Request(request) = &event.body else {
            return StoredEvent { event: event.clone(), changes: Vec::new() };
        };
        let changes = request.changes.iter().map(|change| pack(change, states)).collect();
        let bare = super::event::RequestEvent { changes: Vec::new(), ..(**request).clone() };
        let event = Event { body: Body::Request(Box::new(bare)), ..event.clone() };
        StoredEvent { event, changes }
    }

    /// The event, with its changes restored from these states, which take them in.
    pub(super) fn unpack(self, states: &mut LastStates) -> Result<Event, String> {
        let StoredEvent { mut event, changes } = self;
        match &mut event.body {
            Body::Request(request) => {
                request.changes = changes
                    .into_iter()
                    .map(|change| unpack(change, states))
                    .collect::<Result<_, _>>()?;
            }
            _ if !changes.is_empty() => return Err("only requests have changes".into()),
            _ => {}
        }
        Ok(event)
    }
}

fn pack(change: &Change, states: &mut LastStates) -> StoredChange {
    let at = (change.resource.clone(), change.key.clone());
    let last = states.0.get(&at);
    let is_last = match (last, &change.before) {
        (Some(last), Some(before)) => identical(last, before),
        (None, None) => true,
        _ => false,
    };
    let before = (!is_last).then(|| change.before.clone().unwrap_or_default());
    let patch = match (&change.before, &change.after) {
        (Some(before), Some(after)) => diff(before, after),
        _ => None,
    };
    let object = if patch.is_none() { change.after.clone() } else { None };
    states.keep(at, &change.after);
    StoredChange {
        rv: change.rv,
        resource: change.resource.clone(),
        namespace: change.key.namespace.clone(),
        name: change.key.name.clone(),
        before,
        patch,
        object,
        removed: change.after.is_none(),
    }
}

fn unpack(stored: StoredChange, states: &mut LastStates) -> Result<Change, String> {
    let key = ObjectKey { namespace: stored.namespace, name: stored.name };
    let at = (stored.resource.clone(), key.clone());
    let before = match stored.before {
        Some(Tree::Null) => None,
        Some(before) => Some(before),
        None => states.0.get(&at).cloned(),
    };
    let after = match (stored.patch, stored.object, stored.removed) {
        (None, None, true) => None,
        (None, Some(object), false) => Some(object),
        (Some(patch), None, false) => {
            let base = before.as_ref().ok_or_else(|| {
                format!("a patch of {} {key}, of which no state is known", stored.resource)
            })?;
            Some(merge(base, &patch))
        }
        _ => return Err("a change has one of `patch`, `object` and `removed`".into()),
    };
    states.keep(at, &after);
    Ok(Change { rv: stored.rv, resource: stored.resource, key, before, after })
}

impl LastStates {
    fn keep(&mut self, at: (Resource, ObjectKey), after: &Option<Tree>) {
        match after {
            Some(after) => self.0.insert(at, after.clone()),
            None => self.0.remove(&at),
        };
    }
}
