//! Whole-system tests.

mod bad_input;
#[cfg(feature = "llama")]
mod builtin;
mod command_line;
mod hermetic;
mod hostile;
mod mesh;
mod survival;
