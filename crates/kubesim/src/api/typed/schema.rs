//! The table of built-in types in the words of OpenAPI.

use std::collections::BTreeMap;

use kubesim_model::map;
use kubesim_model::tree::Tree;

use super::table::{Shape, Table};

/// The schemas of a built-in type and of all that it is made of, by the names that `called` gives
/// them, in a document that keeps schemas under `place`; nothing of a type that there is not.
pub fn type_schemas(
    kind: &str,
    place: &str,
    called: &dyn Fn(&str) -> String,
) -> BTreeMap<String, Tree> {
    let refer = |name: &str| format!("{place}{}", called(name));
    let table = Table::get();
    let mut schemas = BTreeMap::new();
    let mut open: Vec<usize> = table.find(kind).into_iter().collect();
    while let Some(at) = open.pop() {
        let object = table.object(at);
        let name = called(object.name);
        if schemas.contains_key(&name) {
            continue;
        }
        let mut properties = Tree::map();
        for field in &object.fields {
            properties.set(&[field.name], schema(&field.shape, table, &refer, &mut open));
        }
        schemas.insert(name, map! { "type" => "object", "properties" => properties });
    }
    schemas
}

/// The schema of a shape; the types that it names are added to `open`.
fn schema(
    shape: &Shape,
    table: &Table,
    refer: &dyn Fn(&str) -> String,
    open: &mut Vec<usize>,
) -> Tree {
    match shape {
        Shape::Text => map! { "type" => "string" },
        Shape::Bytes => map! { "type" => "string", "format" => "byte" },
        Shape::Bool => map! { "type" => "boolean" },
        Shape::Int(bits) => map! { "type" => "integer", "format" => format!("int{bits}") },
        Shape::Number => map! { "type" => "number", "format" => "double" },
        Shape::Quantity => map! { "type" => "string" },
        Shape::IntOrText => map! { "type" => "string", "format" => "int-or-string" },
        Shape::Time | Shape::MicroTime => map! { "type" => "string", "format" => "date-time" },
        Shape::Any => map! { "type" => "object" },
        Shape::Map(inner) => {
            let inner = schema(inner, table, refer, open);
            map! { "type" => "object", "additionalProperties" => inner }
        }
        Shape::List(inner) => {
            map! { "type" => "array", "items" => schema(inner, table, refer, open) }
        }
        Shape::Object(at) => {
            open.push(*at);
            map! { "$ref" => refer(table.object(*at).name) }
        }
    }
}
