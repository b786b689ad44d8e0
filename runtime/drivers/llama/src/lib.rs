//! llama.cpp in a child process per device.
//!
//! llama.cpp aborts its process on simple misuse, runs out of device memory and parses files of
//! strangers; none of that may take the node down. So the node's own binary is started again with
//! [`ENGINE_MARKER`] and runs [`engine_main`]: it gives up its rights, loads the models and
//! answers frames on its standard input, which is a socket. Its parent is [`LlamaEngine`].
//!
//! | file | what it holds |
//! |---|---|
//! | `gguf` | the check of a model file, in safe Rust, before the child is told of it |
//! | `models` | what a model reference means, and the built-in model |
//! | `sampling` | which token stands at a position, a pure function |
//! | `protocol` | the frames between parent and child |
//! | `driver`, `process` | the parent: one child, its pipe, its log, its end |
//! | `child` | the child: sandbox, prompts, decoding; unsafe code in its `llama.rs` only |
//!
//! Without the feature `llama` nothing of llama.cpp is built, and the driver reports so.

#[cfg(feature = "llama")]
mod child;
mod config;
mod driver;
pub mod gguf;
mod models;
mod process;
mod protocol;
pub mod sampling;

#[cfg(feature = "llama")]
pub use child::engine_main;
pub use config::LlamaConfig;
pub use driver::LlamaEngine;
pub use models::{BUILTIN, ModelFile, locate, resolve};

/// The argument behind which the binary is the engine's process and nothing else.
pub const ENGINE_MARKER: &str = "--mesh-engine-child";

/// Without llama.cpp there is no engine to run.
#[cfg(not(feature = "llama"))]
#[must_use]
pub fn engine_main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
