//! What gives a node of a cluster that lives on back what a trial writes to it, and nothing that
//! others write meanwhile.

use std::collections::BTreeSet;

use kubesim_model::Text;
use kubesim_model::object;
use kubesim_model::request::{Request, Verb};
use kubesim_model::tree::Tree;
use serde_json::{Value, json};

use super::super::undo::Undo;

/// What gives a node, which was `before` when the trial began, back all that a request writes to
/// it: one entry for each field.
pub(super) fn undoing(before: &Tree, request: &Request) -> Vec<Undo> {
    let name = object::name(before).to_owned();
    let undo = |field: Field| Undo::Node { name: name.clone(), patch: field.patch(before) };
    written(before, request).into_iter().map(undo).collect()
}

/// What a trial may write of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    /// Of the labels or annotations.
    Named(&'static str, Text),
    /// Of the spec.
    Spec(&'static str),
}

const OF_SPEC: [Field; 2] = [Field::Spec("taints"), Field::Spec("unschedulable")];

impl Field {
    fn of<'a>(&self, node: &'a Tree) -> &'a Tree {
        match self {
            Field::Named(kind, name) => &node["metadata"][*kind][name.as_str()],
            Field::Spec(field) => &node["spec"][*field],
        }
    }

    /// The merge patch that makes it what it is in this node.
    fn patch(&self, node: &Tree) -> Value {
        let value = Value::from(self.of(node));
        match self {
            Field::Named(kind, name) => json!({"metadata": {*kind: {name.as_str(): value}}}),
            Field::Spec(field) => json!({"spec": {*field: value}}),
        }
    }

    /// Whether a JSON pointer leads to it, into it, or to what it is part of.
    fn is_at(&self, pointer: &str) -> bool {
        let own = match self {
            Field::Named(kind, name) => {
                format!("/metadata/{kind}/{}", name.replace('~', "~0").replace('/', "~1"))
            }
            Field::Spec(field) => format!("/spec/{field}"),
        };
        let begins = |one: &str, other: &str| {
            one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        begins(pointer, &own) || begins(&own, pointer)
    }
}

/// Where names have values.
const NAMED: [&str; 2] = ["labels", "annotations"];

/// The fields that a request writes.
fn written(before: &Tree, request: &Request) -> BTreeSet<Field> {
    let body = &request.body;
    let (mut had, own) = (named(before), named(body));
    match request.verb {
        Verb::JsonPatch => {
            had.extend(OF_SPEC);
            for operation in body.items() {
                had.extend(of_pointer(operation["path"].str()));
                let value = &operation["value"];
                had.extend(named(value));
                had.extend(NAMED.into_iter().flat_map(|kind| all_of(kind, value)));
                had.extend(NAMED.into_iter().flat_map(|kind| all_of(kind, &value[kind])));
            }
            let written = body.items().iter().flat_map(|one| [&one["path"], &one["from"]]);
            let pointers: Vec<&str> = written.filter_map(Tree::as_str).collect();
            had.retain(|field| pointers.iter().any(|pointer| field.is_at(pointer)));
            had
        }
        Verb::Update => {
            had.extend(own);
            had.extend(OF_SPEC);
            had.retain(|field| field.of(before) != field.of(body));
            had
        }
        _ => {
            // Directives have the name of their field in theirs, or replace all.
            let replaces = |kind: &str| {
                let metadata = &body["metadata"];
                let is_there = keys(metadata).any(|key| *key == *kind);
                is_there && metadata[kind].is_null()
                    || keys(&metadata[kind]).any(|key| key.starts_with('$'))
            };
            let is_written = |field: &Field| match field {
                Field::Spec(name) => keys(&body["spec"]).any(|key| key.contains(*name)),
                Field::Named(kind, _) => own.contains(field) || replaces(kind),
            };
            had.extend(own.iter().cloned());
            had.extend(OF_SPEC);
            had.retain(is_written);
            had
        }
    }
}

/// The labels and annotations of an object.
fn named(object: &Tree) -> BTreeSet<Field> {
    NAMED.into_iter().flat_map(|kind| all_of(kind, &object["metadata"][kind])).collect()
}

fn all_of(kind: &'static str, values: &Tree) -> impl Iterator<Item = Field> {
    let names = keys(values).filter(|name| !name.starts_with('$'));
    names.map(move |name| Field::Named(kind, name))
}

/// The label or annotation that a JSON pointer names.
fn of_pointer(pointer: &str) -> Option<Field> {
    let (kind, name) = pointer.strip_prefix("/metadata/")?.split_once('/')?;
    let kind = NAMED.into_iter().find(|one| *one == kind)?;
    Some(Field::Named(kind, name.replace("~1", "/").replace("~0", "~").into()))
}

fn keys(object: &Tree) -> impl Iterator<Item = Text> {
    object.fields().map(|(key, _)| key.clone())
}

#[cfg(test)]
mod tests {
    use kubesim_model::resource::{ObjectKey, Resource};
    use kubesim_model::{list, map};

    use super::*;

    fn patches(request: Request) -> Vec<Value> {
        let labels = map! { "zone" => "a", "example.com/pool" => "b" };
        let metadata = map! { "name" => "pool-7", "labels" => labels };
        let before = map! { "metadata" => metadata, "spec" => map! { "unschedulable" => true } };
        let patch = |undo| match undo {
            Undo::Node { name, patch } if name == "pool-7" => patch,
            other => panic!("{other:?}"),
        };
        undoing(&before, &request).into_iter().map(patch).collect()
    }

    fn key() -> ObjectKey {
        ObjectKey::new("", "pool-7")
    }

    #[test]
    fn only_what_is_written_is_given_back() {
        let labels = map! { "zone" => "c", "new" => "d" };
        let body = map! { "metadata" => map! { "labels" => labels } };
        let merge = patches(Request::merge_patch(Resource::NODES, key(), body));
        let label = |patch: Value| json!({"metadata": {"labels": patch}});
        assert_eq!(merge, [label(json!({"new": null})), label(json!({"zone": "a"}))]);
        let none = map! { "metadata" => map! { "labels" => Tree::default() } };
        let none = patches(Request::merge_patch(Resource::NODES, key(), none));
        assert_eq!(none.len(), 2, "all labels are taken away: {none:?}");
        let cordon = map! { "spec" => map! { "unschedulable" => false } };
        let cordon = patches(Request::merge_patch(Resource::NODES, key(), cordon));
        assert_eq!(cordon, [json!({"spec": {"unschedulable": true}})]);
    }

    #[test]
    fn a_whole_node_writes_what_is_other_than_before() {
        let labels = map! { "zone" => "a" };
        let taints = list![map! { "key" => "x" }];
        let body = map! {
            "metadata" => map! { "name" => "pool-7", "labels" => labels },
            "spec" => map! { "unschedulable" => true, "taints" => taints },
        };
        let whole = Request { body, ..Request::new(Verb::Update, Resource::NODES, key()) };
        let pool = json!({"metadata": {"labels": {"example.com/pool": "b"}}});
        assert_eq!(patches(whole), [pool, json!({"spec": {"taints": null}})]);
    }

    #[test]
    fn operations_write_where_they_point() {
        let remove = map! { "op" => "remove", "path" => "/metadata/labels/example.com~1pool" };
        let taint = map! { "op" => "add", "path" => "/spec/taints/-", "value" => map! {} };
        let note = map! { "op" => "add", "path" => "/metadata/annotations/a", "value" => "b" };
        let body = list![remove, taint, note];
        let request = Request { body, ..Request::new(Verb::JsonPatch, Resource::NODES, key()) };
        let pool = json!({"metadata": {"labels": {"example.com/pool": "b"}}});
        let note = json!({"metadata": {"annotations": {"a": null}}});
        assert_eq!(patches(request), [note, pool, json!({"spec": {"taints": null}})]);
    }
}
