//! `budget-lets-one-go`: an application can be moved, one pod at a time.

use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use crate::check::budget::Budget;
use crate::check::finding::{Findings, Violation};
use crate::check::invariant::{Definition, Invariant};
use crate::check::observe::Scene;
use crate::check::verdict::Blame;
use crate::history::Event;
use crate::suite::vocabulary::Entry;

/// Its place in the catalogue.
pub const DEFINITION: Definition = Definition {
    entry: Entry {
        name: "budget-lets-one-go",
        doc: "When all is well, every budget lets at least one pod be evicted.",
        params: &[],
    },
    doc: "At the end of the history, each PodDisruptionBudget that selects pods, all of which are \
          healthy, allows at least one disruption, by its spec and by its status. One that allows \
          none when all is well never will: no node under its pods can be drained, upgraded or \
          repaired without force. If pods are not healthy at the end, nothing can be told. Source \
          of the counting: kube-controller-manager v1.36, `pkg/controller/disruption`.",
    needs: &[],
    make: |_| Box::new(BudgetLetsOneGo),
};

struct BudgetLetsOneGo;

impl Invariant for BudgetLetsOneGo {
    fn event(&mut self, _: &Event, _: &Scene<'_>, _: &mut Findings) {}

    fn finish(&mut self, scene: &Scene<'_>, findings: &mut Findings) {
        for (key, budget) in scene.view.objects.all(&Resource::POD_DISRUPTION_BUDGETS) {
            judge(key, budget, scene, findings);
        }
    }
}

fn judge(key: &ObjectKey, budget: &Tree, scene: &Scene<'_>, findings: &mut Findings) {
    let counted = Budget::new(budget, scene.view);
    let pods = scene.view.objects.all(&Resource::PODS).map(|(_, pod)| pod);
    let live: Vec<&Tree> =
        pods.filter(|pod| counted.selects(pod) && object::is_active(pod)).collect();
    if live.is_empty() {
        return;
    }
    let healthy = live.iter().filter(|pod| object::is_ready(pod)).count();
    let expected = counted.expected();
    let (Ok(healthy), Ok(all)) = (i64::try_from(healthy), i64::try_from(live.len())) else {
        return;
    };
    if healthy < expected || healthy < all {
        let text = format!("of the pods of the budget {key}, {healthy} of {expected} are healthy");
        return findings.undecided(Blame::Subject, text);
    }
    let Some(desired) = counted.desired_healthy() else {
        let text = format!("the budget {key} says nothing that can be read");
        return findings.undecided(Blame::Suite, text);
    };
    let allowed = budget["status"]["disruptionsAllowed"].as_i64().unwrap_or(0);
    if healthy > desired && allowed > 0 {
        return;
    }
    let message = match healthy > desired {
        true => "the budget's status allows no eviction although its spec does",
        false => "the budget allows no eviction although all pods are healthy",
    };
    findings.fail(
        scene,
        Violation {
            object: format!("poddisruptionbudgets.policy {key}"),
            rv: object::resource_version(budget),
            value: format!("{desired} of {healthy} healthy pods needed, {allowed} may go"),
            limit: "at least 1 may go".into(),
            message: message.into(),
            ..Violation::default()
        },
    );
}
