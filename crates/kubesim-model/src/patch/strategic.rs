//! Strategic merge patches (apimachinery v0.36, `pkg/util/strategicpatch`): objects are merged,
//! lists of built-in types by the key that identifies their elements, other lists are replaced.

use super::PatchError;
use crate::Text;
use crate::tree::{Map, Tree};

/// How the elements of a list are told apart.
#[derive(Clone, Copy, PartialEq)]
enum Merge {
    /// The list is replaced as a whole.
    Replace,
    /// Objects with the same value of this field are the same element.
    By(&'static str),
    /// The elements are plain values of a set.
    Set,
}

/// Field that holds the list, and the fields around it where this holds (any when empty).
const LISTS: &[(&str, &[&str], Merge)] = &[
    ("containers", &[], Merge::By("name")),
    ("initContainers", &[], Merge::By("name")),
    ("ephemeralContainers", &[], Merge::By("name")),
    ("env", &[], Merge::By("name")),
    ("volumes", &[], Merge::By("name")),
    ("volumeMounts", &[], Merge::By("mountPath")),
    ("volumeDevices", &[], Merge::By("devicePath")),
    ("imagePullSecrets", &[], Merge::By("name")),
    ("hostAliases", &[], Merge::By("ip")),
    ("topologySpreadConstraints", &["spec"], Merge::By("topologyKey")),
    ("schedulingGates", &[], Merge::By("name")),
    ("resourceClaims", &["spec"], Merge::By("name")),
    ("resourceClaimStatuses", &[], Merge::By("name")),
    ("ports", &["containers", "initContainers", "ephemeralContainers"], Merge::By("containerPort")),
    ("ports", &["spec"], Merge::By("port")),
    ("conditions", &["status"], Merge::By("type")),
    ("podIPs", &[], Merge::By("ip")),
    ("hostIPs", &[], Merge::By("ip")),
    ("addresses", &["status"], Merge::By("type")),
    ("ownerReferences", &["metadata"], Merge::By("uid")),
    ("finalizers", &["metadata"], Merge::Set),
    ("podCIDRs", &["spec"], Merge::Set),
    ("secrets", &[""], Merge::By("name")),
];

const ORDER: &str = "$setElementOrder/";
const DELETE: &str = "$deleteFromPrimitiveList/";

/// Applies a strategic merge patch to an object of a built-in type.
///
/// # Errors
/// [`PatchError::Malformed`] for a directive that does not exist or does not fit its place, and for
/// an element without the field that identifies it.
pub fn strategic_merge(target: &Tree, patch: &Tree) -> Result<Tree, PatchError> {
    if patch.as_map().is_none() {
        return Err(malformed("a strategic merge patch is an object"));
    }
    merge_map(target, patch, "")
}

fn merge_map(target: &Tree, patch: &Tree, at: &str) -> Result<Tree, PatchError> {
    let mut merged = if target.as_map().is_some() { target.clone() } else { Tree::map() };
    match patch.get("$patch").map(Tree::str) {
        None | Some("merge") => {}
        Some("replace") => merged = Tree::map(),
        Some("delete") => return Ok(Tree::map()),
        Some(other) => return Err(malformed(&format!("unknown directive $patch: {other}"))),
    }
    if let Some(kept) = patch.get("$retainKeys") {
        retain_keys(&mut merged, patch, kept)?;
    }
    for (key, value) in patch.fields().filter(|(key, _)| !key.starts_with('$')) {
        if value.is_null() {
            merged.remove(&[key.as_str()]);
            continue;
        }
        let value = merge_value(&merged[key.as_str()], value, key, at)?;
        merged.set(&[key.as_str()], value);
    }
    for (key, value) in patch.fields().filter(|(key, _)| key.starts_with('$')) {
        if let Some(field) = key.strip_prefix(DELETE) {
            delete_values(&mut merged, field, value);
        } else if let Some(field) = key.strip_prefix(ORDER) {
            set_order(&mut merged, field, value, merge_of(field, at))?;
        } else if key != "$patch" && key != "$retainKeys" {
            return Err(malformed(&format!("unknown directive {key}")));
        }
    }
    Ok(merged)
}

fn merge_value(target: &Tree, patch: &Tree, key: &Text, at: &str) -> Result<Tree, PatchError> {
    match patch {
        Tree::Map(_) => merge_map(target, patch, key),
        Tree::List(items) => match merge_of(key, at) {
            Merge::Replace => Ok(patch.clone()),
            Merge::Set => Ok(unite(target, items)),
            Merge::By(by) => merge_list(target, items, key, by),
        },
        _ => Ok(patch.clone()),
    }
}

fn merge_of(field: &str, at: &str) -> Merge {
    LISTS
        .iter()
        .find(|(name, around, _)| *name == field && (around.is_empty() || around.contains(&at)))
        .map_or(Merge::Replace, |row| row.2)
}

fn unite(target: &Tree, items: &[Tree]) -> Tree {
    let mut united = target.items().to_vec();
    for item in items {
        if !united.contains(item) {
            united.push(item.clone());
        }
    }
    united.into()
}

fn merge_list(
    target: &Tree,
    patches: &[Tree],
    list: &str,
    by: &'static str,
) -> Result<Tree, PatchError> {
    let replaces = |item: &Tree| item["$patch"] == "replace";
    let mut merged =
        if patches.iter().any(replaces) { Vec::new() } else { target.items().to_vec() };
    for patch in patches.iter().filter(|item| !replaces(item)) {
        let Some(wanted) = patch.get(by).filter(|value| !value.is_null()) else {
            return Err(malformed(&format!("an element of `{list}` has no `{by}`")));
        };
        let found = merged.iter().position(|item| item[by] == *wanted);
        if patch["$patch"] == "delete" {
            merged.retain(|item| item[by] != *wanted);
        } else if let Some(at) = found {
            merged[at] = merge_map(&merged[at], patch, list)?;
        } else {
            merged.push(merge_map(&Tree::Null, patch, list)?);
        }
    }
    Ok(merged.into())
}

fn retain_keys(merged: &mut Tree, patch: &Tree, kept: &Tree) -> Result<(), PatchError> {
    let is_kept = |key: &Text| kept.items().iter().any(|have| *have == key.as_str());
    let named = |(key, value): &(&Text, &Tree)| !key.starts_with('$') && !value.is_null();
    if let Some((key, _)) = patch.fields().filter(named).find(|(key, _)| !is_kept(key)) {
        return Err(malformed(&format!("`{key}` is in the patch but not in $retainKeys")));
    }
    let left: Map = merged
        .fields()
        .filter(|(key, _)| is_kept(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    *merged = Tree::Map(left);
    Ok(())
}

fn delete_values(merged: &mut Tree, field: &str, values: &Tree) {
    if merged[field].items().iter().any(|item| values.items().contains(item)) {
        merged.field_mut(field).items_mut().retain(|item| !values.items().contains(item));
    }
}

/// The listed elements take, in the listed order, the places that they hold together.
fn set_order(merged: &mut Tree, field: &str, order: &Tree, merge: Merge) -> Result<(), PatchError> {
    let Tree::List(order) = order else {
        return Err(malformed(&format!("{ORDER}{field} is no list")));
    };
    let rank = |item: &Tree| match merge {
        Merge::By(by) => order.iter().position(|listed| listed[by] == item[by]),
        _ => order.iter().position(|listed| listed == item),
    };
    let mut listed: Vec<(usize, Tree)> = merged[field]
        .items()
        .iter()
        .filter_map(|item| rank(item).map(|rank| (rank, item.clone())))
        .collect();
    if listed.is_sorted_by_key(|(rank, _)| *rank) {
        return Ok(());
    }
    listed.sort_by_key(|(rank, _)| *rank);
    let mut listed = listed.into_iter();
    for item in merged.field_mut(field).items_mut() {
        if rank(item).is_some()
            && let Some((_, next)) = listed.next()
        {
            *item = next;
        }
    }
    Ok(())
}

fn malformed(why: &str) -> PatchError {
    PatchError::Malformed(why.to_owned())
}
