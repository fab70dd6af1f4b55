//! Built-in types as Kubernetes' Go types have them: which fields there are, what they hold, and
//! what an object looks like after it was decoded into such a type and encoded again.

mod form;
mod schema;
mod table;

pub(super) use form::decode;
pub use schema::type_schemas;
pub(super) use table::{Presence, Shape, Table};
