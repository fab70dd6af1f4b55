//! Selectors in their text form: what a list or a watch sees, and how it sees a write.

mod fields;
mod labels;

use kubesim_model::actor::WatchEvent;
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use super::registry::Type;
use super::window::Write;

/// The compiled selector of a list or a watch: resource, namespace, labels and fields.
#[derive(Clone, Debug)]
pub struct Selection {
    resource: Resource,
    namespace: Text,
    labels: Vec<labels::Requirement>,
    fields: Vec<fields::Requirement>,
}

impl Selection {
    /// Compiles the selectors of a type in a namespace (in all with the empty one).
    pub(super) fn new(
        kind: &Type,
        namespace: &Text,
        label_selector: &str,
        field_selector: &str,
    ) -> Result<Self, Status> {
        Ok(Selection {
            resource: kind.resource.clone(),
            namespace: namespace.clone(),
            labels: labels::parse(label_selector)?,
            fields: fields::parse(field_selector, kind)?,
        })
    }

    /// Whether an object of the resource is selected.
    pub fn matches(&self, object: &Tree) -> bool {
        (self.namespace.is_empty() || object::namespace(object) == self.namespace)
            && self.labels.iter().all(|wanted| wanted.holds(&object["metadata"]["labels"]))
            && self.fields.iter().all(|wanted| wanted.holds(object))
    }

    /// Whether all objects of the namespace are selected.
    pub(super) fn is_whole(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether a write brings an object into the selection that was not in it: `ADDED`.
    pub fn begins(&self, write: &Write) -> bool {
        !write.before.as_ref().is_some_and(|object| self.matches(object))
    }

    /// How a watch with this selector sees a write: an object that begins to match is applied, one
    /// that ceases to match is deleted with the state that it had, and the version of the write.
    pub fn translate(&self, write: &Write) -> Option<WatchEvent> {
        if write.resource != self.resource {
            return None;
        }
        let resource = self.resource.clone();
        if let Some(object) = write.after.as_ref().filter(|object| self.matches(object)) {
            return Some(WatchEvent::Applied { resource, object: object.clone() });
        }
        let mut object = write.before.as_ref().filter(|object| self.matches(object))?.clone();
        object.set(&["metadata", "resourceVersion"], Text::from(write.rv.to_string()));
        Some(WatchEvent::Deleted { resource, object })
    }
}
