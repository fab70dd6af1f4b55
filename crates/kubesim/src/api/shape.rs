//! Whether the fields of built-in types that the server itself goes into are objects and lists
//! where they must be: what a typed decoder refuses before anything else looks at the object.

use kubesim_model::request::Status;
use kubesim_model::tree::Tree;

use super::errors;
use super::registry::Type;

const OBJECTS: &[&[&str]] = &[
    &["spec"],
    &["status"],
    &["metadata", "labels"],
    &["metadata", "annotations"],
    &["spec", "selector"],
    &["spec", "strategy"],
    &["spec", "strategy", "rollingUpdate"],
    &["spec", "updateStrategy"],
    &["spec", "updateStrategy", "rollingUpdate"],
    &["spec", "template"],
    &["spec", "template", "metadata"],
    &["spec", "template", "spec"],
];

const LISTS: &[&[&str]] = &[&["metadata", "ownerReferences"], &["spec", "ports"]];

/// Lists of a pod's spec.
const POD_LISTS: &[&str] = &["containers", "initContainers", "volumes", "tolerations"];
/// Lists of a container.
const CONTAINER_LISTS: &[&str] = &["env", "ports", "volumeMounts"];

/// Checks an object of a built-in type; custom ones have any shape but for their metadata.
///
/// # Errors
/// 400 that names the first field of the wrong shape.
pub(super) fn check(kind: &Type, object: &Tree) -> Result<(), Status> {
    if kind.custom {
        return Ok(());
    }
    for path in OBJECTS {
        let value = object.at(path);
        if !value.is_null() && value.as_map().is_none() {
            return Err(wrong(kind, &path.join("."), "an object", value));
        }
    }
    for path in LISTS {
        objects(kind, object.at(path), &path.join("."))?;
    }
    let pods =
        [("spec", &object["spec"]), ("spec.template.spec", &object["spec"]["template"]["spec"])];
    for (field, spec) in pods {
        for list in POD_LISTS {
            objects(kind, &spec[*list], &format!("{field}.{list}"))?;
        }
        for list in ["containers", "initContainers"] {
            for container in spec[list].items() {
                for inner in CONTAINER_LISTS {
                    objects(kind, &container[*inner], &format!("{field}.{list}.{inner}"))?;
                }
            }
        }
    }
    let finalizers = &object["metadata"]["finalizers"];
    if !finalizers.is_null() && !matches!(finalizers, Tree::List(_)) {
        return Err(wrong(kind, "metadata.finalizers", "a list", finalizers));
    }
    Ok(())
}

/// The value must be a list of objects, if it is there.
fn objects(kind: &Type, value: &Tree, field: &str) -> Result<(), Status> {
    match value {
        Tree::Null => Ok(()),
        Tree::List(items) => match items.iter().find(|item| item.as_map().is_none()) {
            Some(item) => Err(wrong(kind, field, "a list of objects", item)),
            None => Ok(()),
        },
        other => Err(wrong(kind, field, "a list", other)),
    }
}

fn wrong(kind: &Type, field: &str, wanted: &str, value: &Tree) -> Status {
    let kind = &kind.kind;
    errors::bad_request(format!("{kind} can't be decoded: {field} is not {wanted}: {value}"))
}
