//! Custom types: the columns that their definitions name, or else how old objects are
//! (apiextensions-apiserver v0.36, `tableconvertor`).

use std::sync::Arc;

use kubesim::api::{Api, Type};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, map};

use super::age::since;
use super::sheet::definition;

/// The columns behind the name.
#[derive(Clone)]
pub(super) struct Columns(Arc<Vec<Tree>>);

impl Columns {
    /// Of a type in a version.
    pub(super) fn of(api: &Api, kind: &Type, version: &str) -> Columns {
        let key = ObjectKey::new("", kind.resource.as_str());
        let definition = api.get(&Resource::CUSTOM_RESOURCE_DEFINITIONS, &key);
        let versions =
            definition.map(|found| found["spec"]["versions"].items()).unwrap_or_default();
        let name = version.rsplit('/').next().unwrap_or_default();
        let served = versions.iter().find(|one| one["name"] == name);
        let columns = served.map(|one| one["additionalPrinterColumns"].items()).unwrap_or_default();
        if columns.is_empty() {
            let age = map! {
                "name" => "Age", "type" => "date", "jsonPath" => ".metadata.creationTimestamp",
            };
            return Columns(Arc::new(vec![age]));
        }
        Columns(Arc::new(columns.to_vec()))
    }

    /// What they are called.
    pub(super) fn definitions(&self) -> Tree {
        let own = self.0.iter().map(|column| {
            let priority = column["priority"].as_i64().unwrap_or(0);
            let [name, kind, format] = ["name", "type", "format"].map(|field| column[field].str());
            definition(name, kind, format, priority)
        });
        let name = definition("Name", "string", "name", 0);
        std::iter::once(name).chain(own).collect::<Vec<_>>().into()
    }

    /// What is in them.
    pub(super) fn cells(&self, object: &Tree, now: Millis) -> Vec<Tree> {
        self.0.iter().map(|column| cell(column, object, now)).collect()
    }
}

fn cell(column: &Tree, object: &Tree, now: Millis) -> Tree {
    let path = column["jsonPath"].str().trim_start_matches('.');
    let found = path.split('.').fold(object, |at, key| &at[key]);
    match (column["type"].str(), found) {
        ("date", time) if time.str().is_empty() => Tree::Null,
        ("date", time) => since(time, now),
        ("string", Tree::Str(_)) | (_, Tree::Null) => found.clone(),
        ("string", other) => other.to_string().into(),
        _ => found.clone(),
    }
}
