//! The first frame of every stream: which session it belongs to, and what it is for. Frozen: all
//! versions begin alike.

use super::frame::{FrameError, HEADER_BYTES};
use crate::{Digest, NetworkId};

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The session's control frames; one per session and link.
    Control,
    /// Broadcast of records; one per session and link.
    Gossip,
    /// One job.
    Job,
}

/// The first 33 bytes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preface {
    /// What the stream is for.
    pub purpose: Purpose,
    /// The network, hidden from whoever does not know it already.
    pub tag: [u8; 32],
}

impl Preface {
    /// Bytes on the wire.
    pub const BYTES: usize = 33;

    /// Purpose, then tag.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = match self.purpose {
            Purpose::Control => 1,
            Purpose::Gossip => 2,
            Purpose::Job => 3,
        };
        bytes[1..].copy_from_slice(&self.tag);
        bytes
    }

    /// # Errors
    /// [`FrameError::Malformed`] where the purpose is unknown: the stream is to be reset.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> Result<Self, FrameError> {
        let purpose = match bytes[0] {
            1 => Purpose::Control,
            2 => Purpose::Gossip,
            3 => Purpose::Job,
            _ => {
                return Err(FrameError::Malformed {
                    kind: u16::from(bytes[0]),
                });
            }
        };
        let mut tag = [0; 32];
        tag.copy_from_slice(&bytes[1..]);
        Ok(Self { purpose, tag })
    }
}

const _: () = assert!(
    Preface::BYTES > HEADER_BYTES,
    "a preface cannot be mistaken for a header"
);

/// The tag of `network` on a connection with this exported keying material.
#[must_use]
pub fn network_tag(network: NetworkId, exported: &[u8; 32]) -> [u8; 32] {
    Digest::of("mesh-node network tag v1", &[&network.0, exported]).0
}
