//! How the objects of one request or watch are shown: their form, and what it takes to make it.

use std::sync::Arc;

use http::HeaderValue;
use kubesim::api::{Api, Type, in_version};
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map};

use crate::Form;
use crate::reply::warning;
use crate::table::Sheet;

/// The form of the objects of one resource, at one time.
#[derive(Clone, Debug)]
pub struct View {
    form: Form,
    /// `apiVersion` and `kind` of the objects.
    kind: Tree,
    /// What is said to those who use the version, if it is deprecated.
    deprecated: Option<Text>,
    /// The columns, where a table is asked for.
    sheet: Option<Arc<Sheet>>,
    now: Millis,
}

impl View {
    /// How objects of `resource`, asked for in `version`, are shown in a form at the time `now`.
    pub fn of(api: &Api, resource: &Resource, version: &str, form: Form, now: Millis) -> View {
        let found = api.resources().find(|kind| kind.resource == *resource);
        let name = found.map(|kind| kind.kind.clone()).unwrap_or_default();
        let sheet = match form {
            Form::Table(_) => found.map(|kind| Arc::new(Sheet::of(kind, version))),
            Form::Whole | Form::Metadata => None,
        };
        let deprecated = found.and_then(|kind| deprecation(kind, version));
        let kind = map! { "apiVersion" => version, "kind" => name };
        View { form, kind, deprecated, sheet, now }
    }

    /// The same, as things are shown at another time.
    pub fn at(&self, now: Millis) -> View {
        View { now, ..self.clone() }
    }

    /// What a client is warned of, whatever it asks of the resource, as a header.
    pub fn warning(&self) -> Option<HeaderValue> {
        self.deprecated.as_deref().and_then(warning)
    }

    /// Whether things look the same in both, whenever they are seen.
    pub fn looks_like(&self, other: &View) -> bool {
        self.form == other.form && self.kind == other.kind && self.sheet == other.sheet
    }

    /// Whether the first event of a watch says more than others do: what columns there are.
    pub fn has_heads(&self) -> bool {
        self.sheet.is_some()
    }

    /// The object of a watch's event; `first` says that it is the first of its watch.
    pub fn event(&self, object: &Tree, first: bool) -> Tree {
        self.shown(&in_version(object, self.kind["apiVersion"].str()), first)
    }

    fn shown(&self, object: &Tree, first: bool) -> Tree {
        match (self.form, &self.sheet) {
            (Form::Table(include), Some(sheet)) => {
                let metadata = version_of(object);
                let one = std::slice::from_ref(object);
                sheet.table(one, metadata, (include, first), &self.kind, self.now)
            }
            (Form::Metadata, _) => partial(object, "PartialObjectMetadata"),
            _ => object.clone(),
        }
    }

    /// An answer: an object, a list, or a Status, which has no other form.
    pub fn answer(&self, answer: &Tree) -> Tree {
        if self.form == Form::Whole || answer["kind"] == "Status" {
            return answer.clone();
        }
        let Some(items) = answer.get("items") else { return self.shown(answer, true) };
        if let (Form::Table(include), Some(sheet)) = (self.form, &self.sheet) {
            let metadata = answer["metadata"].clone();
            return sheet.table(items.items(), metadata, (include, true), &self.kind, self.now);
        }
        let items = items.items().iter().map(|item| partial(item, "PartialObjectMetadata"));
        let items: Vec<Tree> = items.collect();
        let mut list = partial(answer, "PartialObjectMetadataList");
        list.set(&["items"], if items.is_empty() { list![] } else { items.into() });
        list
    }

    /// The object of a bookmark; with `initial_end` of the one that ends the initial events.
    pub(crate) fn mark(&self, rv: u64, initial_end: bool) -> Tree {
        let mut object = self.kind.clone();
        object.set(&["metadata", "resourceVersion"], Text::from(rv.to_string()));
        if initial_end {
            object.set(&["metadata", "annotations", "k8s.io/initial-events-end"], "true");
        }
        self.shown(&object, false)
    }
}

/// What is said to those who use a deprecated built-in type (kube-apiserver v1.36). Of versions of
/// custom types the server itself remarks it.
fn deprecation(kind: &Type, version: &str) -> Option<Text> {
    let text = match (version, kind.kind.as_str()) {
        ("v1", "Endpoints") => {
            "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
        }
        ("v1", "ComponentStatus") => "v1 ComponentStatus is deprecated in v1.19+",
        _ => return None,
    };
    Some(Text::new_static(text))
}

fn version_of(object: &Tree) -> Tree {
    map! { "resourceVersion" => &object["metadata"]["resourceVersion"] }
}

/// Nothing of an object but its metadata.
pub(crate) fn partial(object: &Tree, kind: &'static str) -> Tree {
    map! {
        "apiVersion" => "meta.k8s.io/v1", "kind" => kind, "metadata" => &object["metadata"],
    }
}
