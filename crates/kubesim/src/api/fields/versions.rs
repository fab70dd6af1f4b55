//! The other versions of a custom type: who used one of them owns fields as that version names
//! them, so that a change is looked at in each (structured-merge-diff v6, `merge/update.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use kubesim_model::Text;
use kubesim_model::request::Answer;
use kubesim_model::tree::Tree;

use super::schema::Typed;
use crate::api::conversion::Converter;
use crate::api::registry::Type;

/// The versions of a type between which a webhook converts.
#[derive(Clone)]
pub(super) struct Versions<'c> {
    by: Converter<'c>,
    /// The type in the version of the request.
    own: Arc<Type>,
    /// The type in the other versions, by `group/version`.
    others: BTreeMap<Text, Arc<Type>>,
}

impl<'c> Versions<'c> {
    /// Those of a type; `None` if all versions name the fields alike.
    pub(super) fn of(own: &Arc<Type>, by: Converter<'c>) -> Option<Versions<'c>> {
        own.asks_to_convert().then(|| {
            let others = own.versions.iter().skip(1).filter_map(|name| by.in_version(own, name));
            let others = others.map(|kind| (kind.api_version(), kind)).collect();
            Versions { by, own: own.clone(), others }
        })
    }

    /// How values of a version are taken apart.
    pub(super) fn schema(&self, version: &str) -> Option<Typed<'_>> {
        self.others.get(version)?.structural.as_ref().map(|structural| structural.root())
    }

    /// An object in another version; it goes through that of the request.
    ///
    /// # Errors
    /// It can't be converted, or nobody has been asked yet.
    pub(super) fn convert(&self, object: &Tree, version: &str) -> Answer {
        if object["apiVersion"] == version {
            return Ok(object.clone());
        }
        let own = self.by.converted(&self.own, object)?;
        match self.others.get(version) {
            Some(other) => self.by.converted(other, &own),
            None => Ok(own),
        }
    }
}
