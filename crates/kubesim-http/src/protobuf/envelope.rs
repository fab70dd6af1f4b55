//! The prefix and the envelope (`runtime.Unknown`) of a body.

use kubesim_model::request::Status;
use kubesim_model::tree::Tree;

use super::message::{Decoder, text};
use super::special::field;
use super::wire::{Malformed, Value};

/// What every body begins with.
pub(super) const PREFIX: &[u8] = b"k8s\0";

/// The object in a body, with its `apiVersion` and `kind`.
///
/// # Errors
/// 400 for what is no such body, or of a kind that has no protobuf form.
pub(crate) fn read(body: &[u8]) -> Result<Tree, Status> {
    if !body.starts_with(PREFIX) {
        let text = "provided data does not appear to be a protobuf message, expected prefix [107 \
                    56 115 0]";
        return Err(Status::new(400, "BadRequest", text));
    }
    decode(&mut Decoder::new(), body).map_err(|why| Status::new(400, "BadRequest", why.to_string()))
}

/// The object in a body that has the prefix.
pub(super) fn decode(decoder: &mut Decoder, body: &[u8]) -> Result<Tree, Malformed> {
    let envelope = &body[PREFIX.len()..];
    let named = match field(envelope, 1)? {
        Some(Value::Bytes(bytes)) => bytes,
        _ => &[],
    };
    let word = |number: u32| match field(named, number)? {
        Some(Value::Bytes(bytes)) => Ok(text(bytes)),
        _ => Ok(Tree::from("")),
    };
    let (version, kind) = (word(1)?, word(2)?);
    if kind.str().is_empty() {
        return Err(Malformed::Value("Object 'Kind' is missing in ''".to_owned()));
    }
    let Some(at) = decoder.table.of_kind(version.str(), kind.str()) else {
        let text = format!("no kind {kind} is registered for version {version}");
        return Err(Malformed::Value(text));
    };
    let mut object = Tree::map();
    match field(envelope, 2)? {
        Some(Value::Bytes(raw)) => decoder.message(raw, at, &mut object)?,
        None => {}
        Some(value) => return Err(Malformed::Form(value.form())),
    }
    object.set(&["apiVersion"], version);
    object.set(&["kind"], kind);
    Ok(object)
}
