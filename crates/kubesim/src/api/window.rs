//! The history window: the newest writes, in the order of their resourceVersion.
//!
//! Versions are consecutive, so a write is found by its number. Closed chunks are shared between
//! copies of a world; copying a window copies at most one open chunk.

use std::collections::VecDeque;
use std::sync::Arc;

use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

/// How many writes a chunk holds.
const CHUNK: usize = 256;

/// One change of the store, in the order of resourceVersion.
#[derive(Clone, Debug)]
pub struct Write {
    /// The version that the change made.
    pub rv: u64,
    /// Of which resource.
    pub resource: Resource,
    /// Which object.
    pub key: ObjectKey,
    /// The state before; `None` for a created object.
    pub before: Option<Tree>,
    /// The state after; `None` for a deleted object, whose last state is `before`.
    pub after: Option<Tree>,
}

/// The newest writes of a store.
#[derive(Clone)]
pub(super) struct Window {
    /// Full chunks, oldest first.
    closed: VecDeque<Arc<Vec<Write>>>,
    open: Vec<Write>,
    /// The version of the first write in `closed`, or in `open` when there is none.
    first: u64,
    /// Nothing at or before this version may be asked for.
    compacted: u64,
    limit: usize,
}

impl Window {
    /// An empty window that keeps at least `limit` writes.
    pub(super) fn new(limit: usize) -> Self {
        Window { closed: VecDeque::new(), open: Vec::new(), first: 1, compacted: 0, limit }
    }

    /// An empty window whose first write has the version after `version`.
    pub(super) fn starting_at(limit: usize, version: u64) -> Self {
        Window { first: version + 1, compacted: version, ..Window::new(limit) }
    }

    /// The newest version.
    pub(super) fn newest(&self) -> u64 {
        self.first + (self.closed.len() * CHUNK + self.open.len()) as u64 - 1
    }

    /// The oldest version from which changes can still be told.
    pub(super) fn oldest(&self) -> u64 {
        self.compacted
    }

    /// Appends a write; its version must be the next one.
    pub(super) fn push(&mut self, write: Write) {
        debug_assert_eq!(write.rv, self.newest() + 1, "versions are consecutive");
        self.open.push(write);
        if self.open.len() == CHUNK {
            self.closed.push_back(Arc::new(std::mem::take(&mut self.open)));
        }
        while self.closed.len().saturating_sub(1) * CHUNK >= self.limit.max(1) {
            self.closed.pop_front();
            self.first += CHUNK as u64;
            self.compacted = self.compacted.max(self.first - 1);
        }
    }

    /// Makes everything before `rv` unavailable; a version of the future counts as the newest.
    pub(super) fn compact(&mut self, rv: u64) {
        self.compacted = self.compacted.max(rv.min(self.newest()));
    }

    /// The writes with a version greater than `rv`, oldest first. The caller checked `oldest`.
    pub(super) fn after(&self, rv: u64) -> impl DoubleEndedIterator<Item = &Write> {
        let skip = (rv + 1).saturating_sub(self.first) as usize;
        let chunks = (skip / CHUNK).min(self.closed.len());
        let rest = skip - chunks * CHUNK;
        let in_open = if chunks == self.closed.len() { rest.min(self.open.len()) } else { 0 };
        let in_closed = if chunks == self.closed.len() { 0 } else { rest };
        self.closed
            .range(chunks..)
            .enumerate()
            .flat_map(move |(at, chunk)| chunk[if at == 0 { in_closed } else { 0 }..].iter())
            .chain(self.open[in_open..].iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(writes: u64, limit: usize) -> Window {
        let mut window = Window::new(limit);
        for rv in 1..=writes {
            let (resource, key) = (Resource::PODS, ObjectKey::new("default", "a"));
            window.push(Write { rv, resource, key, before: None, after: None });
        }
        window
    }

    #[test]
    fn every_suffix_is_told_in_order_across_chunks() {
        let window = filled(700, 10_000);
        for rv in [0, 1, 254, 255, 256, 257, 511, 512, 513, 699, 700, 900] {
            let told: Vec<u64> = window.after(rv).map(|write| write.rv).collect();
            assert_eq!(told, (rv + 1..=700).collect::<Vec<_>>(), "after {rv}");
        }
    }

    #[test]
    fn what_falls_out_of_the_window_is_compacted() {
        let window = filled(2_000, 300);
        assert_eq!(window.newest(), 2_000);
        assert!(window.oldest() >= 1_000 && 2_000 - window.oldest() >= 300);
        let told: Vec<u64> = window.after(window.oldest()).map(|write| write.rv).collect();
        assert_eq!(told, (window.oldest() + 1..=2_000).collect::<Vec<_>>());
    }

    #[test]
    fn compaction_never_goes_back_nor_into_the_future() {
        let mut window = filled(10, 300);
        window.compact(8);
        window.compact(3);
        assert_eq!(window.oldest(), 8);
        window.compact(99);
        assert_eq!(window.oldest(), 10);
    }
}
