//! `partition-respected`: no more pods get the new revision than the partition lets.

use std::collections::BTreeMap;

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::{ObserveError, Scene};
use crate::check::pods::pod_changes;
use crate::check::takedown::{any_since, known_pods, known_workloads};
use crate::check::verdict::Blame;
use crate::history::{Body, Change, Event, RequestEvent};
use crate::suite::vocabulary::Entry;

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "partition-respected",
        doc: "No more pods get the new revision than the partition lets.",
        params: &[],
    },
    doc: "While a release is under way, a write of the subject that gives a pod the revision to \
          update to leaves at most replicas less `partition` active pods with it. A workload that \
          has only one revision has nothing to keep back. What the actor could not know (of the \
          partition, the scale, or its pods) is counted as stale.",
    needs: &[Capability::Actors],
    make: |_| Box::new(PartitionRespected::default()),
};

#[derive(Default)]
struct PartitionRespected {
    /// By uid of a workload: the last revision that all its pods had.
    settled: BTreeMap<Text, Text>,
}

impl Invariant for PartitionRespected {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        let Body::Request(request) = &event.body else { return };
        for change in &request.changes {
            if let Err(error) = self.settle(change, scene) {
                findings.undecided(Blame::Suite, error.to_string());
            }
        }
        if !scene.is_subject(&request.actor) {
            return;
        }
        for change in pod_changes(event) {
            if let Err(error) = self.judge(request, change, scene, findings) {
                findings.undecided(Blame::Suite, error.to_string());
            }
        }
    }
}

impl PartitionRespected {
    /// The first revision of a workload, and any that all its pods have, is settled.
    fn settle(&mut self, change: &Change, scene: &Scene<'_>) -> Result<(), ObserveError> {
        let Some(object) = &change.after else { return Ok(()) };
        let workload = if change.resource == *scene.subject.resource() {
            object
        } else if change.resource == Resource::PODS {
            let Some(workload) = scene.workload_of(object)? else { return Ok(()) };
            workload
        } else {
            return Ok(());
        };
        let Some(update) = scene.update_revision(workload)? else { return Ok(()) };
        let key = Text::new(object::uid(workload));
        let replicas = scene.replicas(workload)?.unwrap_or(0);
        let counts = |pods: (i64, i64)| pods.0 == pods.1 && pods.0 >= replicas;
        if !self.settled.contains_key(&key) || counts(updated(workload, &update, scene)?) {
            self.settled.insert(key, update);
        }
        Ok(())
    }

    fn judge(
        &self,
        request: &RequestEvent,
        change: &Change,
        scene: &Scene<'_>,
        findings: &mut Findings,
    ) -> Result<(), ObserveError> {
        let Some(pod) = change.after.as_ref().filter(|pod| object::is_active(pod)) else {
            return Ok(());
        };
        let Some(workload) = scene.workload_of(pod)? else { return Ok(()) };
        let key = object::key(workload);
        let (Some(update), Some(partition)) =
            (scene.update_revision(workload)?, scene.partition(workload)?)
        else {
            return Ok(());
        };
        let had = match &change.before {
            Some(before) => scene.revision(workload, before)?,
            None => None,
        };
        let gains = scene.revision(workload, pod)?.as_ref() == Some(&update)
            && had.as_ref() != Some(&update);
        if !gains || self.settled.get(object::uid(workload)) == Some(&update) {
            return Ok(());
        }
        let limit = (scene.replicas(workload)?.unwrap_or(0) - partition).max(0);
        let (have, _) = updated(workload, &update, scene)?;
        if have <= limit {
            return Ok(());
        }
        if !could_know(&request.actor, workload, &update, scene)? {
            findings.stale();
            return Ok(());
        }
        let what = Violation {
            object: format!("pods {}", change.key),
            rv: change.rv,
            actor: request.actor.clone(),
            value: format!("{have} pods of revision {update}"),
            limit: format!("{limit} with partition {partition} of {key}"),
            message: format!("{} updated more pods than the partition lets", request.actor),
            evidence: Vec::new(),
        };
        findings.fail(scene, what);
        Ok(())
    }
}

/// How many active pods have the revision, and how many active pods there are.
fn updated(
    workload: &Tree,
    revision: &Text,
    scene: &Scene<'_>,
) -> Result<(i64, i64), ObserveError> {
    let (mut have, mut all) = (0, 0);
    for (_, pod) in scene.pods(workload)? {
        if object::is_active(pod) {
            all += 1;
            have += i64::from(scene.revision(workload, pod)?.as_ref() == Some(revision));
        }
    }
    Ok((have, all))
}

fn could_know(
    role: &str,
    workload: &Tree,
    update: &Text,
    scene: &Scene<'_>,
) -> Result<bool, ObserveError> {
    if !scene.view.has_deliveries {
        return Ok(true);
    }
    let mut have = 0;
    for pod in known_pods(role, scene) {
        let goes = scene.view.objects.by_uid(object::uid(pod)).is_none()
            || any_since(pod, scene, |pod| !object::is_active(pod));
        let counts = !goes
            && scene.owns(workload, pod)?
            && scene.revision(workload, pod)?.as_ref() == Some(update);
        have += i64::from(counts);
    }
    for known in known_workloads(role, workload, scene) {
        let partition = scene.partition(known)?.unwrap_or(0);
        let limit = (scene.replicas(known)?.unwrap_or(0) - partition).max(0);
        if have <= limit {
            return Ok(false);
        }
    }
    Ok(true)
}
