//! `revision-monotone`: revisions and observed generations only go forwards.

use kubesim_model::object;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::lag::Lag;
use crate::check::observe::{ObserveError, Scene};
use crate::check::takedown::known_states;
use crate::check::verdict::Blame;
use crate::history::{Body, Change, Event, RequestEvent};
use crate::suite::vocabulary::Entry;

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "revision-monotone",
        doc: "The subject takes no pod, status or revision number backwards.",
        params: &[],
    },
    doc: "The subject never changes a pod from the revision that its workload updates to, to \
          another one; never lowers `status.observedGeneration` of its workload; and never lowers \
          the number of a ControllerRevision. A rollback changes the revision to update to, so it \
          goes forwards. A subject that could not know yet what the revision is, is not blamed, nor \
          one whose status does not tell of the newest generation yet: the revision that it names \
          may be that of the one before.",
    needs: &[Capability::Actors],
    make: |_| Box::new(RevisionMonotone { lag: Lag::default() }),
};

struct RevisionMonotone {
    lag: Lag,
}

impl Invariant for RevisionMonotone {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        let Body::Request(request) = &event.body else { return };
        if scene.is_subject(&request.actor) {
            for change in &request.changes {
                match judge(request, change, scene) {
                    Ok(Some(_)) if self.hides(request, change, scene) => {
                        let text = "without deliveries, what the actor knew can't be told";
                        findings.undecided(Blame::Environment, text);
                    }
                    Ok(Some(wrong)) => findings.fail(scene, wrong),
                    Ok(None) => {}
                    Err(error) => findings.undecided(Blame::Suite, error.to_string()),
                }
            }
        }
        self.lag.take(event, scene);
    }
}

impl RevisionMonotone {
    /// Whether it can't be told if the actor knew what a pod is to become. Statuses and revisions
    /// are its own.
    fn hides(&self, request: &RequestEvent, change: &Change, scene: &Scene<'_>) -> bool {
        change.resource == Resource::PODS && self.lag.hides(&request.actor, scene)
    }
}

fn judge(
    request: &RequestEvent,
    change: &Change,
    scene: &Scene<'_>,
) -> Result<Option<Violation>, ObserveError> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return Ok(None) };
    let lowered = |value: &dyn Fn(&Tree) -> Option<i64>, what: &str| {
        let (old, new) = (value(before)?, value(after)?);
        (new < old).then(|| (new.to_string(), format!("{old}"), format!("{what} went backwards")))
    };
    let wrong = if change.resource == Resource::PODS {
        backwards(request, before, after, scene)?
    } else if change.resource == Resource::CONTROLLER_REVISIONS {
        lowered(&|object| object["revision"].as_i64(), "the number of a revision")
    } else if change.resource == *scene.subject.resource() {
        let old = scene.observed_generation(before)?;
        let new = scene.observed_generation(after)?;
        lowered(&|object| if object.is_same(before) { old } else { new }, "the observed generation")
    } else {
        None
    };
    Ok(wrong.map(|(value, limit, message)| Violation {
        object: format!("{} {}", change.resource, change.key),
        rv: change.rv,
        actor: request.actor.clone(),
        value,
        limit,
        message,
        evidence: Vec::new(),
    }))
}

type Wrong = Option<(String, String, String)>;

fn backwards(
    request: &RequestEvent,
    before: &Tree,
    after: &Tree,
    scene: &Scene<'_>,
) -> Result<Wrong, ObserveError> {
    if before["metadata"]["labels"].is_same(&after["metadata"]["labels"])
        && before["metadata"]["annotations"].is_same(&after["metadata"]["annotations"])
        && before["spec"].is_same(&after["spec"])
    {
        return Ok(None);
    }
    let Some(workload) = scene.workload_of(after)? else { return Ok(None) };
    if is_behind(workload, scene)? {
        return Ok(None);
    }
    let Some(update) = scene.update_revision(workload)? else { return Ok(None) };
    let (old, new) = (scene.revision(workload, before)?, scene.revision(workload, after)?);
    if old.as_ref() != Some(&update) || new == old || new.is_none() {
        return Ok(None);
    }
    if scene.view.has_deliveries {
        for known in known_states(&request.actor, workload, scene) {
            if scene.update_revision(known)?.as_ref() != Some(&update) {
                return Ok(None);
            }
        }
    }
    let new = new.map(String::from).unwrap_or_default();
    let message = format!("a pod of {} lost its revision", object::key(workload));
    Ok(Some((new, update.to_string(), message)))
}

/// Whether the status tells of an older generation than what the subject may act on already.
fn is_behind(workload: &Tree, scene: &Scene<'_>) -> Result<bool, ObserveError> {
    let generation = workload["metadata"]["generation"].as_i64().unwrap_or(0);
    Ok(scene.observed_generation(workload)?.is_some_and(|observed| observed < generation))
}
