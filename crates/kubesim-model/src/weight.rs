//! How big a tree is: written out, measured without ever looking at more than is allowed, and in
//! memory, where shared subtrees count once.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::Text;
use crate::tree::Tree;

/// No object of Kubernetes is nested deeper; JSON parsers refuse it too.
pub const DEEPEST: usize = 128;

/// About how many bytes the tree has in JSON, where shared subtrees are written each time they
/// occur; `None` if these are more than `limit` or the tree is nested deeper than [`DEEPEST`].
/// Takes time for `limit` bytes at most.
pub fn weigh(tree: &Tree, limit: usize) -> Option<usize> {
    let mut left = limit;
    take(tree, 0, &mut left)?;
    Some(limit - left)
}

fn take(tree: &Tree, depth: usize, left: &mut usize) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match tree {
        Tree::Str(text) => *left = left.checked_sub(text.len() + 2)?,
        Tree::Null | Tree::Bool(_) => *left = left.checked_sub(4)?,
        Tree::Int(_) | Tree::Float(_) => *left = left.checked_sub(2)?,
        Tree::List(items) => {
            *left = left.checked_sub(2)?;
            for item in items.iter() {
                take(item, depth + 1, left)?;
            }
        }
        Tree::Map(map) => {
            *left = left.checked_sub(2)?;
            for (key, value) in map.iter() {
                *left = left.checked_sub(key.len() + 4)?;
                take(value, depth + 1, left)?;
            }
        }
    }
    Some(())
}

/// The memory that trees take together.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    seen: BTreeSet<usize>,
    bytes: usize,
}

/// What each shared allocation has besides its content: two counters.
const COUNTERS: usize = 2 * size_of::<usize>();

impl Memory {
    /// Adds what `tree` holds on the heap and no tree before it did; without what the allocator
    /// needs for itself.
    pub fn add(&mut self, tree: &Tree) {
        match tree {
            Tree::Str(text) => self.add_text(text),
            Tree::List(items) => {
                let bytes = size_of::<Vec<Tree>>() + items.capacity() * size_of::<Tree>();
                if self.is_new(Arc::as_ptr(items).addr(), bytes) {
                    items.iter().for_each(|item| self.add(item));
                }
            }
            Tree::Map(map) => {
                let (place, bytes) = map.place();
                if self.is_new(place, size_of::<Vec<()>>() + bytes) {
                    map.iter().for_each(|(key, value)| {
                        self.add_text(key);
                        self.add(value);
                    });
                }
            }
            Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) => {}
        }
    }

    /// The bytes so far.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn add_text(&mut self, text: &Text) {
        if text.is_heap_allocated() {
            self.is_new(text.as_ptr().addr(), text.len());
        }
    }

    fn is_new(&mut self, place: usize, bytes: usize) -> bool {
        let is_new = self.seen.insert(place);
        self.bytes += if is_new { COUNTERS + bytes } else { 0 };
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, map};

    #[test]
    fn the_weight_is_about_the_length_of_the_json() {
        let tree = map! { "name" => "web", "list" => list![1, true, Tree::Null] };
        let length = tree.to_string().len();
        let weight = weigh(&tree, 1_000).expect("small");
        assert!(weight.abs_diff(length) < 12, "{weight} for {length}");
        assert_eq!(weigh(&tree, 10), None);
    }

    #[test]
    fn what_trees_share_is_in_memory_once() {
        let old = map! { "spec" => map! { "a" => "b".repeat(100) }, "status" => map! { "c" => 1 } };
        let mut new = old.clone();
        new.set(&["status", "c"], 2);
        let mut memory = Memory::default();
        memory.add(&old);
        let first = memory.bytes();
        assert!(first > 100, "{first}");
        memory.add(&old);
        assert_eq!(memory.bytes(), first);
        memory.add(&new);
        let more = memory.bytes() - first;
        assert!(0 < more && more < 300, "{more}");
    }

    #[test]
    fn shared_subtrees_that_explode_are_refused_at_once() {
        let mut tree = map! { "leaf" => "x" };
        for _ in 0..100 {
            tree = list![tree.clone(), tree];
        }
        assert_eq!(weigh(&tree, 1_000_000), None);
    }

    #[test]
    fn a_deep_tree_is_refused_however_small() {
        let deep = (0..=DEEPEST).fold(Tree::Null, |inner, _| list![inner]);
        assert_eq!(weigh(&deep, 1_000_000), None);
    }
}
