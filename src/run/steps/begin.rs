//! From an action to the task that does it, and to what it acts on.

use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::stream::Stream;
use kubesim_model::{Text, map};

use super::apply::Applying;
use super::converge::Converging;
use super::drain::Draining;
use super::evict::Evicting;
use super::operate::Operating;
use super::recreate::Recreating;
use super::requests::Requests;
use super::script::Scripting;
use super::wait::Waiting;
use crate::run::stage::{NAMESPACE, Progress, Stage, Task};
use crate::subject::{Kinds, UnknownKind, patch_verb, workload_resource};
use crate::suite::steps::{Action, Budget, BudgetChange, Delete, Patch, Propagation, Target};

/// The task that does `action`. Everything but `parallel`, which is a matter of sequences.
pub(in crate::run) fn task(action: &Action, stage: &Stage<'_>) -> Box<dyn Task> {
    match action {
        Action::Apply(apply) => Box::new(Applying::new(apply)),
        Action::Patch(patch) => patching(patch, stage),
        Action::Delete(delete) => deleting(delete, stage),
        Action::Operate(operate) => Box::new(Operating::new(operate)),
        Action::Evict(evict) => Box::new(Evicting::new(evict, stage)),
        Action::Drain(drain) => Box::new(Draining::new(drain, stage)),
        Action::Budget(budget) => budgeting(budget),
        Action::Recreate(recreate) => match named(&recreate.target, stage) {
            Ok((resource, key)) => Box::new(Recreating::new(recreate, resource, key)),
            Err(error) => failed(error.to_string()),
        },
        Action::Wait(wait) => Box::new(Waiting::new(wait, stage)),
        Action::Converge(converge) => Box::new(Converging::new(*converge, stage)),
        Action::Parallel(_) => failed("`parallel` stands where one step is expected"),
        Action::Script(script) => Box::new(Scripting::new(script)),
    }
}

/// What an action acts on, as in `deployments.apps default/web`; empty for those that don't say.
pub(in crate::run) fn target(action: &Action, stage: &Stage<'_>) -> Text {
    let text = |resource: &Resource, key: &ObjectKey| Text::from(format!("{resource} {key}"));
    let of = |target: &Target| {
        named(target, stage).map(|(resource, key)| text(&resource, &key)).unwrap_or_default()
    };
    match action {
        Action::Patch(patch) => of(&patch.target),
        Action::Recreate(recreate) => of(&recreate.target),
        Action::Delete(Delete { target: Some(target), .. }) => of(target),
        Action::Operate(operate) => {
            let resource = workload_resource(stage.subject);
            text(&resource, &ObjectKey::new(NAMESPACE, operate.workload.value.clone()))
        }
        Action::Budget(budget) => text(&Resource::POD_DISRUPTION_BUDGETS, &budget_key(budget)),
        _ => Text::default(),
    }
}

fn named(target: &Target, stage: &Stage<'_>) -> Result<(Resource, ObjectKey), UnknownKind> {
    let api_version = target.api_version.as_deref();
    let resource = Kinds::of(stage.subject).resource(&target.kind, api_version)?;
    let namespace = match Kinds::is_namespaced(&target.kind) {
        true => target.namespace.clone().unwrap_or(Text::new_static(NAMESPACE)),
        false => Text::default(),
    };
    Ok((resource, ObjectKey::new(namespace, target.name.value.clone())))
}

fn patching(patch: &Patch, stage: &Stage<'_>) -> Box<dyn Task> {
    let (resource, key) = match named(&patch.target, stage) {
        Ok(named) => named,
        Err(error) => return failed(error.to_string()),
    };
    let mut request = Request::new(patch_verb(patch.kind), resource, key);
    request.body = patch.patch.clone();
    request.subresource = patch.subresource.clone().unwrap_or_default();
    Box::new(Requests::new(vec![request]))
}

fn deleting(delete: &Delete, stage: &Stage<'_>) -> Box<dyn Task> {
    let targets = match (&delete.target, &delete.select) {
        (Some(target), _) => match named(target, stage) {
            Ok(named) => vec![named],
            Err(error) => return failed(error.to_string()),
        },
        (None, Some(select)) => {
            let now = stage.now();
            let mut draws = Stream::new(stage.seed, &format!("delete/{now}"));
            let pods = stage.field().pods(select, &mut draws);
            pods.into_iter().map(|pod| (Resource::PODS, pod.key)).collect()
        }
        (None, None) => Vec::new(),
    };
    if targets.is_empty() {
        return failed("nothing to delete: no pod matches the selector");
    }
    let request =
        |(resource, key)| deletion(resource, key, delete.propagation, delete.grace_seconds);
    Box::new(Requests::new(targets.into_iter().map(request).collect()))
}

/// A deletion with these options.
pub(super) fn deletion(
    resource: Resource,
    key: ObjectKey,
    propagation: Propagation,
    grace_seconds: Option<i64>,
) -> Request {
    let mut request = Request::delete(resource, key);
    let policy = match propagation {
        Propagation::Background => "Background",
        Propagation::Foreground => "Foreground",
        Propagation::Orphan => "Orphan",
    };
    request.body.set(&["propagationPolicy"], policy);
    match grace_seconds {
        Some(seconds) => request.with_grace(seconds),
        None => request,
    }
}

fn budget_key(budget: &Budget) -> ObjectKey {
    ObjectKey::new(NAMESPACE, budget.name.value.clone())
}

fn budgeting(budget: &Budget) -> Box<dyn Task> {
    let (resource, key) = (Resource::POD_DISRUPTION_BUDGETS, budget_key(budget));
    let amount = |amount: crate::suite::duration::Amount| match amount {
        crate::suite::duration::Amount::Count(count) => kubesim_model::tree::Tree::from(count),
        percent => percent.to_string().into(),
    };
    let null = kubesim_model::tree::Tree::Null;
    let (max, min) = match budget.change {
        BudgetChange::Delete => {
            let request = deletion(resource, key, Propagation::Background, None);
            return Box::new(Requests::new(vec![request]));
        }
        BudgetChange::MaxUnavailable(max) => (amount(max), null),
        BudgetChange::MinAvailable(min) => (null, amount(min)),
    };
    let patch = map! { "spec" => map! { "maxUnavailable" => max, "minAvailable" => min } };
    Box::new(Requests::new(vec![Request::merge_patch(resource, key, patch)]))
}

/// A task that can't be done.
pub(super) fn failed(why: impl Into<String>) -> Box<dyn Task> {
    struct Failed(String);
    impl Task for Failed {
        fn poll(&mut self, _: &mut Stage<'_>) -> Progress {
            Progress::Done(Err(self.0.clone()))
        }
    }
    Box::new(Failed(why.into()))
}
