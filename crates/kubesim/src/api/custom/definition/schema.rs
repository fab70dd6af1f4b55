//! What a schema in a definition may say (v0.36, `apiextensions/validation/validation.go`
//! `ValidateCustomResourceDefinitionOpenAPISchema`).

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;

use super::super::schema::{Kind, Schema, is_known_format};
use super::parts::parts;
use super::{defaults, expressions, structural};
use crate::api::errors::Cause;

/// How deep a schema may be: deeper ones are refused before anything walks through them.
const DEEPEST: usize = 96;

/// The formats in the schemas of a definition that nobody knows: they are ignored.
pub(in crate::api) fn unknown_formats(spec: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for part in parts(spec, "schema", "") {
        find_formats(&part.value["openAPIV3Schema"], &mut found);
    }
    found.sort();
    found.dedup();
    found
}

fn find_formats(schema: &Tree, found: &mut Vec<String>) {
    let (kind, format) = (Kind::named(schema["type"].str()), schema["format"].str());
    if !format.is_empty() && !is_known_format(kind, format) {
        found.push(format.to_owned());
    }
    for (key, value) in schema.fields() {
        match key.as_str() {
            "items" | "additionalProperties" | "not" => find_formats(value, found),
            "allOf" | "anyOf" | "oneOf" => {
                value.items().iter().for_each(|node| find_formats(node, found));
            }
            "properties" => value.fields().for_each(|(_, node)| find_formats(node, found)),
            _ => {}
        }
    }
}

/// What is known of a node from those above it.
#[derive(Clone)]
struct Around {
    /// Why no default may be here.
    no_defaults: Option<String>,
    /// Whether this is in the metadata of an object.
    in_meta: bool,
    is_root: bool,
}

/// What is wrong with the schemas of all versions. Those that did not change are not looked at
/// again: they were taken once.
pub(super) fn check(spec: &Tree, old: &Tree, causes: &mut Vec<Cause>) {
    for (at, version) in spec["versions"].items().iter().enumerate() {
        if version["schema"]["openAPIV3Schema"].as_map().is_none() {
            let field = format!("spec.versions[{at}].schema.openAPIV3Schema");
            causes.push(Cause::required(field, ""));
        }
    }
    for part in parts(spec, "schema", "spec.validation") {
        let schema = &part.value["openAPIV3Schema"];
        let with_status = part
            .versions
            .iter()
            .any(|at| spec["versions"][*at]["subresources"]["status"].as_map().is_some());
        let known = old["versions"].items().iter().any(|version| {
            version["schema"] == *part.value
                && version["subresources"]["status"].as_map().is_some() == with_status
        });
        if schema.as_map().is_some() && !known {
            check_root(schema, with_status, &format!("{}.openAPIV3Schema", part.path), causes);
        }
    }
}

fn check_root(schema: &Tree, with_status: bool, path: &str, causes: &mut Vec<Cause>) {
    if depth(schema) > DEEPEST {
        causes.push(Cause::forbidden(path, "the schema is nested too deeply"));
        return;
    }
    let before = causes.len();
    if with_status {
        check_status_root(schema, path, causes);
    }
    if schema["nullable"].is_true() {
        let detail = "nullable cannot be true at the root";
        causes.push(Cause::forbidden(format!("{path}.nullable"), detail));
    }
    let unsupported = first_unsupported(schema);
    let mut found = Vec::new();
    let mut compiled = None;
    if unsupported.is_none() {
        structural::check(schema, path, &mut found);
        if found.is_empty() {
            let mut read = Schema::read(schema);
            // A default of the whole is one of an object with a name.
            let kept = (read.embedded, read.has_embedded);
            (read.embedded, read.has_embedded) = (true, true);
            defaults::check(&read, schema, path, &mut found);
            (read.embedded, read.has_embedded) = kept;
            compiled = found.is_empty().then_some(read);
        }
    }
    causes.append(&mut found);
    let around = Around { no_defaults: None, in_meta: false, is_root: true };
    let mut of_schema = Vec::new();
    let mut of_rules = Vec::new();
    check_node(schema, path, &around, &mut of_schema);
    if of_schema.is_empty() && compiled.is_some() {
        expressions::check(schema, path, &mut of_rules);
    }
    causes.extend(of_schema);
    causes.extend(of_rules);
    if let Some(why) = unsupported.filter(|_| causes.len() == before) {
        causes.push(Cause::invalid(path, &Tree::from(""), &why));
    }
}

fn depth(schema: &Tree) -> usize {
    match schema {
        Tree::Map(map) => 1 + map.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        Tree::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// With a status subresource, the status is taken out of the schema by itself: nothing at the root
/// may speak of it otherwise.
fn check_status_root(schema: &Tree, path: &str, causes: &mut Vec<Cause>) {
    if schema["type"] != "object" && !schema["type"].is_null() {
        let detail = "only \"object\" is allowed as the type at the root of the schema if the \
                      status subresource is enabled";
        causes.push(Cause::invalid(format!("{path}.type"), &schema["type"], detail));
    }
    let forbidden = [
        "$ref",
        "$schema",
        "additionalItems",
        "additionalProperties",
        "allOf",
        "anyOf",
        "default",
        "definitions",
        "dependencies",
        "enum",
        "id",
        "maxProperties",
        "minProperties",
        "not",
        "nullable",
        "oneOf",
        "patternProperties",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
    ];
    if forbidden.iter().any(|name| !schema[*name].is_null()) {
        let detail = "only [Description Type Format Title Maximum ExclusiveMaximum Minimum \
                      ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems \
                      MultipleOf Required Items Properties ExternalDocs Example \
                      XPreserveUnknownFields XValidations] fields are allowed at the root of the \
                      schema if the status subresource is enabled";
        causes.push(Cause::invalid(path, schema, detail));
    }
}

/// A keyword for which there is no structural schema at all.
fn first_unsupported(schema: &Tree) -> Option<String> {
    let own = [
        "id",
        "$schema",
        "$ref",
        "patternProperties",
        "dependencies",
        "additionalItems",
        "definitions",
    ];
    let name = own.iter().find(|name| !schema[**name].is_null());
    if let Some(name) = name {
        let name = name.trim_start_matches("$s");
        let name = if name == "chema" { "schema" } else { name };
        return Some(format!("OpenAPIV3Schema '{name}' is not supported"));
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == Tree::Bool(false) {
        return Some(
            "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
                .to_owned(),
        );
    }
    if !schema["items"].items().is_empty() {
        return Some("OpenAPIV3Schema 'items' must be a schema, but is an array".to_owned());
    }
    let one = |tree: &Tree| tree.as_map().and_then(|_| first_unsupported(tree));
    let many = |tree: &Tree| tree.items().iter().find_map(first_unsupported);
    one(&schema["items"])
        .or_else(|| schema["properties"].fields().find_map(|(_, value)| one(value)))
        .or_else(|| one(&schema["additionalProperties"]))
        .or_else(|| one(&schema["not"]))
        .or_else(|| many(&schema["allOf"]))
        .or_else(|| many(&schema["anyOf"]))
        .or_else(|| many(&schema["oneOf"]))
}

fn check_node(schema: &Tree, path: &str, around: &Around, causes: &mut Vec<Cause>) {
    if schema.as_map().is_none() {
        return;
    }
    check_keywords(schema, path, around, causes);
    let inner = Around { is_root: false, ..around.clone() };
    let additional = &schema["additionalProperties"];
    let has_properties = schema["properties"].as_map().is_some_and(|map| !map.is_empty());
    if !additional.is_null() {
        let field = format!("{path}.additionalProperties");
        if has_properties && *additional != Tree::Bool(true) {
            let detail = "additionalProperties and properties are mutual exclusive";
            causes.push(Cause::forbidden(field.as_str(), detail));
        }
        let mut inner = inner.clone();
        if around.in_meta {
            let why = "inside additionalProperties applying to object metadata";
            inner.no_defaults = Some(why.to_owned());
        }
        check_node(additional, &field, &inner, causes);
    }
    for (name, property) in schema["properties"].fields() {
        let mut inner = inner.clone();
        let meta = matches!(name.as_str(), "metadata" | "kind" | "apiVersion");
        if meta && (around.is_root || schema["x-kubernetes-embedded-resource"].is_true()) {
            inner.in_meta = true;
            if around.is_root {
                inner.no_defaults = Some(format!("in top-level {name}"));
            }
        }
        check_node(property, &format!("{path}.properties[{name}]"), &inner, causes);
    }
    check_node(&schema["not"], &format!("{path}.not"), &inner, causes);
    for junctor in ["allOf", "oneOf", "anyOf"] {
        for (at, nested) in schema[junctor].items().iter().enumerate() {
            check_node(nested, &format!("{path}.{junctor}[{at}]"), &inner, causes);
        }
    }
    for (name, nested) in schema["definitions"].fields() {
        check_node(nested, &format!("{path}.definitions[{name}]"), &inner, causes);
    }
    check_node(&schema["items"], &format!("{path}.items"), &inner, causes);
    for (at, nested) in schema["items"].items().iter().enumerate() {
        check_node(nested, &format!("{path}.items[{at}]"), &inner, causes);
    }
    for (name, nested) in schema["dependencies"].fields() {
        check_node(nested, &format!("{path}.dependencies[{name}]"), &inner, causes);
    }
    check_extensions(schema, path, causes);
    check_map_list(schema, path, causes);
    expressions::check_texts(schema, path, causes);
}

fn check_keywords(schema: &Tree, path: &str, around: &Around, causes: &mut Vec<Cause>) {
    let kind = &schema["type"];
    let types = ["array", "boolean", "integer", "number", "object", "string"];
    if !kind.str().is_empty() && !types.contains(&kind.str()) {
        causes.push(Cause::not_supported(format!("{path}.type"), kind, &types));
    }
    if !schema["default"].is_null()
        && let Some(why) = &around.no_defaults
    {
        let detail = format!("must not be set {why}");
        causes.push(Cause::forbidden(format!("{path}.default"), &detail));
    }
    for name in
        ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"]
    {
        if !schema[name].is_null() {
            let detail = format!("{name} is not supported");
            causes.push(Cause::forbidden(format!("{path}.{name}"), &detail));
        }
    }
    let mut forbid = |set: bool, name: &str, detail: &str| {
        if set {
            causes.push(Cause::forbidden(format!("{path}.{name}"), detail));
        }
    };
    let detail = "type cannot be set to null, use nullable as an alternative";
    forbid(*kind == "null", "type", detail);
    let list = !schema["items"].items().is_empty();
    forbid(list, "items", "items must be a schema object and not an array");
    let embedded = schema["x-kubernetes-embedded-resource"].is_true();
    let detail = "must not be used inside of resource meta";
    forbid(around.in_meta && embedded, "x-kubernetes-embedded-resource", detail);
    let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
    forbid(schema["uniqueItems"].is_true(), "uniqueItems", detail);
}

fn check_extensions(schema: &Tree, path: &str, causes: &mut Vec<Cause>) {
    let open = &schema["x-kubernetes-preserve-unknown-fields"];
    if *open == Tree::Bool(false) {
        let field = format!("{path}.x-kubernetes-preserve-unknown-fields");
        causes.push(Cause::invalid(field, open, "must be true or undefined"));
    }
    let kinds = [
        ("x-kubernetes-map-type", "object", &["atomic", "granular"][..]),
        ("x-kubernetes-list-type", "array", &["atomic", "set", "map"][..]),
    ];
    for (name, kind, allowed) in kinds {
        let value = &schema[name];
        if value.is_null() {
            continue;
        }
        let detail = format!("must be {kind} if {name} is specified");
        match schema["type"].str() {
            "" => causes.push(Cause::required(format!("{path}.type"), &detail)),
            have if have == kind => {}
            _ => causes.push(Cause::invalid(format!("{path}.type"), &schema["type"], &detail)),
        }
        if !allowed.contains(&value.str()) {
            causes.push(Cause::not_supported(format!("{path}.{name}"), value, allowed));
        }
    }
    let items = &schema["items"];
    if schema["x-kubernetes-list-type"] == "set" && schema["type"] == "array" {
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let list = &items["x-kubernetes-list-type"];
        let wrong = match items["type"].str() {
            "array" if !list.is_null() && *list != "atomic" => "x-kubernetes-list-type",
            "object" if items["x-kubernetes-map-type"] != "atomic" => "x-kubernetes-map-type",
            _ => return,
        };
        causes.push(Cause::invalid(format!("{path}.items.{wrong}"), list, detail));
    }
}

fn check_map_list(schema: &Tree, path: &str, causes: &mut Vec<Cause>) {
    let (kind, keys) = (&schema["x-kubernetes-list-type"], &schema["x-kubernetes-list-map-keys"]);
    let items = &schema["items"];
    if !keys.items().is_empty() && *kind != "map" {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        let field = format!("{path}.x-kubernetes-list-type");
        causes.push(match kind {
            Tree::Null => Cause::required(field, detail),
            kind => Cause::invalid(field, kind, detail),
        });
    }
    if *kind != "map" && *kind != "set" {
        return;
    }
    if items["nullable"].is_true() {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {}", kind.str());
        causes.push(Cause::forbidden(format!("{path}.items.nullable"), &detail));
    }
    if *kind == "set" {
        return;
    }
    let keys_field = format!("{path}.x-kubernetes-list-map-keys");
    if keys.items().is_empty() {
        let detail = "must not be empty if x-kubernetes-list-type is map";
        causes.push(Cause::required(keys_field.as_str(), detail));
    }
    if items.is_null() {
        let detail = "must have a schema if x-kubernetes-list-type is map";
        causes.push(Cause::required(format!("{path}.items"), detail));
    } else if items["type"] != "object" && items.as_map().is_some() {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        let kind = Tree::from(items["type"].str());
        causes.push(Cause::invalid(format!("{path}.items.type"), &kind, detail));
    }
    let mut seen = BTreeSet::new();
    for key in keys.items() {
        let property = &items["properties"][key.str()];
        let field = format!("{path}.items.properties[{}]", key.str());
        if items["type"] == "object" {
            if property.as_map().is_none() {
                let detail = "entries must all be names of item properties";
                causes.push(Cause::invalid(keys_field.as_str(), keys, detail));
            } else if matches!(property["type"].str(), "array" | "object") {
                let detail =
                    "must be a scalar type if parent array's x-kubernetes-list-type is map";
                causes.push(Cause::invalid(format!("{field}.type"), &items["type"], detail));
            }
            if !seen.insert(key.str()) {
                let detail = "must not contain duplicate entries";
                causes.push(Cause::invalid(keys_field.as_str(), keys, detail));
            }
        }
        if property.as_map().is_none() {
            continue;
        }
        if !items["required"].items().contains(key) && property["default"].is_null() {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a \
                          default or be a required property";
            causes.push(Cause::required(format!("{field}.default"), detail));
        }
        if property["nullable"].is_true() {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            causes.push(Cause::forbidden(format!("{field}.nullable"), detail));
        }
    }
}
