//! `status-truthful`: the numbers in a workload's status are those of its pods.

use std::collections::BTreeMap;

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Definition, Invariant};
use crate::check::observe::{ObserveError, Scene};
use crate::check::pods::min_ready;
use crate::check::verdict::Blame;
use crate::check::within::Overdue;
use crate::history::{ActorPhase, Body, Event};
use crate::suite::vocabulary::{Entry, Param, ParamKind};

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "status-truthful",
        doc: "The numbers in a workload's status are those of its pods.",
        params: &[
            Param::new("within", ParamKind::Duration, "How long they may differ.").default("30s")
        ],
    },
    doc: "The numbers that the subject's observation `status` names (`replicas`, `readyReplicas`, \
          `availableReplicas`, `updatedReplicas`) do not differ from a count of the pods for \
          longer than `within`, nor does the status speak of another generation for longer. \
          Terminating pods may count or not: built-in controllers differ there. Of a workload that \
          is being deleted nothing is asked. While a part of the subject is down, stands still or \
          has a fault upon it, nothing is asked of it. 30 seconds are ample for a work queue with \
          back-off (client-go v1.36: 5 ms doubling) and the reading of a stale cache.",
    needs: &[],
    make: |args| {
        let within = args.duration("within").unwrap_or(30_000);
        Box::new(StatusTruthful { wrong: Overdue::new(within), due: None })
    },
};

struct StatusTruthful {
    wrong: Overdue<(ObjectKey, &'static str)>,
    /// When pods become available next, with time alone.
    due: Option<Millis>,
}

impl StatusTruthful {
    fn tell(&mut self, now: u64, scene: &Scene<'_>, findings: &mut Findings) {
        for late in self.wrong.late(now) {
            let (key, field) = late.key;
            let what = Violation {
                object: format!("{} {key}", scene.subject.resource()),
                value: format!("{} s", late.age / 1000),
                limit: format!("{} s", late.within / 1000),
                message: format!("status: {field} {}", late.what),
                evidence: vec![late.since_n],
                ..Violation::default()
            };
            findings.fail(scene, what);
        }
    }
}

impl StatusTruthful {
    /// Looks at what became of the pods since a time at which some became available.
    fn look_if_due(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        if let Some(due) = self.due.filter(|due| *due <= scene.view.now) {
            self.look(due, scene, findings);
        }
    }

    /// Notes what is wrong, since `at`.
    fn look(&mut self, at: Millis, scene: &Scene<'_>, findings: &mut Findings) {
        let wrong = if is_hindered(scene) { Ok(BTreeMap::new()) } else { wrong(scene) };
        match wrong.and_then(|wrong| Ok((wrong, next_available(scene)?))) {
            Ok((wrong, due)) => {
                self.wrong.set(scene.view.n, at, wrong);
                self.due = due;
            }
            Err(error) => findings.undecided(Blame::Suite, error.to_string()),
        }
    }
}

impl Invariant for StatusTruthful {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        self.tell(event.t, scene, findings);
        let matters = match &event.body {
            Body::Fault(_) | Body::Actor(_) => true,
            Body::Request(request) => request.changes.iter().any(|change| {
                change.resource == Resource::PODS || change.resource == *scene.subject.resource()
            }),
            _ => false,
        };
        if matters {
            self.look(event.t, scene, findings);
        } else {
            self.look_if_due(scene, findings);
        }
    }

    fn finish(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        self.look_if_due(scene, findings);
        self.tell(scene.view.now, scene, findings);
    }
}

/// Whether a part of the subject is down, stands still or has a fault upon it.
fn is_hindered(scene: &Scene<'_>) -> bool {
    scene.view.actors.values().filter(|actor| scene.subject.is_subject(actor)).any(|actor| {
        matches!(actor.phase, ActorPhase::Crashed | ActorPhase::Paused)
            || scene.view.actor_fault(&actor.actor).is_some()
    })
}

fn wrong(scene: &Scene<'_>) -> Result<BTreeMap<(ObjectKey, &'static str), String>, ObserveError> {
    let mut wrong = BTreeMap::new();
    for workload in scene.workloads()? {
        let Some(status) = scene.status(workload)? else { continue };
        if object::is_terminating(workload) {
            continue;
        }
        let present = object::generation(workload);
        let observed = scene.observed_generation(workload)?;
        if let Some(observed) = observed.filter(|observed| *observed != present) {
            let what = format!("is {observed}, not {present}");
            wrong.insert((object::key(workload), "observedGeneration"), what);
            continue;
        }
        for (field, least, most) in counts(workload, scene)? {
            let Some(said) = status[field].as_i64().filter(|said| *said < least || *said > most)
            else {
                continue;
            };
            let right = if least == most {
                least.to_string()
            } else {
                format!("between {least} and {most}")
            };
            wrong.insert((object::key(workload), field), format!("is {said}, not {right}"));
        }
    }
    Ok(wrong)
}

/// When the next ready pod becomes available, if nothing happens to it.
fn next_available(scene: &Scene<'_>) -> Result<Option<Millis>, ObserveError> {
    let mut next = None;
    for workload in scene.workloads()? {
        let wait = 1000 * Millis::try_from(min_ready(workload)).unwrap_or(0);
        if wait == 0 {
            continue;
        }
        let pods = scene.pods(workload)?;
        let ready = pods.iter().filter_map(|(_, pod)| object::condition(pod, "Ready"));
        let since = ready
            .filter(|ready| ready["status"] == "True")
            .filter_map(|ready| object::parse_time(ready["lastTransitionTime"].str()));
        let later = since
            .map(|since| (since + wait).saturating_sub(scene.view.began))
            .filter(|at| *at > scene.view.now);
        next = next.into_iter().chain(later).min();
    }
    Ok(next)
}

/// The least and the most that a number may be: without and with terminating pods.
fn counts(
    workload: &Tree,
    scene: &Scene<'_>,
) -> Result<Vec<(&'static str, i64, i64)>, ObserveError> {
    let mut all = [(0, 0); 4];
    let update = scene.update_revision(workload)?;
    let (ready, now) = (min_ready(workload), scene.view.object_time());
    for (_, pod) in scene.pods(workload)? {
        if object::is_terminal(pod) {
            continue;
        }
        let is_updated = update.is_some() && scene.revision(workload, pod)? == update;
        let is_available = object::is_available(pod, ready, now);
        for (at, counts) in
            [true, object::is_ready(pod), is_available, is_updated].into_iter().enumerate()
        {
            all[at].0 += i64::from(counts && !object::is_terminating(pod));
            all[at].1 += i64::from(counts);
        }
    }
    let fields = ["replicas", "readyReplicas", "availableReplicas", "updatedReplicas"];
    let known = if update.is_some() { 4 } else { 3 };
    Ok(fields.into_iter().zip(all).take(known).map(|(f, (least, most))| (f, least, most)).collect())
}
