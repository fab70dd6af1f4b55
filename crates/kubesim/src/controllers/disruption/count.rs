//! What a budget demands of its pods, and how many of them are healthy (`disruption.go`, v1.36).

use kubesim_model::cache::Cache;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::share::{Rounding, share};
use kubesim_model::tree::{Map, Tree};
use kubesim_model::{Millis, Text, object, selector};

use super::super::kinds;

/// An eviction that was granted counts for this long if the pod does not go.
pub(super) const DELETION_TIMEOUT: Millis = 120_000;

/// Where the intended number of pods of a controller stands.
pub(super) enum Scale {
    /// It is known.
    Known(i64),
    /// It must be read from the `scale` subresource.
    Ask(Resource, ObjectKey),
}

/// The pods that a budget is about.
pub(super) fn pods<'a>(budget: &'a Tree, cache: &'a Cache) -> Vec<&'a Tree> {
    const PODS: Resource = Resource::PODS;
    let wanted = &budget["spec"]["selector"];
    let pods = cache.in_namespace(&PODS, object::namespace(budget));
    pods.filter(|pod| selector::selects(wanted, &pod["metadata"]["labels"])).collect()
}

/// The scale of the controller of a pod; `None` for a pod without one, and a controller that is
/// known to be gone is an error.
pub(super) fn scale(pod: &Tree, cache: &Cache) -> Option<Result<(Text, Scale), String>> {
    let reference = object::controller(pod)?;
    let namespace = object::namespace(pod);
    let (resource, key) = kinds::owner(reference, namespace);
    let watched = [Resource::REPLICA_SETS, Resource::STATEFUL_SETS];
    if !watched.contains(&resource) {
        return Some(Ok((reference["uid"].text(), Scale::Ask(resource, key))));
    }
    let missing = || format!("found no controllers for pod \"{}\"", object::name(pod));
    let known = |resource: &Resource, key: &ObjectKey, reference: &Tree| {
        let owner = cache.get(resource, key)?;
        (owner["metadata"]["uid"] == reference["uid"]).then_some(owner)
    };
    let Some(owner) = known(&resource, &key, reference) else { return Some(Err(missing())) };
    let top = object::controller(owner).filter(|top| top["kind"] == "Deployment");
    let owner = match top {
        Some(top) => {
            let key = ObjectKey::new(namespace, top["name"].text());
            match known(&Resource::DEPLOYMENTS, &key, top) {
                Some(deployment) => deployment,
                None => return Some(Err(missing())),
            }
        }
        None => owner,
    };
    let replicas = owner["spec"]["replicas"].as_i64().unwrap_or(1);
    Some(Ok((Text::new(object::uid(owner)), Scale::Known(replicas))))
}

/// Whether the budget's numbers depend on the scale of controllers.
pub(super) fn needs_scale(budget: &Tree) -> bool {
    let spec = &budget["spec"];
    !spec["maxUnavailable"].is_null() || spec["minAvailable"].as_str().is_some()
}

/// How many pods there should be, and how many of them healthy.
pub(super) fn demand(
    budget: &Tree,
    pods: usize,
    scale: i64,
    rounding: Rounding,
) -> Result<(i64, i64), String> {
    let spec = &budget["spec"];
    let of = |value: &Tree| {
        let parsed = share(value, scale, rounding);
        parsed.ok_or_else(|| format!("invalid value for IntOrString: {value}"))
    };
    if !spec["maxUnavailable"].is_null() {
        Ok((scale, scale.saturating_sub(of(&spec["maxUnavailable"])?).max(0)))
    } else if spec["minAvailable"].as_str().is_some() {
        Ok((scale, of(&spec["minAvailable"])?))
    } else {
        Ok((pods as i64, spec["minAvailable"].as_i64().unwrap_or(0)))
    }
}

/// Evictions that were granted and whose pods do not terminate yet; and when the first of them
/// is no longer believed.
pub(super) fn disrupted(budget: &Tree, pods: &[&Tree], now: Millis) -> (Map, Option<Millis>) {
    let (mut kept, mut next) = (Map::default(), None);
    if budget["status"]["disruptedPods"].is_null() {
        return (kept, next);
    }
    for pod in pods.iter().filter(|pod| !object::is_terminating(pod)) {
        let name = object::name(pod);
        let Some(at) = budget["status"]["disruptedPods"].get(name) else { continue };
        let until = object::parse_time(at.str()).unwrap_or(0) + DELETION_TIMEOUT;
        if until >= now {
            kept.insert(name, at);
            next = Some(next.map_or(until, |have: Millis| have.min(until)));
        }
    }
    (kept, next)
}

/// How many pods are ready, stay, and were not granted to an eviction.
pub(super) fn healthy(pods: &[&Tree], disrupted: &Map, counts_not_ready: bool) -> i64 {
    let is_healthy = |pod: &&&Tree| {
        !object::is_terminating(pod)
            && disrupted.get(object::name(pod)).is_none()
            && (counts_not_ready || object::is_ready(pod))
    };
    pods.iter().filter(is_healthy).count() as i64
}
