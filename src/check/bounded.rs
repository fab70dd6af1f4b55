//! Takedowns against a limit: the part that `disruption-bounded`, `max-unavailable` and
//! `available-at-least` share.

use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use crate::history::{Body, Event, RequestEvent};
use crate::suite::duration::Amount;

use super::finding::{Findings, Violation};
use super::observe::{ObserveError, Scene};
use super::takedown::{Count, Disruption, Guilt, Takedown};
use super::verdict::Blame;

/// What limits takedowns.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// The `maxUnavailable` of the workload.
    OfTheWorkload,
    /// So many may be unavailable.
    Unavailable(Amount),
    /// So many must be available, once they were.
    Available(Amount),
}

/// Judges every takedown by an actor that is bound.
pub(super) struct Bounded {
    limit: Limit,
    actors: Vec<Text>,
    binds_evictions: bool,
    disruption: Disruption,
}

impl Bounded {
    /// Binds the subject.
    pub(super) fn new(limit: Limit) -> Bounded {
        let disruption = Disruption::default();
        Bounded { limit, actors: Vec::new(), binds_evictions: false, disruption }
    }

    /// Binds these actors too.
    pub(super) fn with_actors(mut self, actors: &[Text]) -> Bounded {
        self.actors = actors.to_vec();
        self
    }

    /// Whether evictions are bound, whoever asks for them.
    pub(super) fn with_evictions(mut self, bound: bool) -> Bounded {
        self.binds_evictions = bound;
        self
    }

    /// The next event.
    pub(super) fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        if let Err(error) = self.judge(event, scene, findings) {
            findings.undecided(Blame::Suite, error.to_string());
        }
    }

    fn judge(
        &mut self,
        event: &Event,
        scene: &Scene<'_>,
        findings: &mut Findings,
    ) -> Result<(), ObserveError> {
        let limit = self.limit;
        let is_past = |count: Count, workload: &Tree| {
            past(limit, count, workload, scene).map(|limit| limit.is_some())
        };
        let takedowns = self.disruption.event(event, &is_past, scene)?;
        let Body::Request(request) = &event.body else { return Ok(()) };
        let is_bound = scene.is_subject(&request.actor)
            || self.actors.contains(&request.actor)
            || (request.subresource == "eviction" && self.binds_evictions);
        for takedown in &takedowns {
            if is_bound {
                self.takedown(takedown, request, scene, findings)?;
            }
            self.disruption.moved(&takedown.workload, &request.actor, scene.view.now);
        }
        Ok(())
    }

    fn takedown(
        &self,
        takedown: &Takedown<'_>,
        request: &RequestEvent,
        scene: &Scene<'_>,
        findings: &mut Findings,
    ) -> Result<(), ObserveError> {
        let truth = self.disruption.truth(&takedown.workload, scene)?;
        let Some(limit) = past(self.limit, truth, &takedown.workload, scene)? else {
            return Ok(());
        };
        let is_past = |count: Count, workload: &Tree| {
            past(self.limit, count, workload, scene).map(|limit| limit.is_some())
        };
        let because = match self.disruption.guilt(takedown, request, &is_past, scene)? {
            Guilt::Known(because) => because,
            Guilt::Stale => {
                findings.stale();
                return Ok(());
            }
            Guilt::Undecided => {
                let text = "without deliveries, what the actor knew can't be told";
                findings.undecided(Blame::Environment, text);
                return Ok(());
            }
        };
        let workload = object::key(&takedown.workload);
        let others = (truth.unavailable() - 1).max(0);
        let actor = request.actor.clone();
        findings.fail(
            scene,
            Violation {
                object: format!("pods {}", takedown.change.key),
                rv: takedown.change.rv,
                value: format!("{} of {} available", truth.available, truth.expected),
                limit,
                message: format!(
                    "{actor} took down an available pod of {workload} while {others} were down"
                ),
                actor,
                evidence: because.into_iter().collect(),
            },
        );
        Ok(())
    }
}

/// The limit, if these counts are past it.
fn past(
    limit: Limit,
    count: Count,
    workload: &Tree,
    scene: &Scene<'_>,
) -> Result<Option<String>, ObserveError> {
    let most = match limit {
        Limit::OfTheWorkload => scene.max_unavailable(workload)?,
        Limit::Unavailable(amount) => scene.replicas(workload)?.map(|all| amount.round_up(all)),
        Limit::Available(amount) => {
            let least = amount.round_up(scene.replicas(workload)?.unwrap_or(count.expected));
            let is_past = count.available < least && count.expected >= least;
            return Ok(is_past.then(|| format!("at least {least} available")));
        }
    };
    let past = most.filter(|most| count.unavailable() > *most);
    Ok(past.map(|most| format!("at most {most} unavailable")))
}
