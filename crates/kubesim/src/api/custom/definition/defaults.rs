//! Whether the defaults of a schema are values that it allows (v0.36,
//! `apiserver/schema/defaulting/validation.go`).

use kubesim_model::tree::Tree;

use super::super::schema::Schema;
use super::super::strategy::Findings;
use crate::api::errors::Cause;

/// What is wrong with the defaults of a compiled schema; `source` is what it was compiled of.
pub(super) fn check(schema: &Schema, source: &Tree, path: &str, causes: &mut Vec<Cause>) {
    if !source["default"].is_null() {
        check_one(schema, source, &format!("{path}.default"), causes);
    }
    if let Some(items) = &schema.items {
        check(items, &source["items"], &format!("{path}.items"), causes);
    }
    for (name, property) in &schema.properties {
        let below = &source["properties"][name.as_str()];
        check(property, below, &format!("{path}.properties[{name}]"), causes);
    }
}

fn check_one(schema: &Schema, source: &Tree, path: &str, causes: &mut Vec<Cause>) {
    let default = &source["default"];
    let mut pruned = default.clone();
    // Only embedded objects have metadata that is not looked at.
    let known = if schema.embedded {
        schema.prune(&mut pruned, &Tree::Null).unknown.is_empty()
    } else {
        schema.prune_value(&mut pruned)
    };
    if !known {
        causes.push(Cause::invalid(path, default, "must not have unknown fields"));
    }
    let mut coerced = default.clone();
    if let Err(why) = schema.coerce_embedded(&mut coerced) {
        causes.push(Cause::invalid(path, default, &why));
        return;
    }
    let before = causes.len();
    schema.check_embedded(default, path, causes);
    if causes.len() == before {
        causes.extend(schema.check(path, default, None));
    }
    if causes.len() == before {
        let mut compiled = schema.clone();
        compiled.compile_rules(schema.embedded);
        let mut findings = Findings::default();
        compiled.check_rules_at(path, default, &mut findings);
        causes.append(&mut findings.causes);
    }
}
