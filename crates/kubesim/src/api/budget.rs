//! What a PodDisruptionBudget says to an eviction (v1.36, `checkAndDecrement` of the eviction
//! subresource). Who computes the budget's status is the disruption controller's business.

use kubesim_model::object;
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map};

use super::errors;

/// A budget refuses when more evictions than this wait to be seen by its controller.
const MOST_DISRUPTED: usize = 2_000;

/// What the budget says.
#[derive(Debug)]
pub(super) enum Ruling {
    /// The pod is unhealthy and may go without taking from the budget.
    Free,
    /// The pod may go; this is the budget with its share taken.
    Taken(Tree),
}

/// Asks a budget whether the pod may go.
///
/// # Errors
/// 429 when the budget is used up or its controller has not seen its newest spec; 403 when its
/// status makes no sense or names too many pods.
pub(super) fn rule(budget: &Tree, pod: &Tree, now: Millis) -> Result<Ruling, Status> {
    let status = &budget["status"];
    let number = |field: &str| status[field].as_i64().unwrap_or(0);
    let (have, wanted) = (number("currentHealthy"), number("desiredHealthy"));
    if !object::is_ready(pod) {
        let always = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow";
        if always || (have >= wanted && wanted > 0) {
            return Ok(Ruling::Free);
        }
    }
    let name = object::name(budget);
    if number("observedGeneration") < object::generation(budget) {
        return Err(in_work(budget));
    }
    let refused = |why: &str| errors::forbidden(&Resource::POD_DISRUPTION_BUDGETS, name, why);
    let allowed = number("disruptionsAllowed");
    if allowed < 0 {
        return Err(refused("pdb disruptions allowed is negative"));
    }
    if status["disruptedPods"].fields().count() > MOST_DISRUPTED {
        return Err(refused(
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        ));
    }
    if allowed == 0 {
        return Err(used_up(budget, name, wanted, have));
    }
    Ok(Ruling::Taken(take(budget, object::name(pod), allowed - 1, now)))
}

/// 429: the controller has to look at the budget first.
fn in_work(budget: &Tree) -> Status {
    let name = object::name(budget);
    let cause = format!("The disruption budget {name} is still being processed by the server.");
    errors::too_many_requests(VIOLATED, 10, cause)
}

const VIOLATED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

fn used_up(budget: &Tree, name: &str, wanted: i64, have: i64) -> Status {
    let said = object::condition(budget, "DisruptionAllowed")
        .filter(|said| said["status"] == "False" && !said["message"].str().is_empty());
    let refused = format!("The disruption budget {name} does not allow evicting pods currently");
    let cause = match said {
        Some(said) if said["reason"] == "SyncFailed" => {
            format!("{refused} because it failed sync: {}", said["message"].str())
        }
        _ if have <= wanted => format!(
            "The disruption budget {name} needs {wanted} healthy pods and has {have} currently"
        ),
        Some(said) => format!("{refused} ({}): {}", said["reason"].str(), said["message"].str()),
        None => refused,
    };
    errors::too_many_requests(VIOLATED, 0, cause)
}

fn take(budget: &Tree, pod: &str, left: i64, now: Millis) -> Tree {
    let mut taken = budget.clone();
    taken.set(&["status", "disruptionsAllowed"], left);
    taken.set(&["status", "disruptedPods", pod], object::timestamp(now));
    if left == 0 {
        let condition = map! {
            "type" => "DisruptionAllowed", "status" => "False", "reason" => "InsufficientPods",
            "message" => Text::default(), "observedGeneration" => object::generation(budget),
        };
        object::set_condition(taken.field_mut("status"), condition, now);
    }
    taken
}
