//! A configuration that a policy applies to an object: nobody comes to own its fields, and nothing
//! that is one value may be replaced by it (apiserver v0.36, `policy/mutating/patch/smd.go`).

use kubesim_model::tree::Tree;

use super::check::problems;
use super::merge::merge;
use super::schema::{Form, Keys, Schema, Typed};
use crate::api::policies::Form as Sent;
use crate::api::router::Call;

/// `live`, which may be of another type than the call's resource, with all that `config` sets.
///
/// # Errors
/// Why the configuration can't be applied.
pub(in crate::api) fn configured(
    call: &Call<'_>,
    sent: Option<Sent>,
    live: &Tree,
    config: &Tree,
) -> Result<Tree, String> {
    let kind = match sent {
        // The real server knows no schema of it.
        Some((group @ "autoscaling", version, kind)) => {
            return Err(format!(
                "failed to convert patch object to typed object: no corresponding type for \
                 {group}/{version}, Kind={kind}"
            ));
        }
        Some((_, _, kind)) => Schema::builtin(kind),
        None => call.schema(),
    };
    let convert = |what: &str, object: &Tree| {
        let told = match problems(object, kind).as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            many => format!("errors:\n  {}", many.join("\n  ")),
        };
        Err(format!("failed to convert {what} object to typed object: {told}"))
    };
    convert("patch", config)?;
    let mut atomics = Vec::new();
    find_atomics(config, kind, "", &mut atomics);
    if !atomics.is_empty() {
        let atomics = atomics.join(", ");
        return Err(format!(
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {atomics}"
        ));
    }
    Ok(merge(live, config, kind))
}

/// The places of maps and lists that are one value.
fn find_atomics(value: &Tree, kind: Typed<'_>, at: &str, found: &mut Vec<String>) {
    match (kind.form(Some(value)), value) {
        (Form::Map(map), Tree::Map(_)) => {
            if map.fields.is_atomic {
                found.push(at.to_owned());
            }
            for (key, value) in value.fields() {
                if let Some(member) = map.member(key).filter(|member| member.is_named) {
                    find_atomics(value, member.kind, &format!("{at}.{key}"), found);
                }
            }
        }
        (Form::List(list), Tree::List(items)) => {
            if *list.keys == Keys::Atomic {
                found.push(at.to_owned());
            }
            for (number, item) in items.iter().enumerate() {
                find_atomics(item, list.items, &format!("{at}[{number}]"), found);
            }
        }
        _ => {}
    }
}
