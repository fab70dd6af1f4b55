//! `disruption-bounded`: who is bound by a limit takes no available pod down past it.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use crate::check::bounded::{Bounded, Limit};
use crate::check::budget::{Budget, budgets_of};
use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::Scene;
use crate::check::pods::pod_changes;
use crate::check::takedown::{any_since, known_pods};
use crate::history::{Body, Event};
use crate::suite::faults::Args;
use crate::suite::vocabulary::{Entry, Param, ParamKind};

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "disruption-bounded",
        doc: "Who is bound by a limit takes no available pod down past it.",
        params: &[
            Param::new(
                "maxUnavailable",
                ParamKind::Amount,
                "Bounds subject and evictions; without it, the workload's own limit and the \
                 stored budgets do. A percentage is of the replicas and rounded up.",
            ),
            Param::new(
                "actors",
                ParamKind::Texts,
                "Further actors, by name, that are bound by the limit of the workload.",
            ),
        ],
    },
    doc: "When an actor that is bound by a limit takes an available pod down, the pods that are \
          unavailable then, by anyone, stay within the limit; taking an unavailable pod down is \
          free. Bound are the subject, by the `maxUnavailable` of its workload, and evictions, by \
          the budgets that select the pod. Deletions by others, taint eviction and lost hosts ask \
          nobody: they count, and are never findings. The actor is judged on what its role could \
          know: what was delivered to it, and what it wrote. What passes the limit only because \
          nobody could know is counted as stale.",
    needs: &[Capability::Actors],
    make: |args| Box::new(DisruptionBounded::new(args)),
};

struct DisruptionBounded {
    bounded: Bounded,
    evictions: Option<Evictions>,
}

impl DisruptionBounded {
    fn new(args: &Args) -> Self {
        let (limit, evictions) = match args.amount("maxUnavailable") {
            Some(amount) => (Limit::Unavailable(amount), None),
            None => (Limit::OfTheWorkload, Some(Evictions::default())),
        };
        let bounded = Bounded::new(limit)
            .with_actors(args.texts("actors"))
            .with_evictions(evictions.is_none());
        DisruptionBounded { bounded, evictions }
    }
}

impl Invariant for DisruptionBounded {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        self.bounded.event(event, scene, findings);
        if let Some(evictions) = &mut self.evictions {
            evictions.event(event, scene, findings);
        }
    }
}

/// Evictions against the budgets as they should be, counted anew from the pods.
#[derive(Default)]
struct Evictions {
    evicted: BTreeSet<Text>,
    /// Who last wrote the status of a budget, other than by an eviction.
    writers: BTreeMap<ObjectKey, Text>,
}

impl Evictions {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        let Body::Request(request) = &event.body else { return };
        if request.subresource != "eviction" {
            let budgets = request.changes.iter();
            for change in budgets.filter(|c| c.resource == Resource::POD_DISRUPTION_BUDGETS) {
                self.writers.insert(change.key.clone(), request.actor.clone());
            }
            return;
        }
        for change in pod_changes(event) {
            let Some(pod) = &change.before else { continue };
            // The condition and the deletion are two writes of one eviction.
            let is_new = self.evicted.insert(Text::new(object::uid(pod)));
            if !is_new || !object::is_active(pod) || !object::is_ready(pod) {
                continue;
            }
            for (key, stored) in budgets_of(pod, scene.view) {
                let budget = Budget::new(stored, scene.view);
                let healthy = |pods: &mut dyn Iterator<Item = &Tree>| {
                    pods.filter(|pod| self.is_healthy(pod) && budget.selects(pod)).count() as i64
                };
                let mut now = scene.view.objects.all(&Resource::PODS).map(|(_, pod)| pod);
                let truth = healthy(&mut now);
                let Some(wanted) = budget.desired_healthy().filter(|wanted| truth < *wanted) else {
                    continue;
                };
                let writer = self.writers.get(key).map(Text::as_str).unwrap_or_default();
                // It may also have acted on what it was told a moment ago.
                let may_be = |pod: &&Tree| any_since(pod, scene, |pod| self.is_healthy(pod));
                let known = known_pods(writer, scene).filter(|pod| budget.selects(pod));
                let known = known.filter(may_be).count() as i64;
                let known_wanted = Budget::known(stored, writer, scene).desired_healthy();
                let could_know = known < known_wanted.unwrap_or(wanted).min(wanted);
                let is_hindered = scene.view.actor_fault(writer).is_some();
                if scene.view.has_deliveries && (!could_know || is_hindered) {
                    findings.stale();
                    continue;
                }
                let what = Violation {
                    object: format!("pods {}", change.key),
                    rv: change.rv,
                    actor: request.actor.clone(),
                    value: format!("{truth} healthy"),
                    limit: format!("{wanted} healthy of {}", budget.expected()),
                    message: format!("an eviction was allowed that the budget {key} forbids"),
                    evidence: Vec::new(),
                };
                findings.fail(scene, what);
            }
        }
    }

    fn is_healthy(&self, pod: &Tree) -> bool {
        object::is_active(pod) && object::is_ready(pod) && !self.evicted.contains(object::uid(pod))
    }
}
