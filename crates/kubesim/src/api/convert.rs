//! Built-in types that have another form in another version: `autoscaling/v1`, and the Events of
//! `events.k8s.io/v1` (v1.36, `pkg/apis/autoscaling/v1/conversion.go` and
//! `pkg/apis/events/v1/conversion.go`). What is stored has the form of the first version.

mod autoscaler;
mod event;

use kubesim_model::Text;
use kubesim_model::request::Answer;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::registry::Type;

/// The version that Events have in their other group.
const EVENTS: &str = "events.k8s.io/v1";

/// A form that is not the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Other {
    /// `autoscaling/v1`.
    Autoscaler,
    /// `events.k8s.io/v1`.
    Event,
}

impl Other {
    /// The form of a type in a version, by its name or with its group; `None` for the stored form.
    pub(super) fn of(kind: &Type, version: &str) -> Option<Other> {
        match (version, kind.resource.as_str()) {
            ("", _) => None,
            ("v1" | "autoscaling/v1", "horizontalpodautoscalers.autoscaling") => {
                Some(Other::Autoscaler)
            }
            (EVENTS, "events") => Some(Other::Event),
            _ => None,
        }
    }

    /// The other form that a type has, if any.
    pub(super) fn beside(kind: &Type) -> Option<Other> {
        match kind.resource.as_str() {
            "horizontalpodautoscalers.autoscaling" => Some(Other::Autoscaler),
            "events" => Some(Other::Event),
            _ => None,
        }
    }

    /// `group/version`.
    pub(super) fn api_version(self) -> &'static str {
        match self {
            Other::Autoscaler => "autoscaling/v1",
            Other::Event => EVENTS,
        }
    }

    /// The name of the form in the table of types.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Other::Autoscaler => "autoscaling.HorizontalPodAutoscaler",
            Other::Event => "events.Event",
        }
    }

    /// The stored form of an object in this one.
    pub(super) fn stored(self, object: &Tree, kind: &Type) -> Tree {
        let mut stored = match self {
            Other::Autoscaler => autoscaler::stored(object),
            Other::Event => event::stored(object),
        };
        stored.set(&["apiVersion"], kind.api_version());
        stored
    }

    /// This form of a stored object.
    pub(super) fn shown(self, object: &Tree) -> Tree {
        let mut shown = match self {
            Other::Autoscaler => autoscaler::shown(object),
            Other::Event => event::shown(object),
        };
        if !shown["apiVersion"].is_null() {
            shown.set(&["apiVersion"], self.api_version());
        }
        shown
    }

    /// An answer about objects in this form.
    pub(super) fn answer(self, kind: &Type, answer: Tree) -> Answer {
        let name = answer["kind"].text();
        if name == kind.kind {
            return Ok(self.shown(&answer));
        }
        let mut answer = answer;
        if self == Other::Event && answer["details"]["kind"] == "events" {
            answer.set(&["details", "group"], "events.k8s.io");
        }
        if name.strip_suffix("List") == Some(kind.kind.as_str()) {
            answer.set(&["apiVersion"], self.api_version());
            let items: Vec<Tree> =
                answer["items"].items().iter().map(|item| self.shown(item)).collect();
            answer.set(&["items"], items);
        }
        Ok(answer)
    }
}

/// A stored object as clients of a version (`group/version`) see it.
pub fn in_version(object: &Tree, version: &str) -> Tree {
    let other = match (version, object["kind"].str()) {
        ("autoscaling/v1", "HorizontalPodAutoscaler") => Other::Autoscaler,
        (EVENTS, "Event") => Other::Event,
        _ => return object.clone(),
    };
    other.shown(object)
}

/// The resource that objects of a resource are stored as, and the version to ask it in: what a URL
/// names (`apps/v1`), in the way of [`Request::version`](kubesim_model::request::Request).
pub fn stored_as(resource: Resource, version: &str) -> (Resource, Text) {
    if resource.as_str() == "events.events.k8s.io" && version == EVENTS {
        return (Resource::EVENTS, Text::new_static(EVENTS));
    }
    let name = version.rsplit_once('/').map_or(version, |(_, name)| name);
    (resource, Text::new(name))
}

/// Moves what is at the first path of each pair to the second, if it is there.
fn moved(from: &Tree, pairs: &[(&[&str], &[&str])], back: bool) -> Tree {
    let mut to = Tree::map();
    for (one, other) in pairs {
        let (source, target) = if back { (other, one) } else { (one, other) };
        let value = from.at(source);
        if !value.is_null() {
            to.set(target, value);
        }
    }
    to
}
