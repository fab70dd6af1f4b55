//! CustomResourceDefinitions themselves: defaults, what is refused, and their life
//! (apiextensions-apiserver v0.36, `pkg/apis/apiextensions` and `pkg/controller`).

mod check;
mod conversion;
mod defaults;
mod expressions;
mod form;
mod life;
mod parts;
mod schema;
mod structural;

pub(in crate::api) use check::{problems, status_problems};
pub(in crate::api) use form::give as give_form;
pub(in crate::api) use life::{complete, mark};
pub(in crate::api) use schema::unknown_formats;
