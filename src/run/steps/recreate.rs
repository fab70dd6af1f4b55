//! `recreate`: deletes an object, waits until it is gone, and creates it again under the same name.

use kubesim_model::Millis;
use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use super::begin::deletion;
use crate::run::call::Call;
use crate::run::stage::{Progress, Stage, Task};
use crate::suite::steps::Recreate;

/// How long to wait until the deleted object is gone.
const PATIENCE: Millis = 600_000;

/// A `recreate` under way.
pub(super) struct Recreating {
    recreate: Recreate,
    resource: Resource,
    key: ObjectKey,
    object: Tree,
    give_up: Option<Millis>,
    at: At,
}

enum At {
    Begin,
    Reading(Call),
    Deleting(Call),
    Leaving,
    Resting(Millis),
    Creating(Call),
}

impl Recreating {
    pub(super) fn new(recreate: &Recreate, resource: Resource, key: ObjectKey) -> Self {
        let (object, at) = (Tree::Null, At::Begin);
        Recreating { recreate: recreate.clone(), resource, key, object, give_up: None, at }
    }

    fn is_there(&self, stage: &Stage<'_>) -> bool {
        stage.journal.view().objects.get(&self.resource, &self.key).is_some()
    }

    fn next(&mut self, stage: &mut Stage<'_>) -> Result<At, Progress> {
        let (resource, key) = (self.resource.clone(), self.key.clone());
        let at = std::mem::replace(&mut self.at, At::Begin);
        match at {
            At::Begin => Ok(At::Reading(Call::new(Request::get(resource, key)))),
            At::Reading(mut call) => match answer(&mut call, stage) {
                Ok(object) => {
                    self.object = fresh(object);
                    let delete = deletion(resource, key, self.recreate.propagation, None);
                    Ok(At::Deleting(Call::new(delete)))
                }
                Err(progress) => Err(self.stay(At::Reading(call), progress)),
            },
            At::Deleting(mut call) => match answer(&mut call, stage) {
                Ok(_) => Ok(At::Leaving),
                Err(progress) => Err(self.stay(At::Deleting(call), progress)),
            },
            At::Leaving if self.is_there(stage) => {
                let give_up = *self.give_up.get_or_insert(stage.now() + PATIENCE);
                let progress = match stage.now() < give_up {
                    true => Progress::Pending(Some(give_up)),
                    false => Progress::Done(Err("the deleted object does not go".to_owned())),
                };
                Err(self.stay(At::Leaving, progress))
            }
            At::Leaving => Ok(At::Resting(stage.now() + self.recreate.gap)),
            At::Resting(until) if stage.now() < until => {
                Err(self.stay(At::Resting(until), Progress::Pending(Some(until))))
            }
            At::Resting(_) => {
                Ok(At::Creating(Call::new(Request::create(resource, self.object.clone()))))
            }
            At::Creating(mut call) => match answer(&mut call, stage) {
                Ok(_) => Err(Progress::Done(Ok("deleted and created again".to_owned()))),
                Err(progress) => Err(self.stay(At::Creating(call), progress)),
            },
        }
    }

    fn stay(&mut self, at: At, progress: Progress) -> Progress {
        self.at = at;
        progress
    }
}

fn answer(call: &mut Call, stage: &mut Stage<'_>) -> Result<Tree, Progress> {
    match call.poll(stage) {
        Err(wake) => Err(Progress::Pending(wake)),
        Ok(Ok(object)) => Ok(object),
        Ok(Err(status)) => Err(Progress::Done(Err(status.to_string()))),
    }
}

/// The object as its author would write it again: without what the server and controllers added.
fn fresh(mut object: Tree) -> Tree {
    const SERVERS: [&str; 9] = [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "ownerReferences",
        "finalizers",
    ];
    for field in SERVERS {
        object.remove(&["metadata", field]);
    }
    object.remove(&["status"]);
    object
}

impl Task for Recreating {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        loop {
            match self.next(stage) {
                Ok(at) => self.at = at,
                Err(progress) => return progress,
            }
        }
    }
}
