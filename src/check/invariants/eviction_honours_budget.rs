//! `eviction-honours-budget`: the API server decides evictions by the stored budget.

use kubesim_model::object;
use kubesim_model::request::Verb;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use crate::check::budget::{budgets_of, desired_healthy};
use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Capability, Definition, Invariant};
use crate::check::observe::Scene;
use crate::history::{Body, Change, Event, RequestEvent};
use crate::suite::vocabulary::Entry;

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "eviction-honours-budget",
        doc: "Evictions are accepted and refused as the stored budget says.",
        params: &[],
    },
    doc: "An eviction is accepted exactly if the budget that selects the pod allows it as it is \
          stored at that write: its status speaks of its generation, and `disruptionsAllowed` is \
          above zero; an accepted eviction lowers it by one. Pods that are pending, ended or \
          terminating ask no budget; a pod that is not ready may go without asking if the policy is \
          `AlwaysAllow`, or if enough others are healthy. Several budgets for a pod refuse it. What \
          a budget's status says must fit its spec: percentages round up, so `maxUnavailable: 10%` \
          of ten pods or fewer still lets one go. Source: kube-apiserver v1.36, \
          `pkg/registry/core/pod/storage/eviction.go`; kube-controller-manager v1.36, \
          `pkg/controller/disruption`.",
    needs: &[Capability::Evictions],
    make: |_| Box::new(EvictionHonoursBudget),
};

struct EvictionHonoursBudget;

impl Invariant for EvictionHonoursBudget {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        let Body::Request(request) = &event.body else { return };
        let is_eviction = request.subresource == "eviction" && request.verb == Verb::Create;
        if is_eviction && !request.injected {
            if let Some(wrong) = eviction(request, scene) {
                findings.fail(scene, wrong);
            }
        } else if !is_eviction {
            let budgets =
                request.changes.iter().filter(|c| c.resource == Resource::POD_DISRUPTION_BUDGETS);
            for wrong in budgets.filter_map(|change| status(change, request)) {
                findings.fail(scene, wrong);
            }
        }
    }
}

/// What the stored budget says to an eviction.
enum Says {
    /// Yes, without asking.
    Free,
    /// Yes, one less is left.
    Yes,
    /// No, because of this.
    No(String),
}

fn eviction(request: &RequestEvent, scene: &Scene<'_>) -> Option<Violation> {
    let change = request.changes.iter().find(|change| change.resource == Resource::PODS);
    let accepted = change.is_some();
    let refused = request.code == 429;
    let objects = &scene.view.objects;
    let pod = match change {
        Some(change) => change.before.as_ref()?,
        None => objects.get(&Resource::PODS, &request.key)?,
    };
    if !(accepted || refused) {
        return None;
    }
    let budgets: Vec<&Tree> = budgets_of(pod, scene.view)
        .map(|(key, now)| {
            let own = request.changes.iter().find(|change| {
                change.resource == Resource::POD_DISRUPTION_BUDGETS && change.key == *key
            });
            own.and_then(|change| change.before.as_ref()).unwrap_or(now)
        })
        .collect();
    let message = match (accepted, says(pod, &budgets)) {
        (true, Says::No(why)) => format!("the eviction was accepted although {why}"),
        (false, Says::Yes | Says::Free) => "the eviction was refused without a reason".to_owned(),
        (true, Says::Yes) if !is_charged(request) => {
            "the eviction was accepted without being charged to the budget".to_owned()
        }
        _ => return None,
    };
    let allowed = budgets.first().map(|budget| &budget["status"]["disruptionsAllowed"]);
    Some(Violation {
        object: format!("pods {}", request.key),
        rv: change.map_or(0, |change| change.rv),
        actor: request.actor.clone(),
        value: if accepted { "accepted".into() } else { format!("refused ({})", request.code) },
        limit: allowed.map_or_else(String::new, |allowed| format!("{allowed} disruptions allowed")),
        message,
        evidence: Vec::new(),
    })
}

fn says(pod: &Tree, budgets: &[&Tree]) -> Says {
    if pod["status"]["phase"] == "Pending" || !object::is_active(pod) {
        return Says::Free;
    }
    let budget = match budgets {
        [] => return Says::Free,
        [budget] => budget,
        _ => return Says::No("several budgets select the pod".into()),
    };
    let (spec, status) = (&budget["spec"], &budget["status"]);
    let number = |name: &str| status[name].as_i64().unwrap_or(0);
    if !object::is_ready(pod) {
        let healthy = number("currentHealthy") >= number("desiredHealthy");
        match spec["unhealthyPodEvictionPolicy"].str() {
            "AlwaysAllow" => return Says::Free,
            "" | "IfHealthyBudget" if healthy && number("desiredHealthy") > 0 => return Says::Free,
            _ => {}
        }
    }
    if number("observedGeneration") < object::generation(budget) {
        return Says::No("the budget's status does not speak of its generation yet".into());
    }
    if number("disruptionsAllowed") <= 0 {
        return Says::No("the budget allows no disruption".into());
    }
    Says::Yes
}

fn is_charged(request: &RequestEvent) -> bool {
    request.changes.iter().filter(|c| c.resource == Resource::POD_DISRUPTION_BUDGETS).any(|c| {
        let allowed = |object: &Option<Tree>| {
            object.as_ref().and_then(|object| object["status"]["disruptionsAllowed"].as_i64())
        };
        matches!((allowed(&c.before), allowed(&c.after)), (Some(old), Some(new)) if new < old)
    })
}

/// A status that does not fit the spec it speaks of.
fn status(change: &Change, request: &RequestEvent) -> Option<Violation> {
    let budget = change.after.as_ref()?;
    let status = &budget["status"];
    let unchanged = change.before.as_ref().is_some_and(|before| before["status"] == *status);
    let generation = status["observedGeneration"].as_i64()?;
    if unchanged || generation != object::generation(budget) {
        return None;
    }
    let number = |name: &str| status[name].as_i64();
    let (expected, desired) = (number("expectedPods")?, number("desiredHealthy")?);
    let (healthy, allowed) = (number("currentHealthy")?, number("disruptionsAllowed")?);
    let right = desired_healthy(budget, expected)?;
    let failed = budget["status"]["conditions"]
        .items()
        .iter()
        .any(|condition| condition["reason"] == "SyncFailed");
    if failed || (desired == right && allowed <= (healthy - right).max(0)) {
        return None;
    }
    Some(Violation {
        object: format!("poddisruptionbudgets.policy {}", change.key),
        rv: change.rv,
        actor: request.actor.clone(),
        value: format!("{desired} desired healthy, {allowed} disruptions allowed"),
        limit: format!("{right} desired healthy of {expected}, {healthy} are"),
        message: "the budget's status does not fit its spec".into(),
        evidence: Vec::new(),
    })
}
