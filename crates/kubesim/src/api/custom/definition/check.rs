//! What a definition must be: names, versions, columns, subresources, selectable fields (v0.36,
//! `apiextensions/validation/validation.go`).

use std::collections::BTreeSet;

use kubesim_model::object;
use kubesim_model::tree::Tree;

use super::super::schema::Schema;
use super::super::words::{dns_1035_label, dns_1123_subdomain, mixed_case_label};
use super::parts::parts;
use super::{conversion, schema};
use crate::api::errors::Cause;

/// How many fields of a version may be selectable.
const MOST_SELECTABLE: i64 = 8;

/// What is wrong with a definition; `old` is its last state, or `Null`.
pub(in crate::api) fn problems(definition: &Tree, old: &Tree) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = &definition["spec"];
    let (plural, group) = (spec["names"]["plural"].str(), spec["group"].str());
    let name = &definition["metadata"]["name"];
    if old.is_null() && *name != format!("{plural}.{group}").as_str() {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", name, detail));
    }
    check_group(&spec["group"], &mut causes);
    match spec["scope"].str() {
        "" => causes.push(Cause::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        _ => {
            let allowed = ["Cluster", "Namespaced"];
            causes.push(Cause::not_supported("spec.scope", &spec["scope"], &allowed));
        }
    }
    check_versions(spec, &mut causes);
    for field in ["plural", "singular", "kind", "listKind"] {
        if spec["names"][field].str().is_empty() {
            causes.push(Cause::required(format!("spec.names.{field}"), ""));
        }
    }
    check_names(&spec["names"], "spec.names", &mut causes);
    schema::check(spec, &old["spec"], &mut causes);
    check_parts(spec, &mut causes);
    conversion::check(&spec["conversion"], &mut causes);
    if !old.is_null() {
        check_unchanged(definition, old, &mut causes);
    }
    let status = &definition["status"];
    check_names(&status["acceptedNames"], "status.acceptedNames", &mut causes);
    check_stored(&status["storedVersions"], spec, &mut causes);
    check_approval(definition, old, &mut causes);
    if spec["preserveUnknownFields"].is_true() && !old["spec"]["preserveUnknownFields"].is_true() {
        let detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in \
                      spec.versions[*].schema instead";
        causes.push(Cause::invalid("spec.preserveUnknownFields", &Tree::Bool(true), detail));
    }
    causes
}

/// What is wrong with the status that a write to it leaves.
pub(in crate::api) fn status_problems(definition: &Tree) -> Vec<Cause> {
    let mut causes = Vec::new();
    let names = &definition["status"]["acceptedNames"];
    check_names(names, "status.acceptedNames", &mut causes);
    causes
}

fn check_group(group: &Tree, causes: &mut Vec<Cause>) {
    let text = group.str();
    if text.is_empty() {
        causes.push(Cause::required("spec.group", ""));
    } else if let Some(why) = dns_1123_subdomain(text) {
        causes.push(Cause::invalid("spec.group", group, &why));
    } else if !text.contains('.') {
        let detail = "should be a domain with at least one dot";
        causes.push(Cause::invalid("spec.group", group, detail));
    }
}

fn check_versions(spec: &Tree, causes: &mut Vec<Cause>) {
    let versions = spec["versions"].items();
    let mut names = BTreeSet::new();
    let mut twice = false;
    for (at, version) in versions.iter().enumerate() {
        let name = &version["name"];
        twice |= !names.insert(name.str());
        if let Some(why) = dns_1035_label(name.str()) {
            causes.push(Cause::invalid(format!("spec.versions[{at}].name"), name, &why));
        }
        let field = format!("spec.versions[{at}].deprecationWarning");
        let warning = &version["deprecationWarning"];
        let Some(text) = warning.as_str() else { continue };
        if !version["deprecated"].is_true() {
            let detail = "can only be set for deprecated versions";
            causes.push(Cause::invalid(field, warning, detail));
            continue;
        }
        if text.len() > 256 {
            let detail = "must be <= 256 characters long";
            causes.push(Cause::invalid(field.as_str(), warning, detail));
        }
        if text.is_empty() {
            causes.push(Cause::invalid(field.as_str(), warning, "must not be an empty string"));
        }
        if let Some(at) = text.find(char::is_control) {
            let detail = format!(
                "must only contain printable UTF-8 characters; non-printable character found at \
                 index {at}"
            );
            causes.push(Cause::invalid(field.as_str(), warning, &detail));
        }
    }
    if let Some(name) = versions.first().map(|version| &version["name"])
        && let Some(why) = dns_1035_label(name.str()).filter(|_| !name.str().is_empty())
    {
        causes.push(Cause::invalid("spec.version", name, &why));
    }
    if twice {
        let detail = "must contain unique version names";
        causes.push(Cause::invalid("spec.versions", &told(versions), detail));
    }
    if versions.iter().filter(|version| version["storage"].is_true()).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &told(versions), detail));
    }
}

/// Versions as a list, also if there are none.
fn told(versions: &[Tree]) -> Tree {
    versions.to_vec().into()
}

fn check_names(names: &Tree, path: &str, causes: &mut Vec<Cause>) {
    let fields = [("plural", false), ("singular", false), ("kind", true), ("listKind", true)];
    for (field, mixed) in fields {
        let text = names[field].str();
        let why = if mixed { mixed_case_label(text) } else { dns_1035_label(text) };
        if let Some(why) = why.filter(|_| !text.is_empty()) {
            causes.push(Cause::invalid(format!("{path}.{field}"), &names[field], &why));
        }
    }
    for field in ["shortNames", "categories"] {
        for (at, name) in names[field].items().iter().enumerate() {
            if let Some(why) = dns_1035_label(name.str()) {
                causes.push(Cause::invalid(format!("{path}.{field}[{at}]"), name, &why));
            }
        }
    }
    if !names["kind"].str().is_empty() && names["kind"] == names["listKind"] {
        let detail = "kind and listKind may not be the same";
        causes.push(Cause::invalid(format!("{path}.listKind"), &names["listKind"], detail));
    }
}

fn check_parts(spec: &Tree, causes: &mut Vec<Cause>) {
    for part in parts(spec, "subresources", "spec.subresources") {
        check_scale(&part.value["scale"], &part.path, causes);
    }
    let shared = "spec.additionalPrinterColumns";
    for part in parts(spec, "additionalPrinterColumns", shared) {
        for (at, column) in part.value.items().iter().enumerate() {
            check_column(column, &format!("{}[{at}]", part.path), causes);
        }
    }
    for part in parts(spec, "selectableFields", "spec.selectableFields") {
        let first = part.versions.first().map_or(&Tree::Null, |at| &spec["versions"][*at]);
        let schema = Schema::read(&first["schema"]["openAPIV3Schema"]);
        check_selectable(part.value, &schema, &part.path, causes);
    }
}

fn check_scale(scale: &Tree, path: &str, causes: &mut Vec<Cause>) {
    if scale.as_map().is_none() {
        return;
    }
    let wanted: [(&str, &[&str], &str, bool); 3] = [
        ("specReplicasPath", &[".spec."], "should be a json path under .spec", true),
        ("statusReplicasPath", &[".status."], "should be a json path under .status", true),
        (
            "labelSelectorPath",
            &[".spec.", ".status."],
            "should be a json path under either .spec or .status",
            false,
        ),
    ];
    for (field, roots, detail, required) in wanted {
        let (text, place) = (scale[field].str(), format!("{path}.scale.{field}"));
        if text.is_empty() {
            if required {
                causes.push(Cause::required(place, ""));
            }
        } else if !text.starts_with('.') {
            let detail = "must be a simple json path starting with .";
            causes.push(Cause::invalid(place, &scale[field], detail));
        } else if !roots.iter().any(|root| text.starts_with(root)) {
            causes.push(Cause::invalid(place, &scale[field], detail));
        }
    }
}

fn check_column(column: &Tree, path: &str, causes: &mut Vec<Cause>) {
    if column["name"].str().is_empty() {
        causes.push(Cause::required(format!("{path}.name"), ""));
    }
    let detail = "must be one of boolean,date,integer,number,string";
    match column["type"].str() {
        "" => causes.push(Cause::required(format!("{path}.type"), detail)),
        "boolean" | "date" | "integer" | "number" | "string" => {}
        _ => causes.push(Cause::invalid(format!("{path}.type"), &column["type"], detail)),
    }
    let formats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
    if !column["format"].str().is_empty() && !formats.contains(&column["format"].str()) {
        let detail = format!("must be one of {}", formats.join(","));
        causes.push(Cause::invalid(format!("{path}.format"), &column["format"], &detail));
    }
    match column["jsonPath"].str() {
        "" => causes.push(Cause::required(format!("{path}.JSONPath"), "")),
        text if !text.starts_with('.') => {
            let detail = "must be a simple json path starting with .";
            causes.push(Cause::invalid(format!("{path}.JSONPath"), &column["jsonPath"], detail));
        }
        _ => {}
    }
}

fn check_selectable(fields: &Tree, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (at, field) in fields.items().iter().enumerate() {
        let (place, value) = (format!("{path}[{at}].jsonPath"), &field["jsonPath"]);
        let text = value.str();
        if text.is_empty() {
            causes.push(Cause::required(place, ""));
            continue;
        }
        let found = match schema.at_path(text, false) {
            Ok((found, _)) => found,
            Err(why) => {
                let detail = format!("is an invalid path: {why}");
                causes.push(Cause::invalid(place, value, &detail));
                continue;
            }
        };
        if text.trim_start_matches('.').split('.').next() == Some("metadata") {
            let detail = "must not point to fields in metadata";
            causes.push(Cause::invalid(place.as_str(), value, detail));
        }
        if !matches!(found.kind.name(), "string" | "boolean" | "integer") {
            let detail = "must point to a field of type string, boolean or integer. Enum string \
                          fields and strings with formats are allowed.";
            causes.push(Cause::invalid(place.as_str(), value, detail));
        }
        if !seen.insert(text) {
            causes.push(Cause::duplicate(place, value));
        }
    }
    if seen.len() as i64 > MOST_SELECTABLE {
        causes.push(Cause::too_many(path, seen.len() as i64, MOST_SELECTABLE));
    }
}

/// What an update can't change: what decides where objects are stored, and how they are called once
/// the type is established.
fn check_unchanged(definition: &Tree, old: &Tree, causes: &mut Vec<Cause>) {
    let mut fixed = vec![("spec.group", vec!["spec", "group"])];
    if object::has_condition(old, "Established") {
        fixed.push(("spec.scope", vec!["spec", "scope"]));
        fixed.push(("spec.names.kind", vec!["spec", "names", "kind"]));
    }
    fixed.push(("spec.names.plural", vec!["spec", "names", "plural"]));
    for (field, path) in fixed {
        let (new, had) = (definition.at(&path), old.at(&path));
        if new != had {
            causes.push(Cause::invalid(field, new, "field is immutable"));
        }
    }
}

fn check_stored(stored: &Tree, spec: &Tree, causes: &mut Vec<Cause>) {
    let field = "status.storedVersions";
    if stored.items().is_empty() {
        causes.push(Cause::invalid(field, stored, "must have at least one stored version"));
        return;
    }
    for version in spec["versions"].items().iter().filter(|version| version["storage"].is_true()) {
        if !stored.items().contains(&version["name"]) {
            let detail = format!("must have the storage version {}", version["name"].str());
            causes.push(Cause::invalid(field, stored, &detail));
        }
    }
    for (at, name) in stored.items().iter().enumerate() {
        if spec["versions"].items().iter().any(|version| version["name"] == *name) {
            continue;
        }
        let text = name.str();
        let detail = format!(
            "missing from spec.versions; {text} was previously a storage version, and must remain \
             in spec.versions until a storage migration ensures no data remains persisted in \
             {text} and removes {text} from status.storedVersions"
        );
        causes.push(Cause::invalid(format!("{field}[{at}]"), name, &detail));
    }
}

/// Groups of Kubernetes itself need an annotation that says who approved them.
fn check_approval(definition: &Tree, old: &Tree, causes: &mut Vec<Cause>) {
    const ANNOTATION: &str = "api-approved.kubernetes.io";
    let group = definition["spec"]["group"].str();
    let protected = ["k8s.io", "kubernetes.io"].iter().any(|own| {
        group.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    if !protected {
        return;
    }
    let state = |definition: &Tree| {
        let text = object::annotation(definition, ANNOTATION);
        let is_url = text
            .split_once("://")
            .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.starts_with('/'));
        match text {
            "" => 0,
            text if text.starts_with("unapproved") => 1,
            _ if is_url => 2,
            _ => 3,
        }
    };
    let now = state(definition);
    if !old.is_null() && state(old) == now {
        return;
    }
    let field = format!("metadata.annotations[{ANNOTATION}]");
    let see = "see https://github.com/kubernetes/enhancements/pull/1111";
    match now {
        0 => {
            let detail =
                format!("protected groups must have approval annotation \"{ANNOTATION}\", {see}");
            causes.push(Cause::required(field, &detail));
        }
        3 => {
            let detail = format!(
                "protected groups must have approval annotation \"{ANNOTATION}\" with either a URL \
                 or a reason starting with \"unapproved\", {see}"
            );
            let value = &definition["metadata"]["annotations"][ANNOTATION];
            causes.push(Cause::invalid(field, value, &detail));
        }
        _ => {}
    }
}
