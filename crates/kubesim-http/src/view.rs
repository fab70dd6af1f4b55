//! How the objects of one request or watch are shown: their form, and what it takes to make it.

use kubesim::api::Api;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map};

use crate::Form;

/// The form of the objects of one resource, at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    form: Form,
    /// `apiVersion` and `kind` of the objects.
    kind: Tree,
    now: Millis,
}

impl View {
    /// How objects of `resource`, asked for in `version`, are shown in a form at the time `now`.
    pub fn of(api: &Api, resource: &Resource, version: &str, form: Form, now: Millis) -> View {
        let kind = api.resources().find(|kind| kind.resource == *resource);
        let name = kind.map(|kind| kind.kind.clone()).unwrap_or_default();
        View { form, kind: map! { "apiVersion" => version, "kind" => name }, now }
    }

    /// The same, as things are shown at another time.
    pub fn at(&self, now: Millis) -> View {
        View { now, ..self.clone() }
    }

    /// An object, or the one of a watch event.
    pub fn object(&self, object: &Tree) -> Tree {
        match self.form {
            Form::Whole => object.clone(),
            Form::Metadata => partial(object, "PartialObjectMetadata"),
        }
    }

    /// An answer: an object, a list, or a Status, which has no other form.
    pub fn answer(&self, answer: &Tree) -> Tree {
        if self.form == Form::Whole || answer["kind"] == "Status" {
            return answer.clone();
        }
        match answer.get("items") {
            None => self.object(answer),
            Some(items) => {
                let items: Vec<Tree> = items.items().iter().map(|item| self.object(item)).collect();
                let mut list = partial(answer, "PartialObjectMetadataList");
                list.set(&["items"], items);
                list
            }
        }
    }

    /// The object of a bookmark; with `initial_end` of the one that ends the initial events.
    pub(crate) fn mark(&self, rv: u64, initial_end: bool) -> Tree {
        let mut object = self.kind.clone();
        object.set(&["metadata", "resourceVersion"], Text::from(rv.to_string()));
        if initial_end {
            object.set(&["metadata", "annotations", "k8s.io/initial-events-end"], "true");
        }
        object
    }
}

fn partial(object: &Tree, kind: &'static str) -> Tree {
    map! {
        "apiVersion" => "meta.k8s.io/v1", "kind" => kind, "metadata" => &object["metadata"],
    }
}
