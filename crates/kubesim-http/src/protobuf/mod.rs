//! Bodies of the type `application/vnd.kubernetes.protobuf`: objects of built-in types as Go
//! clients send them (apimachinery v0.36, `pkg/runtime/serializer/protobuf`).
//!
//! A body is a prefix and an envelope that names the kind and holds the object's message. What the
//! fields of a message are, stands in `messages.txt`, which `crates/kubesim/schema` makes of the Go
//! types. Objects come out as their JSON would: what must follow from a type's own form (fields
//! that are zero, unknown values) is the API's business.

mod envelope;
mod message;
mod special;
mod table;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use envelope::read;
