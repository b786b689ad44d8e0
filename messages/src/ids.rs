//! Identifiers. Each is a type of its own; comparisons are on bytes or numbers, never on text.

use crate::base32;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Neither 64 hex digits, nor 52 base32 characters, nor 57 with their checksum.
    #[error("expected 57 base32 characters (or 52 without the checksum, or 64 hex digits)")]
    Shape,
    /// The right length, but a wrong character or a wrong checksum.
    #[error("the id has a wrong character or a wrong checksum: copy it again")]
    Checksum,
}

/// The order of the bytes, eight at a time: ids are the keys of every table of addresses.
#[inline]
fn cmp_32(one: &[u8; 32], other: &[u8; 32]) -> Ordering {
    let (one, _) = one.as_chunks::<8>();
    let (other, _) = other.as_chunks::<8>();
    for (one, other) in one.iter().zip(other) {
        if one != other {
            return u64::from_be_bytes(*one).cmp(&u64::from_be_bytes(*other));
        }
    }
    Ordering::Equal
}

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 32]);

        impl PartialOrd for $name {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            #[inline]
            fn cmp(&self, other: &Self) -> Ordering {
                cmp_32(&self.0, &other.0)
            }
        }

        impl $name {
            /// The first ten characters, for logs.
            #[must_use]
            pub fn short(&self) -> String {
                let mut text = base32::encode(&self.0[..8]);
                text.truncate(10);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&base32::encode_checked(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_32(text).map(Self)
            }
        }
    };
}

bytes_id! {
    /// A node: its ed25519 public key. Prints as lowercase base32 with a 5-character checksum.
    NodeId
}
bytes_id! {
    /// A set of nodes that admit each other. Derived from its owner's key and a label.
    NetworkId
}
bytes_id! {
    /// A model: the digest of its weights and of all that changes its output but the sampling.
    ModelId
}
bytes_id! {
    /// The public half of a ticket.
    TicketKey
}

fn parse_32(text: &str) -> Result<[u8; 32], IdError> {
    let text = text.trim();
    let bytes = match text.len() {
        57 => base32::decode_checked(text),
        52 => base32::decode(text),
        64 => hex(text),
        _ => return Err(IdError::Shape),
    };
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(IdError::Checksum)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| (c as char).to_digit(16);
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}

/// One client request. Unique on its node for ever: the boot counter is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// The boot of the node that minted it.
    pub boot: u64,
    /// Counted from 1 in that boot.
    pub n: u64,
}

impl RequestId {
    /// The span of a trace that stands for it: the low halves of both numbers.
    #[must_use]
    pub const fn span(self) -> u64 {
        self.boot << 32 | self.n & 0xffff_ffff
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.boot, self.n)
    }
}

macro_rules! counter_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            Serialize, Deserialize,
        )]
        pub struct $name(pub u64);
    };
}

counter_id! {
    /// One QUIC connection at one end of it. Minted by the transport; never reused in a boot.
    LinkId
}
counter_id! {
    /// One job stream at one end of it. Minted by the transport; never reused in a boot.
    StreamId
}
counter_id! {
    /// Correlates a question with its answer inside one node.
    QueryId
}
counter_id! {
    /// Correlates a durable write with its confirmation.
    Token
}

/// One GPU or other device that runs an engine on this node.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct DeviceId(pub u16);

/// One try of one request, as the worker knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId {
    /// The node whose client asked.
    pub origin: NodeId,
    /// That node's request.
    pub request: RequestId,
    /// The try, counted from 1.
    pub attempt: u32,
}

#[cfg(test)]
mod tests;
