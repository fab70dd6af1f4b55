//! `revision-monotone`: revisions and observed generations only go forwards.

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

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
          goes forwards. A subject that could not know yet what the revision is, is not blamed. \
          While a status tells of an older generation, the revision that it names may be that of \
          the one before: what happens then is judged when it tells of the generation, and not if \
          another one comes first.",
    needs: &[Capability::Actors],
    make: |_| Box::new(RevisionMonotone { lag: Lag::default(), open: Vec::new() }),
};

struct RevisionMonotone {
    lag: Lag,
    /// Moves of pods of which it is not known yet whether they go backwards.
    open: Vec<Move>,
}

/// A pod got another revision while the status of its workload told of an older generation than the
/// one that is wanted: what that one updates to is known when the status tells of it.
struct Move {
    workload: ObjectKey,
    generation: i64,
    from: Text,
    to: Text,
    /// Whether it can't be told if the actor knew what is wanted.
    is_hidden: bool,
    n: u64,
    /// What is to be told if it went backwards, but for the revisions.
    told: Violation,
}

impl Invariant for RevisionMonotone {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        let Body::Request(request) = &event.body else { return };
        if scene.is_subject(&request.actor) {
            for change in &request.changes {
                if let Err(error) = self.take(event.n, (request, change), scene, findings) {
                    findings.undecided(Blame::Suite, error.to_string());
                }
            }
        }
        for change in &request.changes {
            if let Err(error) = self.settle(change, scene, findings) {
                findings.undecided(Blame::Suite, error.to_string());
            }
        }
        self.lag.take(event, scene);
    }
}

impl RevisionMonotone {
    /// Judges a change of the subject, or notes that it can only be judged later.
    fn take(
        &mut self,
        n: u64,
        (request, change): (&RequestEvent, &Change),
        scene: &Scene<'_>,
        findings: &mut Findings,
    ) -> Result<(), ObserveError> {
        if change.resource != Resource::PODS {
            lowered(request, change, scene)?.into_iter().for_each(|it| findings.fail(scene, it));
            return Ok(());
        }
        let Some((moved, workload)) = moved(n, request, change, scene)? else { return Ok(()) };
        let moved = Move { is_hidden: self.lag.hides(&request.actor, scene), ..moved };
        let states = match scene.view.has_deliveries {
            true => known_states(&request.actor, workload, scene),
            false => vec![workload],
        };
        if is_behind(workload, scene)? {
            // Who may not know of the generation is not blamed by what it updates to.
            if states.iter().all(|state| generation(state) == moved.generation) {
                self.open.push(moved);
            }
            return Ok(());
        }
        let Some(update) = scene.update_revision(workload)? else { return Ok(()) };
        for known in states {
            if scene.update_revision(known)?.as_ref() != Some(&update) {
                return Ok(());
            }
        }
        moved.judge(&update, scene, findings);
        Ok(())
    }

    /// Judges the moves that a new status of their workload decides.
    fn settle(
        &mut self,
        change: &Change,
        scene: &Scene<'_>,
        findings: &mut Findings,
    ) -> Result<(), ObserveError> {
        let is_open = |moved: &Move| moved.workload == change.key;
        if change.resource != *scene.subject.resource() || !self.open.iter().any(is_open) {
            return Ok(());
        }
        let state = change.after.as_ref();
        let (generation, observed) = match state {
            Some(workload) => (generation(workload), scene.observed_generation(workload)?),
            None => (i64::MAX, None),
        };
        // Of a generation that was overtaken nobody will tell.
        self.open.retain(|moved| !is_open(moved) || moved.generation >= generation);
        let Some(workload) = state.filter(|_| observed >= Some(generation)) else { return Ok(()) };
        let update = scene.update_revision(workload)?;
        let (due, open) = std::mem::take(&mut self.open).into_iter().partition(is_open);
        self.open = open;
        let due: Vec<Move> = due;
        for moved in due {
            if let Some(update) = &update {
                moved.judge(update, scene, findings);
            }
        }
        Ok(())
    }
}

impl Move {
    /// Tells of it if it left the revision to update to.
    fn judge(self, update: &Text, scene: &Scene<'_>, findings: &mut Findings) {
        if self.from != *update {
            return;
        }
        if self.is_hidden {
            let text = "without deliveries, what the actor knew can't be told";
            findings.undecided(Blame::Environment, text);
            return;
        }
        let evidence = if self.n == scene.view.n { Vec::new() } else { vec![self.n] };
        let (value, limit) = (self.to.to_string(), update.to_string());
        findings.fail(scene, Violation { value, limit, evidence, ..self.told });
    }
}

/// A change of a pod's revision, and the pod's workload.
fn moved<'a>(
    n: u64,
    request: &RequestEvent,
    change: &Change,
    scene: &Scene<'a>,
) -> Result<Option<(Move, &'a Tree)>, ObserveError> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return Ok(None) };
    if before["metadata"]["labels"].is_same(&after["metadata"]["labels"])
        && before["metadata"]["annotations"].is_same(&after["metadata"]["annotations"])
        && before["spec"].is_same(&after["spec"])
    {
        return Ok(None);
    }
    let Some(workload) = scene.workload_of(after)? else { return Ok(None) };
    let (old, new) = (scene.revision(workload, before)?, scene.revision(workload, after)?);
    let (Some(from), Some(to)) = (old, new) else { return Ok(None) };
    if from == to {
        return Ok(None);
    }
    let key = object::key(workload);
    let told = Violation {
        object: format!("{} {}", change.resource, change.key),
        rv: change.rv,
        actor: request.actor.clone(),
        message: format!("a pod of {key} lost its revision"),
        ..Violation::default()
    };
    let (generation, is_hidden) = (generation(workload), false);
    Ok(Some((Move { workload: key, generation, from, to, is_hidden, n, told }, workload)))
}

fn generation(workload: &Tree) -> i64 {
    workload["metadata"]["generation"].as_i64().unwrap_or(0)
}

/// Whether the status tells of an older generation than what the subject may act on already.
fn is_behind(workload: &Tree, scene: &Scene<'_>) -> Result<bool, ObserveError> {
    let observed = scene.observed_generation(workload)?;
    Ok(observed.is_some_and(|observed| observed < generation(workload)))
}

/// A number of a revision or of a status that went backwards.
fn lowered(
    request: &RequestEvent,
    change: &Change,
    scene: &Scene<'_>,
) -> Result<Option<Violation>, ObserveError> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return Ok(None) };
    let (old, new, what) = if change.resource == Resource::CONTROLLER_REVISIONS {
        let number = |object: &Tree| object["revision"].as_i64();
        (number(before), number(after), "the number of a revision")
    } else if change.resource == *scene.subject.resource() {
        let observed = |object: &Tree| scene.observed_generation(object);
        (observed(before)?, observed(after)?, "the observed generation")
    } else {
        return Ok(None);
    };
    let (Some(old), Some(new)) = (old, new) else { return Ok(None) };
    Ok((new < old).then(|| Violation {
        object: format!("{} {}", change.resource, change.key),
        rv: change.rv,
        actor: request.actor.clone(),
        value: new.to_string(),
        limit: old.to_string(),
        message: format!("{what} went backwards"),
        evidence: Vec::new(),
    }))
}
