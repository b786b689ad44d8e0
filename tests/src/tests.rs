//! Whole-system tests.

mod bad_input;
mod hermetic;
mod mesh;
mod survival;
