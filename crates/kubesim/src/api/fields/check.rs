//! Whether a value that a client applies is of its type (structured-merge-diff v6,
//! `typed/validate.go`): unlike elsewhere, a list may not have an element twice, and fields that
//! the type does not have are refused.

use std::collections::BTreeSet;

use kubesim_model::tree::Tree;

use super::schema::{Form, Keys, ListOf, MapOf, Scalar, Typed};

/// What is wrong with a value, with the path of each.
pub(super) fn problems(value: &Tree, kind: Typed<'_>) -> Vec<String> {
    let mut found = Vec::new();
    check(value, kind, "", &mut found);
    found
}

fn check(value: &Tree, kind: Typed<'_>, at: &str, found: &mut Vec<String>) {
    let mut wrong = |text: String| {
        found.push(if at.is_empty() { text } else { format!("{at}: {text}") });
    };
    match (kind.form(Some(value)), value) {
        (_, Tree::Null) => {}
        (Form::Scalar(scalar), value) => {
            if let Some(wanted) = mismatch(scalar, value) {
                wrong(format!("expected {wanted}, got {value}"));
            }
        }
        (Form::List(list), Tree::List(items)) => check_items(items, list, at, found),
        (Form::List(_), _) => wrong(format!("expected list, got {}", as_in_go(value))),
        (Form::Map(map), Tree::Map(_)) => check_fields(value, map, at, found),
        (Form::Map(_), _) => wrong(format!("expected map, got {}", as_in_go(value))),
    }
}

/// A value as Go prints what holds it.
fn as_in_go(value: &Tree) -> String {
    match value {
        Tree::Str(text) => format!("&{{{text}}}"),
        value => format!("&{{{value}}}"),
    }
}

/// What a scalar should be, if it is something else.
fn mismatch(scalar: Scalar, value: &Tree) -> Option<&'static str> {
    let (fits, wanted) = match (scalar, value) {
        (Scalar::Number, value) => {
            (matches!(value, Tree::Int(_) | Tree::Float(_)), "numeric (int or float)")
        }
        (Scalar::Text, value) => (matches!(value, Tree::Str(_)), "string"),
        (Scalar::Bool, value) => (matches!(value, Tree::Bool(_)), "boolean"),
        (Scalar::Any, value) => (!matches!(value, Tree::List(_) | Tree::Map(_)), "any scalar"),
    };
    Some(wanted).filter(|_| !fits)
}

fn check_items(items: &[Tree], list: ListOf<'_>, at: &str, found: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (place, item) in items.iter().enumerate() {
        if *list.keys == Keys::Atomic {
            check(item, list.items, &format!("{at}[{place}]"), found);
            continue;
        }
        let step = match list.step(item) {
            Ok(step) => step,
            Err(why) => return found.push(format!("{at}: element {place}: {why}")),
        };
        if seen.contains(&step) {
            found.push(format!("{at}: duplicate entries for key {step}"));
        }
        check(item, list.items, &format!("{at}{step}"), found);
        seen.insert(step);
    }
}

fn check_fields(value: &Tree, map: MapOf<'_>, at: &str, found: &mut Vec<String>) {
    for (key, value) in value.fields() {
        let at = format!("{at}.{key}");
        match map.member(key) {
            Some(member) => check(value, member.kind, &at, found),
            // The first one ends the search in this map.
            None => return found.push(format!("{at}: field not declared in schema")),
        }
    }
}
