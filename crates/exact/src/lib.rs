//! Exact repetition of code that draws entropy and reads clocks behind our back.
//!
//! A kube-rs controller iterates hash maps, jitters its back-offs and asks for the time; none of
//! that can be passed in. [`run`] gives it, on one fresh thread, a seeded `getrandom` and a virtual
//! `clock_gettime`: the C library's symbols are defined here, act only on threads that opted in,
//! and fall through to the raw system call everywhere else. Works from a library crate on stable
//! Rust for Linux with glibc or musl; elsewhere [`is_supported`] is false and nothing is replaced.
//!
//! This is the only crate of the project with `unsafe` code.

mod entropy;
#[cfg(target_os = "linux")]
mod symbols;

pub use entropy::{Clock, Nanoseconds, follow, is_supported, run, set_time};
