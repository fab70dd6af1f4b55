//! The difference of two object states as a JSON merge patch (RFC 7386), where one exists that
//! restores the new state to the letter. Storage only: no request is ever patched with it.

use kubesim_model::tree::{Map, Tree};

/// The merge patch that turns `before` into exactly `after`; `None` if there is none, because
/// `after` gains a `null` or is no object.
pub(super) fn diff(before: &Tree, after: &Tree) -> Option<Tree> {
    let (old, new) = (before.as_map()?, after.as_map()?);
    let mut patch = Map::default();
    for (key, value) in new.iter() {
        match old.get(key) {
            Some(was) if identical(was, value) => {}
            Some(was) if was.as_map().is_some() && value.as_map().is_some() => {
                patch.insert(key, diff(was, value)?);
            }
            _ if has_null_field(value) => return None,
            _ => patch.insert(key, value),
        }
    }
    for (key, _) in old.iter().filter(|(key, _)| new.get(key).is_none()) {
        patch.insert(key, Tree::Null);
    }
    Some(Tree::Map(patch))
}

/// `object` with `patch` merged into it. What the patch does not name stays shared.
pub(super) fn merge(object: &Tree, patch: &Tree) -> Tree {
    let Some(patch) = patch.as_map() else { return patch.clone() };
    let mut merged = object.as_map().cloned().unwrap_or_default();
    for (key, value) in patch.iter() {
        if value.is_null() {
            merged.remove(key);
        } else {
            let new = merge(merged.get(key).unwrap_or(&Tree::Null), value);
            merged.insert(key, new);
        }
    }
    Tree::Map(merged)
}

/// Whether both are written the same way: unlike `==`, `1` differs from `1.0`.
pub(super) fn identical(a: &Tree, b: &Tree) -> bool {
    match (a, b) {
        _ if a.is_same(b) => true,
        (Tree::Float(a), Tree::Float(b)) => a.to_bits() == b.to_bits(),
        (Tree::List(a), Tree::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| identical(a, b))
        }
        (Tree::Map(a), Tree::Map(b)) => {
            a.len() == b.len()
                && a.iter().zip(b.iter()).all(|((k, a), (l, b))| k == l && identical(a, b))
        }
        _ => false,
    }
}

/// Whether a merge patch that sets this value would lose a `null`, which means removal there.
/// Inside lists, `null` is a value like any other.
fn has_null_field(value: &Tree) -> bool {
    value.is_null() || value.fields().any(|(_, value)| has_null_field(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::{list, map};

    #[test]
    fn a_patch_restores_the_new_state_and_names_only_what_changed() {
        let old = map! { "a" => 1, "b" => map! { "c" => 1, "d" => 2 }, "e" => list![1, 2] };
        let new = map! { "b" => map! { "c" => 1, "d" => 3 }, "e" => list![1], "f" => map! {} };
        let patch = diff(&old, &new).expect("no nulls");
        assert_eq!(patch.to_string(), r#"{"a":null,"b":{"d":3},"e":[1],"f":{}}"#);
        assert!(identical(&merge(&old, &patch), &new));
    }

    #[test]
    fn a_number_that_changes_only_its_writing_is_a_change() {
        let patch = diff(&map! { "a" => 1 }, &map! { "a" => 1.0 }).expect("no nulls");
        assert_eq!(patch.to_string(), r#"{"a":1.0}"#);
    }

    #[test]
    fn a_new_null_can_not_be_patched_in() {
        assert!(diff(&map! {}, &map! { "a" => Tree::Null }).is_none());
        assert!(diff(&map! {}, &map! { "a" => map! { "b" => Tree::Null } }).is_none());
        let kept = map! { "a" => Tree::Null };
        assert_eq!(diff(&kept, &kept).map(|patch| patch.to_string()).as_deref(), Some("{}"));
    }
}
