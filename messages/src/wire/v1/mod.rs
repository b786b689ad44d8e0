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
/// What both ends feed to TLS for the keying material of network tags.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-mesh-node-network-tag";
/// This version's number in a Hello.
pub const VERSION: u16 = 1;
