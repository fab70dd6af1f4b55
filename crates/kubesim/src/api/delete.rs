//! Deleting objects: preconditions, grace, finalizers, propagation.

use kubesim_model::object;
use kubesim_model::request::{Answer, Request, Status};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map};

use super::custom;
use super::errors::{self, Cause};
use super::policies::Subject;
use super::registry::Type;
use super::router::Call;
use super::server::Api;

/// Keeps an object until its dependents are gone (garbage collector, v1.36).
const FOREGROUND: &str = "foregroundDeletion";
/// Keeps an object until its dependents have forgotten it.
const ORPHAN: &str = "orphan";

/// What a delete asks for (`DeleteOptions`).
struct Options {
    grace: Option<i64>,
    propagation: Text,
    uid: Text,
    version: Text,
}

/// What becomes of the object at once.
enum Step {
    /// Nothing: it goes already, and no sooner for this.
    Keep,
    /// It is marked and stays for finalizers or its grace.
    Mark(Tree),
    /// It is marked, and then taken out: watchers see both.
    MarkAndRemove(Tree),
    /// It is taken out.
    Remove,
}

impl Api {
    /// Deletes the object that the request names.
    pub(super) fn delete(&mut self, call: &Call<'_>) -> Answer {
        let old = self.current(call)?;
        let options = Options::read(call)?;
        self.delete_object(call, (&call.request.key, &old), &options, true)
    }

    /// Deletes the object that the request names without asking whether that may be done.
    pub(super) fn delete_unasked(&mut self, call: &Call<'_>) -> Answer {
        let old = self.current(call)?;
        let options = Options::read(call)?;
        self.delete_object(call, (&call.request.key, &old), &options, false)
    }

    /// Deletes all objects that a list with the same selectors answers; answers that list.
    pub(super) fn delete_collection(&mut self, call: &Call<'_>) -> Answer {
        let options = Options::read(call)?;
        let listed = self.list_page(call)?;
        for item in listed["items"].items() {
            let key = object::key(item);
            let Some(old) = self.store.get(call.resource(), &key) else { continue };
            let old = self.shown_to(call, old)?;
            let deleted = self.delete_object(call, (&key, &old), &options, true);
            // Webhooks are asked about all of them at once.
            if !call.outside.waits() {
                deleted?;
            }
        }
        Ok(listed)
    }

    fn delete_object(
        &mut self,
        call: &Call<'_>,
        (key, old): (&ObjectKey, &Tree),
        options: &Options,
        asks: bool,
    ) -> Answer {
        let kind = &call.kind;
        options.check(kind, old)?;
        let step = plan(kind, old, options, call.now);
        if matches!(step, Step::Keep) && kind.resource != Resource::CUSTOM_RESOURCE_DEFINITIONS {
            return Ok(old.clone());
        }
        let immortal = ["default", "kube-public", "kube-system"].contains(&key.name.as_str());
        if immortal && kind.resource == Resource::NAMESPACES {
            let why = "this namespace may not be deleted";
            return Err(errors::forbidden(&kind.resource, &key.name, why));
        }
        if asks {
            self.ask_to_delete(call, old)?;
        }
        if kind.resource == Resource::CUSTOM_RESOURCE_DEFINITIONS {
            return self.delete_definition(call, key, old);
        }
        match step {
            Step::Keep => Ok(old.clone()),
            Step::Mark(marked) if marked == *old => Ok(marked),
            Step::Mark(marked) => self.put(call, key, marked),
            Step::MarkAndRemove(marked) => {
                let marked = self.put(call, key, marked)?;
                // For the server these are two steps, and it asks before each.
                if asks {
                    self.ask_to_delete(call, &marked)?;
                }
                self.erase(kind, key, call.now);
                Ok(marked)
            }
            Step::Remove => {
                self.erase(kind, key, call.now);
                Ok(removed(kind, old, self.version()))
            }
        }
    }

    /// Asks admission whether an object may go.
    fn ask_to_delete(&mut self, call: &Call<'_>, old: &Tree) -> Result<(), Status> {
        self.admitted(call, Subject::delete(old), |_, _| Ok(()))?;
        self.approve(call, Subject::delete(old))
    }

    /// Deletes a definition: it goes when all objects of its type are gone, which go with it.
    fn delete_definition(&mut self, call: &Call<'_>, key: &ObjectKey, old: &Tree) -> Answer {
        if object::is_terminating(old) {
            if old["metadata"]["deletionGracePeriodSeconds"].as_i64() == Some(0) {
                return Ok(old.clone());
            }
            let mut marked = old.clone();
            marked.set(&["metadata", "deletionGracePeriodSeconds"], 0);
            return Ok(self.commit(&call.kind, key, marked));
        }
        let marked = custom::mark(old, call.now);
        let resource = Resource::new(key.name.clone());
        let held = !old["metadata"]["finalizers"].items().is_empty()
            || self
                .store
                .range(&resource, "")
                .any(|(_, object)| !object["metadata"]["finalizers"].items().is_empty());
        if !held {
            self.erase(&call.kind, key, call.now);
            return Ok(marked);
        }
        let marked = self.commit(&call.kind, key, marked);
        self.delete_instances(&resource, call)?;
        self.end_definition(&resource, call.now);
        Ok(marked)
    }

    /// Deletes all objects of a type whose definition ends.
    fn delete_instances(&mut self, resource: &Resource, by: &Call<'_>) -> Result<(), Status> {
        let Ok(kind) = self.types.find(resource) else { return Ok(()) };
        let keys: Vec<ObjectKey> =
            self.store.range(resource, "").map(|(key, _)| key.clone()).collect();
        for key in keys {
            let request = Request::delete(resource.clone(), key.clone());
            let call = Call { kind: kind.clone(), ..by.with(&request) };
            let Some(old) = self.store.get(resource, &key).cloned() else { continue };
            let options = Options::read(&call)?;
            self.delete_object(&call, (&key, &old), &options, false)?;
        }
        Ok(())
    }
}

/// What a delete of something that is gone at once answers: the object itself for some types
/// (`ReturnDeletedObject`, v1.36) with the version of its end, `Status` for the others.
fn removed(kind: &Type, old: &Tree, version: u64) -> Tree {
    let whole = match kind.resource.group() {
        "" => [
            "persistentvolumeclaims",
            "persistentvolumes",
            "pods",
            "podtemplates",
            "resourcequotas",
            "serviceaccounts",
            "services",
        ]
        .contains(&kind.resource.as_str()),
        "storage.k8s.io" => kind.kind != "CSIStorageCapacity",
        group => group == "resource.k8s.io",
    };
    if whole {
        let mut gone = old.clone();
        gone.set(&["metadata", "resourceVersion"], version.to_string());
        return gone;
    }
    let mut details = map! {
        "name" => object::name(old), "kind" => kind.resource.plural(), "uid" => object::uid(old),
    };
    if !kind.resource.group().is_empty() {
        details.set(&["group"], kind.resource.group());
    }
    map! {
        "apiVersion" => "v1", "kind" => "Status", "metadata" => map! {},
        "status" => "Success", "details" => details,
    }
}

/// Decides (apiserver v0.36, `registry/rest/delete.go` `BeforeDelete` and
/// `generic/registry/store.go`).
fn plan(kind: &Type, old: &Tree, options: &Options, now: Millis) -> Step {
    let going = object::is_terminating(old);
    let is_pod = kind.resource == Resource::PODS;
    let grace = match (is_pod, options.grace) {
        // Who shortens a grace that runs gets what is asked for, whatever became of the pod.
        (true, Some(wanted)) if going => wanted,
        (true, _) => pod_grace(old, options),
        (false, _) => 0,
    };
    let had = old["metadata"]["deletionGracePeriodSeconds"].as_i64();
    if going && is_pod && !had.is_some_and(|had| options.grace.is_some() && grace < had) {
        return Step::Keep;
    }
    let mut marked = old.clone();
    set_finalizers(kind, &mut marked, options);
    let held = !marked["metadata"]["finalizers"].items().is_empty()
        || (kind.resource == Resource::NAMESPACES && !old["spec"]["finalizers"].items().is_empty());
    if !is_pod && !held {
        return Step::Remove;
    }
    if !going {
        raise_generation(&mut marked);
    }
    // The timestamp says when the object should be gone; a shorter grace moves it forward.
    if !going || is_pod {
        let began = match (object::parse_time(old["metadata"]["deletionTimestamp"].str()), had) {
            (Some(end), Some(had)) => end.saturating_sub(1000 * had.max(0) as Millis),
            _ => now,
        };
        let end = began.saturating_add((1000 * grace.clamp(0, 1 << 40)) as Millis);
        marked.set(&["metadata", "deletionTimestamp"], object::timestamp(end));
        if kind.resource != Resource::NAMESPACES {
            marked.set(&["metadata", "deletionGracePeriodSeconds"], grace);
        }
    }
    if kind.resource == Resource::NAMESPACES {
        marked.set(&["status", "phase"], "Terminating");
    }
    if is_pod && grace == 0 && !held { Step::MarkAndRemove(marked) } else { Step::Mark(marked) }
}

/// Pods that run nowhere, or have ended, get no grace (v1.36, `pkg/registry/core/pod`).
fn pod_grace(pod: &Tree, options: &Options) -> i64 {
    let wanted = options
        .grace
        .or_else(|| pod["spec"]["terminationGracePeriodSeconds"].as_i64())
        .unwrap_or(30);
    if pod["spec"]["nodeName"].str().is_empty() || object::is_terminal(pod) {
        0
    } else if wanted < 0 {
        1
    } else {
        wanted
    }
}

fn raise_generation(marked: &mut Tree) {
    let generation = object::generation(marked);
    if generation > 0 {
        marked.set(&["metadata", "generation"], generation + 1);
    }
}

/// Sets and takes away the two finalizers of the garbage collector as the policy says.
fn set_finalizers(kind: &Type, marked: &mut Tree, options: &Options) {
    let have = &marked["metadata"]["finalizers"];
    let wanted = match options.propagation.as_str() {
        "Foreground" => Some(FOREGROUND),
        "Orphan" => Some(ORPHAN),
        "Background" => None,
        _ if orphans(kind) && !have.items().iter().any(|one| *one == FOREGROUND) => Some(ORPHAN),
        _ => return,
    };
    let mut kept: Vec<Tree> = have
        .items()
        .iter()
        .filter(|one| wanted == one.as_str() || (**one != FOREGROUND && **one != ORPHAN))
        .cloned()
        .collect();
    if let Some(wanted) = wanted.filter(|wanted| !kept.iter().any(|one| one == wanted)) {
        kept.push(wanted.into());
    }
    if kept.is_empty() {
        marked.remove(&["metadata", "finalizers"]);
    } else {
        marked.set(&["metadata", "finalizers"], kept);
    }
}

/// Whether a type leaves its dependents behind unless it is asked not to (for those who have always
/// known it so).
fn orphans(kind: &Type) -> bool {
    ["jobs.batch", "replicationcontrollers"].contains(&kind.resource.as_str())
}

/// Whether a changed object goes now: it is being deleted, its grace is spent (pods: the kubelet
/// spends it), and nothing holds it any more.
pub(super) fn is_done(kind: &Type, new: &Tree) -> bool {
    let metadata = &new["metadata"];
    object::is_terminating(new)
        && metadata["finalizers"].items().is_empty()
        && metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
        && (kind.resource != Resource::NAMESPACES || new["spec"]["finalizers"].items().is_empty())
}

impl Options {
    fn read(call: &Call<'_>) -> Result<Self, Status> {
        let body = &call.request.body;
        let propagation = match (body["propagationPolicy"].text(), &body["orphanDependents"]) {
            (policy, Tree::Null) => policy,
            (policy, orphan) if policy.is_empty() => {
                Text::new_static(if orphan.is_true() { "Orphan" } else { "Background" })
            }
            _ => {
                let detail = "orphanDependents and deletionPropagation cannot be both set";
                let cause = Cause::invalid("propagationPolicy", &body["propagationPolicy"], detail);
                return Err(errors::invalid_options("DeleteOptions", &[cause]));
            }
        };
        if !["", "Foreground", "Background", "Orphan"].contains(&propagation.as_str()) {
            let allowed = ["Background", "Foreground", "Orphan"];
            let cause = Cause::not_supported("propagationPolicy", &propagation.into(), &allowed);
            return Err(errors::invalid_options("DeleteOptions", &[cause]));
        }
        if body["dryRun"].items().iter().any(|stage| *stage != "All") {
            let cause = Cause::not_supported("dryRun", &body["dryRun"], &["All"]);
            return Err(errors::invalid_options("DeleteOptions", &[cause]));
        }
        let grace = body["gracePeriodSeconds"].as_i64();
        if grace.is_none() && !body["gracePeriodSeconds"].is_null() {
            return Err(errors::bad_request("gracePeriodSeconds is no whole number"));
        }
        Ok(Options {
            grace,
            propagation,
            uid: body["preconditions"]["uid"].text(),
            version: body["preconditions"]["resourceVersion"].text(),
        })
    }

    fn check(&self, kind: &Type, old: &Tree) -> Result<(), Status> {
        let have = ["uid", "resourceVersion"].map(|field| old["metadata"][field].str());
        let wanted = [("UID", &self.uid), ("ResourceVersion", &self.version)];
        for ((what, wanted), have) in wanted.into_iter().zip(have) {
            if !wanted.is_empty() && wanted != have {
                let why = format!(
                    "Precondition failed: {what} in precondition: {wanted}, {what} in object \
                     meta: {have}"
                );
                // The resource in the details of this conflict is the kind, mostly.
                let (group, name) = (kind.resource.group(), &kind.kind);
                let resource = match group {
                    "apiextensions.k8s.io" => kind.resource.clone(),
                    "" => Resource::new(name.clone()),
                    group => Resource::new(format!("{name}.{group}")),
                };
                return Err(errors::conflict(&resource, object::name(old), why));
            }
        }
        Ok(())
    }
}
