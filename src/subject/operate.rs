//! From abstract operations to requests, and from a Deployment-shaped manifest to the subject's own
//! kind, by the templates of the subject's file.

use kubesim_model::request::{Request, Verb};
use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};
use thiserror::Error;

use super::kinds::{Kinds, UnknownKind};
use super::workload::workload_resource;
use crate::suite::Subject;
use crate::suite::cel::{Bindings, CelError};
use crate::suite::steps::PatchType;
use crate::suite::subject::{OperationPatch, SHAPE};

/// Why a subject's file does not say how to do something.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum OperateError {
    /// It has no such operation.
    #[error("the subject `{subject}` has no operation `{operation}`")]
    NoSuchOperation {
        /// The subject.
        subject: Text,
        /// The operation.
        operation: Text,
    },
    /// A template fails.
    #[error("the template of {what} fails: {error}")]
    Template {
        /// Of what.
        what: String,
        /// How.
        error: CelError,
    },
    /// A kind is not known.
    #[error(transparent)]
    Kind(#[from] UnknownKind),
}

/// The requests of an operation on a workload, one after the other.
///
/// # Errors
/// The subject has no such operation, or a template of it fails.
pub fn operation(
    subject: &Subject,
    name: &str,
    args: &Tree,
    workload: &Tree,
    objects: &Tree,
) -> Result<Vec<Request>, OperateError> {
    let operation = subject.operations.get(name).ok_or_else(|| OperateError::NoSuchOperation {
        subject: subject.name.value.clone(),
        operation: Text::new(name),
    })?;
    let bindings =
        Bindings::new().with("args", args).with("object", workload).with("objects", objects);
    operation.patches.iter().map(|patch| request(subject, name, patch, &bindings)).collect()
}

fn request(
    subject: &Subject,
    name: &str,
    patch: &OperationPatch,
    bindings: &Bindings,
) -> Result<Request, OperateError> {
    let failed = |error| OperateError::Template { what: format!("operation `{name}`"), error };
    let workload = bindings.get("object").cloned().unwrap_or_default();
    let namespace = Text::new(object::namespace(&workload));
    let (resource, key) = match &patch.target {
        None => (workload_resource(subject), object::key(&workload)),
        Some(target) => {
            let name = target.name.eval(bindings).map_err(failed)?;
            let resource = Kinds::of(subject).resource(&target.kind, Some(&target.api_version))?;
            (resource, ObjectKey::new(namespace, name.text()))
        }
    };
    let mut request = Request::new(patch_verb(patch.kind), resource, key);
    request.body = patch.patch.eval(bindings).map_err(failed)?;
    request.subresource = patch.subresource.clone().unwrap_or_default();
    Ok(request)
}

/// The verb of a patch that is meant so.
pub fn patch_verb(kind: PatchType) -> Verb {
    match kind {
        PatchType::Merge => Verb::MergePatch,
        PatchType::Json => Verb::JsonPatch,
        PatchType::Strategic => Verb::StrategicPatch,
    }
}

/// The objects that a manifest becomes for this subject: a Deployment is its workload in the shape
/// that every scenario uses; everything else stays as it is.
///
/// # Errors
/// A template of `from` fails.
pub fn convert(subject: &Subject, manifest: &Tree) -> Result<Vec<Tree>, OperateError> {
    if manifest["kind"] != SHAPE || !manifest["apiVersion"].str().starts_with("apps/") {
        return Ok(vec![manifest.clone()]);
    }
    let failed = |error| OperateError::Template { what: "`from`".to_owned(), error };
    let from = &subject.from;
    let bindings = Bindings::new().with("object", manifest);
    let mut workload = manifest.clone();
    workload.set(&["apiVersion"], &subject.workload.api_version.value);
    workload.set(&["kind"], &subject.workload.kind.value);
    for (old, new) in &from.rename {
        if let Some(value) = workload.remove(&path(old)) {
            workload.set(&path(new), value);
        }
    }
    for field in &from.drop {
        workload.remove(&path(field));
    }
    for (field, template) in &from.set {
        workload.set(&path(field), template.eval(&bindings).map_err(failed)?);
    }
    let mut objects = vec![workload];
    for template in &from.also {
        objects.push(template.eval(&bindings).map_err(failed)?);
    }
    Ok(objects)
}

fn path(dotted: &Text) -> Vec<&str> {
    dotted.split('.').filter(|part| !part.is_empty()).collect()
}
