//! Names, labels, annotations, owners, finalizers.

use kubesim_model::object;
use kubesim_model::tree::Tree;

use super::names::{is_dns_label, is_label_value, is_path_segment, wrong_in_qualified_name};
use crate::api::custom::dns_1123_subdomain;
use crate::api::errors::Cause;
use crate::api::registry::Type;

/// What values of labels are.
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
     and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or \
     '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// All annotations of an object together have at most this many bytes.
const MOST_ANNOTATIONS: usize = 256 * 1024;

/// What is wrong with an object's metadata.
pub(super) fn check(kind: &Type, object: &Tree) -> Vec<Cause> {
    let metadata = &object["metadata"];
    let mut causes = Vec::new();
    check_name(kind, &metadata["name"], &mut causes);
    check_labels(&metadata["labels"], "metadata.labels", &mut causes);
    check_annotations(&metadata["annotations"], "metadata.annotations", &mut causes);
    check_owners(&metadata["ownerReferences"], &mut causes);
    for (at, finalizer) in metadata["finalizers"].items().iter().enumerate() {
        let field = format!("metadata.finalizers[{at}]");
        if let Some(why) = wrong_in_qualified_name(finalizer.str()) {
            causes.push(Cause::invalid("metadata.finalizers", finalizer, why));
        } else if !kind.custom && !is_finalizer(finalizer.str()) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(Cause::invalid(field, finalizer, detail));
        }
    }
    causes
}

/// What is wrong with the metadata of an object inside of another, which needs no name.
pub(super) fn check_embedded(metadata: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let name = &metadata["name"];
    let text = name.str();
    if text == "." || text == ".." || text.contains(['/', '%']) {
        let detail = match text {
            "." | ".." => format!("may not be '{text}'"),
            _ => format!("may not contain '{}'", if text.contains('/') { '/' } else { '%' }),
        };
        causes.push(Cause::invalid(format!("{field}.name"), name, &detail));
    }
    check_labels(&metadata["labels"], &format!("{field}.labels"), causes);
    check_annotations(&metadata["annotations"], &format!("{field}.annotations"), causes);
}

/// The finalizers of Kubernetes itself have no domain.
fn is_finalizer(name: &str) -> bool {
    name.contains('/') || ["foregroundDeletion", "kubernetes", "orphan"].contains(&name)
}

/// What a change of metadata may not do.
pub(super) fn check_update(old: &Tree, new: &Tree, causes: &mut Vec<Cause>) {
    let (had, have) = (&old["metadata"]["finalizers"], &new["metadata"]["finalizers"]);
    if !object::is_terminating(old) {
        return;
    }
    let added: Vec<&str> =
        have.items().iter().filter(|one| !had.items().contains(one)).map(Tree::str).collect();
    if !added.is_empty() {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new \
             finalizers {}",
            added.join(", ")
        );
        causes.push(Cause::forbidden("metadata.finalizers", &detail));
    }
}

/// What is wrong with a map of labels.
pub(in crate::api) fn check_labels(labels: &Tree, field: &str, causes: &mut Vec<Cause>) {
    if labels.as_map().is_none() && !labels.is_null() {
        causes.push(Cause::invalid(field, labels, "must be an object"));
    }
    for (key, value) in labels.fields() {
        if let Some(why) = wrong_in_qualified_name(key) {
            causes.push(Cause::invalid(field, &key.into(), why));
        }
        if !value.as_str().is_some_and(is_label_value) {
            let detail = match value.str().len() {
                64.. => "must be no more than 63 bytes",
                _ => LABEL_VALUE,
            };
            causes.push(Cause::invalid(field, value, detail));
        }
    }
}

fn check_name(kind: &Type, name: &Tree, causes: &mut Vec<Cause>) {
    let text = name.str();
    if text.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
        return;
    }
    let (fits, detail) = match (kind.resource.as_str(), kind.resource.group()) {
        ("namespaces", _) => (is_dns_label(text), "a lowercase RFC 1123 label is wanted"),
        ("services" | "statefulsets.apps", _) => {
            (is_dns_label(text), "a lowercase RFC 1123 label is wanted")
        }
        (_, "rbac.authorization.k8s.io") => (is_path_segment(text), "no path segment"),
        // Whatever a request for a certificate is called.
        (_, "certificates.k8s.io") => (true, ""),
        _ => {
            let why = dns_1123_subdomain(text);
            causes.extend(why.map(|why| Cause::invalid("metadata.name", name, &why)));
            return;
        }
    };
    if !fits {
        causes.push(Cause::invalid("metadata.name", name, detail));
    }
}

/// What is wrong with a map of annotations.
pub(in crate::api) fn check_annotations(annotations: &Tree, field: &str, causes: &mut Vec<Cause>) {
    let mut bytes = 0;
    for (key, value) in annotations.fields() {
        bytes += key.len() + value.str().len();
        if let Some(why) = wrong_in_qualified_name(&key.to_lowercase()) {
            causes.push(Cause::invalid(field, &key.into(), why));
        }
        if value.as_str().is_none() {
            causes.push(Cause::invalid(field, value, "must be a string"));
        }
    }
    if bytes > MOST_ANNOTATIONS {
        let detail = format!("may not be more than {MOST_ANNOTATIONS} bytes");
        causes.push(Cause::invalid(field, &Tree::from(bytes), &detail));
    }
}

fn check_owners(owners: &Tree, causes: &mut Vec<Cause>) {
    for owner in owners.items() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].str().is_empty() {
                let at = format!("metadata.ownerReferences.{field}");
                causes.push(Cause::invalid(at, &owner[field], "must not be empty"));
            }
        }
        if owner["kind"] == "Event" && owner["apiVersion"] == "v1" {
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            causes.push(Cause::invalid("metadata.ownerReferences", owner, detail));
        }
    }
    if owners.items().iter().filter(|owner| owner["controller"].is_true()).count() > 1 {
        let detail = "Only one reference can have Controller set to true";
        causes.push(Cause::invalid("metadata.ownerReferences", owners, detail));
    }
}
