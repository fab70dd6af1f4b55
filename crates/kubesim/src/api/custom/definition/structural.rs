//! Whether a schema is structural: every value has one known type, whatever junctors say of it
//! (v0.36, `apiserver/schema/validation.go`).

use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

use super::super::schema::compile_pattern;
use crate::api::errors::Cause;

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Item,
    Field,
}

/// What keeps a schema at `path` from being structural.
pub(super) fn check(schema: &Tree, path: &str, causes: &mut Vec<Cause>) {
    let mut found = Vec::new();
    invariants(schema, Level::Root, path, &mut found);
    complete(schema, Some(schema), path, path, &mut found);
    found.sort_by_cached_key(Cause::told);
    causes.append(&mut found);
}

fn invariants(schema: &Tree, level: Level, path: &str, causes: &mut Vec<Cause>) {
    let kind = schema["type"].str();
    if kind == "array" && schema["items"].as_map().is_none() {
        causes.push(Cause::required(format!("{path}.items"), "must be specified"));
    }
    if schema["items"].as_map().is_some() {
        invariants(&schema["items"], Level::Item, &format!("{path}.items"), causes);
    }
    for (name, property) in schema["properties"].fields() {
        invariants(property, Level::Field, &format!("{path}.properties[{name}]"), causes);
    }
    let additional = &schema["additionalProperties"];
    let additional_path = format!("{path}.additionalProperties");
    if !additional.is_null() && level == Level::Root {
        causes.push(Cause::forbidden(additional_path.as_str(), "must not be used at the root"));
    }
    if additional.as_map().is_some() {
        invariants(additional, Level::Field, &additional_path, causes);
    }
    let flag = |name: &str| schema[name].is_true();
    let (open, either, embedded) = (
        flag("x-kubernetes-preserve-unknown-fields"),
        flag("x-kubernetes-int-or-string"),
        flag("x-kubernetes-embedded-resource"),
    );
    let detail = "must be false if x-kubernetes-int-or-string is true";
    let extensions = [
        ("x-kubernetes-preserve-unknown-fields", open),
        ("x-kubernetes-embedded-resource", embedded),
    ];
    for (name, set) in extensions {
        if either && set {
            causes.push(Cause::invalid(format!("{path}.{name}"), &Tree::Bool(true), detail));
        }
    }
    let any_of = is_int_or_string(&schema["anyOf"]);
    let all_of = is_int_or_string(&schema["allOf"][0]["anyOf"]);
    values(schema, any_of, all_of, path, causes);
    check_type(schema, level, path, causes);
    if embedded && !additional.is_null() {
        let detail = "must not be used if x-kubernetes-embedded-resource is set";
        causes.push(Cause::forbidden(additional_path, detail));
    }
    if level == Level::Root || embedded {
        check_meta(schema, path, causes);
    }
    if level == Level::Root && restricts(&schema["properties"]["metadata"]) {
        let detail = "must not specify anything other than name and generateName, but metadata is \
                      implicitly specified";
        causes.push(Cause::forbidden(format!("{path}.properties[metadata]"), detail));
    }
    if embedded && !open && schema["properties"].as_map().is_none_or(|map| map.is_empty()) {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without \
                      x-kubernetes-preserve-unknown-fields";
        causes.push(Cause::required(format!("{path}.properties"), detail));
    }
}

fn check_type(schema: &Tree, level: Level, path: &str, causes: &mut Vec<Cause>) {
    let (kind, field) = (&schema["type"], format!("{path}.type"));
    let name = kind.str();
    let free = schema["x-kubernetes-int-or-string"].is_true()
        || schema["x-kubernetes-preserve-unknown-fields"].is_true();
    if schema["x-kubernetes-embedded-resource"].is_true() && name != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        causes.push(match name {
            "" => Cause::required(field.as_str(), detail),
            _ => Cause::invalid(field.as_str(), kind, detail),
        });
    } else if name.is_empty() && !free {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        causes.push(Cause::required(field.as_str(), detail));
    }
    if level == Level::Root && !name.is_empty() && name != "object" {
        causes.push(Cause::invalid(field, kind, "must be object at the root"));
    }
}

/// The fields that all objects have are of the types that they have everywhere.
fn check_meta(schema: &Tree, path: &str, causes: &mut Vec<Cause>) {
    let wanted = [
        ("kind", "string", "must be string"),
        ("apiVersion", "string", "must be string"),
        ("metadata", "object", "must be object"),
    ];
    for (name, kind, detail) in wanted {
        let property = &schema["properties"][name];
        if property.as_map().is_some() && property["type"] != kind {
            let field = format!("{path}.properties[{name}].type");
            causes.push(Cause::invalid(field, &Tree::from(property["type"].str()), detail));
        }
    }
}

/// Whether a schema of metadata at the root says more than what names are like.
fn restricts(metadata: &Tree) -> bool {
    let properties = &metadata["properties"];
    let names = |key: &str| key == "name" || key == "generateName";
    metadata.as_map().is_some()
        && (metadata.fields().any(|(key, value)| {
            !matches!(key.as_str(), "type" | "properties" | "default") && !is_zero(value)
        }) || properties.fields().any(|(key, _)| !names(key)))
}

/// Whether a keyword says nothing.
fn is_zero(value: &Tree) -> bool {
    match value {
        Tree::Null | Tree::Bool(false) => true,
        Tree::Str(text) => text.is_empty(),
        Tree::List(items) => items.is_empty(),
        _ => false,
    }
}

/// The one junctor that may speak of types: that of values which are a number or a text.
fn is_int_or_string(any_of: &Tree) -> bool {
    *any_of == list![map! { "type" => "integer" }, map! { "type" => "string" }]
}

fn values(schema: &Tree, skip_any: bool, skip_first: bool, path: &str, causes: &mut Vec<Cause>) {
    for (at, nested) in schema["anyOf"].items().iter().enumerate().filter(|_| !skip_any) {
        below_junctor(nested, false, &format!("{path}.anyOf[{at}]"), causes);
    }
    for (at, nested) in schema["allOf"].items().iter().enumerate() {
        let skip = skip_first && at == 0;
        below_junctor(nested, skip, &format!("{path}.allOf[{at}]"), causes);
    }
    for (at, nested) in schema["oneOf"].items().iter().enumerate() {
        below_junctor(nested, false, &format!("{path}.oneOf[{at}]"), causes);
    }
    if schema["not"].as_map().is_some() {
        below_junctor(&schema["not"], false, &format!("{path}.not"), causes);
    }
    let pattern = schema["pattern"].str();
    if let Err(why) = compile_pattern(pattern) {
        let detail = format!("must be a valid regular expression, but isn't: {why}");
        causes.push(Cause::invalid(format!("{path}.pattern"), &schema["pattern"], &detail));
    }
}

fn below_junctor(schema: &Tree, skip_any: bool, path: &str, causes: &mut Vec<Cause>) {
    values(schema, skip_any, false, path, causes);
    if schema["items"].as_map().is_some() {
        below_junctor(&schema["items"], false, &format!("{path}.items"), causes);
    }
    for (name, property) in schema["properties"].fields() {
        below_junctor(property, false, &format!("{path}.properties[{name}]"), causes);
    }
    let keywords = [
        ("type", "must be empty to be structural"),
        ("additionalProperties", "must be undefined to be structural"),
        ("default", "must be undefined to be structural"),
        ("title", "must be empty to be structural"),
        ("description", "must be empty to be structural"),
        ("nullable", "must be false to be structural"),
        ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
        ("x-kubernetes-embedded-resource", "must be false to be structural"),
        ("x-kubernetes-int-or-string", "must be false to be structural"),
        ("x-kubernetes-list-map-keys", "must be empty to be structural"),
        ("x-kubernetes-list-type", "must be undefined to be structural"),
        ("x-kubernetes-map-type", "must be undefined to be structural"),
        ("x-kubernetes-validations", "must be empty to be structural"),
    ];
    for (name, detail) in keywords {
        if !is_zero(&schema[name]) {
            causes.push(Cause::forbidden(format!("{path}.{name}"), detail));
        }
    }
    if !schema["properties"]["metadata"].is_null() {
        let detail = "must not be specified in a nested context";
        causes.push(Cause::forbidden(format!("{path}.properties[metadata]"), detail));
    }
}

/// Whatever a junctor speaks of must be there outside of it.
fn complete(
    schema: &Tree,
    outside: Option<&Tree>,
    path: &str,
    told: &str,
    causes: &mut Vec<Cause>,
) {
    if schema["not"].as_map().is_some() {
        nested_complete(&schema["not"], outside, path, &format!("{told}.not"), causes);
    }
    for junctor in ["allOf", "anyOf", "oneOf"] {
        for (at, nested) in schema[junctor].items().iter().enumerate() {
            nested_complete(nested, outside, path, &format!("{told}.{junctor}[{at}]"), causes);
        }
    }
}

fn nested_complete(
    nested: &Tree,
    outside: Option<&Tree>,
    path: &str,
    told: &str,
    causes: &mut Vec<Cause>,
) {
    let Some(schema) = outside else {
        causes.push(Cause::required(path, &format!("because it is defined in {told}")));
        return;
    };
    complete(nested, outside, path, told, causes);
    let there = |tree: &'_ Tree| tree.as_map().is_some();
    if there(&nested["items"]) {
        let items = Some(&schema["items"]).filter(|items| there(items));
        let (path, told) = (format!("{path}.items"), format!("{told}.items"));
        nested_complete(&nested["items"], items, &path, &told, causes);
    }
    for (name, property) in nested["properties"].fields() {
        let outside = Some(&schema["properties"][name.as_str()]).filter(|outside| there(outside));
        let (path, told) =
            (format!("{path}.properties[{name}]"), format!("{told}.properties[{name}]"));
        nested_complete(property, outside, &path, &told, causes);
    }
}
