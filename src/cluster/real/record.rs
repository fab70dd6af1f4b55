//! Who made which change: what the watches tell and what the audit log tells, brought together by
//! resourceVersion, or else by the object. What comes out is in the order of the versions.

use std::collections::{BTreeMap, VecDeque};

use kubesim_model::request::{self, Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use super::audit::Entry;
use crate::history::{Change, RequestEvent};

/// How long a change waits for those with lower versions, which other watches bring.
const ORDER: Millis = 50;
/// How long a change waits for a request that names its version, before one that does not may have
/// made it. The log is written before the answer goes out, so this is plenty.
const EXACT: Millis = 300;
/// How long a request without changes waits for some.
const PATIENCE: Millis = 2_000;
/// How long a change waits for its request: on a machine with much to do, the log is late too.
const CLAIMED: Millis = 5_000;

/// How many requests are known by name that the log has not told of: of watches it never does.
const MARKED: usize = 50_000;

/// What watches and log have told and is not recorded yet.
pub(super) struct Recorder {
    /// Whether anybody says who did what.
    is_told: bool,
    /// By version and, since a list that comes late tells of many deletions at once, by number.
    changes: BTreeMap<(u64, u64), Waiting>,
    requests: VecDeque<Request>,
    /// How many changes and requests were told of.
    told: u64,
    /// By user and user agent: the name of who asks.
    names: BTreeMap<(Text, Text), Text>,
    /// What is known of requests by the names that the log gives them, which rise.
    marks: BTreeMap<Text, Mark>,
}

/// What is known of a request beside what the log tells.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct Mark {
    /// In which incarnation its actor sent it.
    pub(in crate::cluster) incarnation: Option<u32>,
    /// Whether a fault has to do with it.
    pub(in crate::cluster) injected: bool,
}

struct Waiting {
    change: Change,
    since: Millis,
    /// The number of the request that made it.
    by: Option<u64>,
}

struct Request {
    number: u64,
    entry: Entry,
    since: Millis,
    /// How many changes it is known to have made, recorded or not.
    made: usize,
    is_recorded: bool,
}

/// What is to be recorded.
#[derive(Debug)]
pub(super) enum Recorded {
    /// An actor that was not seen before.
    Actor { actor: Text, user: Text, user_agent: Text },
    /// A request, the incarnation that sent it, if that is known, and when it was answered.
    Request(Box<RequestEvent>, Option<u32>, Millis),
    /// A change of which nobody knows who made it.
    Unclaimed(Change),
}

impl Recorder {
    /// With an audit log, or without one.
    pub(super) fn new(is_told: bool) -> Self {
        Recorder {
            is_told,
            changes: BTreeMap::new(),
            requests: VecDeque::new(),
            told: 0,
            names: BTreeMap::new(),
            marks: BTreeMap::new(),
        }
    }

    /// Says how an actor is called that the cluster knows by another name than its user's. One
    /// without a user agent is known by its user alone.
    pub(super) fn name(&mut self, user: &Text, user_agent: &Text, name: &Text) {
        self.names.insert((user.clone(), user_agent.clone()), name.clone());
    }

    /// Says what is known of the request that the log will know by the name `id`.
    pub(super) fn mark(&mut self, id: Text, mark: Mark) {
        self.marks.insert(id, mark);
        if self.marks.len() > MARKED {
            self.marks.pop_first();
        }
    }

    /// Whether no change waits to be recorded.
    pub(super) fn has_no_changes(&self) -> bool {
        self.changes.is_empty()
    }

    /// A watch told of a change.
    pub(super) fn changed(&mut self, now: Millis, change: Change) {
        self.told += 1;
        self.changes.insert((change.rv, self.told), Waiting { change, since: now, by: None });
    }

    /// The log told of a request.
    pub(super) fn asked(&mut self, now: Millis, entry: Entry) {
        self.told += 1;
        let number = self.told;
        let request = Request { number, entry, since: now, made: 0, is_recorded: false };
        self.requests.push_back(request);
    }

    /// Whether everything that was told is recorded.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.requests.iter().all(|request| request.is_recorded)
    }

    /// What can be recorded now, in the order of the versions. A request has all its changes with
    /// its first one, as far as that leaves those of each object in order.
    pub(super) fn take(&mut self, now: Millis) -> Vec<Recorded> {
        self.match_all(now);
        let mut recorded = Vec::new();
        while let Some(by) = self.first_due(now) {
            let Some((_, first)) = self.changes.pop_first() else { break };
            match by {
                Some(number) => {
                    let mut changes = vec![first.change];
                    changes.extend(self.more_of(number));
                    self.record(number, changes, &mut recorded);
                }
                None => recorded.push(Recorded::Unclaimed(first.change)),
            }
        }
        self.record_rest(now, &mut recorded);
        recorded
    }

    /// Who made the first change, if it can be recorded.
    fn first_due(&self, now: Millis) -> Option<Option<u64>> {
        let (_, first) = self.changes.first_key_value()?;
        let request = self.requests.iter().find(|request| Some(request.number) == first.by);
        let wait = match request {
            // More of what it did may be matched as late.
            Some(request) if request.entry.rv != first.change.rv => EXACT + ORDER,
            Some(_) => ORDER,
            None if self.is_told => CLAIMED,
            None => ORDER,
        };
        (now.saturating_sub(first.since) >= wait).then_some(first.by)
    }

    /// Takes out the other changes of a request before which nothing of the same object waits.
    fn more_of(&mut self, number: u64) -> Vec<Change> {
        let mut others: Vec<(&Resource, &ObjectKey)> = Vec::new();
        let mut own = Vec::new();
        for (place, waiting) in &self.changes {
            let object = (&waiting.change.resource, &waiting.change.key);
            if waiting.by != Some(number) {
                others.push(object);
            } else if !others.contains(&object) {
                own.push(*place);
            }
        }
        own.iter().filter_map(|place| Some(self.changes.remove(place)?.change)).collect()
    }

    fn match_all(&mut self, now: Millis) {
        let Recorder { changes, requests, .. } = self;
        for waiting in changes.values_mut().filter(|waiting| waiting.by.is_none()) {
            let change = &waiting.change;
            let exact = requests.iter_mut().find(|request| answers(&request.entry, change));
            let is_late = now.saturating_sub(waiting.since) >= EXACT;
            let found = match exact {
                None if is_late => requests.iter_mut().find(|one| could_make(one, change)),
                exact => exact,
            };
            if let Some(request) = found {
                request.made += 1;
                waiting.by = Some(request.number);
            }
        }
    }

    fn record(&mut self, number: u64, changes: Vec<Change>, recorded: &mut Vec<Recorded>) {
        let request = self.requests.iter_mut().find(|request| request.number == number);
        let Some(request) = request else {
            return recorded.extend(changes.into_iter().map(Recorded::Unclaimed));
        };
        request.is_recorded = true;
        let entry = request.entry.clone();
        self.emit(entry, changes, recorded);
    }

    /// Requests that changed nothing. Those that did are kept for a while: more of their changes
    /// may come.
    fn record_rest(&mut self, now: Millis, recorded: &mut Vec<Recorded>) {
        let mut at = 0;
        while let Some(request) = self.requests.get(at) {
            let entry = &request.entry;
            let may_change = entry.verb.is_write() && entry.code < 300;
            let age = now.saturating_sub(request.since);
            let is_open = request.made > 0 && !request.is_recorded;
            if is_open || age < if may_change { PATIENCE } else { ORDER } {
                at += 1;
                continue;
            }
            if let Some(request) = self.requests.remove(at)
                && !request.is_recorded
            {
                self.emit(request.entry, Vec::new(), recorded);
            }
        }
    }

    fn emit(&mut self, entry: Entry, changes: Vec<Change>, recorded: &mut Vec<Recorded>) {
        let at = entry.at;
        let Mark { incarnation, injected } = self.marks.remove(&entry.id).unwrap_or_default();
        let actor = self.actor(&entry, recorded);
        let event = RequestEvent {
            actor,
            incarnation: incarnation.unwrap_or(1),
            verb: entry.verb,
            resource: entry.resource,
            key: entry.key,
            subresource: entry.subresource,
            code: entry.code,
            reason: entry.reason,
            message: entry.message,
            injected,
            changes,
        };
        recorded.push(Recorded::Request(Box::new(event), incarnation, at));
    }

    fn actor(&mut self, entry: &Entry, recorded: &mut Vec<Recorded>) -> Text {
        let who = (entry.user.clone(), entry.user_agent.clone());
        if let Some(name) = self.names.get(&who) {
            return name.clone();
        }
        let known = self.names.get(&(entry.user.clone(), Text::default()));
        let actor = known.cloned().unwrap_or_else(|| name_of(&entry.user, &entry.user_agent));
        self.names.insert(who, actor.clone());
        let (user, user_agent) = (entry.user.clone(), entry.user_agent.clone());
        recorded.push(Recorded::Actor { actor: actor.clone(), user, user_agent });
        actor
    }
}

/// What the simulation calls whoever has this user.
pub(in crate::cluster) fn name_of(user: &Text, user_agent: &Text) -> Text {
    match user.as_str() {
        "system:kube-scheduler" => Text::new_static("scheduler"),
        "kubernetes-admin" => {
            Text::new(user_agent.split(['/', ' ']).next().unwrap_or("kubernetes-admin"))
        }
        // What the API server writes on its own account.
        "system:apiserver" => Text::new_static("kube-apiserver"),
        name => {
            let of_system = name.strip_prefix("system:serviceaccount:kube-system:");
            match (name.strip_prefix("system:node:"), of_system) {
                (Some(node), _) => Text::from(format!("kubelet/{node}")),
                (_, Some(account)) => Text::new(account),
                _ => Text::new(name.strip_prefix("system:").unwrap_or(name)),
            }
        }
    }
}

/// Whether the answer to a request is what became of a change. A write that changes nothing is
/// answered with what there is, which may be what a deletion has just made of it.
fn answers(entry: &Entry, change: &Change) -> bool {
    let is_ended = |object: &Option<Tree>| object.as_ref().is_some_and(object::is_terminating);
    let begins_to_end = is_ended(&change.after) && !is_ended(&change.before);
    entry.rv == change.rv
        && entry.resource == change.resource
        && entry.key == change.key
        && entry.verb.is_write()
        && entry.code < 300
        && (!begins_to_end || entry.verb == Verb::Delete)
}

/// Whether a request of which the answer does not say what became of it could have made a change
/// beside those that it is known to have made.
fn could_make(request: &Request, change: &Change) -> bool {
    let Request { entry, made, .. } = request;
    if !entry.verb.is_write() || entry.code >= 300 {
        return false;
    }
    let same = entry.resource == change.resource && entry.key == change.key;
    let is_gone = change.after.is_none();
    let goes = change.after.as_ref().is_none_or(object::is_terminating);
    match (entry.verb, entry.subresource.as_str()) {
        // It charges the budget, marks the pod and deletes it.
        (Verb::Create, "eviction") => {
            *made < EVICTING
                && (same && (goes || is_marked(change)) || is_charged(&entry.key.name, change))
        }
        (Verb::Create, "binding") => same && *made == 0 && is_bound(change),
        (Verb::DeleteCollection, _) => {
            let all = entry.key.namespace.is_empty();
            let inside = all || entry.key.namespace == change.key.namespace;
            entry.resource == change.resource && inside && goes
        }
        // A delete that leaves no time shortens the grace period first, and then removes.
        (Verb::Delete, _) => same && goes && *made < 2,
        // The answer to the write that takes the last finalizer away is the object as it was.
        _ => same && *made == 0 && (entry.rv == 0 || is_gone),
    }
}

/// How many changes an eviction makes at most (kube-apiserver v1.36).
const EVICTING: usize = 3;

/// Whether a budget was charged for the eviction of this pod.
fn is_charged(pod: &str, change: &Change) -> bool {
    let has = |budget: &Option<Tree>| {
        budget.as_ref().is_some_and(|budget| !budget["status"]["disruptedPods"][pod].is_null())
    };
    change.resource == Resource::POD_DISRUPTION_BUDGETS
        && !has(&change.before)
        && has(&change.after)
}

/// Whether a pod was marked as evicted.
fn is_marked(change: &Change) -> bool {
    let has = |pod: &Option<Tree>| {
        let condition = pod.as_ref().and_then(|pod| object::condition(pod, "DisruptionTarget"));
        condition.is_some_and(|condition| condition["reason"] == "EvictionByEvictionAPI")
    };
    !has(&change.before) && has(&change.after)
}

/// Whether a pod was given a node.
fn is_bound(change: &Change) -> bool {
    let has = |pod: &Option<Tree>| {
        pod.as_ref().is_some_and(|pod| !pod["spec"]["nodeName"].str().is_empty())
    };
    !has(&change.before) && has(&change.after)
}

/// A request that a fault refused before it reached the API server.
pub(in crate::cluster) fn refused(
    (actor, incarnation): (Text, u32),
    request: &request::Request,
    status: &Status,
) -> RequestEvent {
    RequestEvent {
        actor,
        incarnation,
        verb: request.verb,
        resource: request.resource.clone(),
        key: request.key.clone(),
        subresource: request.subresource.clone(),
        code: status.code,
        reason: status.reason.clone(),
        message: status.message.clone(),
        injected: true,
        changes: Vec::new(),
    }
}

/// A change as the request of somebody who is not known.
pub(super) fn unclaimed(change: Change) -> RequestEvent {
    let verb = match (&change.before, &change.after) {
        (None, _) => Verb::Create,
        (_, None) => Verb::Delete,
        _ => Verb::Update,
    };
    RequestEvent {
        actor: Text::new_static("unknown"),
        incarnation: 1,
        verb,
        resource: change.resource.clone(),
        key: change.key.clone(),
        subresource: Text::default(),
        code: 200,
        reason: Text::default(),
        message: String::new(),
        injected: false,
        changes: vec![change],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::{list, map};

    fn entry(verb: Verb, name: &str, subresource: &str, rv: u64) -> Entry {
        Entry {
            id: Text::default(),
            user: "system:serviceaccount:kube-system:replicaset-controller".into(),
            user_agent: "kube-controller-manager/v1.36.3".into(),
            verb,
            resource: Resource::PODS,
            key: ObjectKey::new("default", name),
            subresource: subresource.into(),
            code: 200,
            reason: Text::default(),
            message: String::new(),
            rv,
            at: 0,
        }
    }

    fn change(resource: Resource, name: &str, rv: u64, after: Option<Tree>) -> Change {
        Change { rv, resource, key: ObjectKey::new("default", name), before: None, after }
    }

    fn told(recorded: &[Recorded]) -> Vec<String> {
        recorded
            .iter()
            .map(|one| match one {
                Recorded::Actor { actor, .. } => format!("new {actor}"),
                Recorded::Unclaimed(change) => format!("? {}", change.rv),
                Recorded::Request(event, ..) => {
                    let rvs: Vec<String> =
                        event.changes.iter().map(|change| change.rv.to_string()).collect();
                    format!("{} {:?} {}", event.actor, event.verb, rvs.join("+"))
                }
            })
            .collect()
    }

    #[test]
    fn changes_come_in_the_order_of_their_versions_with_who_made_them() {
        let mut recorder = Recorder::new(true);
        recorder.changed(0, change(Resource::PODS, "b", 8, Some(map! {})));
        recorder.changed(5, change(Resource::PODS, "a", 7, Some(map! {})));
        recorder.asked(10, entry(Verb::Create, "a", "", 7));
        recorder.asked(10, entry(Verb::Create, "b", "", 8));
        assert_eq!(told(&recorder.take(20)), Vec::<String>::new());
        let all = told(&recorder.take(60));
        let want = ["new replicaset-controller", "replicaset-controller Create 7"];
        assert_eq!(all[..2], want.map(str::to_owned));
        assert_eq!(all[2], "replicaset-controller Create 8");
    }

    #[test]
    fn an_eviction_has_its_pod_and_its_budget() {
        let mut recorder = Recorder::new(true);
        let going = map! { "metadata" => map! { "deletionTimestamp" => "2026-01-01T00:00:00Z" } };
        let charged = map! { "status" => map! { "disruptedPods" => map! { "a" => "now" } } };
        recorder.changed(0, change(Resource::POD_DISRUPTION_BUDGETS, "web", 5, Some(charged)));
        recorder.changed(0, change(Resource::PODS, "a", 6, Some(going)));
        recorder.asked(0, entry(Verb::Create, "a", "eviction", 0));
        assert!(told(&recorder.take(400)).contains(&"replicaset-controller Create 5+6".to_owned()));
    }

    #[test]
    fn the_last_delete_of_a_pod_is_known_by_its_object() {
        let mut recorder = Recorder::new(true);
        recorder.asked(0, entry(Verb::Delete, "a", "", 5));
        recorder.asked(0, entry(Verb::Delete, "a", "", 7));
        recorder.changed(0, change(Resource::PODS, "a", 7, Some(map! {})));
        recorder.changed(0, change(Resource::PODS, "a", 9, None));
        let all = told(&recorder.take(400));
        assert!(all.contains(&"replicaset-controller Delete 7".to_owned()), "{all:?}");
        assert!(all.contains(&"replicaset-controller Delete 9".to_owned()), "{all:?}");
    }

    #[test]
    fn who_writes_what_is_there_already_has_not_ended_it() {
        let mut recorder = Recorder::new(true);
        let going = map! { "metadata" => map! { "deletionTimestamp" => "2026-01-01T00:00:00Z" } };
        recorder.changed(0, change(Resource::PODS, "a", 5, Some(going)));
        let kubelet =
            Entry { user: "system:node:n".into(), ..entry(Verb::MergePatch, "a", "status", 5) };
        recorder.asked(0, kubelet);
        recorder.asked(0, Entry { code: 409, ..entry(Verb::Delete, "a", "", 5) });
        recorder.asked(1, entry(Verb::Create, "a", "eviction", 0));
        let all = told(&recorder.take(400));
        assert!(all.contains(&"replicaset-controller Create 5".to_owned()), "{all:?}");
    }

    #[test]
    fn what_nobody_did_is_unclaimed_and_what_changed_nothing_is_told_all_the_same() {
        let mut recorder = Recorder::new(true);
        recorder.changed(0, change(Resource::PODS, "a", 5, Some(map! {})));
        recorder.asked(0, entry(Verb::Get, "a", "", 4));
        let early = told(&recorder.take(100));
        assert!(early.contains(&"replicaset-controller Get ".to_owned()), "{early:?}");
        assert_eq!(told(&recorder.take(6_000)), ["? 5"]);
    }

    #[test]
    fn a_binding_is_not_blamed_for_what_others_write_later() {
        let mut recorder = Recorder::new(true);
        recorder.asked(0, entry(Verb::Create, "a", "binding", 0));
        let bound = map! { "spec" => map! { "nodeName" => "worker-1" } };
        recorder.changed(0, change(Resource::PODS, "a", 5, Some(bound)));
        recorder.changed(10, change(Resource::PODS, "b", 6, Some(map! {})));
        recorder.changed(20, change(Resource::PODS, "a", 7, Some(map! {})));
        recorder.asked(60, entry(Verb::MergePatch, "a", "status", 7));
        recorder.asked(60, entry(Verb::Create, "b", "", 6));
        let all = told(&recorder.take(400));
        let writes: Vec<&String> = all.iter().filter(|one| !one.starts_with("new")).collect();
        let want = ["Create 5", "Create 6", "MergePatch 7"];
        assert_eq!(
            writes,
            want.map(|one| format!("replicaset-controller {one}")).iter().collect::<Vec<_>>()
        );
        assert!(recorder.is_empty());
    }

    #[test]
    fn a_delete_that_leaves_no_time_makes_two_changes() {
        let mut recorder = Recorder::new(true);
        let going = map! { "metadata" => map! { "deletionTimestamp" => "2026-01-01T00:00:00Z" } };
        recorder.changed(0, change(Resource::PODS, "a", 5, Some(going)));
        recorder.changed(0, change(Resource::PODS, "a", 6, None));
        recorder.asked(0, entry(Verb::Delete, "a", "", 6));
        recorder.asked(0, entry(Verb::Create, "a", "binding", 0));
        let all = told(&recorder.take(400));
        assert!(all.contains(&"replicaset-controller Delete 5+6".to_owned()), "{all:?}");
    }

    #[test]
    fn who_takes_the_last_finalizer_away_has_removed_the_object() {
        let mut recorder = Recorder::new(true);
        recorder.asked(0, entry(Verb::MergePatch, "a", "", 5));
        recorder.changed(0, change(Resource::PODS, "a", 9, None));
        let all = told(&recorder.take(400));
        assert!(all.contains(&"replicaset-controller MergePatch 9".to_owned()), "{all:?}");
    }

    #[test]
    fn an_eviction_marks_and_deletes_its_pod_while_the_budget_is_counted_anew() {
        let mut recorder = Recorder::new(true);
        let charged = map! { "status" => map! { "disruptedPods" => map! { "a" => "now" } } };
        let mark = map! { "type" => "DisruptionTarget", "reason" => "EvictionByEvictionAPI" };
        let marked = map! { "status" => map! { "conditions" => list![mark.clone()] } };
        let mut going = marked.clone();
        going.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:00Z");
        let budgets = Resource::POD_DISRUPTION_BUDGETS;
        recorder.changed(0, change(budgets.clone(), "web", 5, Some(charged)));
        recorder.changed(0, change(Resource::PODS, "a", 6, Some(marked.clone())));
        recorder.changed(0, change(budgets.clone(), "web", 7, Some(map! {})));
        let deleted =
            Change { before: Some(marked), ..change(Resource::PODS, "a", 8, Some(going)) };
        recorder.changed(20, deleted);
        recorder.asked(10, Entry { resource: budgets, ..entry(Verb::Update, "web", "status", 7) });
        recorder.asked(20, entry(Verb::Create, "a", "eviction", 0));
        assert_eq!(told(&recorder.take(310)), Vec::<String>::new());
        let all = told(&recorder.take(400));
        assert_eq!(
            all[1..],
            ["replicaset-controller Create 5+6+8", "replicaset-controller Update 7"]
        );
    }

    #[test]
    fn changes_that_lie_apart_are_brought_together() {
        let mut recorder = Recorder::new(true);
        let going =
            || map! { "metadata" => map! { "deletionTimestamp" => "2026-01-01T00:00:00Z" } };
        let all = Entry {
            key: ObjectKey::new("default", ""),
            ..entry(Verb::DeleteCollection, "", "", 0)
        };
        recorder.asked(0, all);
        recorder.changed(0, change(Resource::PODS, "a", 5, Some(going())));
        recorder.changed(0, change(Resource::PODS, "x", 6, Some(map! {})));
        recorder.changed(0, change(Resource::PODS, "b", 7, Some(going())));
        recorder.asked(0, entry(Verb::Create, "x", "", 6));
        let all = told(&recorder.take(400));
        let writes: Vec<&str> =
            all.iter().filter_map(|one| one.split_once(' ')).map(|(_, w)| w).collect();
        assert_eq!(writes[1..], ["DeleteCollection 5+7", "Create 6"]);
    }

    #[test]
    fn deletions_that_a_late_list_tells_at_once_are_all_recorded() {
        let mut recorder = Recorder::new(true);
        recorder.changed(0, change(Resource::PODS, "a", 9, None));
        recorder.changed(0, change(Resource::PODS, "b", 9, None));
        recorder.asked(0, entry(Verb::Delete, "a", "", 0));
        recorder.asked(0, entry(Verb::Delete, "b", "", 0));
        let all = told(&recorder.take(400));
        assert_eq!(all.iter().filter(|one| one.ends_with("Delete 9")).count(), 2, "{all:?}");
        assert!(recorder.is_empty());
    }
}
