//! The versions in which webhooks can be shown what a request is about: the request's own, and for
//! those with `matchPolicy: Equivalent` all others of the same type (apiserver v0.36, `runtime`
//! `EquivalentResourceMapper`).

use std::sync::Arc;

use kubesim_model::Text;
use kubesim_model::request::Answer;
use kubesim_model::tree::Tree;

use crate::api::conversion::Converter;
use crate::api::convert::Other;
use crate::api::policies::Form;
use crate::api::registry::Type;
use crate::api::router::Call;
use crate::api::server::Api;

/// A version of what a request is about.
#[derive(Clone)]
pub(super) struct View {
    /// The group of resource and kind.
    pub(super) group: Text,
    /// Their version, as in `v1`.
    pub(super) version: Text,
    /// The kind of what is sent, with its group and version.
    pub(super) kind: (Text, Text, Text),
    shape: Shape,
}

/// How what is sent gets from the form that the API works with to a version, and back.
#[derive(Clone)]
enum Shape {
    /// It is the same.
    Same,
    /// A form of a built-in type that is not the stored one.
    Other(Other),
    /// Another version of a custom type.
    Custom(Arc<Type>),
}

impl Api {
    /// The versions of what a request is about, its own first.
    pub(super) fn views(&self, call: &Call<'_>, form: Option<Form>) -> Vec<View> {
        let kind = &call.kind;
        let group = Text::new(kind.resource.group());
        let view = |group: &Text, version: &Text, shape: Shape| {
            let own = (group.clone(), version.clone(), kind.kind.clone());
            let kind = form.map_or(own, |(group, version, kind)| {
                (Text::new_static(group), Text::new_static(version), Text::new_static(kind))
            });
            let shape = if form.is_some() { Shape::Same } else { shape };
            View { group: group.clone(), version: version.clone(), kind, shape }
        };
        let other = |other: Other| {
            let version = other.api_version();
            let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
            view(&Text::new(group), &Text::new(version), Shape::Other(other))
        };
        if !kind.custom {
            let stored = kind.versions.first().map_or("v1", Text::as_str);
            let mut views = vec![view(&group, &Text::new(stored), Shape::Same)];
            views.extend(Other::beside(kind).map(other));
            if call.other_form().is_some() {
                views.reverse();
            }
            return views;
        }
        let served = |version: &&Text| {
            let definition = kind.definition.as_ref();
            definition.is_none_or(|have| {
                have.versions.iter().any(|one| one.name == **version && one.served)
            })
        };
        let views = kind.versions.iter().enumerate().filter_map(|(at, version)| {
            let there = self.types.in_version(&kind.resource, version).ok()?;
            Some(view(&group, version, if at == 0 { Shape::Same } else { Shape::Custom(there) }))
        });
        let mut views: Vec<View> = views.collect();
        views.retain(|view| served(&&view.version));
        views
    }
}

impl View {
    /// An object in this version.
    ///
    /// # Errors
    /// It can't be converted.
    pub(super) fn show(&self, by: Converter<'_>, object: &Tree) -> Answer {
        match &self.shape {
            _ if object.is_null() => Ok(Tree::Null),
            Shape::Same => Ok(object.clone()),
            Shape::Other(other) => Ok(other.shown(object)),
            Shape::Custom(to) => by.converted(to, object),
        }
    }

    /// The object that one in this version stands for.
    ///
    /// # Errors
    /// As [`View::show`].
    pub(super) fn read(&self, by: Converter<'_>, kind: &Type, object: Tree) -> Answer {
        match &self.shape {
            Shape::Same => Ok(object),
            Shape::Other(other) => Ok(other.stored(&object, kind)),
            Shape::Custom(_) if kind.asks_to_convert() => by.converted(kind, &object),
            Shape::Custom(from) => by.shown(kind, &by.stored(from, object)?),
        }
    }

    /// The type in this version, if it is another one than the call's.
    pub(super) fn other_type(&self) -> Option<&Arc<Type>> {
        match &self.shape {
            Shape::Custom(kind) => Some(kind),
            _ => None,
        }
    }

    /// The name in the table of types of what is sent, if it is of a built-in type.
    pub(super) fn type_name(&self) -> &str {
        match &self.shape {
            Shape::Other(other) => other.type_name(),
            _ => &self.kind.2,
        }
    }
}
