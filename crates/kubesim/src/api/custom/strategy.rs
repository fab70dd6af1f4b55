//! What becomes of the objects of a custom type on their way to the store: the form that their
//! schema gives them, and what it refuses (v0.36, `registry/customresource` and
//! `apiserver/customresource_handler.go`).

use kubesim_model::request::Status;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use super::schema::{Old, settle};
use crate::api::errors::{self, Cause};
use crate::api::registry::{ScalePaths, Type};
use crate::api::typed;

/// What is wrong with an object, and what is only said of it.
#[derive(Debug, Default)]
pub(in crate::api) struct Findings {
    /// Why it is refused.
    pub(in crate::api) causes: Vec<Cause>,
    /// What its sender is told although it is stored.
    pub(in crate::api) warnings: Vec<String>,
}

/// Gives an object the form of its type: metadata as all objects have it, known fields only, no
/// nulls where none may be, and defaults. Answers the fields that were dropped.
///
/// # Errors
/// A text about a value of the wrong shape.
pub(in crate::api) fn decode(
    kind: &Type,
    object: &mut Tree,
    old: &Tree,
) -> Result<Vec<String>, String> {
    let decoded = typed::decode("ObjectMeta", object.field_mut("metadata"), &old["metadata"])?;
    let metadata = decoded.unknown.iter().map(|field| format!("metadata.{field}"));
    let mut unknown: Vec<String> = metadata.collect();
    settle(object, old);
    let Some(schema) = kind.schema() else { return Ok(unknown) };
    unknown.extend(schema.prune(object, old).unknown);
    schema.drop_nulls(object, old);
    unknown.extend(schema.coerce_embedded(object)?);
    match schema.fill(object, old) {
        true => Ok(unknown),
        false => Err("the defaults of its schema make it too large".to_owned()),
    }
}

/// The object must say that it is what the URL says.
///
/// # Errors
/// 400 without a kind, or for another version.
pub(in crate::api) fn check_version(kind: &Type, object: &Tree, body: &Tree) -> Result<(), Status> {
    let (said, version) = (object["kind"].str(), object["apiVersion"].str());
    if said.is_empty() {
        let body = body.to_string();
        let start: String = body.chars().take(30).collect();
        let start = if start.len() < body.len() { format!("{start} ...") } else { start };
        return Err(errors::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in \
             '{body}' ({start})",
            kind.kind,
        )));
    }
    if version != kind.api_version() {
        return Err(errors::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({})",
            kind.api_version(),
        )));
    }
    Ok(())
}

/// The object must be of the kind of the URL.
///
/// # Errors
/// 422 for another kind.
pub(in crate::api) fn check_kind(kind: &Type, object: &Tree) -> Result<(), Status> {
    let said = object["kind"].str();
    if kind.kind != said {
        let detail = format!("must be {}", kind.kind);
        let cause = Cause::invalid("kind", &object["kind"], &detail);
        let mut other = kind.clone();
        other.kind = Text::new(said);
        return Err(errors::invalid(&other, object::name(object), &[cause]));
    }
    Ok(())
}

/// What is wrong with a new object.
pub(in crate::api) fn created(kind: &Type, object: &Tree) -> Findings {
    let mut findings = Findings::default();
    let Some(version) = kind.version() else { return findings };
    let schema = version.schema.as_ref();
    findings.causes.extend(schema.check("", object, None));
    if let Some(scale) = &kind.scale {
        check_scale(scale, object, true, &mut findings.causes);
    }
    schema.check_embedded(object, "", &mut findings.causes);
    findings.causes.extend(schema.duplicates(object));
    schema.check_rules(object, None, &mut findings);
    warn_of_finalizers(object, &Tree::Null, &mut findings.warnings);
    findings
}

/// What is wrong with a changed object. What was as wrong before is let pass.
pub(in crate::api) fn updated(kind: &Type, old: &Tree, new: &Tree, subresource: &str) -> Findings {
    let mut findings = Findings::default();
    let Some(version) = kind.version() else { return findings };
    let schema = version.schema.as_ref();
    let both = Old::new(new, old, schema);
    let of_status = subresource == "status";
    if of_status {
        if let (Some(status), Some(of)) = (new.get("status"), schema.properties.get("status")) {
            findings.causes.extend(of.check("status", status, both.field("status")));
        }
    } else {
        findings.causes.extend(schema.check("", new, Some(both)));
    }
    if let Some(scale) = &kind.scale {
        check_scale(scale, new, !of_status, &mut findings.causes);
    }
    if !of_status {
        schema.check_embedded(new, "", &mut findings.causes);
    }
    let duplicates = schema.duplicates(new);
    if !duplicates.is_empty() && schema.duplicates(old).is_empty() {
        findings.causes.extend(duplicates);
    }
    schema.check_rules(new, Some(both), &mut findings);
    if !of_status {
        warn_of_finalizers(new, old, &mut findings.warnings);
    }
    findings
}

/// The replica counts that the scale subresource tells of (v0.36, `ValidateScaleSpec` and
/// `ValidateScaleStatus`).
fn check_scale(scale: &ScalePaths, object: &Tree, spec: bool, causes: &mut Vec<Cause>) {
    let mut count = |path: &[Text]| {
        let field = format!(".{}", path.join("."));
        match path.iter().fold(object, |tree, key| &tree[key.as_str()]) {
            Tree::Null => {}
            Tree::Int(number) if *number < 0 => {
                let detail = "should be a non-negative integer";
                causes.push(Cause::invalid(field, &Tree::Int(*number), detail));
            }
            Tree::Int(number) if *number > i64::from(i32::MAX) => {
                let detail = format!("should be less than or equal to {}", i32::MAX);
                causes.push(Cause::invalid(field, &Tree::Int(*number), &detail));
            }
            Tree::Int(_) => {}
            other => {
                let kind = match other {
                    Tree::Str(_) => "string",
                    Tree::Bool(_) => "bool",
                    Tree::Float(_) => "float64",
                    Tree::List(_) => "[]interface {}",
                    _ => "map[string]interface {}",
                };
                let detail = format!(
                    "{field} accessor error: {other} is of the type {kind}, expected int64"
                );
                causes.push(Cause::invalid(field, &Tree::Int(0), &detail));
            }
        }
    };
    if spec {
        count(&scale.spec);
    }
    count(&scale.status);
}

/// Finalizers that are added without a domain of their own.
fn warn_of_finalizers(new: &Tree, old: &Tree, warnings: &mut Vec<String>) {
    let (have, had) = (&new["metadata"]["finalizers"], old["metadata"]["finalizers"].items());
    let mut added: Vec<&str> =
        have.items().iter().filter(|one| !had.contains(one)).map(Tree::str).collect();
    added.sort_unstable();
    added.dedup();
    for name in added {
        let standard = ["foregroundDeletion", "kubernetes", "orphan"].contains(&name);
        if name.contains('/') || standard {
            continue;
        }
        let path = if name.contains('.') { " including a path (/)" } else { "" };
        warnings.push(format!(
            "metadata.finalizers: \"{name}\": prefer a domain-qualified finalizer name{path} to \
             avoid accidental conflicts with other finalizer writers"
        ));
    }
}
