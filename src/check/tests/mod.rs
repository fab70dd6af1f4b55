//! Facts about judging, on histories that are told by hand.
//!
//! Every invariant has `fixtures/histories/IDENT/holds.jsonl` and `broken.jsonl`, each with the
//! verdict that is expected of it. `BLESS=1` writes them anew from the stories.

mod between;
mod edges;
mod fixtures;
mod judging;
mod stories;
mod story;
