//! `apply`: creates the objects of a manifest, or merges it into those that there are.
//!
//! Unlike `kubectl apply` it keeps no record of what it applied before, so a field that a manifest
//! no longer has stays as it is.

use std::collections::VecDeque;

use kubesim_model::object;
use kubesim_model::request::Request;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use crate::run::call::Call;
use crate::run::stage::{NAMESPACE, Progress, Stage, Task};
use crate::subject::{Kinds, convert};
use crate::suite::steps::Apply;

/// An `apply` under way.
pub(super) struct Applying {
    manifests: Vec<Tree>,
    waiting: Option<VecDeque<(Resource, Tree)>>,
    current: Option<(Resource, Tree, Standing)>,
    done: usize,
}

/// How far one object is.
enum Standing {
    Reading(Call),
    Writing(Call),
}

impl Applying {
    pub(super) fn new(apply: &Apply) -> Self {
        let manifests = apply.manifests.clone();
        Applying { manifests, waiting: None, current: None, done: 0 }
    }

    fn objects(&self, stage: &Stage<'_>) -> Result<VecDeque<(Resource, Tree)>, String> {
        let mut objects = VecDeque::new();
        for manifest in &self.manifests {
            for object in convert(stage.subject, manifest).map_err(|error| error.to_string())? {
                objects.push_back(placed(object, stage)?);
            }
        }
        Ok(objects)
    }
}

/// The object with its resource, in the trial's namespace if it names none.
fn placed(mut object: Tree, stage: &Stage<'_>) -> Result<(Resource, Tree), String> {
    let (kind, api_version) = (object["kind"].text(), object["apiVersion"].text());
    let resource = Kinds::of(stage.subject).resource(&kind, Some(&api_version));
    let resource = resource.map_err(|error| error.to_string())?;
    if Kinds::is_namespaced(&kind) && object::namespace(&object).is_empty() {
        object.set(&["metadata", "namespace"], NAMESPACE);
    }
    Ok((resource, object))
}

impl Task for Applying {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        if self.waiting.is_none() {
            match self.objects(stage) {
                Ok(objects) => self.waiting = Some(objects),
                Err(error) => return Progress::Done(Err(error)),
            }
        }
        loop {
            let Some((resource, object, at)) = &mut self.current else {
                let next = self.waiting.as_mut().and_then(VecDeque::pop_front);
                let Some((resource, object)) = next else {
                    return Progress::Done(Ok(format!("{} objects", self.done)));
                };
                let read = Call::new(Request::get(resource.clone(), object::key(&object)));
                self.current = Some((resource, object, Standing::Reading(read)));
                continue;
            };
            let (Standing::Reading(call) | Standing::Writing(call)) = at;
            let answer = match call.poll(stage) {
                Err(wake) => return Progress::Pending(wake),
                Ok(answer) => answer,
            };
            let reading = matches!(at, Standing::Reading(_));
            match answer {
                Ok(_) if reading => {
                    let (key, patch) = (object::key(object), object.clone());
                    let patch = Request::merge_patch(resource.clone(), key, patch);
                    *at = Standing::Writing(Call::new(patch));
                }
                Err(status) if reading && status.is_not_found() => {
                    let create = Request::create(resource.clone(), object.clone());
                    *at = Standing::Writing(Call::new(create));
                }
                Ok(_) => {
                    self.done += 1;
                    self.current = None;
                }
                Err(status) => {
                    let about = object::about(resource, object);
                    return Progress::Done(Err(format!("{about}: {status}")));
                }
            }
        }
    }
}
