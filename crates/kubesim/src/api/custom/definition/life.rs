//! The life of a definition: what is filled in, how its names are accepted, and how it ends
//! (v0.36, `pkg/controller/status`, `establish`, `finalizer`).
//!
//! Kubernetes does this in controllers, moments after a write; here it belongs to the write.

use kubesim_model::object;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map};

use super::super::declared::declare;
use crate::api::server::Api;

/// Keeps a definition until its objects are gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Fills in what a definition leaves out (v0.36, `apiextensions/v1/defaults.go`).
pub(in crate::api) fn complete(definition: &mut Tree) {
    let names = &definition["spec"]["names"];
    let kind = names["kind"].text();
    if names["singular"].str().is_empty() {
        definition.set(&["spec", "names", "singular"], kind.to_lowercase());
    }
    if definition["spec"]["names"]["listKind"].str().is_empty() && !kind.is_empty() {
        definition.set(&["spec", "names", "listKind"], format!("{kind}List"));
    }
    if definition["spec"]["conversion"].is_null() {
        definition.set(&["spec", "conversion"], map! { "strategy" => "None" });
    }
    if definition["status"]["storedVersions"].items().is_empty() {
        note_stored(definition);
    }
    let service = ["spec", "conversion", "webhook", "clientConfig", "service"];
    if definition.at(&service).as_map().is_some() && definition.at(&service)["port"].is_null() {
        definition.at_mut(&service).set(&["port"], 443);
    }
}

/// Notes in the status that the storage version is one that objects may be stored in.
pub(in crate::api) fn note_stored(definition: &mut Tree) {
    let stored = definition["spec"]["versions"]
        .items()
        .iter()
        .find(|version| version["storage"].is_true())
        .map(|version| version["name"].clone());
    let known = definition["status"]["storedVersions"].items();
    if let Some(stored) = stored.filter(|stored| !known.contains(stored)) {
        definition.at_mut(&["status", "storedVersions"]).items_mut().push(stored);
    }
}

impl Api {
    /// Brings the status of a definition up to date with its spec: accepted names and the
    /// conditions that follow from them.
    pub(in crate::api) fn accept_names(&self, definition: &mut Tree, now: Millis) {
        if definition["spec"]["names"] == definition["status"]["acceptedNames"] {
            return;
        }
        let taken = self.taken_names(definition);
        let refused = accept(definition, &taken);
        let status = definition.field_mut("status");
        let (accepted, reason, message) = match refused {
            None => ("True", "NoConflicts", "no conflicts found".to_owned()),
            Some((reason, message)) => ("False", reason, message),
        };
        let names = condition("NamesAccepted", accepted, reason, &message);
        object::set_condition(status, names, now);
        let settled = status["conditions"].items().iter().any(|have| {
            have["type"] == "Established" && (have["status"] == "True" || accepted == "False")
        });
        if !settled {
            let established = if accepted == "True" {
                let message = "the initial names have been accepted";
                condition("Established", "True", "InitialNamesAccepted", message)
            } else {
                condition("Established", "False", "NotAccepted", "not all names are accepted")
            };
            object::set_condition(status, established, now);
        }
    }

    /// Brings the status of a changed definition up to date. Answers it as it was before its names
    /// were accepted, which is what is to be checked.
    pub(in crate::api) fn settle_definition(
        &self,
        is_whole: bool,
        definition: &mut Tree,
        now: Millis,
    ) -> Tree {
        if is_whole || definition["status"]["storedVersions"].items().is_empty() {
            note_stored(definition);
        }
        let given = definition.clone();
        if is_whole {
            self.accept_names(definition, now);
        }
        given
    }

    /// The names and the kinds that the definitions of the same group have.
    fn taken_names(&self, definition: &Tree) -> (Vec<Text>, Vec<Text>) {
        let (mut resources, mut kinds) = (Vec::new(), Vec::new());
        for (key, other) in self.store.range(&Resource::CUSTOM_RESOURCE_DEFINITIONS, "") {
            let itself = key.name == object::name(definition);
            if itself || other["spec"]["group"] != definition["spec"]["group"] {
                continue;
            }
            let names = &other["status"]["acceptedNames"];
            resources.extend([names["plural"].text(), names["singular"].text()]);
            resources.extend(names["shortNames"].items().iter().map(Tree::text));
            kinds.extend([names["kind"].text(), names["listKind"].text()]);
        }
        (resources, kinds)
    }

    /// Names became free in a group: definitions that were refused may have them.
    fn reconsider_names(&mut self, group: &str, now: Millis) {
        let resource = Resource::CUSTOM_RESOURCE_DEFINITIONS;
        let waits = |definition: &Tree| {
            definition["spec"]["group"] == group
                && !object::has_condition(definition, "NamesAccepted")
        };
        let waiting: Vec<(ObjectKey, Tree)> = self
            .store
            .range(&resource, "")
            .filter(|(_, definition)| waits(definition))
            .map(|(key, definition)| (key.clone(), definition.clone()))
            .collect();
        for (key, old) in waiting {
            let mut new = old.clone();
            self.accept_names(&mut new, now);
            if new != old {
                self.serve_declared(&new);
                self.store.put(&resource, &key, new);
            }
        }
    }

    /// Serves what a definition declares, as it will be stored now.
    pub(in crate::api) fn serve_declared(&mut self, definition: &Tree) {
        let resource = Resource::new(Text::new(object::name(definition)));
        let old = self.types.find(&resource).ok();
        let types = declare(definition, old.as_deref(), self.version() + 1);
        self.types.declare(&resource, types);
    }

    /// Takes out all objects of a definition, and its type.
    pub(in crate::api) fn erase_declared(&mut self, key: &ObjectKey) {
        let resource = Resource::new(key.name.clone());
        let keys: Vec<ObjectKey> =
            self.store.range(&resource, "").map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| self.store.remove(&resource, key));
        self.types.remove(&resource);
    }

    /// The names of a definition that is gone are free again.
    pub(in crate::api) fn free_names(&mut self, definition: &Tree, now: Millis) {
        self.reconsider_names(definition["spec"]["group"].str(), now);
    }

    /// An object of a type that is being deleted is gone. With the last one goes the definition,
    /// unless others hold it.
    pub(in crate::api) fn end_definition(&mut self, resource: &Resource, now: Millis) {
        if self.store.range(resource, "").next().is_some() {
            return;
        }
        let definitions = Resource::CUSTOM_RESOURCE_DEFINITIONS;
        let key = ObjectKey::new("", Text::new(resource.as_str()));
        let Some(old) = self.store.get(&definitions, &key).cloned() else { return };
        let mut new = old;
        finish(&mut new, now);
        if new["metadata"]["finalizers"].items().is_empty() {
            self.erase_declared(&key);
            self.store.remove(&definitions, &key);
            self.free_names(&new, now);
        } else {
            self.serve_declared(&new);
            self.store.put(&definitions, &key, new);
        }
    }
}

/// What becomes of a definition that is deleted: it is marked until its objects are gone. Answers
/// the marked state, and sets its conditions.
pub(in crate::api) fn mark(definition: &Tree, now: Millis) -> Tree {
    let mut marked = definition.clone();
    marked.set(&["metadata", "deletionTimestamp"], object::timestamp(now));
    let finalizers = marked.at_mut(&["metadata", "finalizers"]).items_mut();
    if !finalizers.iter().any(|have| *have == CLEANUP) {
        finalizers.push(CLEANUP.into());
    }
    let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will \
                   begin soon";
    let condition = condition("Terminating", "True", "InstanceDeletionPending", message);
    object::set_condition(marked.field_mut("status"), condition, now);
    marked
}

/// Notes that no object is left, and takes the server's own finalizer away.
fn finish(definition: &mut Tree, now: Millis) {
    let (reason, message) = if object::has_condition(definition, "Established") {
        ("InstanceDeletionCompleted", "removed all instances")
    } else {
        ("NeverEstablished", "resource was never established")
    };
    let condition = condition("Terminating", "False", reason, message);
    object::set_condition(definition.field_mut("status"), condition, now);
    let finalizers = definition["metadata"]["finalizers"].items();
    let kept: Vec<Tree> = finalizers.iter().filter(|have| **have != CLEANUP).cloned().collect();
    if kept.is_empty() {
        definition.remove(&["metadata", "finalizers"]);
    } else {
        definition.set(&["metadata", "finalizers"], kept);
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Tree {
    map! { "type" => kind, "status" => status, "reason" => reason, "message" => message }
}

/// Accepts the names that are free. Answers the last conflict, as a reason and a text.
fn accept(definition: &mut Tree, taken: &(Vec<Text>, Vec<Text>)) -> Option<(&'static str, String)> {
    let wanted = definition["spec"]["names"].clone();
    let had = definition["status"]["acceptedNames"].clone();
    let mut accepted = if had.as_map().is_some() { had.clone() } else { Tree::map() };
    let mut refused = None;
    let in_use = |name: &str, own: &Tree, taken: &[Text]| {
        (*own != name && taken.iter().any(|have| have == name))
            .then(|| format!("\"{name}\" is already in use"))
    };
    let fields = [
        ("plural", "PluralConflict", &taken.0),
        ("singular", "SingularConflict", &taken.0),
        ("shortNames", "ShortNamesConflict", &taken.0),
        ("kind", "KindConflict", &taken.1),
        ("listKind", "ListKindConflict", &taken.1),
    ];
    for (field, reason, taken) in fields {
        let conflict = match &wanted[field] {
            Tree::List(names) => {
                let own = had[field].items();
                let new = names.iter().filter(|name| !own.contains(name));
                let texts: Vec<String> =
                    new.filter_map(|name| in_use(name.str(), &Tree::Null, taken)).collect();
                match texts.len() {
                    0 => None,
                    1 => texts.into_iter().next(),
                    _ => Some(format!("[{}]", texts.join(", "))),
                }
            }
            name => in_use(name.str(), &had[field], taken),
        };
        match conflict {
            Some(text) => refused = Some((reason, text)),
            None if wanted[field].is_null() => drop(accepted.remove(&[field])),
            None => accepted.set(&[field], &wanted[field]),
        }
    }
    match &wanted["categories"] {
        Tree::Null => drop(accepted.remove(&["categories"])),
        categories => accepted.set(&["categories"], categories),
    }
    for field in ["kind", "plural"] {
        if accepted[field].is_null() {
            accepted.set(&[field], "");
        }
    }
    definition.set(&["status", "acceptedNames"], accepted);
    refused
}
