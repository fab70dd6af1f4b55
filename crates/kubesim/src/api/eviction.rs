//! The eviction subresource: a deletion that asks the pod's disruption budget (v1.36,
//! `pkg/registry/core/pod/storage/eviction.go`).

use kubesim_model::object;
use kubesim_model::request::{Answer, Request, Status};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map};

use super::budget::{self, Ruling};
use super::errors;
use super::policies::{Form, Subject};
use super::router::Call;
use super::server::Api;
use super::subresource::success;

/// What the subresource is sent.
const EVICTION: Form = ("policy", "v1", "Eviction");

impl Api {
    /// Evicts a pod: takes its share of the budget, marks the pod, deletes it. Each is a write.
    pub(super) fn evict(&mut self, call: &Call<'_>) -> Answer {
        let body = &call.request.body;
        let kind = body["kind"].str();
        if !["", "Eviction"].contains(&kind) {
            let text = format!("{kind} in version \"v1\" cannot be handled as a Eviction");
            return Err(errors::bad_request(text));
        }
        if object::name(body) != call.name() {
            let text = "name in URL does not match name in Eviction object";
            return Err(errors::bad_request(text));
        }
        let mut body = body.clone();
        body.set(&["apiVersion"], "policy/v1");
        body.set(&["kind"], "Eviction");
        body.set(&["metadata", "namespace"], &call.request.key.namespace);
        let eviction = Subject::create(&body).of(EVICTION);
        let body = &self.admitted(call, eviction, |_, _| Ok(()))?;
        self.approve(call, Subject::create(body).of(EVICTION))?;
        let request = call.request.clone().with_body(body.clone());
        let call = &call.with(&request);
        let pod = self.current(call)?;
        if bypasses_budgets(&pod) {
            // A pod that is about to start may come to count meanwhile; one that ends will not.
            let pinned = !object::is_terminal(&pod) && !object::is_terminating(&pod);
            return self.mark_and_delete(call, &pod, pinned).map(|_| success());
        }
        let budgets = self.budgets_of(&pod);
        let Some(found) = budgets.first() else {
            return self.mark_and_delete(call, &pod, false).map(|_| success());
        };
        if budgets.len() > 1 {
            return Err(errors::failed(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource \
                 does not support.",
            ));
        }
        match budget::rule(found, &pod, call.now)? {
            Ruling::Free => self.mark_and_delete(call, &pod, true),
            Ruling::Taken(taken) => {
                let kind = self.types.find(&Resource::POD_DISRUPTION_BUDGETS)?;
                self.commit(&kind, &object::key(found), taken);
                self.mark_and_delete(call, &pod, false)
            }
        }
        .map(|_| success())
    }

    /// The budgets that select a pod.
    fn budgets_of(&self, pod: &Tree) -> Vec<Tree> {
        let labels = pod["metadata"].get("labels").cloned().unwrap_or_else(Tree::map);
        self.store
            .range(&Resource::POD_DISRUPTION_BUDGETS, object::namespace(pod))
            .filter(|(_, one)| kubesim_model::selector::selects(&one["spec"]["selector"], &labels))
            .map(|(_, one)| one.clone())
            .collect()
    }

    /// Adds the condition DisruptionTarget and deletes the pod with the options of the eviction;
    /// `pinned` only if it is still the one that was looked at.
    fn mark_and_delete(&mut self, call: &Call<'_>, pod: &Tree, pinned: bool) -> Answer {
        let mut options = call.request.body["deleteOptions"].clone();
        if options.as_map().is_none() {
            options = Tree::map();
        }
        check_preconditions(call, pod, &options)?;
        let marked = marked(pod, call.now);
        let marked = if marked == *pod {
            marked
        } else {
            self.commit(&call.kind, &call.request.key, marked)
        };
        let version = &marked["metadata"]["resourceVersion"];
        if pinned || !options["preconditions"]["resourceVersion"].is_null() {
            options.set(&["preconditions", "resourceVersion"], version);
        }
        let request = Request::delete(Resource::PODS, call.request.key.clone()).with_body(options);
        self.delete_unasked(&call.with(&request))
    }
}

/// Whether the delete options in an eviction ask for a dry run.
pub(super) fn is_dry_run(request: &Request) -> bool {
    request.subresource == "eviction"
        && request.body["deleteOptions"]["dryRun"].items().iter().any(|stage| *stage == "All")
}

/// Pods that are not up, or are gone already, are no loss (`canIgnorePDB`).
fn bypasses_budgets(pod: &Tree) -> bool {
    object::is_terminal(pod)
        || object::is_terminating(pod)
        || pod["status"]["phase"].str() == "Pending"
}

fn check_preconditions(call: &Call<'_>, pod: &Tree, options: &Tree) -> Result<(), Status> {
    // The group resource in the text of this conflict is the kind.
    let resource = Resource::new("Pod");
    let fields = [
        ("uid", "UID", "been deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "been modified"),
    ];
    for (field, name, happened) in fields {
        let (wanted, have) = (options["preconditions"][field].str(), &pod["metadata"][field]);
        if !wanted.is_empty() && *have != wanted {
            let why = format!(
                "the {name} in the precondition ({wanted}) does not match the {name} in record \
                 ({}). The object might have {happened}",
                have.str()
            );
            return Err(errors::conflict(&resource, call.name(), why));
        }
    }
    Ok(())
}

fn marked(pod: &Tree, now: Millis) -> Tree {
    let condition = map! {
        "type" => "DisruptionTarget", "status" => "True", "reason" => "EvictionByEvictionAPI",
        "message" => "Eviction API: evicting",
    };
    let mut marked = pod.clone();
    let mut status = pod["status"].clone();
    if object::set_condition(&mut status, condition, now) {
        marked.set(&["status"], status);
    }
    marked
}
