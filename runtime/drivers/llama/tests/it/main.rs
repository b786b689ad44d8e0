//! The engine as a node has it: a real hive, a real child process, a probe in the worker's place.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that cannot go on fails its test"
)]

#[cfg(feature = "llama")]
mod builtin;
#[cfg(feature = "llama")]
mod child;
#[path = "../../src/gguf/forge.rs"]
#[expect(dead_code, reason = "shared with the unit tests, which use all of it")]
mod forge;
#[cfg(feature = "llama")]
mod tokens;
#[cfg(not(feature = "llama"))]
mod unbuilt;
#[cfg_attr(
    not(feature = "llama"),
    expect(dead_code, reason = "without an engine there is nothing to step")
)]
mod world;
