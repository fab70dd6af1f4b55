//! The columns of a type, and tables made of them.

use std::fmt;

use kubesim::api::Type;
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, list, map};

use super::{access, cluster, configuration, custom, network, pods, storage, workloads};

/// Makes the cells of an object behind its name, at a time.
pub(super) type Cells = fn(&Tree, Millis) -> Vec<Tree>;
/// A resource, its columns, and what is in them.
///
/// Columns are separated by `|`. Before a name `#` means a whole number, `?` a flag and `@` a time;
/// `+` stands before those that only a wide table shows.
pub(super) type Row = (&'static str, &'static str, Cells);

const ALL: [&[Row]; 7] = [
    pods::ROWS,
    workloads::ROWS,
    cluster::ROWS,
    network::ROWS,
    storage::ROWS,
    access::ROWS,
    configuration::ROWS,
];

/// How much of an object goes with its row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Include {
    /// Nothing.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// All.
    Object,
}

impl Include {
    /// What `includeObject` asks for.
    ///
    /// # Errors
    /// 400 for what it can't be.
    pub(crate) fn read(text: &str) -> Result<Include, Status> {
        match text {
            "" | "Metadata" => Ok(Include::Metadata),
            "Object" => Ok(Include::Object),
            "None" => Ok(Include::None),
            _ => {
                let value = Tree::from(text);
                let text = format!(
                    "Unable to convert to Table as requested: includeObject: Invalid value: {value}: \
                     must be 'Metadata', 'Object', 'None', or empty"
                );
                Err(Status::new(400, "BadRequest", text))
            }
        }
    }
}

/// The columns of a type.
#[derive(Clone)]
pub(crate) struct Sheet {
    columns: Tree,
    fill: Fill,
    is_of_pods: bool,
}

#[derive(Clone)]
enum Fill {
    Built(Cells),
    Custom(custom::Columns),
}

impl Sheet {
    /// Of a type in a version.
    pub(crate) fn of(kind: &Type, version: &str) -> Sheet {
        if kind.custom {
            let columns = custom::Columns::of(kind, version);
            let (names, fill) = (columns.definitions(), Fill::Custom(columns));
            return Sheet { columns: names, fill, is_of_pods: false };
        }
        let known = ALL.iter().flat_map(|rows| rows.iter());
        let known = known.into_iter().find(|(name, ..)| *name == kind.resource.as_str());
        let (_, columns, cells) =
            known.copied().unwrap_or(("", "@Created At", super::cells::created));
        let is_of_pods = kind.resource == Resource::PODS;
        Sheet { columns: definitions(columns), fill: Fill::Built(cells), is_of_pods }
    }

    /// A table of these objects. `metadata` is that of the list; without `heads` columns are not
    /// named.
    pub(crate) fn table(
        &self,
        objects: &[Tree],
        metadata: Tree,
        (include, heads): (Include, bool),
        kind: &Tree,
        now: Millis,
    ) -> Tree {
        let rows = objects.iter().map(|object| {
            let shown = match include {
                Include::None => Tree::Null,
                Include::Metadata => crate::view::partial(object, "PartialObjectMetadata"),
                Include::Object => {
                    let mut whole = object.clone();
                    kind.fields().for_each(|(key, value)| whole.set(&[key.as_str()], value));
                    whole
                }
            };
            let mut row = map! { "cells" => self.cells(object, now), "object" => shown };
            if let Some(condition) = super::pods::completed(object).filter(|_| self.is_of_pods) {
                row.set(&["conditions"], list![condition]);
            }
            row
        });
        let rows: Vec<Tree> = rows.collect();
        let columns = if heads { self.columns.clone() } else { Tree::Null };
        map! {
            "kind" => "Table", "apiVersion" => "meta.k8s.io/v1", "metadata" => metadata,
            "columnDefinitions" => columns,
            "rows" => if rows.is_empty() { list![] } else { rows.into() },
        }
    }

    fn cells(&self, object: &Tree, now: Millis) -> Vec<Tree> {
        let mut cells = vec![Tree::Str(object["metadata"]["name"].text())];
        cells.extend(match &self.fill {
            Fill::Built(fill) => fill(object, now),
            Fill::Custom(columns) => columns.cells(object, now),
        });
        // Events are known by when they were seen, and tell their name last.
        if self.columns[0]["name"] != "Name" {
            cells.remove(0);
        }
        cells
    }
}

impl PartialEq for Sheet {
    fn eq(&self, other: &Sheet) -> bool {
        self.columns == other.columns
    }
}

impl fmt::Debug for Sheet {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", self.columns)
    }
}

fn definitions(columns: &str) -> Tree {
    let is_event = columns.starts_with("Last Seen");
    let name = if is_event { Vec::new() } else { vec![definition("Name", "string", "name", 0)] };
    let others = columns.split('|').filter(|column| !column.is_empty()).map(|column| {
        let (column, priority) = match column.strip_prefix('+') {
            Some(column) => (column, 1),
            None => (column, 0),
        };
        let kinds = [('#', "integer"), ('?', "boolean"), ('@', "date")];
        let found =
            kinds.iter().find_map(|(mark, kind)| Some((column.strip_prefix(*mark)?, *kind)));
        let (column, kind) = found.unwrap_or((column, "string"));
        let format = if is_event && column == "Name" { "name" } else { "" };
        definition(column, kind, format, priority)
    });
    name.into_iter().chain(others).collect::<Vec<_>>().into()
}

/// A column; its description is for nobody who asks for tables.
pub(super) fn definition(name: &str, kind: &str, format: &str, priority: i64) -> Tree {
    map! {
        "name" => name, "type" => kind, "format" => format, "description" => name,
        "priority" => priority,
    }
}
