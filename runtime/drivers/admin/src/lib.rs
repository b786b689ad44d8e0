//! The control socket: a Unix socket in the node's home, for its own user alone.
//!
//! The command line finds a running node by it. Frames are a `u32` length (little endian) and a
//! postcard body that begins with the protocol's version; one request, one answer, then the
//! connection closes. Only a peer of the same user (or root) is heard.

mod client;
mod driver;
mod place;
mod protocol;

#[cfg(test)]
mod tests;

pub use client::{ClientError, ask};
pub use driver::{ControlConfig, ControlSocket, Duties};
pub use place::{PlaceError, Socket, find};
pub use protocol::{About, ProtocolError, Request, Response, VERSION};
