//! The options of a write that say who writes (apimachinery v0.36, `apis/meta/v1/validation`).

use kubesim_model::request::{Request, Status, Verb};
use kubesim_model::tree::Tree;

use super::tracking::LONGEST_MANAGER;
use crate::api::errors::{self, Cause};

/// Refuses a name that no manager can have, an apply by nobody, and force where nothing is applied.
///
/// # Errors
/// 422 about the options.
pub(in crate::api) fn check_options(request: &Request) -> Result<(), Status> {
    let kind = match request.verb {
        Verb::Create => "CreateOptions",
        Verb::Update => "UpdateOptions",
        verb if verb.is_patch() => "PatchOptions",
        _ => return Ok(()),
    };
    let (manager, field) = (request.field_manager.as_str(), "fieldManager");
    let mut causes = Vec::new();
    if request.verb == Verb::Apply {
        if manager.is_empty() {
            causes.push(Cause::required(field, "is required for apply patch"));
        }
    } else if request.force.is_some() {
        causes.push(Cause::forbidden("force", "may not be specified for non-apply patch"));
    }
    if manager.len() > LONGEST_MANAGER {
        causes.push(Cause::too_long(field, LONGEST_MANAGER as i64));
    }
    for (at, letter) in manager.char_indices().filter(|(_, letter)| !is_printable(*letter)) {
        let detail = format!("invalid character U+{:04X} (at position {at})", u32::from(letter));
        causes.push(Cause::invalid(field, &Tree::from(manager), &detail));
    }
    match causes.as_slice() {
        [] => Ok(()),
        causes => Err(errors::invalid_options(kind, causes)),
    }
}

/// Whether a character can be seen, or is a space.
pub(super) fn is_printable(letter: char) -> bool {
    let mut shown = letter.escape_debug();
    // What is escaped only because it may end a literal is printable.
    "\"'\\".contains(letter) || (shown.next() == Some(letter) && shown.next().is_none())
}
