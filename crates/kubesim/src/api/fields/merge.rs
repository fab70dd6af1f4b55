//! What an object becomes when a configuration is applied to it (structured-merge-diff v6,
//! `typed/merge.go`): the configuration wins, and nothing is taken away.

use std::collections::{BTreeMap, BTreeSet};

use kubesim_model::tree::Tree;

use super::schema::{Form, Keys, ListOf, MapOf, Typed};
use super::step::Step;

/// `live` with all that `config` sets. A container that `config` leaves as it is keeps its order;
/// of one that it changes, the elements of `config` are in its order.
pub(super) fn merge(live: &Tree, config: &Tree, kind: Typed<'_>) -> Tree {
    merged(Some(live), Some(config), kind).unwrap_or_else(Tree::map)
}

fn merged(live: Option<&Tree>, config: Option<&Tree>, kind: Typed<'_>) -> Option<Tree> {
    let Some(wanted) = config else { return live.cloned() };
    let (was, is) = (kind.form(live), kind.form(config));
    let changes_form = std::mem::discriminant(&was) != std::mem::discriminant(&is);
    match (live, is) {
        // A value of another form takes the place of what was.
        (Some(_), _) if changes_form => Some(wanted.clone()),
        (_, Form::Scalar(_)) => Some(wanted.clone()),
        (live, Form::List(list)) => {
            let have = live.map(Tree::items).unwrap_or_default();
            if *list.keys == Keys::Atomic || (have.is_empty() && wanted.items().is_empty()) {
                return Some(wanted.clone());
            }
            merge_items(have, wanted.items(), list)
        }
        (live, Form::Map(map)) => {
            let is_empty = |side: &Tree| side.as_map().is_none_or(|map| map.is_empty());
            if map.fields.is_atomic || (live.is_none_or(is_empty) && is_empty(wanted)) {
                return Some(wanted.clone());
            }
            Some(merge_fields(live, wanted, map))
        }
    }
}

fn merge_fields(live: Option<&Tree>, config: &Tree, map: MapOf<'_>) -> Tree {
    let mut all = live.filter(|live| live.as_map().is_some()).cloned().unwrap_or_else(Tree::map);
    for (key, wanted) in config.fields() {
        let have = live.and_then(|live| live.get(key));
        let new = match map.member(key) {
            Some(member) => merged(have, Some(wanted), member.kind),
            None => Some(wanted.clone()),
        };
        match new {
            Some(new) => all.set(&[key.as_str()], new),
            None => drop(all.remove(&[key.as_str()])),
        }
    }
    all
}

/// Elements with their steps; those that can't be told apart are left out, as they were refused.
fn told_apart<'t>(items: &'t [Tree], list: ListOf<'_>) -> Vec<(Step, &'t Tree)> {
    items.iter().filter_map(|item| Some((list.step(item).ok()?, item))).collect()
}

/// Both lists keep their order; where they disagree, that of `config` counts, and what only `live`
/// has stays before the element that it stood before.
fn merge_items(live: &[Tree], config: &[Tree], list: ListOf<'_>) -> Option<Tree> {
    let (live, config) = (told_apart(live, list), told_apart(config, list));
    let mut old: BTreeMap<&Step, Option<&Tree>> = BTreeMap::new();
    for (step, item) in &live {
        // Elements that are there more than once are not merged with what is wanted.
        old.entry(step).and_modify(|have| *have = None).or_insert(Some(*item));
    }
    let wanted: BTreeMap<&Step, &Tree> = config.iter().map(|(step, item)| (step, *item)).collect();
    let mut shared = config.iter().map(|(step, _)| step).filter(|step| old.contains_key(step));
    let mut next = shared.next();
    let (mut done, mut all) = (BTreeSet::new(), Vec::new());
    let item = |step: &Step| {
        merged(old.get(step).copied().flatten(), wanted.get(step).copied(), list.items)
    };
    let (mut l, mut r) = (0, 0);
    while l < live.len() || r < config.len() {
        if let (Some((have, _)), Some((want, _))) = (live.get(l), config.get(r)) {
            if have == want {
                done.insert(have);
                all.extend(item(have));
                (l, r) = (l + 1, r + 1);
                next = shared.next();
                continue;
            }
            if wanted.contains_key(have) && next.is_some_and(|next| next != have) {
                // Shared, but its turn comes later.
                l += 1;
                continue;
            }
        }
        if let Some((have, value)) = live.get(l) {
            if !wanted.contains_key(have) {
                all.push((*value).clone());
                l += 1;
                continue;
            }
            if done.contains(have) {
                l += 1;
            }
        }
        if let Some((want, _)) = config.get(r) {
            done.insert(want);
            all.extend(item(want));
            r += 1;
            if next == Some(want) {
                next = shared.next();
            }
        }
    }
    Some(all).filter(|all| !all.is_empty()).map(Tree::from)
}
