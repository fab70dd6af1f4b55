//! Selectors in their text form: what a list or a watch sees, and how it sees a write.

mod fields;
mod labels;

use std::sync::Arc;

use kubesim_model::actor::WatchEvent;
use kubesim_model::request::Status;
use kubesim_model::resource::{ObjectKey, Resource};
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
    /// The type in the version that is asked for, if objects may be stored in another form.
    shown: Option<Arc<Type>>,
}

impl Selection {
    /// Compiles the selectors of a type in a namespace (in all with the empty one).
    pub(super) fn new(
        kind: &Arc<Type>,
        namespace: &Text,
        label_selector: &str,
        field_selector: &str,
    ) -> Result<Self, Status> {
        Ok(Selection {
            resource: kind.resource.clone(),
            namespace: namespace.clone(),
            labels: labels::parse(label_selector)?,
            fields: fields::parse(field_selector, kind)?,
            shown: kind.definition.is_some().then(|| kind.clone()),
        })
    }

    /// Whether an object of the resource is selected.
    pub fn matches(&self, object: &Tree) -> bool {
        (self.namespace.is_empty() || object::namespace(object) == self.namespace)
            && self.labels.iter().all(|wanted| wanted.holds(&object["metadata"]["labels"]))
            && self.fields.iter().all(|wanted| wanted.holds(object))
    }

    /// A stored object as it is shown here. One that can't be shown so, as a webhook would have to
    /// be asked, is shown as it is.
    pub fn show(&self, object: &Tree) -> Tree {
        match &self.shown {
            Some(kind) => match kind.shown_unasked(object) {
                Ok(Some(shown)) => shown,
                _ => object.clone(),
            },
            None => object.clone(),
        }
    }

    /// Whether webhooks have to be asked how objects look here, so that [`Api::convert`] has to
    /// show them before they are selected.
    ///
    /// [`Api::convert`]: super::Api::convert
    pub fn asks_to_convert(&self) -> bool {
        self.shown.as_ref().is_some_and(|kind| kind.asks_to_convert())
    }

    /// Whether the object of a key may be selected, whatever it is like.
    pub fn reaches(&self, key: &ObjectKey) -> bool {
        self.namespace.is_empty() || key.namespace == self.namespace
    }

    /// The same for objects that are shown already.
    pub fn of_shown(&self) -> Selection {
        Selection { shown: None, ..self.clone() }
    }

    /// Whether all objects of the namespace are selected.
    pub fn is_whole(&self) -> bool {
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
            return Some(WatchEvent::Applied { resource, object: self.show(object) });
        }
        let object = write.before.as_ref().filter(|object| self.matches(object))?;
        let mut object = self.show(object);
        object.set(&["metadata", "resourceVersion"], Text::from(write.rv.to_string()));
        Some(WatchEvent::Deleted { resource, object })
    }
}
