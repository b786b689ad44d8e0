//! Version 1: `docs/PROTOCOL.md` describes it and carries the hash of this folder.

pub mod control;
pub mod frame;
pub mod gossip;
pub mod job;
pub mod preface;

#[cfg(test)]
mod tests;

/// The protocol's name in the TLS handshake.
pub const ALPN: &[u8] = b"mesh-node/1";
/// This version's number in a Hello.
pub const VERSION: u16 = 1;
