//! Which fields differ between two states of an object (structured-merge-diff v6,
//! `typed/compare.go`). What both share costs nothing.

use std::collections::BTreeMap;

use kubesim_model::tree::Tree;

use super::schema::{Form, Keys, ListOf, MapOf, Typed};
use super::set::Set;
use super::step::Step;

/// What a change did; no field is in two of the sets.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Fields that came, or got another value.
    pub(super) set: Set,
    /// Fields that went.
    pub(super) removed: Set,
}

impl Changes {
    /// Those outside of `fields` and of all below them.
    pub(super) fn without(self, fields: &Set) -> Changes {
        Changes { set: self.set.without(fields), removed: self.removed.without(fields) }
    }
}

/// What differs between `old` and `new`.
pub(super) fn changes(old: &Tree, new: &Tree, kind: Typed<'_>) -> Changes {
    let mut walk = Walk { way: Vec::new(), changes: Changes::default() };
    walk.value(Some(old), Some(new), kind);
    walk.changes
}

struct Walk {
    way: Vec<Step>,
    changes: Changes,
}

impl Walk {
    fn value(&mut self, old: Option<&Tree>, new: Option<&Tree>, kind: Typed<'_>) {
        if let (Some(old), Some(new)) = (old, new)
            && old.is_same(new)
        {
            return;
        }
        let (was, is) = (kind.form(old), kind.form(new));
        let is_leaf = match (old, new) {
            (_, None) => self.form(old, new, &was),
            (None, _) => self.form(old, new, &is),
            _ if std::mem::discriminant(&was) == std::mem::discriminant(&is) => {
                self.form(old, new, &is)
            }
            // A value of another form: what was goes, and what is comes.
            _ => {
                let leaf = self.form(old, new, &was);
                self.form(old, new, &is) && leaf
            }
        };
        if !is_leaf {
            match (old, new) {
                (None, _) => self.changes.set.insert(&self.way),
                (_, None) => self.changes.removed.insert(&self.way),
                _ => {}
            }
        }
    }

    /// Compares two values of one form; answers whether they are not taken apart.
    fn form(&mut self, old: Option<&Tree>, new: Option<&Tree>, form: &Form<'_>) -> bool {
        match form {
            Form::Scalar(_) => self.leaf(old, new),
            Form::List(list) => {
                let items = |side: Option<&Tree>| side.map(Tree::items).unwrap_or_default().len();
                if *list.keys == Keys::Atomic || (items(old) == 0 && items(new) == 0) {
                    return self.leaf(old, new);
                }
                self.list(old, new, *list);
                false
            }
            Form::Map(map) => {
                let is_empty = |side: Option<&Tree>| {
                    side.and_then(Tree::as_map).is_none_or(|map| map.is_empty())
                };
                if map.fields.is_atomic || (is_empty(old) && is_empty(new)) {
                    return self.leaf(old, new);
                }
                self.map(old, new, *map);
                false
            }
        }
    }

    fn leaf(&mut self, old: Option<&Tree>, new: Option<&Tree>) -> bool {
        match (old, new) {
            (Some(_), None) => self.changes.removed.insert(&self.way),
            (old, new) if old != new => self.changes.set.insert(&self.way),
            _ => {}
        }
        true
    }

    fn map(&mut self, old: Option<&Tree>, new: Option<&Tree>, map: MapOf<'_>) {
        let mut both: BTreeMap<&str, (Option<&Tree>, Option<&Tree>)> = BTreeMap::new();
        for (key, value) in old.into_iter().flat_map(Tree::fields) {
            both.entry(key.as_str()).or_default().0 = Some(value);
        }
        for (key, value) in new.into_iter().flat_map(Tree::fields) {
            both.entry(key.as_str()).or_default().1 = Some(value);
        }
        // What is never absent is null where it is not there.
        let sides = [old, new].map(|side| side.is_some_and(|side| side.as_map().is_some()));
        for (name, _) in map.fields.named.iter().filter(|(_, field)| field.is_never_absent) {
            let found = both.entry(name.as_str()).or_default();
            found.0 = found.0.or(sides[0].then_some(&Tree::Null));
            found.1 = found.1.or(sides[1].then_some(&Tree::Null));
        }
        for (key, (old, new)) in both {
            let Some(member) = map.member(key) else { continue };
            self.way.push(Step::field(key));
            self.value(old, new, member.kind);
            self.way.pop();
        }
    }

    fn list(&mut self, old: Option<&Tree>, new: Option<&Tree>, list: ListOf<'_>) {
        type Found<'t> = BTreeMap<Step, (Vec<&'t Tree>, Vec<&'t Tree>)>;
        let mut found: Found<'_> = BTreeMap::new();
        for item in old.into_iter().flat_map(Tree::items) {
            if let Ok(step) = list.step(item) {
                found.entry(step).or_default().0.push(item);
            }
        }
        for item in new.into_iter().flat_map(Tree::items) {
            if let Ok(step) = list.step(item) {
                found.entry(step).or_default().1.push(item);
            }
        }
        for (step, (old, new)) in found {
            self.way.push(step);
            match (old.as_slice(), new.as_slice()) {
                (old, new) if old.len() <= 1 && new.len() <= 1 => {
                    self.value(old.first().copied(), new.first().copied(), list.items);
                }
                // Elements that are there more than once are one value.
                (old, new) if old.len() > 1 && new.len() > 1 => {
                    if old != new {
                        self.changes.set.insert(&self.way);
                    }
                }
                (old, new) if old.len() > 1 => {
                    if !new.is_empty() {
                        self.value(None, new.first().copied(), list.items);
                    }
                    self.changes.removed.insert(&self.way);
                }
                (old, _) => {
                    if !old.is_empty() {
                        self.value(old.first().copied(), None, list.items);
                    }
                    self.changes.set.insert(&self.way);
                }
            }
            self.way.pop();
        }
    }
}
