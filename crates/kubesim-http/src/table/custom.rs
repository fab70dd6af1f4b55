//! Custom types: the columns that their definitions name, or else how old objects are.

use std::sync::Arc;

use kubesim::api::{Column, Definition, Type};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::cells::age;
use super::sheet::definition;

/// The columns behind the name, of one version.
#[derive(Clone)]
pub(super) struct Columns {
    definition: Option<Arc<Definition>>,
    version: Text,
}

impl Columns {
    /// Of a type in a version.
    pub(super) fn of(kind: &Type, version: &str) -> Columns {
        let version = Text::new(version.rsplit('/').next().unwrap_or_default());
        Columns { definition: kind.definition.clone(), version }
    }

    fn all(&self) -> &[Column] {
        let versions = self.definition.as_ref().map(|definition| definition.versions.as_slice());
        let mut versions = versions.unwrap_or_default().iter();
        let found = versions.find(|version| version.name == self.version);
        found.map(|version| version.columns.as_slice()).unwrap_or_default()
    }

    /// What they are called.
    pub(super) fn definitions(&self) -> Tree {
        let own = self
            .all()
            .iter()
            .map(|column| definition(&column.name, &column.kind, &column.format, column.priority));
        let mut columns = vec![definition("Name", "string", "name", 0)];
        columns.extend(own);
        if columns.len() == 1 {
            columns.push(definition("Age", "date", "", 0));
        }
        columns.into()
    }

    /// What is in them.
    pub(super) fn cells(&self, object: &Tree, now: Millis) -> Vec<Tree> {
        match self.all() {
            [] => vec![age(object, now)],
            all => all.iter().map(|column| column.cell(object, now)).collect(),
        }
    }
}
