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
    ("webhooks", &[""], Merge::By("name")),
    ("matchConditions", &["webhooks"], Merge::By("name")),
    ("matchConditions", &["spec"], Merge::By("name")),
    ("variables", &["spec"], Merge::By("name")),
    ("drivers", &["spec"], Merge::By("name")),
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
/// [`PatchError::Malformed`] for what is no patch, [`PatchError::Senseless`] for a directive that
/// does not exist or does not fit its place, and for an element without the field that identifies
/// it.
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
        Some(other) => return Err(senseless(&format!("unknown patch type: {other}"))),
    }
    let old = merged.clone();
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
            check_order(field, &patch[field], value, merge_of(field, at))?;
            set_order(&mut merged, field, value, &old[field], merge_of(field, at));
        } else if key != "$patch" && key != "$retainKeys" {
            return Err(senseless(&format!("unknown directive {key}")));
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
    arrange(united, items, target.items(), Merge::Set).into()
}

fn merge_list(
    target: &Tree,
    patches: &[Tree],
    list: &str,
    by: &'static str,
) -> Result<Tree, PatchError> {
    let replaces = |item: &Tree| item["$patch"] == "replace";
    let server = if patches.iter().any(replaces) { &[] } else { target.items() };
    let mut merged = server.to_vec();
    for patch in patches.iter().filter(|item| !replaces(item)) {
        let Some(wanted) = patch.get(by).filter(|value| !value.is_null()) else {
            let why = format!("an element of {list} does not contain declared merge key: {by}");
            return Err(senseless(&why));
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
    Ok(arrange(merged, patches, server, Merge::By(by)).into())
}

/// The order of a merged list: the elements that `first` names, in its order, and the others in the
/// order of the list before. These go in front of one of the former where they stood before it;
/// so what is new comes first.
fn arrange(merged: Vec<Tree>, first: &[Tree], before: &[Tree], merge: Merge) -> Vec<Tree> {
    let same = |one: &Tree, other: &Tree| match merge {
        Merge::By(by) => one[by] == other[by],
        _ => one == other,
    };
    let place = |list: &[Tree], item: &Tree| list.iter().position(|have| same(have, item));
    // Looking for places takes time for the whole list, so it is done once for each element.
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for item in merged {
        let stood = place(before, &item);
        match place(first, &item) {
            Some(at) => named.push((at, stood, item)),
            None => others.push((stood, item)),
        }
    }
    named.sort_by_key(|(at, ..)| *at);
    let mut arranged = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let other_is_next = match (others.peek(), named.peek()) {
            (Some((Some(other), _)), Some((_, Some(named), _))) => other < named,
            (Some(_), Some(_)) => false,
            (other, _) => other.is_some(),
        };
        let next = match other_is_next {
            true => others.next().map(|(_, item)| item),
            false => named.next().map(|(.., item)| item),
        };
        match next {
            Some(item) => arranged.push(item),
            None => return arranged,
        }
    }
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

/// Gives a list the order that the patch asks for.
fn set_order(merged: &mut Tree, field: &str, order: &Tree, before: &Tree, merge: Merge) {
    let Tree::List(items) = &merged[field] else { return };
    let arranged = arrange(items.to_vec(), order.items(), before.items(), merge);
    if arranged != **items {
        merged.set(&[field], arranged);
    }
}

/// A patch of a list must keep to the order that it asks for.
fn check_order(field: &str, patch: &Tree, order: &Tree, merge: Merge) -> Result<(), PatchError> {
    let Tree::List(order) = order else {
        return Err(senseless(&format!("{ORDER}{field} is no list")));
    };
    let same = |one: &Tree, other: &Tree| match merge {
        Merge::By(by) => one[by] == other[by],
        _ => one == other,
    };
    let mut order = order.iter();
    let kept = patch.items().iter().filter(|item| item["$patch"].is_null());
    for item in kept {
        if !order.any(|listed| same(listed, item)) {
            let why = format!("the order in the patch of {field} doesn't match {ORDER}{field}");
            return Err(senseless(&why));
        }
    }
    Ok(())
}

fn senseless(why: &str) -> PatchError {
    PatchError::Senseless(why.to_owned())
}

fn malformed(why: &str) -> PatchError {
    PatchError::Malformed(why.to_owned())
}
