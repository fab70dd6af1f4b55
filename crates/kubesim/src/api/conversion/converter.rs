//! Taking an object to another version: what is asked for it, and what is done besides.

use std::sync::Arc;

use kubesim_model::request::{Answer, Status};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, list, map};

use super::answer;
use crate::api::custom::Conversion;
use crate::api::errors;
use crate::api::hooks::{self, Errand, Outside, Reviews};
use crate::api::registry::Type;
use crate::api::server::Api;

/// The reviews that are asked for and answered.
pub(super) const REVIEWS: Reviews = Reviews {
    group: "apiextensions.k8s.io",
    kind: "ConversionReview",
    scheme: "pkg/runtime/scheme.go:111",
};

/// How long a webhook has (apiserver v0.36, `util/webhook/authentication.go`).
const TIMEOUT: Millis = 30_000;
/// What Go's HTTP client says of one that takes longer.
const LATE: &str = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)";

/// Converts the objects of one request.
#[derive(Clone, Copy)]
pub(in crate::api) struct Converter<'a> {
    pub(super) api: &'a Api,
    outside: Outside<'a>,
}

/// A question to a webhook.
pub(super) struct Question<'q> {
    /// The uid that its answer must repeat.
    pub(super) uid: &'q str,
    /// `apiextensions.k8s.io/v1`.
    pub(super) version: &'q str,
    /// The version that is wanted, with its group.
    pub(super) wanted: &'q str,
    /// The object that is to be converted.
    pub(super) object: &'q Tree,
}

impl Api {
    /// What converts the objects of a request that asks webhooks so.
    pub(in crate::api) fn converter<'a>(&'a self, outside: Outside<'a>) -> Converter<'a> {
        Converter { api: self, outside }
    }
}

impl Converter<'_> {
    /// The type in another version.
    pub(in crate::api) fn in_version(self, kind: &Type, version: &Text) -> Option<Arc<Type>> {
        self.api.types.in_version(&kind.resource, version).ok()
    }

    /// A stored object as the version in use shows it: converted, with defaults that came later.
    ///
    /// # Errors
    /// Its webhook can't convert it, or has not been asked yet.
    pub(in crate::api) fn shown(self, kind: &Type, stored: &Tree) -> Answer {
        if let Some(shown) = kind.shown_unasked(stored)? {
            return Ok(shown);
        }
        let mut shown = self.without_version(kind, kind.read(stored.clone())?)?;
        kind.prune(&mut shown);
        Ok(shown)
    }

    /// An object of the version in use as it is stored.
    ///
    /// # Errors
    /// As [`Converter::shown`].
    pub(in crate::api) fn stored(self, kind: &Type, object: Tree) -> Answer {
        let Some(storage) = kind.storage_version() else { return Ok(object) };
        if kind.versions.first() == Some(&storage) {
            return Ok(object);
        }
        let storage = self.api.types.in_version(&kind.resource, &storage)?;
        let stored = self.without_version(&storage, object)?;
        kind.read(stored)
    }

    /// An object in another version of its type, as its webhook makes it; without a webhook, under
    /// the name of that version.
    ///
    /// # Errors
    /// As [`Converter::shown`].
    pub(in crate::api) fn converted(self, to: &Type, object: &Tree) -> Answer {
        if to.is_version_of(object) {
            return Ok(object.clone());
        }
        let wanted = to.api_version();
        let conversion = to.definition.as_ref().map(|definition| &definition.conversion);
        let Some(Conversion::Webhook(webhook)) = conversion else {
            let mut named = object.clone();
            named.set(&["apiVersion"], wanted);
            return Ok(named);
        };
        let version = REVIEWS.version(&webhook["conversionReviewVersions"]);
        let version =
            version.ok_or_else(|| errors::failed("no supported conversion review versions"))?;
        let target = self.api.target(&webhook["clientConfig"]);
        let target =
            target.map_err(|why| errors::failed(format!("{} failed: {why}", prefix(object))))?;
        let about = map! { "desiredAPIVersion" => &wanted, "objects" => list![object] };
        let name = format!("conversion of {} at {}", to.resource, target.url);
        let (key, uid) = self.outside.identify(&name, 0, &about);
        let mut request = about;
        request.set(&["uid"], &uid);
        let result = map! { "metadata" => map! {} };
        let nothing = map! { "uid" => "", "convertedObjects" => Tree::Null, "result" => result };
        let body = map! {
            "kind" => REVIEWS.kind, "apiVersion" => &version, "request" => request,
            "response" => nothing,
        };
        let hooks::Target { to, url, authorities } = target;
        let errand = Errand { key, to, url, authorities, body, timeout: TIMEOUT, late: LATE };
        let Some(heard) = self.outside.hear(errand) else { return Err(hooks::waits()) };
        let question = Question { uid: &uid, version: &version, wanted: &wanted, object };
        answer::read(heard, &question).map_err(errors::failed)
    }

    /// The same of an object of the store: what is sent has no resourceVersion, which is no part
    /// of what is stored.
    fn without_version(self, to: &Type, object: Tree) -> Result<Tree, Status> {
        let mut object = object;
        let version = object.remove(&["metadata", "resourceVersion"]);
        let mut converted = self.converted(to, &object)?;
        if let Some(version) = version {
            converted.set(&["metadata", "resourceVersion"], version);
        }
        Ok(converted)
    }
}

/// What failures of a conversion begin with.
pub(super) fn prefix(object: &Tree) -> String {
    let (version, kind) = (object["apiVersion"].str(), object["kind"].str());
    format!("conversion webhook for {version}, Kind={kind}")
}

impl Type {
    /// Whether a webhook takes objects from one version to another.
    pub(in crate::api) fn asks_to_convert(&self) -> bool {
        let definition = self.definition.as_ref();
        definition.is_some_and(|have| matches!(have.conversion, Conversion::Webhook(_)))
    }

    /// A stored object as the version in use shows it; `None` if a webhook has to be asked.
    ///
    /// # Errors
    /// 500 when defaults make it too large.
    pub(in crate::api) fn shown_unasked(&self, stored: &Tree) -> Result<Option<Tree>, Status> {
        if self.is_shown_as_stored(stored) {
            return Ok(Some(stored.clone()));
        }
        let is_other = !self.is_version_of(stored);
        if is_other && self.asks_to_convert() {
            return Ok(None);
        }
        // Defaults are those of the version that it is stored in.
        let mut shown = self.read(stored.clone())?;
        if is_other {
            shown.set(&["apiVersion"], self.api_version());
            self.prune(&mut shown);
        }
        Ok(Some(shown))
    }

    fn prune(&self, object: &mut Tree) {
        if let Some(schema) = self.schema() {
            schema.prune(object, &Tree::Null);
        }
    }

    /// The name of the version that objects of a custom type are stored in.
    fn storage_version(&self) -> Option<Text> {
        let definition = self.definition.as_ref()?;
        let storage = definition.versions.iter().find(|version| version.storage)?;
        Some(storage.name.clone())
    }
}
