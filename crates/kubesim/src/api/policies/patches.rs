//! What a policy makes of an object: by a configuration that is applied to it, or by a JSON patch
//! (apiserver v0.36, `policy/mutating/patch`).

use kubesim_model::patch::{PatchError, json_patch};
use kubesim_model::request::Status;
use kubesim_model::tree::Tree;

use super::bound::given;
use super::compiled::{Mutation, Policy};
use super::matching::Attributes;
use crate::api::hooks::internal;
use crate::api::router::Call;
use crate::api::{custom, defaults, fields, typed};

/// What the expressions of one mutation may cost together.
const BUDGET: u64 = 10_000_000;

/// Why nothing is made of an object.
pub(super) enum Problem {
    /// The policy could not be evaluated.
    Policy(String),
    /// The request fails, whatever the policy says.
    Failed(Box<Status>),
}

impl From<String> for Problem {
    fn from(why: String) -> Problem {
        Problem::Policy(why)
    }
}

impl Mutation {
    /// The object after this mutation, with defaults.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn patched(
        &self,
        call: &Call<'_>,
        policy: &Policy,
        about: &Attributes<'_>,
        (param, old): (&Tree, &Tree),
    ) -> Result<Tree, Problem> {
        let (mut given, mut left) = (given(about, param), BUDGET);
        policy.define(&mut given, &mut left);
        let live = about.object;
        let mut new = match self {
            Mutation::Configuration(expression) => {
                let mut config = expression.object(&given, &mut left)?;
                for field in ["apiVersion", "kind"] {
                    config.set(&[field], &live[field]);
                }
                fields::configured(call, about.form, live, &config)
                    .map_err(|why| format!("error applying patch: {why}"))?
            }
            Mutation::Patch(expression) => {
                let patch = expression.patch(&given, &mut left)?;
                match json_patch(live, &patch) {
                    Ok(new) => new,
                    // A test that does not hold means that the patch is not for this object.
                    Err(PatchError::Untrue(_)) => live.clone(),
                    Err(why) => return Err(format!("JSON Patch: {why}").into()),
                }
            }
        };
        let is_strict = matches!(self, Mutation::Patch(_));
        decoded(call, about, &mut new, is_strict)
            .map_err(|why| Problem::Failed(Box::new(internal(&why))))?;
        if about.form.is_none() {
            defaults::fill(&call.kind, &mut new, old);
        }
        Ok(new)
    }
}

/// Gives an object the form of its type; in a strict way, it may have no unknown fields.
fn decoded(
    call: &Call<'_>,
    about: &Attributes<'_>,
    new: &mut Tree,
    is_strict: bool,
) -> Result<(), String> {
    let kind = about.form.map_or(call.kind.kind.as_str(), |(_, _, kind)| kind);
    if call.kind.custom && about.form.is_none() {
        return custom::decode(&call.kind, new, about.object).map(drop);
    }
    let unknown = typed::decode(kind, new, about.object)?.unknown;
    if is_strict && !unknown.is_empty() {
        let unknown: Vec<String> =
            unknown.iter().map(|field| format!("unknown field \"{field}\"")).collect();
        return Err(format!("strict decoding error: {}", unknown.join(", ")));
    }
    Ok(())
}
