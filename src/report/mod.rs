//! What a run left behind: a folder with everything, and the same as a table, as JSON and as JUnit.
//! One file per form. Sees only the events of a run and what they carry; decides nothing.

pub mod fidelity;
pub mod finding;
pub mod folder;
pub mod junit;
pub mod model;
pub mod narrate;
pub mod table;
pub mod text;
pub mod timeline;
