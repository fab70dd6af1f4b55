//! `no-hot-loop`: the subject does not write without getting anywhere.

use std::collections::{BTreeMap, VecDeque};

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::Scene;
use crate::history::{Body, Event, RequestEvent};
use crate::suite::faults::Args;
use crate::suite::vocabulary::{Entry, Param, ParamKind};

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "no-hot-loop",
        doc: "The subject does not write without getting anywhere.",
        params: &[
            Param::new("writes", ParamKind::Int, "How many such writes there may be.")
                .default("20"),
            Param::new("per", ParamKind::Duration, "In which time.").default("1m"),
        ],
    },
    doc: "An actor of the subject sends at most `writes` requests in `per` that get nowhere for \
          one object: that change nothing, that restore a state which the object had within that \
          time although nobody else changed another object since the actor wrote it last, or that \
          fail with a client error. Conflicts, throttling and answers made by a fault do not \
          count. A work queue that backs off as client-go's does (5 ms doubling, v1.36) retries 14 \
          times in the first minute; 20 leave room for a second cause.",
    needs: &[Capability::Actors],
    make: |args| Box::new(NoHotLoop::new(args)),
};

type Target = (Text, Resource, ObjectKey);

struct NoHotLoop {
    writes: usize,
    per: Millis,
    idle: BTreeMap<Target, VecDeque<(Millis, u64)>>,
    seen: BTreeMap<Target, VecDeque<(Millis, u64)>>,
    /// The event of the last write of each object by an actor.
    wrote: BTreeMap<Target, u64>,
    /// The last two objects that each actor changed, the newest first, with the event.
    changed: BTreeMap<Text, Vec<(u64, Resource, ObjectKey)>>,
    is_told: BTreeMap<Target, Millis>,
}

impl NoHotLoop {
    fn new(args: &Args) -> Self {
        let writes = args.int("writes").and_then(|writes| usize::try_from(writes).ok());
        NoHotLoop {
            writes: writes.unwrap_or(20),
            per: args.duration("per").unwrap_or(60_000),
            idle: BTreeMap::new(),
            seen: BTreeMap::new(),
            wrote: BTreeMap::new(),
            changed: BTreeMap::new(),
            is_told: BTreeMap::new(),
        }
    }

    fn is_idle(&mut self, now: Millis, target: &Target, request: &RequestEvent) -> bool {
        if (400..500).contains(&request.code) {
            let is_conflict = request.code == 409 && request.reason != "AlreadyExists";
            return !is_conflict && request.code != 429;
        }
        if !(200..300).contains(&request.code) {
            return false;
        }
        let own = |change: &&crate::history::Change| {
            change.resource == request.resource && change.key == request.key
        };
        let Some(change) = request.changes.iter().find(own) else {
            // A delete or create that changed nothing was a dry run or had been done already.
            return request.changes.is_empty();
        };
        let Some(after) = &change.after else { return false };
        let seen = self.seen.entry(target.clone()).or_default();
        let since = now.saturating_sub(self.per);
        while seen.front().is_some_and(|(t, _)| *t < since) {
            seen.pop_front();
        }
        let digest = essence(after).digest();
        let again = seen.iter().any(|(_, have)| *have == digest);
        seen.push_back((now, digest));
        // A status that follows what happens elsewhere comes back to what it was.
        again && !self.has_cause(target)
    }

    /// Whether somebody else changed another object since the actor wrote this one last.
    fn has_cause(&self, target: &Target) -> bool {
        let (actor, resource, key) = target;
        let Some(last) = self.wrote.get(target) else { return true };
        let others = self.changed.iter().filter(|(by, _)| *by != actor);
        others
            .flat_map(|(_, objects)| objects)
            .any(|(n, of, name)| n > last && (of, name) != (resource, key))
    }

    /// Notes what a request changed.
    fn note(&mut self, n: u64, request: &RequestEvent) {
        for change in request.changes.iter().filter(|change| counts(&change.resource)) {
            let objects = self.changed.entry(request.actor.clone()).or_default();
            objects.retain(|(_, of, name)| (of, name) != (&change.resource, &change.key));
            objects.insert(0, (n, change.resource.clone(), change.key.clone()));
            objects.truncate(2);
        }
    }
}

/// Whether writes of a resource are looked at: leases are renewed and Events told all the time.
fn counts(resource: &Resource) -> bool {
    ![Resource::LEASES, Resource::EVENTS].contains(resource)
}

/// An object without what every write changes.
fn essence(object: &Tree) -> Tree {
    let mut object = object.clone();
    for field in ["resourceVersion", "managedFields", "generation"] {
        object.remove(&["metadata", field]);
    }
    object
}

impl Invariant for NoHotLoop {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        let Body::Request(request) = &event.body else { return };
        let is_meant = request.verb.is_write()
            && !request.injected
            && counts(&request.resource)
            && scene.is_subject(&request.actor);
        if !is_meant {
            return self.note(event.n, request);
        }
        let target = (request.actor.clone(), request.resource.clone(), request.key.clone());
        let is_idle = self.is_idle(event.t, &target, request);
        self.wrote.insert(target.clone(), event.n);
        self.note(event.n, request);
        if !is_idle {
            return;
        }
        let since = event.t.saturating_sub(self.per);
        let idle = self.idle.entry(target.clone()).or_default();
        idle.push_back((event.t, event.n));
        while idle.front().is_some_and(|(t, _)| *t < since) {
            idle.pop_front();
        }
        let told = self.is_told.get(&target).is_some_and(|told| *told >= since);
        if idle.len() <= self.writes || told {
            return;
        }
        let what = Violation {
            object: format!("{} {}", request.resource, request.key),
            rv: request.changes.first().map_or(0, |change| change.rv),
            actor: request.actor.clone(),
            value: format!("{} writes", idle.len()),
            limit: format!("{} in {} s", self.writes, self.per / 1000),
            message: format!("{} keeps writing without getting anywhere", request.actor),
            evidence: idle.iter().take(3).map(|(_, n)| *n).collect(),
        };
        self.is_told.insert(target, event.t);
        findings.fail(scene, what);
    }
}
