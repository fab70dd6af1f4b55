//! Keeping the status of each budget true, and taking back stale announcements of disruptions.

use std::collections::BTreeMap;

use kubesim_model::actor::{Actor, WatchSpec};
use kubesim_model::cache::{Cache, Change};
use kubesim_model::controller::{Controller, Reconcile, Verdict, Work};
use kubesim_model::request::{Answer, Request, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::share::Rounding;
use kubesim_model::tree::{Map, Tree};
use kubesim_model::{Millis, Text, map, object, selector};

use super::count::{self, Scale};

/// Planted bugs: name, and what it does wrong.
pub const BUGS: &[(&str, &str)] = &[
    ("off-by-one-budget", "one disruption more than the budget is allowed"),
    ("counts-not-ready-as-healthy", "pods that are not ready count as healthy"),
    ("percent-rounds-down", "percentages are rounded down instead of up"),
    ("allows-one-too-few", "one disruption less than the budget allows is allowed"),
];

const BUDGETS: Resource = Resource::POD_DISRUPTION_BUDGETS;
/// Marks the key of a pod, whose name can't contain it.
const POD: &str = "pod/";
/// A disruption that was announced and did not happen is taken back after this long.
const STALE_AFTER: Millis = 120_000;

/// The disruption controller, with a planted bug if one of [`BUGS`] is named.
pub fn actor(bug: Option<&str>) -> Box<dyn Actor> {
    Box::new(Controller::new(Disruption {
        off_by_one: bug == Some("off-by-one-budget"),
        counts_not_ready: bug == Some("counts-not-ready-as-healthy"),
        rounds_down: bug == Some("percent-rounds-down"),
        too_few: bug == Some("allows-one-too-few"),
        scales: BTreeMap::new(),
    }))
}

#[derive(Clone)]
struct Disruption {
    off_by_one: bool,
    counts_not_ready: bool,
    rounds_down: bool,
    too_few: bool,
    /// Scales being read, by budget.
    scales: BTreeMap<ObjectKey, Asked>,
}

#[derive(Clone, Default)]
struct Asked {
    known: i64,
    unanswered: usize,
    failure: Option<String>,
}

impl Reconcile for Disruption {
    fn watches(&self) -> Vec<WatchSpec> {
        [
            Resource::PODS,
            BUDGETS,
            Resource::REPLICA_SETS,
            Resource::DEPLOYMENTS,
            Resource::STATEFUL_SETS,
        ]
        .map(WatchSpec::all)
        .into()
    }

    fn changed(&mut self, change: &Change, cache: &Cache, enqueue: &mut dyn FnMut(ObjectKey)) {
        let states = [&change.old, &change.new].into_iter().flatten();
        if change.resource == BUDGETS {
            states.take(1).for_each(|budget| enqueue(object::key(budget)));
        } else if change.resource == Resource::PODS {
            for pod in states {
                for budget in cache.in_namespace(&BUDGETS, object::namespace(pod)) {
                    let labels = &pod["metadata"]["labels"];
                    if selector::selects(&budget["spec"]["selector"], labels) {
                        enqueue(object::key(budget));
                    }
                }
            }
            if let Some(pod) = change.new.as_ref().filter(|pod| stale_at(pod).is_some()) {
                enqueue(pod_key(pod));
            }
        }
        // A new scale alone is no reason to count again: what upstream has of workloads are listers
        // without handlers (v1.36, `NewDisruptionController`). Pods come and go with it.
    }

    fn reconcile(&mut self, key: &ObjectKey, work: &mut Work<'_, '_>) {
        if let Some(name) = key.name.strip_prefix(POD) {
            return take_back(&ObjectKey::new(key.namespace.clone(), name), work);
        }
        let Some(budget) = work.cache.get(&BUDGETS, key).cloned() else { return };
        let pods = count::pods(&budget, work.cache);
        match ask_scales(&budget, &pods, work) {
            Ok(asked) if asked.unanswered > 0 => {
                self.scales.insert(key.clone(), asked);
            }
            Ok(asked) => self.judge(&budget, &pods, asked.known, work),
            Err(reason) => fail(&budget, &reason, work),
        }
    }

    fn answered(
        &mut self,
        key: &ObjectKey,
        request: &Request,
        answer: &Answer,
        work: &mut Work<'_, '_>,
    ) -> Verdict {
        if request.verb != Verb::Get {
            return match answer {
                Err(status) if !status.is_not_found() => Verdict::Retry,
                _ => Verdict::Fine,
            };
        }
        let Some(asked) = self.scales.get_mut(key) else { return Verdict::Fine };
        asked.unanswered -= 1;
        match answer {
            Ok(scale) => {
                let replicas = scale["spec"]["replicas"].as_i64().unwrap_or(0);
                asked.known = asked.known.saturating_add(replicas);
            }
            Err(status) => {
                asked.failure = Some(format!(
                    "{} does not implement the scale subresource: {}",
                    request.resource, status.message
                ));
            }
        }
        if asked.unanswered > 0 {
            return Verdict::Fine;
        }
        let asked = self.scales.remove(key).unwrap_or_default();
        let Some(budget) = work.cache.get(&BUDGETS, key).cloned() else { return Verdict::Fine };
        match asked.failure {
            None => {
                let pods = count::pods(&budget, work.cache);
                self.judge(&budget, &pods, asked.known, work);
            }
            Some(reason) => fail(&budget, &reason, work),
        }
        Verdict::Fine
    }
}

impl Disruption {
    fn judge(&self, budget: &Tree, pods: &[&Tree], scale: i64, work: &mut Work<'_, '_>) {
        let rounding = if self.rounds_down { Rounding::Down } else { Rounding::Up };
        let (expected, desired) = match count::demand(budget, pods.len(), scale, rounding) {
            Ok(demand) => demand,
            Err(reason) => return fail(budget, &reason, work),
        };
        let (disrupted, next) = count::disrupted(budget, pods, work.now());
        let healthy = count::healthy(pods, &disrupted, self.counts_not_ready);
        let off_by = i64::from(self.off_by_one) - i64::from(self.too_few);
        let spare = healthy.saturating_sub(desired).saturating_add(off_by).max(0);
        let allowed = if expected <= 0 { 0 } else { spare };
        if let Some(next) = next {
            work.again_after(next + 1 - work.now());
        }
        let mut status = budget["status"].clone();
        status.set(&["currentHealthy"], healthy);
        status.set(&["desiredHealthy"], desired);
        status.set(&["expectedPods"], expected);
        status.set(&["disruptionsAllowed"], allowed);
        set_disrupted(&mut status, disrupted);
        let (value, reason) =
            if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
        write(budget, status, (value, reason, ""), work);
    }
}

/// The sum of the scales that are known; what is not is asked for.
fn ask_scales(budget: &Tree, pods: &[&Tree], work: &mut Work<'_, '_>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    if !count::needs_scale(budget) {
        return Ok(asked);
    }
    let mut by_uid: BTreeMap<Text, Scale> = BTreeMap::new();
    // Most pods have the same owners as the one before.
    let mut owners = &Tree::Null;
    for pod in pods {
        let own = &pod["metadata"]["ownerReferences"];
        if *own == *std::mem::replace(&mut owners, own) {
            continue;
        }
        if let Some(found) = count::scale(pod, work.cache) {
            let (uid, scale) = found?;
            by_uid.insert(uid, scale);
        }
    }
    for scale in by_uid.into_values() {
        match scale {
            Scale::Known(replicas) => asked.known = asked.known.saturating_add(replicas),
            Scale::Ask(resource, key) => {
                asked.unanswered += 1;
                work.request(Request::get(resource, key).with_subresource("scale"));
            }
        }
    }
    Ok(asked)
}

/// Allows nothing, and says why. The error is tried again with back-off.
fn fail(budget: &Tree, reason: &str, work: &mut Work<'_, '_>) {
    let mut status = budget["status"].clone();
    status.set(&["disruptionsAllowed"], 0);
    write(budget, status, ("False", "SyncFailed", reason), work);
    work.retry();
}

fn set_disrupted(status: &mut Tree, disrupted: Map) {
    if disrupted.is_empty() {
        status.remove(&["disruptedPods"]);
    } else {
        status.set(&["disruptedPods"], disrupted);
    }
}

fn write(
    budget: &Tree,
    mut status: Tree,
    (value, reason, message): (&str, &str, &str),
    work: &mut Work<'_, '_>,
) {
    let generation = object::generation(budget);
    status.set(&["observedGeneration"], generation);
    let condition = map! {
        "type" => "DisruptionAllowed", "status" => value, "reason" => reason,
        "message" => message, "observedGeneration" => generation,
    };
    object::set_condition(&mut status, condition, work.now());
    if status == budget["status"] {
        return;
    }
    let mut new = budget.clone();
    new.set(&["status"], status);
    work.request(Request::update(BUDGETS, new).with_subresource("status"));
}

fn pod_key(pod: &Tree) -> ObjectKey {
    let name = Text::from(format!("{POD}{}", object::name(pod)));
    ObjectKey::new(pod["metadata"]["namespace"].text(), name)
}

/// When an announced disruption of a pod that still lives becomes stale.
fn stale_at(pod: &Tree) -> Option<Millis> {
    let target = object::condition(pod, "DisruptionTarget").filter(|c| c["status"] == "True")?;
    let since = object::parse_time(target["lastTransitionTime"].str()).unwrap_or(0);
    object::is_active(pod).then_some(since + STALE_AFTER)
}

fn take_back(key: &ObjectKey, work: &mut Work<'_, '_>) {
    let Some(pod) = work.cache.get(&Resource::PODS, key).cloned() else { return };
    let Some(at) = stale_at(&pod) else { return };
    if at > work.now() {
        return work.again_after(at - work.now());
    }
    let condition = map! {
        "type" => "DisruptionTarget", "status" => "False",
        "lastTransitionTime" => object::timestamp(work.now()),
        "reason" => Tree::Null, "message" => Tree::Null,
    };
    let patch = map! {
        "metadata" => map! { "uid" => object::uid(&pod) },
        "status" => map! { "conditions" => kubesim_model::list![condition] },
    };
    let patch = Request::strategic_patch(Resource::PODS, key.clone(), patch);
    work.request(patch.with_subresource("status"));
}
