//! Requests in the name of others.

mod headers;
mod mode;

pub(crate) use headers::wanted;
pub(crate) use mode::impersonated;
