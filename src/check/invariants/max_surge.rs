//! `max-surge`: the subject never makes more pods than wanted and surge allow.

use std::collections::BTreeMap;

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::lag::{Lag, is_told};
use crate::check::observe::{ObserveError, Scene};
use crate::check::pods::pod_changes;
use crate::check::takedown::{any_since, known_pods, known_workloads, state_known};
use crate::check::verdict::Blame;
use crate::history::{Body, Change, Event, RequestEvent};
use crate::suite::vocabulary::Entry;

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "max-surge",
        doc: "The subject makes no more pods than wanted and surge allow.",
        params: &[],
    },
    doc: "When the subject creates a pod of its workload, the active pods (neither ended nor \
          terminating) are at most its replicas and its `maxSurge`; a subject without `maxSurge` has \
          none. A Deployment decides by the sizes of its ReplicaSets: there the sizes must stay \
          within, and no ReplicaSet may make more than its size. What the actor could not know is \
          counted as stale.",
    needs: &[Capability::Actors],
    make: |_| Box::new(MaxSurge::default()),
};

#[derive(Default)]
struct MaxSurge {
    /// By uid of the object between: the last time it was raised, and whether too far.
    raised: BTreeMap<Text, (u64, bool)>,
    lag: Lag,
}

impl Invariant for MaxSurge {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        let Body::Request(request) = &event.body else { return };
        if !scene.is_subject(&request.actor) {
            return self.lag.take(event, scene);
        }
        let mut judge = || -> Result<(), ObserveError> {
            for change in &request.changes {
                self.raise(event, request, change, scene)?;
            }
            for change in pod_changes(event).filter(|change| change.before.is_none()) {
                self.created(request, change, scene, findings)?;
            }
            Ok(())
        };
        if let Err(error) = judge() {
            findings.undecided(Blame::Suite, error.to_string());
        }
        self.lag.take(event, scene);
    }
}

impl MaxSurge {
    fn created(
        &self,
        request: &RequestEvent,
        change: &Change,
        scene: &Scene<'_>,
        findings: &mut Findings,
    ) -> Result<(), ObserveError> {
        let Some(pod) = &change.after else { return Ok(()) };
        let Some(workload) = scene.workload_of(pod)? else { return Ok(()) };
        let Some(limit) = limit_of(workload, scene)? else { return Ok(()) };
        let pods = scene.pods(workload)?;
        let active = count(pods.iter().filter(|(_, pod)| object::is_active(pod)));
        if active <= limit {
            return Ok(());
        }
        let role = &request.actor;
        if self.lag.hides(role, scene) {
            let text = "without deliveries, what the actor knew can't be told";
            findings.undecided(Blame::Environment, text);
            return Ok(());
        }
        let owner = object::controller_uid(pod);
        let mut evidence = Vec::new();
        let guilty = if !is_told(role, scene) {
            true
        } else if owner != object::uid(workload)
            && let Some((resource, key, set)) = scene.view.objects.by_uid(owner)
        {
            let mine = known_active(role, scene).filter(|pod| object::controller_uid(pod) == owner);
            // It may have acted on what it was told a moment ago, which is not certain to be known.
            let size = |set: &Tree| set["spec"]["replicas"].as_i64().unwrap_or(1);
            let known = scene.view.known.newest(role, resource, key);
            let sizes = scene.view.objects.since(resource, key, known).flatten().map(size);
            let size = sizes.max().unwrap_or(size(set));
            let raised = self.raised.get(owner).filter(|(_, too_far)| *too_far);
            evidence.extend(raised.map(|(n, _)| *n));
            raised.is_some() || count(mine) > size
        } else {
            let mut active = 0;
            for pod in known_active(role, scene) {
                active += i64::from(scene.owns(workload, pod)?);
            }
            let mut is_past = true;
            for known in known_workloads(role, workload, scene) {
                is_past &= limit_of(known, scene)?.is_some_and(|limit| active > limit);
            }
            is_past
        };
        if !guilty {
            findings.stale();
            return Ok(());
        }
        let what = Violation {
            object: format!("pods {}", change.key),
            rv: change.rv,
            actor: role.clone(),
            value: format!("{active} active pods"),
            limit: format!("{limit} of {}", object::key(workload)),
            message: format!("{role} created a pod beyond replicas and surge"),
            evidence,
        };
        findings.fail(scene, what);
        Ok(())
    }

    /// Judges the raising of an object between workload and pods by the sizes that its actor could
    /// know.
    fn raise(
        &mut self,
        event: &Event,
        request: &RequestEvent,
        change: &Change,
        scene: &Scene<'_>,
    ) -> Result<(), ObserveError> {
        let Some(after) = &change.after else { return Ok(()) };
        let size = |object: &Tree| object["spec"]["replicas"].as_i64();
        let old = change.before.as_ref().and_then(size).unwrap_or(0);
        let is_raised = size(after).is_some_and(|new| new > old);
        if !is_raised || change.resource == Resource::PODS {
            return Ok(());
        }
        let owner = object::controller_uid(after);
        let Some((resource, _, workload)) = scene.view.objects.by_uid(owner) else {
            return Ok(());
        };
        if resource != scene.subject.resource() {
            return Ok(());
        }
        let role = &request.actor;
        let sizes = scene.view.objects.controlled(owner, &change.resource).map(|(key, set)| {
            size(state_known(role, &change.resource, key, scene).unwrap_or(set)).unwrap_or(0)
        });
        let total: i64 = sizes.sum();
        let mut too_far = true;
        for known in known_workloads(role, workload, scene) {
            too_far &= limit_of(known, scene)?.is_some_and(|limit| total > limit);
        }
        self.raised.insert(Text::new(object::uid(after)), (event.n, too_far));
        Ok(())
    }
}

fn limit_of(workload: &Tree, scene: &Scene<'_>) -> Result<Option<i64>, ObserveError> {
    let Some(replicas) = scene.replicas(workload)? else { return Ok(None) };
    Ok(Some(replicas + scene.max_surge(workload)?.unwrap_or(0)))
}

/// The pods that a role must have taken for active: so it knew them, and nothing that it may have
/// been told since says otherwise.
fn known_active<'a>(role: &'a str, scene: &'a Scene<'a>) -> impl Iterator<Item = &'a Tree> {
    known_pods(role, scene).filter(|pod| {
        scene.view.objects.by_uid(object::uid(pod)).is_some()
            && !any_since(pod, scene, |pod| !object::is_active(pod))
    })
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}
