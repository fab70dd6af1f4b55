//! Expressions in CEL, as Kubernetes evaluates them, and the rules of schemas that are written in
//! it (`x-kubernetes-validations`; apiextensions-apiserver v0.36, `apiserver/schema/cel`).
//!
//! Expressions are parsed by the crate `cel`. They are evaluated here, over trees as they are:
//! Kubernetes counts what an evaluation costs and ends it, orders what Go and the crate leave to
//! chance, and knows optional values, types as values and lists that are sets. The functions of
//! Kubernetes' own libraries come from `kube-cel`.

mod bridge;
mod check;
mod eval;
mod expression;
mod functions;
mod macros;
mod made;
mod names;
mod operators;
mod program;
mod rule;
mod run;
mod signatures;
mod text;
mod types;
mod value;

pub(in crate::api) use expression::{Expression, Given, Scope, Wanted};
pub(in crate::api) use rule::Rules;
