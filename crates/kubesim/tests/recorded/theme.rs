//! What a file of decisions is about: a controller and the kinds of objects that it writes.

use std::collections::BTreeMap;

use kubesim_model::resource::Resource;
use serde_json::Value;

use crate::case::Case;

/// What is compared of an object.
pub(crate) type Facts = BTreeMap<String, String>;

/// A kind of object, as the API serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Where it is served: `/apis/apps/v1`.
    pub(crate) path: &'static str,
    /// Its plural and group.
    pub(crate) resource: Resource,
}

impl Kind {
    /// The namespaces, each case in one of its own.
    pub(crate) const NAMESPACE: Kind = Kind { path: "/api/v1", resource: Resource::NAMESPACES };

    /// Where the objects of a namespace are; of all with the empty one.
    pub(crate) fn url(&self, namespace: &str) -> String {
        let within = match namespace {
            "" => String::new(),
            name => format!("/namespaces/{name}"),
        };
        format!("{}{within}/{}", self.path, self.resource.plural())
    }
}

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    /// A merge patch of the status.
    PatchStatus,
    Delete,
}

/// Someone who answers requests; panics when one is refused.
pub(crate) trait Server {
    /// Sends a request for the object of this name in this namespace; answers the object.
    fn ask(&mut self, verb: Verb, kind: &Kind, place: (&str, &str), body: Value) -> Value;
}

/// What a file of decisions is about.
pub(crate) trait Theme {
    /// The controller, as the simulation names it.
    fn controller(&self) -> &'static str;

    /// The kinds whose writes are compared.
    fn kinds(&self) -> Vec<Kind>;

    /// Writes the objects of a case, each with its status. Its namespace is there.
    fn prepare(&self, server: &mut dyn Server, case: &Case);

    /// How an object is called in the lines of a case.
    fn shown(&self, object: &Value) -> String;

    /// What is compared of an object.
    fn facts(&self, object: &Value) -> Facts;

    /// The lines of a case as they are compared, from those in the order of the writes.
    fn lines(&self, lines: Vec<String>) -> Vec<String> {
        lines
    }
}
