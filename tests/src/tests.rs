//! Whole-system tests.

mod bad_input;
#[cfg(feature = "llama")]
mod builtin;
mod hermetic;
mod mesh;
mod survival;
