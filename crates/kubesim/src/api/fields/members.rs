//! Which fields a value sets (structured-merge-diff v6, `typed/tofieldset.go`).

use std::collections::BTreeMap;

use kubesim_model::tree::Tree;

use super::schema::{Form, Keys, ListOf, Typed};
use super::set::Set;
use super::step::Step;

/// All leaves of a value, the elements of its lists, and the keys of its maps.
pub(super) fn members(value: &Tree, kind: Typed<'_>) -> Set {
    let mut set = Set::default();
    walk(value, kind, &mut Vec::new(), &mut set);
    set
}

fn walk(value: &Tree, kind: Typed<'_>, way: &mut Vec<Step>, set: &mut Set) {
    match kind.form(Some(value)) {
        Form::Scalar(_) => set.insert(way),
        Form::List(list) if *list.keys == Keys::Atomic => set.insert(way),
        Form::List(list) => walk_items(value, list, way, set),
        Form::Map(map) if map.fields.is_atomic => set.insert(way),
        Form::Map(map) => {
            for (key, value) in value.fields() {
                let Some(member) = map.member(key) else { continue };
                way.push(Step::Field(key.clone()));
                walk(value, member.kind, way, set);
                let is_empty = match value {
                    Tree::Null => true,
                    Tree::Map(map) => map.is_empty(),
                    _ => false,
                };
                if is_empty || !member.is_named {
                    set.insert(way);
                }
                way.pop();
            }
        }
    }
}

fn walk_items(value: &Tree, list: ListOf<'_>, way: &mut Vec<Step>, set: &mut Set) {
    let steps = value.items().iter().map(|item| list.step(item).ok().map(|step| (step, item)));
    let steps: Vec<(Step, &Tree)> = steps.flatten().collect();
    let mut count: BTreeMap<Step, usize> = BTreeMap::new();
    steps.iter().for_each(|(step, _)| *count.entry(step.clone()).or_default() += 1);
    for (step, item) in steps {
        let is_single = count.get(&step) == Some(&1);
        way.push(step);
        if is_single {
            walk(item, list.items, way, set);
        }
        // Of elements that are there more than once, only that they are there is known.
        set.insert(way);
        way.pop();
    }
}
