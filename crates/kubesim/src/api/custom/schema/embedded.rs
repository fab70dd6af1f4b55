//! Objects of the API inside of others (`x-kubernetes-embedded-resource`): their metadata has the
//! form of the type, and says what they are (apiextensions-apiserver v0.36, `schema/objectmeta`).

use kubesim_model::tree::Tree;

use super::node::{Additional, Schema};
use crate::api::custom::words;
use crate::api::errors::Cause;
use crate::api::{typed, validate};

impl Schema {
    /// Gives the metadata of embedded objects its form. Answers the fields that were dropped.
    ///
    /// # Errors
    /// A text about the first value of the wrong shape.
    pub(in crate::api) fn coerce_embedded(&self, object: &mut Tree) -> Result<Vec<String>, String> {
        let mut unknown = Vec::new();
        if self.has_embedded {
            self.coerce(object, "", &mut unknown)?;
        }
        unknown.sort_unstable();
        Ok(unknown)
    }

    fn coerce(&self, tree: &mut Tree, path: &str, unknown: &mut Vec<String>) -> Result<(), String> {
        if !self.has_embedded {
            return Ok(());
        }
        if self.embedded && tree.as_map().is_some() {
            coerce_meta(tree, path, unknown)?;
        }
        match tree {
            Tree::Map(map) => {
                let keys: Vec<_> = map.iter().map(|(key, _)| key.clone()).collect();
                for key in keys {
                    let Some(of) = self.property(&key).filter(|of| of.has_embedded) else {
                        continue;
                    };
                    of.coerce(map.entry(&key), &below(self, path, &key), unknown)?;
                }
            }
            Tree::List(_) => {
                let Some(of) = self.items.as_deref() else { return Ok(()) };
                for (at, item) in tree.items_mut().iter_mut().enumerate() {
                    of.coerce(item, &format!("{path}[{at}]"), unknown)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What is wrong with the embedded objects in an object.
    pub(in crate::api) fn check_embedded(&self, tree: &Tree, path: &str, causes: &mut Vec<Cause>) {
        if !self.has_embedded {
            return;
        }
        match tree {
            Tree::Map(map) => {
                if self.embedded {
                    check_meta(tree, path, causes);
                }
                for (key, value) in map.iter() {
                    if let Some(of) = self.property(key) {
                        of.check_embedded(value, &below(self, path, key), causes);
                    }
                }
            }
            Tree::List(items) => {
                let Some(of) = self.items.as_deref() else { return };
                for (at, item) in items.iter().enumerate() {
                    of.check_embedded(item, &format!("{path}[{at}]"), causes);
                }
            }
            _ => {}
        }
    }
}

/// The path of a field: properties are told after dots, the keys of maps in brackets.
fn below(schema: &Schema, path: &str, key: &str) -> String {
    let is_key = !schema.properties.contains_key(key)
        && matches!(schema.additional, Some(Additional::Of(_)));
    match (is_key, path.is_empty()) {
        (true, _) => format!("{path}[{key}]"),
        (false, true) => key.to_owned(),
        (false, false) => format!("{path}.{key}"),
    }
}

fn coerce_meta(object: &mut Tree, path: &str, unknown: &mut Vec<String>) -> Result<(), String> {
    for field in ["apiVersion", "kind"] {
        if let Some(value) = object.get(field).filter(|value| value.as_str().is_none()) {
            let field = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
            let cause = Cause::invalid(field, value, "must be a string");
            return Err(cause.told());
        }
    }
    let Some(metadata) = object.get("metadata") else { return Ok(()) };
    let dot = if path.is_empty() { "" } else { "." };
    let at = format!("{path}{dot}metadata");
    if metadata.is_null() {
        object.set(&["metadata"], Tree::map());
        return Ok(());
    }
    let fail = |metadata: &Tree, why: &str| Cause::invalid(at.as_str(), metadata, why).told();
    if metadata.as_map().is_none() {
        let why = "json: cannot unmarshal into Go value of type v1.ObjectMeta";
        return Err(fail(metadata, why));
    }
    let mut typed = metadata.clone();
    let decoded = typed::decode("ObjectMeta", &mut typed, &Tree::Null);
    let decoded = decoded.map_err(|why| fail(metadata, &why))?;
    unknown.extend(decoded.unknown.iter().map(|field| format!("{at}.{field}")));
    object.set(&["metadata"], typed);
    Ok(())
}

fn check_meta(object: &Tree, path: &str, causes: &mut Vec<Cause>) {
    let dot = if path.is_empty() { "" } else { "." };
    let at = |field: &str| format!("{path}{dot}{field}");
    for field in ["apiVersion", "kind"] {
        if object.get(field).is_none() {
            causes.push(Cause::required(at(field), ""));
        }
    }
    if let Some(version) = object.get("apiVersion") {
        match version.as_str() {
            None => causes.push(Cause::invalid(at("apiVersion"), version, "must be a string")),
            Some("") => causes.push(Cause::invalid(at("apiVersion"), version, "must not be empty")),
            Some(text) if text.matches('/').count() > 1 => {
                let detail = format!("unexpected GroupVersion string: {text}");
                causes.push(Cause::invalid(at("apiVersion"), version, &detail));
            }
            Some(_) => {}
        }
    }
    if let Some(kind) = object.get("kind") {
        match kind.as_str() {
            None => causes.push(Cause::invalid(at("kind"), kind, "must be a string")),
            Some("") => causes.push(Cause::invalid(at("kind"), kind, "must not be empty")),
            Some(text) => {
                if let Some(why) = words::mixed_case_label(text) {
                    causes.push(Cause::invalid(at("kind"), kind, &why));
                }
            }
        }
    }
    if object.get("metadata").is_some() {
        validate::check_embedded_metadata(&object["metadata"], &at("metadata"), causes);
    }
}
