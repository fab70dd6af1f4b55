//! The schemas of types in documents of OpenAPI: of built-in types as the server reads them, of
//! custom types as their definitions say (apiextensions-apiserver v0.36, `controller/openapi`).

use kubesim::api::{Api, Type, type_schemas};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};

/// Types that all groups share.
const META: [&str; 5] = [
    "ObjectMeta",
    "OwnerReference",
    "ManagedFieldsEntry",
    "LabelSelector",
    "LabelSelectorRequirement",
];

/// What the fields that every object has are for.
const DESCRIBED: [(&str, &str); 15] = [
    ("annotations", "Annotations hold what tools and people note about the object."),
    ("creationTimestamp", "CreationTimestamp is a timestamp that says when the object was made."),
    ("deletionGracePeriodSeconds", "How many seconds the object has for its end."),
    ("deletionTimestamp", "DeletionTimestamp is there once the object is to be deleted."),
    ("finalizers", "Who has something to do before the object may go."),
    ("generateName", "GenerateName begins the name that the server makes up, if none is given."),
    ("generation", "Generation counts the changes of what is wanted."),
    ("labels", "Labels are what selectors select by."),
    ("managedFields", "ManagedFields says who owns which fields."),
    ("name", "Name tells the object from others of its kind in its namespace."),
    ("namespace", "Namespace is where the object lives, if its kind has one."),
    ("ownerReferences", "The objects with which this one goes, when they are all gone."),
    ("resourceVersion", "ResourceVersion names this state of the object."),
    ("selfLink", "SelfLink is never set any more."),
    ("uid", "UID tells the object from any that has ever had its name."),
];

const API_VERSION: &str = "APIVersion defines in which version of its type the object is written.";
const KIND: &str = "Kind is the type that the object is of.";
const METADATA: &str = "Standard object's metadata, which all types have.";

/// Says of a schema that there may be more than it names.
const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
/// Says of a schema that it is of a number or of a text.
const INT_OR_TEXT: &str = "x-kubernetes-int-or-string";
/// Says of a schema that it is of an object like those of the API.
const EMBEDDED: &str = "x-kubernetes-embedded-resource";

/// Which version of OpenAPI a document speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    V2,
    V3,
}

impl Document {
    /// Where its schemas are.
    fn place(self) -> &'static str {
        match self {
            Document::V2 => "#/definitions/",
            Document::V3 => "#/components/schemas/",
        }
    }

    /// The metadata of an object.
    fn metadata(self) -> Tree {
        let target = format!("{}{}", self.place(), meta_name("ObjectMeta"));
        match self {
            Document::V2 => map! { "description" => METADATA, "$ref" => target },
            Document::V3 => {
                map! { "description" => METADATA, "allOf" => list![map! { "$ref" => target }] }
            }
        }
    }
}

/// Adds the schema of a type in one of its versions, and of all that it refers to.
pub(crate) fn add(
    schemas: &mut Tree,
    document: Document,
    api: &Api,
    kind: &Type,
    (group, version): (&str, &str),
) {
    let called = |name: &str| schema_name(group, version, kind, name);
    let own = called(&kind.kind);
    let root: &str = if kind.custom { "ObjectMeta" } else { &kind.kind };
    let mut known = type_schemas(root, document.place(), &called);
    if let Some(metadata) = known.get_mut(&meta_name("ObjectMeta")) {
        for (field, text) in DESCRIBED {
            metadata.set(&["properties", field, "description"], text);
        }
    }
    if kind.custom {
        known.insert(own.clone(), custom(api, kind, version, document));
    }
    let shown = known.entry(own).or_insert_with(|| map! { "type" => "object" });
    shown.set(&["x-kubernetes-group-version-kind"], list![named(kind, group, version)]);
    for (name, schema) in known {
        schemas.set(&[&name], schema);
    }
}

/// The name of a type.
pub(crate) fn named(kind: &Type, group: &str, version: &str) -> Tree {
    map! { "group" => group, "version" => version, "kind" => kind.kind.clone() }
}

fn meta_name(name: &str) -> String {
    format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}")
}

/// How a type is called among schemas. The last part is what people see.
fn schema_name(group: &str, version: &str, kind: &Type, name: &str) -> String {
    if META.contains(&name) {
        return meta_name(name);
    }
    if kind.custom {
        let reversed: Vec<&str> = group.rsplit('.').collect();
        return format!("{}.{version}.{name}", reversed.join("."));
    }
    if name != kind.kind {
        return format!("io.k8s.api.core.v1.{name}");
    }
    let short = group.split('.').next().filter(|short| !short.is_empty()).unwrap_or("core");
    format!("io.k8s.api.{short}.{version}.{name}")
}

/// The schema that a definition gives a version, with the fields that every object has. Where
/// anything may stand, nothing is named: clients take what is named for all that there may be.
fn custom(api: &Api, kind: &Type, version: &str, document: Document) -> Tree {
    let key = ObjectKey::new("", kind.resource.as_str());
    let definition = api.get(&Resource::CUSTOM_RESOURCE_DEFINITIONS, &key);
    let versions = definition.map(|found| found["spec"]["versions"].items()).unwrap_or_default();
    let found = versions.iter().find(|one| one["name"] == version);
    let schema = found.map(|one| one["schema"]["openAPIV3Schema"].clone()).unwrap_or_default();
    let is_open = document == Document::V2 && schema[PRESERVE].is_true();
    if schema.as_map().is_none() || is_open {
        return map! { "type" => "object" };
    }
    let mut schema = published(&schema, document);
    add_fields_of_all(&mut schema, document);
    schema
}

fn add_fields_of_all(schema: &mut Tree, document: Document) {
    for (field, text) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        let shown = map! { "type" => "string", "description" => text };
        schema.set(&["properties", field], shown);
    }
    schema.set(&["properties", "metadata"], document.metadata());
}

/// A schema, and all in it, as a document shows it.
fn published(schema: &Tree, document: Document) -> Tree {
    let mut shown = schema.clone();
    if document == Document::V2 {
        make_old(&mut shown);
    } else if schema[INT_OR_TEXT].is_true() && schema["anyOf"].is_null() {
        let forms = ["integer", "string"].map(|form| map! { "type" => form });
        shown.set(&["anyOf"], forms.to_vec());
    }
    for (name, inner) in shown["properties"].clone().fields() {
        shown.set(&["properties", name], published(inner, document));
    }
    for part in ["items", "additionalProperties"] {
        if shown[part].as_map().is_some() {
            shown.set(&[part], published(&shown[part], document));
        }
    }
    let is_open = document == Document::V2 && schema[PRESERVE].is_true();
    if schema[EMBEDDED].is_true() && !is_open {
        add_fields_of_all(&mut shown, document);
        let required = shown.field_mut("required").items_mut();
        for field in ["kind", "apiVersion"] {
            if !required.iter().any(|have| have == field) {
                required.push(field.into());
            }
        }
    }
    shown
}

/// Leaves out what OpenAPI v2 does not know, and what its clients take amiss
/// (`openapi/v2/conversion.go`).
fn make_old(schema: &mut Tree) {
    let is_nullable = |one: &Tree| one["nullable"].is_true();
    let nullable: Vec<String> = schema["properties"]
        .fields()
        .filter(|(_, inner)| is_nullable(inner))
        .map(|(name, _)| name.to_string())
        .collect();
    let (null, open) = (is_nullable(schema), schema[PRESERVE].is_true());
    for field in ["allOf", "oneOf", "anyOf", "not", "nullable"] {
        schema.remove(&[field]);
    }
    if null || open {
        schema.remove(&["items"]);
        schema.remove(&["properties"]);
    }
    let is_loose = schema["type"] == "array" && schema["items"].is_null();
    if null || is_loose || (open && schema["type"] == "object") {
        schema.remove(&["type"]);
    }
    let is_kept = |name: &&Tree| !nullable.iter().any(|null| **name == null.as_str());
    let required = schema["required"].items().iter().filter(is_kept).cloned();
    let required: Vec<Tree> = required.collect();
    if required.is_empty() || is_nullable(&schema["additionalProperties"]) {
        schema.remove(&["required"]);
    } else {
        schema.set(&["required"], required);
    }
}
