//! What is told of a namespace while it is emptied (kube-controller-manager v1.36,
//! `namespace/deletion/status_condition_utils.go`).

use std::collections::BTreeMap;

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map, object};

/// What a sweep through a namespace has left there.
#[derive(Clone, Default)]
pub(super) struct Remains {
    /// How many objects of each resource.
    objects: BTreeMap<Resource, usize>,
    /// How many of them have each finalizer.
    finalizers: BTreeMap<Text, usize>,
    /// Resources of which something is left that nobody has a reason to keep.
    unexpected: Vec<Resource>,
}

impl Remains {
    /// Notes the objects of a resource that are left. Without finalizers, and unless they may take
    /// their time, they should be gone.
    pub(super) fn note(&mut self, resource: &Resource, items: &[Tree], take_time: bool) {
        if items.is_empty() {
            return;
        }
        self.objects.insert(resource.clone(), items.len());
        let finalizers = items.iter().flat_map(|item| item["metadata"]["finalizers"].items());
        let mut kept = false;
        for finalizer in finalizers {
            kept = true;
            *self.finalizers.entry(finalizer.text()).or_default() += 1;
        }
        if !kept && !take_time {
            self.unexpected.push(resource.clone());
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Puts into a namespace what is to be told of it, and answers whether it is news. As long as
    /// pods are left, only failures are told.
    pub(super) fn tell(&self, namespace: &mut Tree, pods_are_left: bool, now: Millis) -> bool {
        let name = object::name(namespace).to_owned();
        let mut status = std::mem::take(namespace.field_mut("status"));
        let mut is_news = false;
        let conditions = [
            ("NamespaceDeletionDiscoveryFailure", None, "ResourcesDiscovered", DISCOVERED),
            ("NamespaceDeletionGroupVersionParsingFailure", None, "ParsedGroupVersions", PARSED),
            ("NamespaceDeletionContentFailure", self.failure(&name), "ContentDeleted", DELETED),
            (
                "NamespaceContentRemaining",
                self.content().filter(|_| !pods_are_left),
                "ContentRemoved",
                REMOVED,
            ),
            (
                "NamespaceFinalizersRemaining",
                self.kept().filter(|_| !pods_are_left),
                "ContentHasNoFinalizers",
                FINISHED,
            ),
        ];
        for (kind, trouble, fine, why_fine) in conditions {
            let (says, reason, message) = match trouble {
                Some((reason, message)) => ("True", reason, message),
                None => ("False", fine, why_fine.to_owned()),
            };
            let condition = map! {
                "type" => kind, "status" => says, "reason" => reason, "message" => message,
            };
            is_news |= object::set_condition(&mut status, condition, now);
        }
        namespace.set(&["status"], status);
        is_news
    }

    fn failure(&self, namespace: &str) -> Option<(&'static str, String)> {
        let told = self.unexpected.iter().map(|resource| {
            let (group, plural) = (resource.group(), resource.plural());
            let pods = if plural == "pods" && group.is_empty() {
                format!("failed to delete pods for namespace: {namespace}, err: ")
            } else {
                String::new()
            };
            format!(
                "{pods}unexpected items still remain in namespace: {namespace} for gvr: \
                 {group}/v1, Resource={plural}"
            )
        });
        let mut told: Vec<String> = told.collect();
        told.sort();
        let count = told.len();
        let text =
            format!("Failed to delete all resource types, {count} remaining: {}", told.join(", "));
        (count > 0).then_some(("ContentDeletionFailed", text))
    }

    fn content(&self) -> Option<(&'static str, String)> {
        let told = self.objects.iter().map(|(resource, count)| {
            format!("{}.{} has {count} resource instances", resource.plural(), resource.group())
        });
        let mut told: Vec<String> = told.collect();
        told.sort();
        let text = format!("Some resources are remaining: {}", told.join(", "));
        (!told.is_empty()).then_some(("SomeResourcesRemain", text))
    }

    fn kept(&self) -> Option<(&'static str, String)> {
        let told = self.finalizers.iter();
        let told = told.map(|(name, count)| format!("{name} in {count} resource instances"));
        let told: Vec<String> = told.collect();
        let text =
            format!("Some content in the namespace has finalizers remaining: {}", told.join(", "));
        (!told.is_empty()).then_some(("SomeFinalizersRemain", text))
    }
}

const DISCOVERED: &str = "All resources successfully discovered";
const PARSED: &str = "All legacy kube types successfully parsed";
const DELETED: &str = "All content successfully deleted, may be waiting on finalization";
const REMOVED: &str = "All content successfully removed";
const FINISHED: &str = "All content-preserving finalizers finished";
