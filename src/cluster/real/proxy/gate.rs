//! What the proxy knows: who may come through, which faults are in force, and what happened since
//! somebody asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kubesim::world::{RequestEffect, Rules};
use kubesim_model::request::{Request, Status};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::{Millis, Text};
use tokio::sync::watch;

use super::super::ground::Component;
use super::super::record::name_of;

/// Somebody who may come through, with a token of his own.
#[derive(Clone, Debug)]
pub(in crate::cluster::real) struct Guest {
    /// Who he is to the harness.
    pub(in crate::cluster::real) who: Who,
    /// The user that his requests are sent for.
    pub(in crate::cluster::real) user: Text,
    /// That user's groups.
    pub(in crate::cluster::real) groups: Vec<Text>,
}

/// Who asks or is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Who {
    /// An actor, in this incarnation.
    Actor(Text, u32),
    /// A program that contains many actors, and how often it was started before: what it was told,
    /// all of them were.
    Component(Component, u32),
    /// One of the actors in such a program, by his own token.
    Member(Text, u32),
}

impl Who {
    /// The name by which rules know him.
    pub(in crate::cluster) fn name(&self) -> Text {
        match self {
            Who::Actor(name, _) | Who::Member(name, _) => name.clone(),
            Who::Component(component, _) => name_of(&component.user(), &Text::default()),
        }
    }
}

/// Something that happened at the proxy.
#[derive(Clone, Debug)]
pub(in crate::cluster) enum Happened {
    /// A request was let through; the audit log knows it by this name.
    Passed { id: Text, who: Who, injected: bool },
    /// A request was refused by a fault.
    Refused { who: Who, request: Box<Request>, status: Status, at: Millis },
    /// Somebody was told of an object, or, without a name, of all up to this version.
    Told { who: Who, resource: Resource, key: ObjectKey, rv: u64, answer: bool, at: Millis },
    /// A fault wants the process of somebody ended.
    Ends { who: Who },
}

/// The watches of somebody that are to break.
#[derive(Clone, Debug)]
struct Broken {
    /// Of everybody if there is none.
    name: Option<Text>,
    resource: Option<Resource>,
    expired: bool,
}

#[derive(Default)]
struct Inside {
    seed: u64,
    /// How many trials have ended.
    ended: u32,
    guests: BTreeMap<String, Guest>,
    /// By the users that the API server knows: who comes with a token of its own.
    accounts: BTreeMap<Text, (Text, u32)>,
    starts: BTreeMap<&'static str, u32>,
    rules: Rules<Text>,
    broken: Vec<Broken>,
    /// How many watches each has open.
    open: BTreeMap<(Text, Resource), usize>,
    /// Up to which version each was told of all of a resource.
    all: BTreeMap<(Text, Resource), (Who, u64)>,
    happened: Vec<Happened>,
    passed: u64,
}

/// What all connections share.
#[derive(Clone)]
pub(super) struct Gate {
    inside: Arc<Mutex<Inside>>,
    changes: watch::Sender<()>,
    /// Keeps the names of requests apart from those of other clusters.
    place: Text,
}

impl Gate {
    pub(super) fn new(place: Text) -> Gate {
        let (inside, (changes, _)) = (Arc::default(), watch::channel(()));
        Gate { inside, changes, place }
    }

    /// A trial begins: the parts of the cluster may come through as before, and nobody else.
    pub(super) fn begin(&self, seed: u64) {
        let mut inside = self.inside();
        inside.seed = seed;
        inside.guests.retain(|_, guest| matches!(guest.who, Who::Component(..)));
        inside.accounts.clear();
        // Actors of other trials may have had the same names.
        inside.all.retain(|_, (who, _)| !matches!(who, Who::Actor(..)));
        inside.rules = Rules::default();
        inside.happened.clear();
        drop(inside);
        self.changes.send_replace(());
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Nothing in it is ever half done.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets somebody come through who has this token.
    pub(super) fn admit(&self, token: String, guest: Guest) {
        self.inside().guests.insert(token, guest);
    }

    /// A trial is over: nothing disturbs anybody any more, and nobody waits for what is late.
    pub(super) fn end(&self) {
        let mut inside = self.inside();
        inside.ended += 1;
        inside.rules = Rules::default();
        inside.broken.push(Broken { name: None, resource: None, expired: false });
        drop(inside);
        self.changes.send_replace(());
    }

    /// Waits until this trial has ended.
    pub(super) fn is_over(&self) -> impl Future<Output = ()> {
        let (gate, mut changes, ended) = (self.clone(), self.changes(), self.inside().ended);
        async move { while gate.inside().ended == ended && changes.changed().await.is_ok() {} }
    }

    /// Whoever comes with a token of this user is this actor.
    pub(super) fn name(&self, user: Text, actor: Text) {
        self.inside().accounts.insert(user, (actor, 1));
    }

    /// Nobody of this name comes through any more with what he was given so far.
    pub(super) fn expel(&self, name: &str) {
        self.inside().guests.retain(|_, guest| guest.who.name() != name);
        self.break_watches(name, None, false);
    }

    /// Whoever has this name is another incarnation now.
    pub(super) fn incarnated(&self, name: &str, incarnation: u32) {
        let mut inside = self.inside();
        for guest in inside.guests.values_mut() {
            if let Who::Actor(who, number) = &mut guest.who
                && who == name
            {
                *number = incarnation;
            }
        }
        for (_, number) in inside.accounts.values_mut().filter(|(who, _)| who == name) {
            *number = incarnation;
        }
    }

    /// A component was started again.
    pub(super) fn started(&self, component: Component) {
        *self.inside().starts.entry(component.as_str()).or_default() += 1;
    }

    /// How often a component was started again.
    pub(super) fn starts(&self, component: Component) -> u32 {
        self.inside().starts.get(component.as_str()).copied().unwrap_or(0)
    }

    /// Who has this token: a guest with those for whom his requests are sent, or somebody whom the
    /// API server knows by it.
    pub(super) fn known(&self, token: &str) -> Option<(Who, Option<Guest>)> {
        let guest = self.inside().guests.get(token).cloned();
        if let Some(guest) = guest {
            let who = match guest.who.clone() {
                Who::Component(component, _) => Who::Component(component, self.starts(component)),
                who => who,
            };
            return Some((who, Some(guest)));
        }
        let user = user_in(token)?;
        if let Some((actor, number)) = self.inside().accounts.get(&user).cloned() {
            return Some((Who::Actor(actor, number), None));
        }
        let name = name_of(&user, &Text::default());
        // Only the controllers of Kubernetes have other such tokens here.
        Some((Who::Member(name, self.starts(Component::ControllerManager)), None))
    }

    /// What becomes of a request of somebody, and a name for it.
    pub(super) fn meet(&self, who: &Who, request: &Request) -> (Option<RequestEffect>, Text) {
        let mut inside = self.inside();
        let seed = inside.seed;
        inside.passed += 1;
        let id = Text::from(format!("{}-{:012}", self.place, inside.passed));
        let met = inside.rules.meet(&who.name(), request, seed);
        (met.map(|(_, effect)| effect), id)
    }

    /// Changes the rules that are in force.
    pub(super) fn rule<T>(&self, change: impl FnOnce(&mut Rules<Text>) -> T) -> T {
        let answer = change(&mut self.inside().rules);
        self.changes.send_replace(());
        answer
    }

    /// How much later the events of somebody's watch come; `None` if they are held back.
    pub(super) fn lag(&self, name: &Text, resource: &Resource) -> Option<Millis> {
        let inside = self.inside();
        let held = inside.rules.watch_held(name, resource);
        (!held).then(|| inside.rules.watch_delay(name, resource))
    }

    /// Breaks the watches that somebody has open; answers how many there are.
    pub(super) fn break_watches(
        &self,
        name: &str,
        resource: Option<Resource>,
        expired: bool,
    ) -> usize {
        let mut inside = self.inside();
        let is_meant = |(who, what): &(Text, Resource)| {
            who == name && resource.as_ref().is_none_or(|only| only == what)
        };
        let open = inside.open.iter().filter(|(watch, _)| is_meant(watch)).map(|(_, open)| open);
        let open = open.sum();
        inside.broken.push(Broken { name: Some(Text::new(name)), resource, expired });
        drop(inside);
        self.changes.send_replace(());
        open
    }

    /// Somebody opens a watch.
    pub(super) fn opens(&self, name: Text, resource: Resource) {
        *self.inside().open.entry((name, resource)).or_default() += 1;
    }

    /// One of somebody's watches has ended.
    pub(super) fn closes(&self, name: &Text, resource: &Resource) {
        let mut inside = self.inside();
        if let Some(open) = inside.open.get_mut(&(name.clone(), resource.clone())) {
            *open = open.saturating_sub(1);
        }
    }

    /// How many times watches were broken.
    pub(super) fn breaks(&self) -> usize {
        self.inside().broken.len()
    }

    /// Whether a watch was broken that is open since `breaks`, and, if so, whether it expired.
    pub(super) fn is_broken(&self, name: &str, resource: &Resource, breaks: usize) -> Option<bool> {
        let inside = self.inside();
        let mut since = inside.broken.get(breaks..).unwrap_or_default().iter();
        let found = since.find(|broken| {
            broken.name.as_ref().is_none_or(|only| only == name)
                && broken.resource.as_ref().is_none_or(|only| only == resource)
        });
        found.map(|broken| broken.expired)
    }

    /// Is told when rules change or watches break.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(super) fn happens(&self, happened: Happened) {
        let mut inside = self.inside();
        if let Happened::Told { who, resource, key, rv, answer: false, .. } = &happened {
            let of = (who.name(), resource.clone());
            match inside.all.get_mut(&of) {
                // A watch tells all that happens, in order.
                Some((known, newest)) if *known == *who => *newest = (*newest).max(*rv),
                _ if key.name.is_empty() => drop(inside.all.insert(of, (who.clone(), *rv))),
                _ => {}
            }
        }
        inside.happened.push(happened);
    }

    /// Up to which version each was told so far of all of a resource.
    pub(super) fn told_so_far(&self) -> Vec<(Who, Resource, u64)> {
        let inside = self.inside();
        let all = inside.all.iter();
        all.map(|((_, resource), (who, rv))| (who.clone(), resource.clone(), *rv)).collect()
    }

    /// What happened since the last call, in order.
    pub(super) fn take(&self) -> Vec<Happened> {
        std::mem::take(&mut self.inside().happened)
    }
}

/// The user whom a service account's token names. Whether it is a true one is the API server's
/// business.
fn user_in(token: &str) -> Option<Text> {
    let claims = token.split('.').nth(1)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    claims["sub"].as_str().map(Text::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_is_known_by_its_token() {
        // {"sub":"system:serviceaccount:kube-system:deployment-controller"}
        let claims = "eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6a3ViZS1zeXN0ZW06ZGVwbG95bWVudC1jb250\
                      cm9sbGVyIn0";
        let gate = Gate::new("here".into());
        let (who, guest) = gate.known(&format!("e30.{claims}.x")).expect("it names somebody");
        assert_eq!(who, Who::Member("deployment-controller".into(), 0));
        assert!(guest.is_none());
        let user = "system:serviceaccount:kube-system:deployment-controller";
        gate.name(user.into(), "mine".into());
        gate.incarnated("mine", 3);
        let (who, _) = gate.known(&format!("e30.{claims}.x")).expect("it names somebody");
        assert_eq!(who, Who::Actor("mine".into(), 3));
        for other in ["", "secret", "a.b", "e30.e30.e30"] {
            assert!(gate.known(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_trial_begins_without_what_was_before_but_for_the_cluster() {
        let gate = Gate::new("here".into());
        let component = Who::Component(Component::Scheduler, 0);
        for (token, who) in [("a", component.clone()), ("b", Who::Actor("mine".into(), 1))] {
            gate.admit(token.to_owned(), Guest { who, user: "u".into(), groups: Vec::new() });
        }
        for (name, rv) in [("", 5), ("a", 7)] {
            let (who, resource) = (component.clone(), Resource::PODS);
            let key = ObjectKey::new("", name);
            gate.happens(Happened::Told { who, resource, key, rv, answer: false, at: 0 });
        }
        gate.begin(2);
        assert!(gate.known("a").is_some() && gate.known("b").is_none());
        assert!(gate.take().is_empty());
        assert_eq!(gate.told_so_far(), [(component, Resource::PODS, 7)]);
    }

    #[test]
    fn whoever_was_expelled_is_not_known_and_his_watches_are_broken() {
        let gate = Gate::new("here".into());
        let who = Who::Actor("mine".into(), 1);
        gate.admit("secret".to_owned(), Guest { who, user: "mine".into(), groups: Vec::new() });
        assert!(gate.known("secret").is_some());
        let breaks = gate.breaks();
        gate.expel("mine");
        assert!(gate.known("secret").is_none());
        assert_eq!(gate.is_broken("mine", &Resource::PODS, breaks), Some(false));
        assert_eq!(gate.is_broken("other", &Resource::PODS, breaks), None);
        let breaks = gate.breaks();
        assert_eq!(gate.is_broken("mine", &Resource::PODS, breaks), None);
        gate.end();
        assert_eq!(gate.is_broken("other", &Resource::PODS, breaks), Some(false));
    }
}
