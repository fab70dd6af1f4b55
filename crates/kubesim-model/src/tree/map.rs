//! The object of a tree: fields in the order of their keys, shared between copies.
//!
//! Nearly everything that the project does is reading fields, so that finding one matters: the
//! first bytes of each key lie beside it as one number, which decides almost every comparison.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Tree;
use crate::Text;

/// An object: its fields in the order of their keys.
#[derive(Clone, Default, PartialEq)]
pub struct Map(Arc<Vec<Field>>);

#[derive(Clone)]
struct Field {
    head: u64,
    key: Text,
    value: Tree,
}

/// Up to so many fields, looking at one after the other is faster than searching.
const FEW: usize = 16;

/// The first eight bytes of a key: where they differ, they are ordered as the keys are.
#[inline]
fn head(key: &str) -> u64 {
    let bytes = key.as_bytes();
    match bytes.first_chunk::<8>() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let padded = bytes.iter().fold(0, |head, byte| (head << 8) | u64::from(*byte));
            padded.checked_shl(8 * (8 - bytes.len() as u32)).unwrap_or(0)
        }
    }
}

impl Field {
    fn new(key: Text, value: Tree) -> Self {
        Field { head: head(&key), key, value }
    }

    #[inline]
    fn is_named(&self, head: u64, key: &str) -> bool {
        // Of two short keys the heads say everything but how many zero bytes they end in.
        self.head == head
            && if key.len() <= 8 { self.key.len() == key.len() } else { self.key == key }
    }

    #[inline]
    fn cmp_key(&self, head: u64, key: &str) -> Ordering {
        self.head.cmp(&head).then_with(|| {
            let own = self.key.as_str();
            // Of two short keys the heads say everything but how many zero bytes they end in.
            if own.len() == key.len() && key.len() <= 8 {
                return Ordering::Equal;
            }
            own.cmp(key)
        })
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Field) -> bool {
        self.head == other.head && self.key == other.key && self.value == other.value
    }
}

impl Map {
    /// The value of `key`.
    #[inline]
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.get_headed(head(key), key)
    }

    fn get_headed(&self, head: u64, key: &str) -> Option<&Tree> {
        let found = if self.0.len() <= FEW {
            self.0.iter().find(|field| field.is_named(head, key))
        } else {
            self.find(key).ok().map(|at| &self.0[at])
        };
        found.map(|field| &field.value)
    }

    /// The value of `key` for writing; a missing one is inserted as `Null`.
    pub fn entry(&mut self, key: &str) -> &mut Tree {
        let found = self.find(key);
        let fields = Arc::make_mut(&mut self.0);
        let at = found.unwrap_or_else(|at| {
            fields.insert(at, Field::new(Text::new(key), Tree::Null));
            at
        });
        &mut fields[at].value
    }

    /// Sets `key`.
    pub fn insert(&mut self, key: &str, value: impl Into<Tree>) {
        *self.entry(key) = value.into();
    }

    /// Takes `key` away and answers what it was.
    pub fn remove(&mut self, key: &str) -> Option<Tree> {
        let at = self.find(key).ok()?;
        Some(Arc::make_mut(&mut self.0).remove(at).value)
    }

    /// The fields in the order of their keys.
    pub fn iter(&self) -> Fields<'_> {
        Fields(self.0.iter())
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the fields lie in memory, and how many bytes they take there.
    pub(crate) fn place(&self) -> (usize, usize) {
        (Arc::as_ptr(&self.0).addr(), self.0.capacity() * size_of::<Field>())
    }

    /// Whether both are the same shared object.
    pub(super) fn is_same(&self, other: &Map) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        let head = head(key);
        self.0.binary_search_by(|field| field.cmp_key(head, key))
    }
}

/// The fields of an object in the order of their keys.
#[derive(Clone, Default)]
pub struct Fields<'m>(std::slice::Iter<'m, Field>);

impl<'m> Iterator for Fields<'m> {
    type Item = (&'m Text, &'m Tree);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|field| (&field.key, &field.value))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl FromIterator<(Text, Tree)> for Map {
    fn from_iter<I: IntoIterator<Item = (Text, Tree)>>(fields: I) -> Self {
        let fields = fields.into_iter().map(|(key, value)| Field::new(key, value));
        let mut fields: Vec<Field> = fields.collect();
        let order = |a: &Field, b: &Field| a.cmp_key(b.head, &b.key);
        if !fields.is_sorted_by(|a, b| order(a, b).is_lt()) {
            fields.sort_by(order);
            // The last of equal keys wins, as in every JSON parser that Kubernetes uses.
            fields.reverse();
            fields.dedup_by(|a, b| a.key == b.key);
            fields.reverse();
        }
        Map(Arc::new(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_ordered_by_their_bytes_and_found(keys: Vec<String>, more in "[a\0b]{0,10}") {
            let keys: Vec<String> = keys.into_iter().chain([more]).collect();
            let map: Map =
                keys.iter().map(|key| (Text::new(key), Tree::from(key.as_str()))).collect();
            let mut sorted = keys.clone();
            sorted.sort();
            sorted.dedup();
            prop_assert_eq!(map.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>(), sorted);
            for key in &keys {
                prop_assert_eq!(map.get(key), Some(&Tree::from(key.as_str())));
            }
        }

        #[test]
        fn short_keys_that_end_in_zeros_are_told_apart(a in "[a\0]{0,10}", b in "[a\0]{0,10}") {
            let (one, other) = (Field::new(Text::new(&a), Tree::Null), head(&b));
            prop_assert_eq!(one.cmp_key(other, &b), a.cmp(&b));
        }
    }
}
