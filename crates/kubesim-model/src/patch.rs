//! The three patches of Kubernetes over trees. What a patch leaves alone stays shared.
//!
//! Which patch is allowed for which type, and what a patch may touch, is the API's business.

mod json;
mod strategic;
#[cfg(test)]
mod tests;

pub use json::json_patch;
pub use strategic::strategic_merge;

use crate::tree::Tree;

/// Why a patch can't be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch itself can't be understood (HTTP 400).
    #[error("{0}")]
    Malformed(String),
    /// The patch does not fit the object: a path leads nowhere (HTTP 422).
    #[error("{0}")]
    Misfit(String),
    /// What a `test` says of the object does not hold (HTTP 422).
    #[error("{0}")]
    Untrue(String),
    /// The patch can be read but not be carried out, which the API server reports as a failure of
    /// its own (HTTP 500).
    #[error("{0}")]
    Senseless(String),
    /// The patch is too long, or its result too big or too deep (HTTP 413).
    #[error("{0}")]
    TooBig(String),
}

/// Applies an RFC 7386 merge patch: objects are merged, `null` deletes, all else replaces.
pub fn merge(target: &Tree, patch: &Tree) -> Tree {
    if patch.as_map().is_none() {
        return patch.clone();
    }
    let mut merged = if target.as_map().is_some() { target.clone() } else { Tree::map() };
    for (key, value) in patch.fields() {
        if value.is_null() {
            merged.remove(&[key.as_str()]);
        } else {
            let value = merge(&merged[key.as_str()], value);
            merged.set(&[key.as_str()], value);
        }
    }
    merged
}
