//! What a real cluster tells, as observations: changes with those who made them, deliveries, and
//! what can't be known.

use std::collections::BTreeMap;

use kubesim::api::Type;
use kubesim::world::{Mirrored, Record, What};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

use super::audit::{Entry, Log};
use super::cluster::{RealCluster, now};
use super::ground::Component;
use super::limits::is_of_the_system;
use super::proxy::{Happened, Who};
use super::record::{Mark, Recorded, refused, unclaimed};
use super::watch::AGENT;
use crate::cluster::sim_record::observation;
use crate::cluster::{ClusterError, Lever, Observation};
use crate::history::{Body, Change, Delivery, Gap};

/// How long before the beginning of a trial requests were answered that may belong to changes that
/// are seen in it, in milliseconds.
const BEFORE: Millis = 1_000;

impl RealCluster {
    pub(super) fn mirror(&mut self, resource: &Resource, mirrored: &Mirrored) {
        let newest = match mirrored {
            Mirrored::Applied(object) | Mirrored::Deleted(object) => {
                object::resource_version(object)
            }
            Mirrored::Listed(items) => {
                items.iter().map(object::resource_version).max().unwrap_or(0)
            }
        };
        for write in self.world.mirror(resource, mirrored) {
            let rv = write.after.as_ref().map_or(newest, object::resource_version);
            self.deliveries.translates(write.rv, rv);
            let namespace = &write.key.namespace;
            if is_of_the_system(namespace) || self.programs.is_apart(namespace) {
                continue;
            }
            let change = Change {
                rv,
                resource: write.resource,
                key: write.key,
                before: write.before,
                after: write.after,
            };
            self.recorder.changed(now(), change);
        }
        if *resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            let custom = self.world.api().resources().filter(|kind| kind.custom).cloned();
            custom.collect::<Vec<Type>>().iter().for_each(|kind| self.follow(kind));
        }
    }

    pub(super) fn gap(&self, missing: &'static str, reason: String) -> Body {
        Body::Gap(Gap { from: self.last, missing: Text::new_static(missing), reason })
    }

    /// Takes in what the log and the watches have told so far.
    pub(super) fn record(&mut self) -> Result<(), ClusterError> {
        let entries = self.log.as_mut().map(Log::read).transpose().map_err(|error| {
            ClusterError::Environment(format!("the audit log can't be read: {error}"))
        })?;
        self.pass_through();
        let now = now();
        let since = self.began.saturating_sub(BEFORE);
        let scope = self.api.scope.clone();
        let entries = entries.into_iter().flatten().filter_map(|entry| scope.entry(entry));
        for entry in entries.filter(|entry| entry.at >= since && is_told(entry)) {
            if !self.programs.is_apart(&entry.key.namespace) {
                self.recorder.asked(now, entry);
            }
        }
        for recorded in self.recorder.take(now) {
            match recorded {
                Recorded::Actor { actor, user_agent, .. }
                    if self.programs.incarnation(&actor).is_some() =>
                {
                    let started = self.programs.arrived(&actor, &user_agent);
                    started.into_iter().for_each(|event| self.observe(now, Body::Actor(event)));
                }
                Recorded::Actor { actor, user, user_agent } => {
                    let started = self.staff.arrived(actor, user, user_agent);
                    started.into_iter().for_each(|started| self.observe(now, started));
                }
                Recorded::Request(mut event, incarnation, at) => {
                    event.incarnation =
                        incarnation.unwrap_or_else(|| self.incarnation(&event.actor));
                    let changed = event.changes.iter();
                    let changed = changed.map(|change| (change.resource.clone(), change.rv));
                    let changed: Vec<(Resource, u64)> = changed.collect();
                    self.observe(at, Body::Request(event));
                    self.tell_of(changed);
                }
                Recorded::Unclaimed(change) => {
                    let what = format!("{} {}", change.resource, change.key);
                    let reason = format!("the audit log does not say who changed {what}");
                    // An eviction is known by what it changed.
                    let is_logged = self.log.is_some();
                    for missing in ["actors", "evictions"].into_iter().filter(|_| is_logged) {
                        self.observe(now, self.gap(missing, reason.clone()));
                    }
                    let changed = vec![(change.resource.clone(), change.rv)];
                    self.observe(now, Body::Request(Box::new(unclaimed(change))));
                    self.tell_of(changed);
                }
            }
        }
        let is_settled = self.recorder.has_no_changes();
        let due = self.deliveries.due(now, is_settled);
        due.into_iter().for_each(|(at, told)| self.observe(at, Body::Deliver(told)));
        Ok(())
    }

    /// Observes what was told of what is recorded now.
    fn tell_of(&mut self, changed: Vec<(Resource, u64)>) {
        for (resource, rv) in changed {
            let due = self.deliveries.recorded(&resource, rv);
            due.into_iter().for_each(|(at, told)| self.observe(at, Body::Deliver(told)));
        }
    }

    /// Says who is there from the beginning: what actors of other processes are told is recorded
    /// before they do anything.
    pub(super) fn introduce_staff(&mut self) {
        if self.proxy.is_none() {
            return;
        }
        for (name, user, user_agent) in staff_of_kubernetes() {
            let arrived = self.staff.introduced(name, user, user_agent);
            arrived.into_iter().for_each(|arrived| self.observe(now(), arrived));
        }
        self.tell_of_before();
    }

    /// Tells of nodes that were there before, and of their kubelets.
    pub(super) fn introduce_nodes(&mut self, nodes: Vec<Tree>) {
        for node in nodes {
            let name = object::name(&node).to_owned();
            let kubelet = (format!("kubelet/{name}").into(), format!("system:node:{name}").into());
            let version = node["status"]["nodeInfo"]["kubeletVersion"].str();
            let user_agent = Text::from(format!("kubelet/{version}"));
            let event = self.staff.arrived(kubelet.0, kubelet.1, user_agent);
            event.into_iter().for_each(|event| self.observe(now(), event));
            let (rv, key) = (object::resource_version(&node), object::key(&node));
            let (resource, before, after) = (Resource::NODES, None, Some(node));
            let change = unclaimed(Change { rv, resource, key, before, after });
            self.observe(now(), Body::Request(Box::new(change)));
        }
    }

    /// What was told before the trial, as far as it matters in it: of each resource, all up to some
    /// version.
    fn tell_of_before(&mut self) {
        let Some(proxy) = &self.proxy else { return };
        // What happened one by one before the trial is no part of it.
        proxy.take();
        let mut newest = BTreeMap::<(Text, Resource), Delivery>::new();
        for (who, resource, rv) in proxy.told_so_far() {
            for (actor, incarnation) in self.incarnations(&who) {
                let (resource, key) = (resource.clone(), ObjectKey::default());
                let told = newest.entry((actor.clone(), resource.clone())).or_insert_with(|| {
                    Delivery { actor, incarnation, resource, key, rv, answer: false }
                });
                told.rv = told.rv.max(rv);
            }
        }
        newest.into_values().for_each(|told| self.told(now(), told));
    }

    /// Takes in a record of the world, whose actors are part of this process.
    pub(super) fn record_of_world(&mut self, mut record: Record) {
        let at = record.at;
        match &mut record.what {
            What::Deliver { rv, answer, .. } => {
                if !*answer {
                    *rv = self.deliveries.translated(*rv);
                }
                if let Some(Body::Deliver(told)) = observation(record).map(|seen| seen.body) {
                    self.told(at, told);
                }
                return;
            }
            What::Actor { actor, user, user_agent, .. } => {
                self.recorder.name(user, user_agent, actor);
            }
            _ => {}
        }
        if let Some(observation) = observation(record) {
            self.observe(at, observation.body);
        }
    }

    fn told(&mut self, at: Millis, told: Delivery) {
        let namespace = &told.key.namespace;
        let is_passed_over = is_of_the_system(namespace) || self.programs.is_apart(namespace);
        if is_followed(&told.resource) && !is_passed_over {
            self.deliveries.told(at, told);
        }
    }

    /// Takes in what happened at the proxy.
    fn pass_through(&mut self) {
        let Some(proxy) = &self.proxy else { return };
        for happened in proxy.take() {
            match happened {
                Happened::Passed { id, who, injected } => {
                    // The requests of a whole program are nobody's that a check asks for.
                    let alone = !matches!(who, Who::Component(..));
                    let known = self.incarnations(&who).pop().filter(|_| alone);
                    let incarnation = known.map(|(_, number)| number);
                    self.recorder.mark(id, Mark { incarnation, injected });
                }
                Happened::Refused { who, request, status, at } => {
                    for whom in self.incarnations(&who) {
                        let event = refused(whom, &request, &status);
                        self.observe(at, Body::Request(Box::new(event)));
                    }
                }
                Happened::Told { who, resource, key, rv, answer, at } => {
                    for (actor, incarnation) in self.incarnations(&who) {
                        let (resource, key) = (resource.clone(), key.clone());
                        self.told(at, Delivery { actor, incarnation, resource, key, rv, answer });
                    }
                }
                Happened::Ends { who } => {
                    let actor = who.name();
                    self.pull_process(&Lever::CrashActor { actor });
                }
            }
        }
    }

    /// The actors that somebody at the proxy stands for, in the incarnations that they had then.
    fn incarnations(&self, who: &Who) -> Vec<(Text, u32)> {
        let then = |name: &Text, component: Component, starts: u32| {
            let since = self.proxy.as_ref().map_or(0, |proxy| proxy.starts(component)) - starts;
            (name.clone(), self.staff.incarnation(name).saturating_sub(since).max(1))
        };
        match who {
            Who::Actor(name, number) => vec![(name.clone(), *number)],
            Who::Member(name, starts) => vec![then(name, Component::ControllerManager, *starts)],
            Who::Component(component, starts) => {
                let members = self.staff.members_of(*component);
                members.map(|name| then(name, *component, *starts)).collect()
            }
        }
    }

    /// Observes what happened at a time since the epoch.
    pub(super) fn observe(&mut self, at: Millis, body: Body) {
        self.observe_about(at, 0, body);
    }

    pub(super) fn observe_about(&mut self, at: Millis, uncertainty: Millis, body: Body) {
        let at = at.saturating_sub(self.began);
        self.last = self.last.max(at);
        let id = self.next_observation;
        self.next_observation += 1;
        self.observed.push(Observation { id, at, uncertainty, cause: None, body });
    }

    fn incarnation(&self, actor: &str) -> u32 {
        let of_world = self.world.incarnation(actor).map(|(number, _)| number);
        let known = of_world.or_else(|| self.programs.incarnation(actor));
        known.unwrap_or_else(|| self.staff.incarnation(actor))
    }
}

/// The actors of Kubernetes in processes of their own: name, user and user agent.
fn staff_of_kubernetes() -> impl Iterator<Item = (Text, Text, Text)> {
    let controllers = kubesim::controllers::all().into_iter().map(|(name, _)| {
        let user = Text::from(format!("system:serviceaccount:kube-system:{name}"));
        (Text::new_static(name), user, Text::new_static(Component::ControllerManager.as_str()))
    });
    let (name, scheduler) = (Text::new_static("scheduler"), Component::Scheduler);
    controllers.chain([(name, scheduler.user(), Text::new_static(scheduler.as_str()))])
}

/// Nothing is judged by leases and Events, and secrets are nobody's business.
pub(in crate::cluster) fn is_followed(resource: &Resource) -> bool {
    ![Resource::LEASES, Resource::EVENTS, Resource::SECRETS].contains(resource)
}

/// Whether an entry belongs into a history: not what the harness asks to record it, nor the charge
/// of a budget that the API server writes to itself while it evicts, for that is the eviction's.
fn is_told(entry: &Entry) -> bool {
    let is_charge =
        entry.user == "system:apiserver" && entry.resource == Resource::POD_DISRUPTION_BUDGETS;
    is_followed(&entry.resource)
        && entry.user_agent != AGENT
        && !is_charge
        && !is_of_the_system(&entry.key.namespace)
}
