//! How big a tree is, measured without ever looking at more than is allowed.
//!
//! Shared subtrees count each time they occur, for they are written out each time.

use crate::tree::Tree;

/// No object of Kubernetes is nested deeper; JSON parsers refuse it too.
pub const DEEPEST: usize = 128;

/// About how many bytes the tree has in JSON, or `None` if these are more than `limit` or the tree
/// is nested deeper than [`DEEPEST`]. Takes time for `limit` bytes at most.
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
