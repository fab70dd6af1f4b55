//! Writing the status of a workload, and the counts and times in it.

use kubesim_model::controller::Work;
use kubesim_model::object;
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map};

/// `spec.replicas`, 1 if it isn't there. Negative values count as 0.
pub(in crate::controllers) fn replicas(object: &Tree) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1).max(0)
}

/// `spec.minReadySeconds`, or 0.
pub(in crate::controllers) fn min_ready_seconds(object: &Tree) -> i64 {
    object["spec"]["minReadySeconds"].as_i64().unwrap_or(0).max(0)
}

/// The number at `status.field`, or 0.
pub(in crate::controllers) fn count(object: &Tree, field: &str) -> i64 {
    object["status"][field].as_i64().unwrap_or(0)
}

/// A status of these counts; those that are 0 are left out, as Go's `omitempty` does.
pub(in crate::controllers) fn counts(counts: &[(&str, i64)]) -> Tree {
    let mut status = map! {};
    for (field, count) in counts.iter().filter(|(_, count)| *count != 0) {
        status.set(&[field], *count);
    }
    status
}

/// How long until the first ready pod that is not yet available becomes so.
pub(in crate::controllers) fn next_available<'a>(
    pods: impl IntoIterator<Item = &'a Tree>,
    min_ready_seconds: i64,
    now: Millis,
) -> Option<Millis> {
    let wait = Millis::try_from(min_ready_seconds).ok().filter(|seconds| *seconds > 0)?;
    let wait = wait.saturating_mul(1000);
    let due = |pod: &Tree| {
        let ready = object::condition(pod, "Ready").filter(|ready| ready["status"] == "True")?;
        let since = object::parse_time(ready["lastTransitionTime"].str())?;
        since.saturating_add(wait).checked_sub(now).filter(|left| *left > 0)
    };
    pods.into_iter().filter_map(due).min()
}

/// The update of an object's status subresource.
pub(in crate::controllers) fn update(resource: &Resource, object: &Tree, status: &Tree) -> Request {
    let mut object = object.clone();
    object.set(&["status"], status);
    Request::update(resource.clone(), object).with_subresource("status")
}

/// A status that is written, and once more over a fresh copy of the object if that fails, as the
/// ReplicaSet and DaemonSet controllers do (v1.36, `statusUpdateRetries` 1).
#[derive(Clone)]
pub(in crate::controllers) struct StatusWrite {
    status: Tree,
    retried: bool,
}

/// How a [`StatusWrite`] stands.
pub(in crate::controllers) enum Written {
    /// Answers are awaited.
    Going,
    /// It is written: the object as answered.
    Done(Tree),
    /// It failed twice, or the object is gone.
    Failed,
}

impl StatusWrite {
    pub(in crate::controllers) fn start(
        resource: &Resource,
        object: &Tree,
        status: Tree,
        work: &mut Work<'_, '_>,
    ) -> Self {
        work.request(update(resource, object, &status));
        StatusWrite { status, retried: false }
    }

    pub(in crate::controllers) fn answered(
        &mut self,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Written {
        match answer {
            Ok(fresh) if request.verb == Verb::Get => {
                work.request(update(&request.resource, fresh, &self.status));
                Written::Going
            }
            Ok(object) => Written::Done(object.clone()),
            Err(_) if request.verb != Verb::Get && !self.retried => {
                self.retried = true;
                work.request(Request::get(request.resource.clone(), request.key.clone()));
                Written::Going
            }
            Err(_) => Written::Failed,
        }
    }
}
