//! Taking fields out of an object (structured-merge-diff v6, `typed/remove.go`).

use kubesim_model::tree::Tree;

use super::schema::{Form, Keys, ListOf, MapOf, Typed};
use super::set::Set;
use super::step::Step;

/// `value` without the fields in `gone`.
pub(super) fn removed(value: &Tree, gone: &Set, kind: Typed<'_>) -> Tree {
    match (kind.form(Some(value)), value) {
        (Form::List(list), Tree::List(items)) => remove_items(items, gone, list),
        (Form::Map(map), Tree::Map(_)) => remove_fields(value, gone, map),
        (Form::Scalar(_), _) => value.clone(),
        _ => Tree::Null,
    }
}

fn remove_items(items: &[Tree], gone: &Set, list: ListOf<'_>) -> Tree {
    // What is taken out of a value that is not taken apart is all of it.
    if *list.keys == Keys::Atomic {
        return Tree::Null;
    }
    let mut kept = Vec::new();
    for item in items {
        let Ok(step) = list.step(item) else { continue };
        if gone.has(&step) {
            continue;
        }
        kept.push(match gone.below(&step) {
            Some(below) => removed(item, below, list.items),
            None => item.clone(),
        });
    }
    if kept.is_empty() { Tree::Null } else { kept.into() }
}

fn remove_fields(value: &Tree, gone: &Set, map: MapOf<'_>) -> Tree {
    if map.fields.is_atomic {
        return Tree::Null;
    }
    let mut kept = value.clone();
    for (key, value) in value.fields() {
        let step = Step::Field(key.clone());
        if gone.has(&step) {
            kept.remove(&[key.as_str()]);
        } else if let Some(below) = gone.below(&step)
            && let Some(member) = map.member(key)
        {
            kept.set(&[key.as_str()], removed(value, below, member.kind));
        }
    }
    if kept.fields().next().is_none() { Tree::Null } else { kept }
}
