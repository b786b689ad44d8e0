//! Runs `mesh-node` as its users do: processes with homes of their own on loopback.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "helpers of tests fail by panicking"
)]

mod http;
mod process;

#[cfg(test)]
mod tests;

pub use http::{Asked, Reply, Stream, ask, get, post, post_with, request, stream, try_request};
pub use process::{Folder, LOG, Lines, Node, command, finish, run, within};
