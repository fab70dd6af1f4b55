//! Objects of custom types on their way from version to version (apiextensions-apiserver v0.36,
//! `apiserver/conversion`): from the stored one to that of a request and back, by nothing but a
//! change of `apiVersion` or by a webhook that the type's definition names.
//!
//! The real server reads and writes objects one by one, so that a webhook is asked about each in a
//! review of its own, also for lists. As with admission webhooks ([`hooks`](super::hooks)) the API
//! calls nobody.

mod answer;
mod converter;
mod restore;
#[cfg(test)]
mod tests;
mod watched;

pub(super) use converter::Converter;
