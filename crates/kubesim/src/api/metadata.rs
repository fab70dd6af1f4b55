//! What the server itself writes into an object's metadata, and what it clears away.

use kubesim_model::object;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::registry::{Generation, Type};
use super::server::Api;

/// The letters of generated names (apiserver v0.36, `storage/names`): none that makes words.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// A generated name has at most 63 characters, five of which are random.
const LONGEST_BASE: usize = 58;

/// The annotation that counts the templates of a DaemonSet.
const TEMPLATES: &str = "deprecated.daemonset.template.generation";

/// Fields of metadata that only the server writes.
const OWNED: [&str; 5] =
    ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"];

impl Api {
    /// A uid in the form of a random UUID.
    pub(super) fn new_uid(&mut self) -> Text {
        let (high, low) = (self.uids.bits(), self.uids.bits());
        Text::from(format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | (low >> 48) & 0x3fff,
            low & 0xffff_ffff_ffff,
        ))
    }

    /// A name that begins with `base`.
    pub(super) fn new_name(&mut self, base: &str) -> Text {
        let mut name: String = base.chars().take(LONGEST_BASE).collect();
        for _ in 0..5 {
            name.push(char::from(LETTERS[self.names.index(LETTERS.len())]));
        }
        Text::from(name)
    }
}

/// Whether objects of a type are given a generation. The others keep one that they bring.
fn is_numbered(kind: &Type) -> bool {
    !matches!(kind.generation, Generation::Never | Generation::ChangedSpec)
}

/// Takes away what nobody may say of a new object.
pub(super) fn wipe_new(kind: &Type, object: &mut Tree) {
    let metadata = object.field_mut("metadata");
    let kept = |field: &str| field == "generation" && !is_numbered(kind);
    for field in OWNED.into_iter().filter(|field| !kept(field)) {
        metadata.remove(&[field]);
    }
    if !kind.namespaced {
        metadata.remove(&["namespace"]);
    }
    metadata.remove(&["managedFields"]);
    tidy(metadata);
}

/// Sets the metadata of a new object.
pub(super) fn stamp_new(kind: &Type, object: &mut Tree, uid: Text, now: Millis) {
    let owners = object["metadata"]["managedFields"].clone();
    wipe_new(kind, object);
    let metadata = object.field_mut("metadata");
    if !owners.is_null() {
        metadata.set(&["managedFields"], owners);
    }
    metadata.set(&["uid"], uid);
    metadata.set(&["creationTimestamp"], object::timestamp(now));
    if is_numbered(kind) {
        metadata.set(&["generation"], 1);
    }
}

/// Sets who owns which fields of an object.
pub(super) fn set_owners(object: &mut Tree, owners: &Tree) {
    match owners {
        Tree::Null => drop(object.remove(&["metadata", "managedFields"])),
        owners => object.set(&["metadata", "managedFields"], owners),
    }
}

/// Every namespace has its name among its labels, whatever stood there.
pub(super) fn label_namespace(namespace: &mut Tree) {
    let name = Text::new(object::name(namespace));
    namespace.set(&["metadata", "labels", "kubernetes.io/metadata.name"], name);
}

/// Gives back to a changed object the metadata that only the server writes.
pub(super) fn restore_owned(old: &Tree, new: &mut Tree) {
    let (old, kept) = (&old["metadata"], &new["metadata"]);
    if old.is_same(kept) {
        return;
    }
    for field in OWNED.iter().chain(&["resourceVersion", "name", "namespace", "generateName"]) {
        match old.get(field) {
            Some(value) => new.set(&["metadata", field], value),
            None => {
                new.remove(&["metadata", field]);
            }
        }
    }
    new.remove(&["metadata", "managedFields"]);
    tidy(new.field_mut("metadata"));
}

/// Takes away what Kubernetes does not store: empty lists and maps.
fn tidy(metadata: &mut Tree) {
    metadata.remove(&["selfLink"]);
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let empty = match metadata.get(field) {
            Some(Tree::Map(map)) => map.is_empty(),
            Some(Tree::List(items)) => items.is_empty(),
            Some(Tree::Null) => true,
            _ => false,
        };
        if empty {
            metadata.remove(&[field]);
        }
    }
}

/// Counts the templates of a DaemonSet in its annotations, whatever was written there (v1.36,
/// `spec.templateGeneration`, which `apps/v1` shows no other way).
pub(super) fn count_templates(kind: &Type, old: &Tree, new: &mut Tree) {
    if kind.resource != Resource::DAEMON_SETS {
        return;
    }
    let had = object::annotation(old, TEMPLATES).parse().unwrap_or(0);
    let changed = old.is_null() || old["spec"]["template"] != new["spec"]["template"];
    let count: i64 = if changed { had + 1 } else { had.max(1) };
    new.set(&["metadata", "annotations", TEMPLATES], count.to_string());
}

/// Raises the generation if the change is of the kind that counts.
pub(super) fn raise_generation(kind: &Type, old: &Tree, new: &mut Tree) {
    let changed = match kind.generation {
        Generation::Never | Generation::First => false,
        Generation::Spec | Generation::ChangedSpec => new["spec"] != old["spec"],
        Generation::SpecAndAnnotations => {
            new["spec"] != old["spec"]
                || new["metadata"]["annotations"] != old["metadata"]["annotations"]
        }
        Generation::Content => content_differs(kind, old, new) || content_differs(kind, new, old),
        Generation::ContentAndLabels => {
            content_differs(kind, old, new)
                || content_differs(kind, new, old)
                || new["metadata"]["labels"] != old["metadata"]["labels"]
        }
    };
    if changed {
        new.set(&["metadata", "generation"], object::generation(old) + 1);
    }
}

fn content_differs(kind: &Type, one: &Tree, other: &Tree) -> bool {
    let ignored = |key: &str| key == "metadata" || (key == "status" && kind.has_status());
    one.fields().any(|(key, value)| !ignored(key) && other[key.as_str()] != *value)
}
